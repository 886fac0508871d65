"""A video on each engine: the same masks; what an engine refuses is one sentence."""

import os

import support
from support import run


def engine_missing(name: str) -> bool:
    return support.doctor()["requirements"][name]["state"] != "ok"


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

    def test_on_a_gpu(self) -> None:
        """The network of the stand-in copies red and green into its two scores."""
        driver = os.environ.get("VRSEG_FAKE_DRIVER", "")
        library = os.environ.get("VRSEG_FAKE_ONNXRUNTIME", "")
        if not driver or not library:
            self.skipTest("there are no stand-ins for the driver and ONNX Runtime")
        clip = support.clip(self.folder / "clip.mp4", 7)
        (self.folder / "libonnxruntime.so.1").symlink_to(library)
        model = self.folder / "model.yaml"
        model.write_text("title: t\nlicence: l\nsource: s\ninput: {width: 6, height: 4, scale: "
                         "1/255}\noutput: {activation: none, classes: 2, person: [1]}\n"
                         f"weights: {support.SOURCE}/tests/data/tiny.onnx\n", encoding="utf-8")
        log = self.folder / "log"
        env = {**os.environ, "LD_LIBRARY_PATH": os.path.dirname(driver),
               "VRSEG_CUDA_LIBRARY": driver, "VRSEG_CUDA_IMAGE": str(support.SOURCE / "LICENSE"),
               "VRSEG_ONNXRUNTIME_DIR": str(self.folder), "FAKE_ORT_VERSION": "1.24.0",
               "FAKE_ORT_LOG": str(log)}
        masks = []
        for provider, precision in (("cuda", "f32"), ("tensorrt", "f16")):
            out = self.out / f"{provider}.y4m"
            done = run("run", clip, "-o", f"mask:{out}", "--engine", "onnxruntime",
                       "--ort-provider", provider, "--precision", precision, "--device", "cuda:0",
                       "--decoder", "cpu", "--max-batch-size", "3", "--model", model, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            masks.append(out.read_bytes())
        self.assertEqual(masks[0].count(b"FRAME\n"), 7)
        self.assertEqual(masks[0], masks[1])
        self.assertGreater(len(set(masks[0][-64 * 48:])), 10)
        self.assertIn("trt_profile_max_shapes=picture:3x3x4x6\n", log.read_text())

    def test_missing(self) -> None:
        clip = support.clip(self.folder / "clip.mp4", 2)
        env = {**os.environ, "VRSEG_ONNXRUNTIME_DIR": "/nowhere"}
        done = run("run", clip, "-o", f"mask:{self.out / 'mask.y4m'}", "--engine", "onnxruntime",
                   "--device", "cpu", env=env)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, "make setup")
        self.assertRegex(run("doctor", env=env).stdout, r"\nwarn +ONNX Runtime +\S")


if __name__ == "__main__":
    support.main(needs_engine=True)
