"""What the tests of the program share: running it, making clips, skipping with a reason.

The program is $VRSEG_PROGRAM. Clips are made by the ffmpeg program, small and short.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SKIPPED = 77
PROGRAM = os.environ.get("VRSEG_PROGRAM", "")
SOURCE = Path(os.environ.get("VRSEG_SOURCE_DIR", ""))
MODEL = "selfie-landscape"
# Long enough for any run here under a sanitizer on a busy machine: only a hang reaches it.
PATIENCE = 300


def hide_stand_ins() -> None:
    """Meson puts the folders of what a test depends on into the library path, those of the
    stand-ins for drivers too: a run would take one for a GPU. Tests that want one name it."""
    build = os.environ.get("VRSEG_BUILD_DIR", "")
    kept = [folder for folder in os.environ.get("LD_LIBRARY_PATH", "").split(":")
            if folder and not (build and folder.startswith(build))]
    if kept:
        os.environ["LD_LIBRARY_PATH"] = ":".join(kept)
    else:
        os.environ.pop("LD_LIBRARY_PATH", None)


hide_stand_ins()


def run(*args: object, **more) -> subprocess.CompletedProcess:
    """Runs the program to its end; text on its pipes unless `text=False`."""
    options = {"stdin": subprocess.DEVNULL, "text": True, "timeout": PATIENCE} | more
    if "input" in options:
        del options["stdin"]
    return subprocess.run([PROGRAM, *map(str, args)], capture_output=True, check=False, **options)


def start(*args: object, **more) -> subprocess.Popen:
    """Starts the program with pipes on all three."""
    options = {"stdin": subprocess.PIPE} | more
    return subprocess.Popen([PROGRAM, *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, **options)


def ffmpeg(*args: object) -> None:
    """Runs ffmpeg; what it complains about is on standard error."""
    subprocess.run(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)], check=True,
                   timeout=PATIENCE)


def pattern(frames: int, size: str = "64x48", rate: int = 25) -> list[str]:
    """Input of ffmpeg: so many frames of a moving test pattern, of any size from 1x1 on."""
    width, height = size.split("x")
    return ["-f", "lavfi", "-i", f"testsrc=size=160x120:rate={rate}:duration={frames / rate},"
            f"scale={width}:{height}:flags=area"]


def clip(path: Path, frames: int, *args: object, size: str = "64x48") -> Path:
    """Writes a clip of the test pattern, H.264 with a key frame every 10 unless `args` differ."""
    ffmpeg(*pattern(frames, size), *(args or ["-c:v", "libx264", "-preset", "ultrafast", "-g", 10,
                                              "-pix_fmt", "yuv420p"]), path)
    return path


def probe(path: Path) -> list[dict]:
    """The streams of a file, with `nb_read_frames` of those that ffprobe can decode."""
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-show_streams", "-of",
                           "json", str(path)], capture_output=True, check=True, timeout=PATIENCE)
    return json.loads(done.stdout)["streams"]


def video(path: Path) -> dict:
    """The video stream of a file."""
    return next(s for s in probe(path) if s["codec_type"] == "video")


def frames(path: Path) -> int:
    """How many frames the video stream of a file has."""
    return int(video(path)["nb_read_frames"])


class CliTest(unittest.TestCase):
    """A folder of its own for each test, and the checks that go with every refusal."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vrseg-test-")
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.out = self.folder / "out"
        self.out.mkdir()

    def assert_left(self, *names: str) -> None:
        """Nothing but `names` is in the folder of the outputs, hidden files counted."""
        self.assertEqual(sorted(os.listdir(self.out)), sorted(names))

    def assert_sentences(self, text: str) -> None:
        """Every line is one of vrseg's, none a library's."""
        for line in text.splitlines():
            self.assertRegex(line, r"^vrseg: \S|^\d+( of \d+)? frames, ", text)

    def assert_refused(self, done: subprocess.CompletedProcess, code: int, pattern: str) -> None:
        """One clear sentence on standard error, nothing on standard output, the exit code."""
        first = r"(?m)^vrseg: (device [^\n]+, decoded by |output: |memory: |time: )[^\n]+\n"
        said = re.sub(first, "", done.stderr)
        self.assertEqual(done.returncode, code, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertRegex(said, pattern)
        self.assertRegex(said, r"^vrseg: [^\n]+\n$")
        self.assertNotRegex(said, r"\(null\)|%[sd]|unknown status")


def summary(path: Path) -> dict:
    """What --json wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def engine_missing() -> str:
    """Why no run is possible here; empty if one is."""
    done = run("models", "show", MODEL)
    if done.returncode != 0 or "state: installed" not in done.stdout:
        return f"the weights of {MODEL} are not installed"
    if doctor()["requirements"]["OpenVINO"]["state"] != "ok":
        return "OpenVINO is not installed"
    return ""


def doctor(*args: object, **more) -> dict:
    """What the doctor finds, its checks by their names."""
    found = json.loads(run("doctor", "--json", *args, **more).stdout)
    for section in ("requirements", "deployment", "self_test"):
        if section in found:
            found[section] = {check["name"]: check for check in found[section]}
    return found


def main(needs_engine: bool) -> None:
    """Runs the tests of the calling file; skips them all where they cannot run."""
    if not PROGRAM:
        sys.exit("VRSEG_PROGRAM must name the program")
    reason = engine_missing() if needs_engine else ""
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="vrseg-cache-") as cache:
        os.environ["XDG_CACHE_HOME"] = cache  # the user's own stays as it is
        unittest.main(verbosity=2)
