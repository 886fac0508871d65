"""A video on each engine: the same masks; what an engine refuses is one sentence."""

import os

import support
from support import run


def engine_missing(name: str) -> bool:
    return f"{name} missing" in run("doctor").stdout


class Engines(support.CliTest):
    def masks(self, clip: object, engine: str, *more: str) -> bytes:
        """Every mask, 8 bits a pixel, without the headers of the frames."""
        out = self.out / f"{engine}.y4m"
        done = run("run", clip, "-o", f"mask:{out}", "--engine", engine, *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return b"".join(out.read_bytes().split(b"FRAME\n")[1:])

    def test_same_masks(self) -> None:
        if engine_missing("ONNX Runtime"):
            self.skipTest("ONNX Runtime is not installed, or vrseg is built without it")
        clip = support.clip(self.folder / "clip.mp4", 12)
        first = self.masks(clip, "openvino")
        second = self.masks(clip, "onnxruntime")
        third = self.masks(clip, "onnxruntime", "--engine-threads", "3", "--max-batch-size", "4")
        self.assertEqual(len(first), 12 * 64 * 48)
        self.assertEqual(len(first), len(second))
        self.assertLessEqual(max(abs(a - b) for a, b in zip(first, second)), 2)
        self.assertEqual(second, third)

    def test_refusals(self) -> None:
        clip = support.clip(self.folder / "clip.mp4", 2)
        out = ["-o", f"mask:{self.out / 'mask.y4m'}", "--device", "cpu"]
        self.assert_refused(run("run", clip, *out, "--engine", "onnxrutime"), 2,
                            r"none of auto\|openvino\|onnxruntime")
        if engine_missing("ONNX Runtime"):
            self.skipTest("ONNX Runtime is not installed, or vrseg is built without it")
        self.assert_refused(run("run", clip, *out, "--engine", "onnxruntime", "--precision",
                                "bf16"), 2, "onnxruntime has no precision bf16; it has f32")
        for provider in ("cuda", "tensorrt", "tensorrt-rtx"):
            done = run("run", clip, *out, "--engine", "onnxruntime", "--ort-provider", provider)
            self.assert_refused(done, 2, "runs on a GPU: choose one with --device")
        self.assert_left()

    def test_missing(self) -> None:
        clip = support.clip(self.folder / "clip.mp4", 2)
        env = {**os.environ, "VRSEG_ONNXRUNTIME_DIR": "/nowhere"}
        done = run("run", clip, "-o", f"mask:{self.out / 'mask.y4m'}", "--engine", "onnxruntime",
                   "--device", "cpu", env=env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "make setup")
        self.assertIn("ONNX Runtime missing: ", run("doctor", env=env).stdout)


if __name__ == "__main__":
    support.main(needs_engine=True)
