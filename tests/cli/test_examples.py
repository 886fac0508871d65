"""The examples do what the documents say, and a run's figures are what they should be."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import support
from support import clip, frames, run, summary

EXAMPLES = Path(os.environ.get("VRSEG_EXAMPLES", ""))
STAGES = ("decode", "preprocess", "infer", "postprocess", "encode")


class Examples(support.CliTest):
    def example(self, name: str, *args: object, data: bytes = b"",
                env: dict[str, str] | None = None) -> subprocess.CompletedProcess:
        return subprocess.run([EXAMPLES / f"example-{name}", *map(str, args)], input=data,
                              capture_output=True, check=False, timeout=support.PATIENCE,
                              env=os.environ | (env or {}))

    def said(self, name: str, *args: object, env: dict[str, str] | None = None) -> str:
        """What an example prints that goes well."""
        done = self.example(name, *args, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        return done.stdout.decode()

    def test_masks(self) -> None:
        done = self.example("masks", 64, 48, data=bytes(range(256)) * (64 * 48 * 3 // 256) * 70)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertEqual(len(done.stdout), 64 * 48 * 70)  # many more than the tickets

    def test_masks_find_the_person(self) -> None:
        header, width, rest = (support.SOURCE / "tests/data/person.ppm").read_bytes().split(None, 2)
        height, _, pixels = rest.split(None, 2)
        self.assertEqual(header, b"P6")
        side = int(width)
        done = self.example("masks", side, int(height), "selfie", data=pixels[-side * side * 3:])
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        middle, corner = done.stdout[side * side // 2 + side // 2], done.stdout[side - 1]
        self.assertGreater(middle, 200)
        self.assertLess(corner, 50)

    def test_masks_refuse(self) -> None:
        for args, complaint in (((), b"masks: "), ((64, 48, "none"), b'no model "none"')):
            done = self.example("masks", *args)
            self.assertEqual((done.returncode, done.stdout), (1, b""))
            self.assertIn(complaint, done.stderr)

    def test_live(self) -> None:
        done = self.example("live", 60, 1)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        last = done.stdout.decode().splitlines()[-1]
        found = re.fullmatch(r"(\d+) masks: p50 [\d.]+ ms, p95 [\d.]+, p99 [\d.]+, most [\d.]+, "
                             r"jitter [\d.]+; \d+ late, (\d+) dropped; [a-z, ]+", last)
        assert found, last
        self.assertEqual(int(found[1]) + int(found[2]), 60)
        for args in ((0,), (60, "x"), (60, 1, "none")):
            self.assertNotEqual(self.example("live", *args).returncode, 0)

    def test_look(self) -> None:
        source, first = clip(self.folder / "wide_sbs.mp4", 9, size="128x48"), self.out / "first.png"
        sheet = self.out / "sheet.png"
        done = self.example("look", source, "selfie-landscape", first, sheet)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        said = done.stdout.decode()
        self.assertRegex(said, r"^h264 128x48 yuv420p 25 fps\nlayout: side by side.*said by name")
        self.assertIn("eye 1: 64x48 at 64,0\n", said)
        self.assertRegex(said, r"\n9 frames, 0 damaged; tensors of 256x144 have the mean 0\.\d+; "
                               r'class 0 is "person"\n')
        self.assertRegex(said, r"\n\d of 4 places show people, on \d+ % of the picture\n$")
        for picture in (first, sheet):
            self.assertEqual(picture.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")
        done = self.example("look", self.folder / "none.mp4")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^look: .*none\.mp4.* \(VRS_NOT_FOUND\)")

    def test_machine(self) -> None:
        saved = self.out / "saved.yaml"
        done = self.example("machine", "cpu", saved)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        said = done.stdout.decode()
        for part in ("OpenVINO: ", "model selfie: Apache-2.0, 256x256", "configuration vr: ",
                     "pipeline.tickets = 12 (set)", "cpu.yaml:", '"modles" is near "models"'):
            self.assertIn(part, said)
        self.assertIn("tickets: 12", saved.read_text())
        done = self.example("machine", "cqu")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'"cpu"', done.stderr)

    def test_folder(self) -> None:
        sources = [clip(self.folder / f"{name}.mp4", 9) for name in ("a", "b", "c")]
        text = self.said("folder", self.out, *sources)
        for source in sources:
            self.assertIn(f"{source}: done, 9 frames\n", text)
            self.assertEqual(frames(self.out / source.name), 9)
        self.assertRegex(text, r"\ncores \d+ %, .+\n$")
        done = self.example("folder", self.out, sources[0], self.folder / "none.mp4")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^vrseg: .*none\.mp4.*\nfolder: ")

    def test_shards(self) -> None:
        source, whole = clip(self.folder / "a.mp4", 12), self.out / "mask.mp4"
        self.assertRegex(self.said("shards", source, whole, "2/2"), r"^waits: .*mask\.mp4")
        self.assertFalse(whole.exists())
        self.assertEqual(self.said("shards", source, whole, "1/2"), f"{whole} is whole\n")
        self.assertEqual(frames(whole), 12)
        self.assert_left("mask.mp4")
        done = self.example("shards", self.folder / "none.mp4", whole, "1/2")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^shards: .*none\.mp4")

    def test_prepare(self) -> None:
        cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        text = self.said("prepare", "selfie", env=cache)
        self.assertRegex(text, r"^0\.\d+ GFLOP a view, 0\.\d+ million weights, \d+ layers\n"
                         r"opened: cpu.*, .*f32.*\n$")
        driver = os.environ.get("VRSEG_FAKE_DRIVER")
        if not driver:
            return
        model = self.folder / "ops.yaml"
        model.write_text("title: t\nlicence: l\nsource: s\n"
                         f"weights: {support.SOURCE}/tests/data/ops.onnx\n"
                         "input: {width: 24, height: 16, scale: 1/64, mean: 128}\n"
                         "output: {activation: softmax, classes: [a, person], person: [person]}\n",
                         encoding="utf-8")
        text = self.said("prepare", model, "cuda:0", "clear", env=cache | {
            "LD_LIBRARY_PATH": os.path.dirname(driver), "VRSEG_CUDA_LIBRARY": driver,
            "VRSEG_CUDA_IMAGE": str(support.SOURCE / "LICENSE"), "VRSEG_CUDNN_LIBRARY": "none"})
        self.assertRegex(text, r"\nbatches of 2: nodes, \d+ done\nbatches of 1: nodes, \d+ done\n"
                         r"(?s:.*)\nslowest: .+ us\n(?s:.*)opened: cuda:0 .*(?s:.*)\nkept: ops.onnx"
                         r"(?s:.*)\nremoved \d files\n$")

    def test_profile(self) -> None:
        text = self.said("profile", self.out, 20, env={"VRSEG_CUPTI_LIBRARY": "/nowhere/cupti.so"})
        for part in ("without kernels: ", "\nmetrics, ", "no GPU's memory is used",
                     "\n20 frames, ", "; 0 leaks\n", "for one: infer and queue\n"):
            self.assertIn(part, text)
        self.assert_left("charts", "run.html", "run.trace", "spans.csv")
        self.assertIn("infer", (self.out / "spans.csv").read_text())
        self.assertTrue(list((self.out / "charts").glob("*.svg")))

    def test_streams(self) -> None:
        text = self.said("streams", 24)
        self.assertIn("warning: camera 1: no picture number 12 within a second\n", text)
        self.assertRegex(text, r"\ncamera 0: 24 masks, 0 given up; p50 [\d.]+ ms\n")
        found = re.search(r"\ncamera 1: (\d+) masks, (\d+) given up; ", text)
        assert found, text
        self.assertEqual(int(found[1]) + int(found[2]), 12)
        self.assertIn("\n0 times something was left out", text)

    def test_tune(self) -> None:
        cache = {"XDG_CACHE_HOME": str(self.folder / "cache")}
        text = self.said("tune", 3, env=cache)
        self.assertRegex(text, r"^6 combinations, at most 3 trials\n[\d.]+ frames a second, at the "
                         r"start [\d.]+; noise \d+ %\nremembered for \"most frames a second from "
                         r"memory\": max_batch_size [124], postprocess_threads [12]\n$")
        self.assertEqual(len(list((self.folder / "cache/vrseg/tuned").iterdir())), 1)

    def test_ready(self) -> None:
        done = self.example("ready", "cpu", self.out)
        text = done.stdout.decode()
        self.assertEqual(done.stderr, b"")
        for part in (" processors, ", "libav ", "cpu could do ", " GB free, writes "):
            self.assertIn(part, text)
        self.assertRegex(text, r"\n(ready|not ready: \d+ things are missing)\n$")
        self.assertEqual(done.returncode, int("not ready" in text))
        self.assert_left()
        done = self.example("ready", "cqu")
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'"cpu"', done.stderr)

    def test_job(self) -> None:
        source = clip(self.folder / "a.mp4", 9)
        mask, green = self.out / "mask.mp4", self.out / "green.mp4"
        done = self.example("job", source, mask, green)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((frames(mask), frames(green)), (9, 9))
        done = self.example("job", self.folder / "none.mp4", mask, green)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, rb"^job: .*none\.mp4")


    def test_tour(self) -> None:
        """Each part says something of its own, with figures."""
        source = clip(self.folder / "a.mp4", 9)
        for part, says in (("kernels", r"reference +\d"), ("engine", r"f32 +batch 1 +\d"),
                           ("memory", r"at the end 0 blocks are left"),
                           ("batching", r"batches of \d"), ("pipeline", r"9 frames, \d"),
                           ("profiler", r"frames 9, failed 0")):
            done = subprocess.run([EXAMPLES / "tour", part, "--video", source, "--folder",
                                   self.out], capture_output=True, check=False, text=True,
                                  timeout=support.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, ""), part)
            self.assertRegex(done.stdout, says)
        self.assert_left("tour-mask.mp4", "tour.chrome.json", "tour.html", "tour.trace")

    def test_tour_refuses(self) -> None:
        for args, code, complaint in ((("nothing",), 2, "is no part"),
                                      (("pipeline", "--video", self.folder / "none"), 1, "none")):
            done = subprocess.run([EXAMPLES / "tour", *args, "--folder", self.out],
                                  capture_output=True, check=False, text=True,
                                  timeout=support.PATIENCE)
            self.assertEqual(done.returncode, code)
            self.assertIn(complaint, done.stderr)


class Figures(support.CliTest):
    def test_json(self) -> None:
        source = clip(self.folder / "a.mp4", 30)
        figures = self.folder / "run.json"
        done = run("run", source, "-o", self.out / "o.mp4", "-o", f"green:{self.out}/g.mp4",
                   "-o", f"preview:{self.out}/p.png", "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("g.mp4", "o.mp4", "p.png")
        self.assertRegex(done.stdout, r"^30 frames in [\d.]+ s: [\d.]+ fps; first mask after ")
        self.assertRegex(done.stdout, r"\nbottleneck: \S")
        found = summary(figures)
        self.assertEqual(set(found), {
            "version", "input", "frames", "damaged", "failed", "seconds", "fps",
            "first_mask_seconds", "start_seconds", "start_cpu_seconds", "cpu_seconds", "cpu_share",
            "peak_rss_bytes", "stages", "bottleneck", "bottleneck_resource", "bottleneck_stage",
            "resources", "latency", "live", "timeline", "note", "device", "decoder", "engine",
            "overlap", "gpu_percent", "gpu_memory_bytes", "inputs", "inputs_done",
            "inputs_failed", "expected", "device_fallback"})
        self.assertEqual((found["frames"], found["damaged"], found["failed"]), (30, 0, 0))
        self.assertEqual((found["input"], found["note"]), (str(source), ""))
        self.assertEqual(f"vrseg {found['version']}\n", run("--version").stdout)
        self.assertAlmostEqual(found["fps"], 30 / found["seconds"], delta=0.01 * found["fps"])
        self.assertGreater(found["first_mask_seconds"], 0)
        self.assertGreater(found["peak_rss_bytes"], 1 << 20)
        self.assertTrue(0 < found["cpu_share"] <= 1.01)
        self.assertEqual(tuple(found["stages"]), STAGES)
        for name, stage in found["stages"].items():
            with self.subTest(name):
                self.assertEqual(set(stage), {
                    "frames", "busy_seconds", "starved_seconds", "blocked_seconds", "cpu_seconds",
                    "threads", "queue_mean", "queue_most"})
                self.assertEqual(stage["frames"], 60 if name == "encode" else 30)
                self.assertGreater(stage["busy_seconds"], 0)
                self.assertGreaterEqual(stage["threads"], 1)
        self.assertNotEqual(found["bottleneck"], "")
        latency = found["latency"]
        self.assertEqual((latency["frames"], latency["missed"], latency["target_ms"]),
                         (30, 0, None))
        self.assertTrue(0 < latency["p50_ms"] <= latency["p95_ms"] <= latency["p99_ms"]
                        <= latency["max_ms"])
        self.assertEqual(found["live"]["changes"], [])
        self.assertEqual(set(found["resources"]), {
            "cores", "decoder", "gpu", "copy", "encoder", "disk", "consumer", "source", "memory"})
        self.assertEqual(found["timeline"][0]["begin"], 0)
        frames = sum(t["fps"] * (t["end"] - t["begin"]) for t in found["timeline"])
        self.assertAlmostEqual(frames, 30, delta=0.5)

    def test_live(self) -> None:
        """A file is read at its own pace: no sooner. What came too late is counted."""
        source = clip(self.folder / "a.mp4", 30)
        figures = self.folder / "run.json"
        done = run("run", source, "-o", self.out / "o.mp4", "--live", "on",
                   "--latency-target-us", 60000000, "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = summary(figures)
        self.assertGreater(found["seconds"], 29 / 25 - 0.01)
        self.assertEqual((found["frames"], found["live"]["dropped"]), (30, 0))
        self.assertEqual(found["live"]["now"], "everything")
        self.assertEqual(found["latency"]["target_ms"], 60000)
        self.assertEqual(found["latency"]["missed"], 0)
        self.assertGreater(found["stages"]["decode"]["starved_seconds"], 0)
        self.assertEqual(frames(self.out / "o.mp4"), 30)

    def test_live_drops(self) -> None:
        """Nothing is in time within a microsecond but the first frame."""
        source = clip(self.folder / "a.mp4", 12)
        figures = self.folder / "run.json"
        done = run("run", source, "-o", self.out / "o.mp4", "--live", "on",
                   "--latency-target-us", 1, "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = summary(figures)
        self.assertEqual(found["frames"] + found["live"]["dropped"], 12)
        self.assertGreaterEqual(found["live"]["dropped"], 1)
        self.assertEqual(found["failed"], 0)
        self.assertIn("came too late and were dropped", done.stdout)
        self.assertEqual(frames(self.out / "o.mp4"), found["frames"])

    def test_json_to_standard_output(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        done = run("run", source, "-o", "null", "--json", "-", "--progress", "none")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertTrue(done.stdout.startswith("{"))
        self.assertRegex(done.stderr, "^3 frames in ")

    def test_json_that_cannot_be_written(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        done = run("run", source, "-o", "null", "--json", self.folder / "none" / "run.json")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"(?m)^vrseg: .*run\.json")

    def test_commands_of_the_readme(self) -> None:
        """Its `vrseg run` lines, as they stand there; `--tuned` wants the long search before it.

        Segments of one frame, so that a short clip has enough of them for all shards.
        """
        text = (support.SOURCE / "README.md").read_text(encoding="utf-8")
        lines = [line.strip() for line in text.splitlines()
                 if line.startswith("    build/vrseg run in.mp4") and "--tuned" not in line]
        self.assertGreaterEqual(len(lines), 3)
        source = self.folder / "in.mp4"
        support.ffmpeg(*support.pattern(8), "-f", "lavfi", "-i", "sine=duration=0.3", "-c:v",
                       "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac", source)
        for line in lines:
            with self.subTest(line):
                done = run(*shlex.split(line, comments=True)[1:], cwd=self.folder,
                           env=os.environ | {"VRSEG_OPTION_SEGMENT_FRAMES": "1"})
                self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(frames(self.folder / "mask.mp4"), 8)
        self.assertEqual([s["codec_type"] for s in support.probe(self.folder / "out.mp4")],
                         ["video", "audio"])
        self.assertEqual(len(list((self.folder / "masks").glob("*.png"))), 8)


if __name__ == "__main__":
    support.main(needs_engine=True)
