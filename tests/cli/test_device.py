"""Runs on a GPU, which is the stand-in driver: the device is said in one line, and what is wrong
with it in one sentence with the right exit code."""

import json
import os
import unittest

from support import SOURCE, CliTest, clip, ffmpeg, frames, main, run, summary

DRIVER = os.environ.get("VRSEG_FAKE_DRIVER", "")
LOST = 719  # CUDA_ERROR_LAUNCH_FAILED
NO_CODE = 209  # CUDA_ERROR_NO_BINARY_FOR_GPU


def on_gpu(**more: object) -> dict:
    """The environment of a run that finds the stand-ins, with settings of fake_cuda."""
    names = {"LD_LIBRARY_PATH": os.path.dirname(DRIVER), "VRSEG_CUDA_LIBRARY": DRIVER,
             "VRSEG_CUDA_IMAGE": os.path.join(os.environ["VRSEG_SOURCE_DIR"], "LICENSE"),
             "VRSEG_CUDNN_LIBRARY": "none"}
    return os.environ | names | {f"VRSEG_FAKE_CUDA_{k.upper()}": str(v) for k, v in more.items()}


@unittest.skipUnless(DRIVER, "this build has no stand-in driver")
class DeviceTest(CliTest):
    def refused(self, code: int, sentence: str, *args: object, **more: object) -> None:
        done = run("run", "a.mp4", "-o", self.out / "o.mkv", *args, cwd=self.folder,
                   env=on_gpu(**more))
        self.assert_refused(done, code, sentence)
        self.assert_left()

    def setUp(self) -> None:
        super().setUp()
        clip(self.folder / "a.mp4", 30, size="128x96")

    def test_refusals(self) -> None:
        self.refused(2, "there is no GPU cuda:7: the driver shows cuda:0 alone",
                     "--device", "cuda:7")
        self.refused(2, "cuda:2: the driver shows cuda:0 to cuda:1", "--device", "cuda:2",
                     devices=2)
        self.refused(2, "driver is too old: it has CUDA 11.4, and vrseg needs 13.0: install",
                     "--device", "cuda", driver=11040)
        self.refused(2, "compute capability 5.2", "--device", "cuda", capability="5.2",
                     image_error=NO_CODE)
        self.refused(2, "gpu_memory", "--device", "cuda", "--gpu-memory", "100000B")
        self.refused(2, "decoder nvdec works in runs on the GPU alone", "--device", "cpu",
                     "--decoder", "nvdec")

    def test_no_driver(self) -> None:
        env = os.environ | {"VRSEG_CUDA_LIBRARY": "/nowhere/libcuda.so.1"}
        done = run("run", self.folder / "a.mp4", "-o", "null", "--device", "cuda", env=env)
        self.assert_refused(done, 1, "libcuda.so.1 cannot be opened .*: install NVIDIA's driver")
        done = run("run", self.folder / "a.mp4", "-o", "null", env=env)
        self.assertRegex(done.stderr.splitlines()[0], r"^vrseg: device cpu "
                         r"\([\w/.]*libcuda.so.1 cannot be opened\), decoded by ")

    def test_said_at_the_start(self) -> None:
        figures = self.folder / "f.json"
        for more, line in (({}, r"device cuda:0 \(Fake GPU 0\), decoded by nvdec"),
                           ({"driver": 11040}, r"device cpu \(.*driver.*\), decoded by cpu")):
            with self.subTest(line):
                done = run("run", self.folder / "a.mp4", "-o", self.out / "o.mkv", "--json",
                           figures, "--engine", "openvino", env=on_gpu(**more))
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stderr.splitlines()[0], f"^vrseg: {line}, network by ")
                self.assertEqual(summary(figures)["decoder"], line.split()[-1])
                self.assertEqual(frames(self.out / "o.mkv"), 30)
        done = run("run", self.folder / "a.mp4", "-o", "null", "--progress", "json",
                   "--engine", "openvino", env=on_gpu())
        first = json.loads(done.stderr.splitlines()[0])
        self.assertEqual((first["device"], first["decoder"]), ("cuda:0 (Fake GPU 0)", "nvdec"))

    def test_network_on_the_gpu(self) -> None:
        """The engine of our own with a real network between the lanes' kernels."""
        env = on_gpu()
        person = self.folder / "person.png"
        ffmpeg("-i", SOURCE / "docs" / "images" / "preview.png", "-vf",
               "crop=iw/3:ih:0:0,scale=128:96", "-update", 1, person)
        masks = []
        for name, args in (("gpu", ("--device", "cuda", "--engine", "cuda")),
                           ("cpu", ("--device", "cpu"))):
            done = run("run", person, "-o", self.out / f"{name}.y4m", *args, env=env)
            self.assertEqual(done.returncode, 0, done.stderr)
            masks.append((self.out / f"{name}.y4m").read_bytes().split(b"FRAME\n")[1])
        self.assertEqual([len(mask) for mask in masks], [128 * 96] * 2)
        self.assertGreater(sum(masks[1]) / len(masks[1]), 50)  # somebody is there
        apart = [abs(a - b) for a, b in zip(*masks)]
        self.assertLess(sum(apart) / len(apart), 0.5)
        self.assertLess(max(apart), 32)

    def test_network_that_finds_no_room(self) -> None:
        """By itself the network is the GPU's, or the CPU's with the reason."""
        figures = self.folder / "f.json"
        for memory, engine in (("1GB", r"^cuda, "), ("4MB", r"^openvino .*\(.*budget")):
            with self.subTest(memory):
                done = run("run", self.folder / "a.mp4", "-o", self.out / "o.mkv", "--max-frames",
                           2, "--gpu-memory", memory, "--decoder", "cpu", "--json", figures,
                           env=on_gpu())
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(summary(figures)["engine"], engine)

    def test_lost(self) -> None:
        done = run("run", self.folder / "a.mp4", "-o", self.out / "o.mkv", "--device", "cuda",
                   "--codec", "ffv1", "--segment-frames", 4, "--tickets", 4, "--engine", "openvino",
                   env=on_gpu(lose=f"cuLaunchKernel:60:{LOST}"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr.splitlines()[-1], "^vrseg: .*cuda:0 was lost: ")
        self.assert_sentences(done.stderr)
        self.assert_left("o.mkv.vrseg")


if __name__ == "__main__":
    main(needs_engine=True)
