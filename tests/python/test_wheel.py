"""The wheel: built as the documents say, installed into an empty folder, and its example run on a
real clip; the masks are those of the program."""

import os
import subprocess
import sys
import unittest
import zipfile
from pathlib import Path

import numpy as np

import support

CLIP = support.SHARED / "media" / "videos" / "sam2_woman_and_dog_1280x720.mp4"
FRAMES, WIDTH, HEIGHT = 8, 640, 360


class Wheel(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.dist, cls.env = support.FOLDER / "dist", support.FOLDER / "env"
        done = support.build("--out", support.FOLDER / "source", "--libraries",
                             os.environ["VRSEG_LIBRARY_DIR"], "--wheel", cls.dist)
        assert done.returncode == 0, done.stdout + done.stderr
        cls.wheel = Path(done.stdout.strip())
        subprocess.run(["/usr/bin/python3", "-m", "pip", "install", "--quiet", "--no-deps",
                        "--no-index", "--disable-pip-version-check", "--root-user-action=ignore",
                        "--target", cls.env, cls.wheel], check=True, timeout=support.PATIENCE)

    def python(self, *args: object, **more) -> subprocess.CompletedProcess:
        """A Python that finds the installed package and NumPy, and nothing of the checkout."""
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("VRSEG_") or name == "VRSEG_MODELS_DIR"}
        environment["PYTHONPATH"] = f"{self.env}:{Path(np.__file__).parents[1]}"
        environment["XDG_CACHE_HOME"] = str(support.FOLDER / "cache")
        return subprocess.run([sys.executable, "-B", *map(str, args)], env=environment, check=False,
                              capture_output=True, timeout=support.PATIENCE, **more)

    def test_content(self) -> None:
        self.assertRegex(self.wheel.name, r"^vrseg-\d+\.\d+\.\d+-py3-none-linux_x86_64\.whl$")
        names = set(zipfile.ZipFile(self.wheel).namelist())
        for name in ("_abi.py", "py.typed", "lib/libvrseg.so.0", "lib/libvrseg-media.so.0",
                     "models/selfie-landscape.yaml", "configs/vr.yaml", "exporter/export.py",
                     "LICENSE", "NOTICE"):
            self.assertIn(f"vrseg/{name}", names)
        self.assertFalse([name for name in names if name.endswith((".onnx", ".pyc"))])

    def test_stands_alone(self) -> None:
        done = self.python("-c", "import vrseg; print(vrseg.__file__, vrseg._library.core._name, "
                           "len(vrseg.models()) > 3, vrseg.Config('vr')['layout'])")
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        package, library, models, layout = done.stdout.decode().split()
        self.assertTrue(package.startswith(str(self.env)), package)
        self.assertTrue(library.startswith(str(self.env)), library)
        self.assertEqual((models, layout), ("True", "sbs"))

    def test_example_on_a_clip(self) -> None:
        if not CLIP.is_file():
            self.skipTest(f"{CLIP} is not there")
        done = self.python("-c", "import vrseg; print(*[c.found for c in vrseg.requirements() if "
                           "c.required and c.state == 'failed'])")
        if done.stdout.strip():
            self.skipTest(done.stdout.decode())
        clip = support.FOLDER / "clip.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-i", CLIP, "-frames:v", str(FRAMES), "-vf",
                        f"scale={WIDTH}:{HEIGHT}", "-c:v", "ffv1", clip], check=True)
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", clip, "-pix_fmt", "rgb24", "-f",
                              "rawvideo", "-"], check=True, capture_output=True).stdout
        done = self.python(support.SOURCE / "python" / "examples" / "masks.py", WIDTH, HEIGHT,
                           "cpu", input=raw)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        found = np.frombuffer(done.stdout, np.uint8).reshape(FRAMES, HEIGHT, WIDTH) >= 128
        out = support.FOLDER / "masks.mkv"
        subprocess.run([os.environ["VRSEG_PROGRAM"], "run", clip, "-o", out, "--codec", "ffv1",
                        "--device", "cpu", "--progress", "none"], check=True, capture_output=True)
        expected = np.frombuffer(subprocess.run(
            ["ffmpeg", "-v", "error", "-i", out, "-pix_fmt", "gray", "-f", "rawvideo", "-"],
            check=True, capture_output=True).stdout, np.uint8).reshape(found.shape) >= 128
        self.assertGreater(expected.mean(), 0.02)  # there is somebody
        self.assertGreater((found & expected).sum() / (found | expected).sum(), 0.97)


if __name__ == "__main__":
    support.main()
