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

    def goes_on(self, lose: int, *args: object, inputs: int = 1) -> None:
        """A run whose GPU is lost by that launch goes on on the CPU: the files are those of a run
        on the CPU but for rounding, with all their sound."""
        clips = [self.folder / f"{name}.mp4" for name in "stuv"[:inputs]]
        for path in clips:
            ffmpeg("-i", self.folder / "a.mp4", "-f", "lavfi", "-i", "sine=duration=1.2",
                   "-map", "0:v", "-map", "1:a", "-c:v", "copy", "-c:a", "aac", path)
        base = ("--codec", "ffv1", "--segment-frames", 4, "--tickets", 4, "--engine", "openvino",
                "--decoder", "cpu", "--smooth-motion", "off", *args)
        figures = self.folder / "f.json"
        files = {}
        for device, more in (("cpu", {}), ("auto", {"lose": f"cuLaunchKernel:{lose}:{LOST}"})):
            out = self.folder / f"{device}{len(os.listdir(self.folder))}"
            out.mkdir()
            done = run("run", *clips, "-o", f"{out}/{{name}}.mkv", "--device", device, "--json",
                       figures, *base, env=on_gpu(**more))
            self.assertEqual(done.returncode, 0, done.stderr)
            if inputs == 1:
                self.assert_sentences(done.stderr)
            files[device] = [out / f"{path.stem}.mkv" for path in clips]
        self.assertIn("goes on on cpu, as its own GPU was lost: ", done.stderr)
        figure = summary(figures)
        self.assertEqual(figure["device"], "cuda:0 (Fake GPU 0); then cpu")
        self.assertEqual(figure["device_fallback"], "cpu")
        self.assertIn("the run went on on cpu", figure["note"])
        self.assertIn("note: ", done.stdout)
        self.assertEqual((figure["frames"], figure["failed"], figure["inputs_done"]),
                         (30 * inputs, 0, inputs))
        for path, expected in zip(files["auto"], files["cpu"]):
            raw = []
            for name in (path, expected):
                ffmpeg("-i", name, "-map", "0:v", "-f", "rawvideo", "-pix_fmt", "gray",
                       self.folder / "v.raw")
                ffmpeg("-i", name, "-map", "0:a", "-c", "copy", "-f", "framemd5",
                       self.folder / "a.md5")
                raw.append(((self.folder / "v.raw").read_bytes(),
                            (self.folder / "a.md5").read_text(encoding="utf-8")))
            self.assertEqual(raw[0][1], raw[1][1])
            self.assertEqual(len(raw[0][0]), 30 * 128 * 96)
            apart = sum(abs(a - b) for a, b in zip(raw[0][0], raw[1][0]))
            self.assertLess(apart / len(raw[0][0]), 0.5)
        self.assertEqual(sorted(os.listdir(files["auto"][0].parent)),
                         sorted(path.name for path in files["auto"]))

    def test_goes_on(self) -> None:
        self.goes_on(1)
        self.goes_on(40, "--smooth", "on")

    def test_several_go_on(self) -> None:
        self.goes_on(60, "--inputs-at-once", 2, inputs=4)

    def test_shards_go_on(self) -> None:
        """One shard's GPU is lost: the parts fit all the same."""
        base = ("--codec", "ffv1", "--segment-frames", 4, "--engine", "openvino", "--device",
                "cuda", "--device-fallback", "cpu", "--smooth", "on")
        for i in (1, 2):
            more = {"lose": f"cuLaunchKernel:40:{LOST}"} if i == 2 else {}
            done = run("run", self.folder / "a.mp4", "-o", self.out / "o.mkv", *base, "--shard",
                       f"{i}/2", env=on_gpu(**more))
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual("goes on on cpu" in done.stderr, i == 2)
        done = run("join", self.out / "o.mkv")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(frames(self.out / "o.mkv"), 30)
        self.assert_left("o.mkv")

    def test_small_budgets(self) -> None:
        """Whatever the budget, a run has all its frames or says in a sentence what is needed."""
        codes = {}
        for engine in ("openvino", "cuda"):
            for memory in ("1KB", "300KB", "2MB", "6MB", "1GB"):
                with self.subTest(engine=engine, memory=memory):
                    done = run("run", self.folder / "a.mp4", "-o", "null", "--device", "cuda",
                               "--engine", engine, "--gpu-memory", memory, "--max-frames", 2,
                               "--tickets", 2, env=on_gpu())
                    codes[engine, memory] = done.returncode
                    if done.returncode != 0:
                        self.assert_refused(done, 2, r"budget.*\d.*raise gpu_memory")
        for engine in ("openvino", "cuda"):
            self.assertEqual(codes[engine, "1KB"], 2)
            self.assertEqual(codes[engine, "1GB"], 0)
        done = run("run", self.folder / "a.mp4", "-o", "null", "--device", "cuda", "--engine",
                   "openvino", "--pinned-memory", "1KB", env=on_gpu())
        self.assert_refused(done, 2, r"budget.*\d.*raise pinned_memory")


if __name__ == "__main__":
    main(needs_engine=True)
