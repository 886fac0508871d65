"""Targets: met or missed at the end of a run, in its figures, in its exit code."""

import os
import re
import unittest

import support
from support import CliTest, clip, main, run, summary
from test_device import DRIVER, on_gpu

LOOSE = ("--min-fps", "0.001", "--max-memory-gb", "900000")


class Targets(CliTest):
    def setUp(self) -> None:
        super().setUp()
        clip(self.folder / "a.mp4", 20)
        self.json = self.folder / "f.json"

    def states(self, *args: object, code: int = 0, **more) -> dict[str, str]:
        """A run's targets with their states; what is printed says the same."""
        done = run("run", self.folder / "a.mp4", "-o", "null", "--json", self.json, *args, **more)
        self.assertEqual(done.returncode, code, done.stderr)
        found = summary(self.json).get("targets", [])
        printed = dict(re.findall(r"^target (\w+): (met|missed|not measured)", done.stdout, re.M))
        states = {target["name"]: target["state"] for target in found}
        self.assertEqual(states, printed)
        for target in found:
            self.assertGreater(target["wanted"], 0)
            self.assertEqual(target["measured"] is None, target["state"] == "not measured")
        return states

    def test_none(self) -> None:
        self.assertEqual(self.states("--strict-targets"), {})
        for args, said in ((("--strict-targets",), True), ((), False),
                           (("--strict-targets", "--min-fps", "0.001"), False)):
            with self.subTest(args=args):
                done = run("run", self.folder / "a.mp4", "-o", "null", *args)
                self.assertEqual("--strict-targets: no target is set" in done.stderr, said)
        self.assertNotIn("targets", summary(self.json))

    def test_met_and_missed(self) -> None:
        self.assertEqual(self.states(*LOOSE, "--strict-targets"),
                         {"min_fps": "met", "max_memory_gb": "met"})
        missed = {"min_fps": "missed", "max_memory_gb": "met"}
        self.assertEqual(self.states(*LOOSE, "--min-fps", "99999"), missed)
        self.assertEqual(self.states(*LOOSE, "--min-fps", "99999", "--strict-targets", code=4),
                         missed)
        self.assertEqual(self.states("--max-memory-gb", "0.001", "--strict-targets", code=4),
                         {"max_memory_gb": "missed"})
        self.assertEqual(self.states("--min-cpu-percent", "0.0001"), {"min_cpu_percent": "met"})
        self.assertEqual(self.states("--max-p99-ms", "3600000"), {"max_p99_ms": "met"})
        self.assertEqual(self.states("--max-p99-ms", "0.0001", "--strict-targets", code=4),
                         {"max_p99_ms": "missed"})

    def test_figures_agree(self) -> None:
        self.states("--min-fps", "1", "--min-cpu-percent", "1", "--max-memory-gb", "1")
        figures = summary(self.json)
        measured = {target["name"]: target["measured"] for target in figures["targets"]}
        self.assertAlmostEqual(measured["min_fps"], figures["fps"], 4)
        self.assertAlmostEqual(measured["min_cpu_percent"], figures["cpu_share"] * 100, 4)
        self.assertAlmostEqual(measured["max_memory_gb"], figures["peak_rss_bytes"] / 1e9, 5)

    def test_no_gpu(self) -> None:
        """What cannot be measured is not met."""
        args = ("--device", "cpu", "--min-gpu-percent", "1", "--max-gpu-memory-gb", "1")
        states = {"min_gpu_percent": "not measured", "max_gpu_memory_gb": "met"}
        self.assertEqual(self.states(*args), states)
        self.assertEqual(self.states(*args, "--strict-targets", code=4), states)

    @unittest.skipUnless(DRIVER, "this build has no stand-in driver")
    def test_gpu(self) -> None:
        env = on_gpu() | {"VRSEG_NVML_LIBRARY": os.environ["VRSEG_FAKE_NVML_LIBRARY"]}
        args = ("--engine", "openvino", "--device", "cuda", "--max-gpu-memory-gb", "0.000001")
        self.assertEqual(self.states(*args, "--min-gpu-percent", "1", env=env),
                         {"min_gpu_percent": "met", "max_gpu_memory_gb": "missed"})
        figures = summary(self.json)
        self.assertGreater(figures["gpu_memory_bytes"], 1000)
        self.assertGreater(figures["gpu_percent"], 1)
        self.assertEqual(self.states(*args, "--min-gpu-percent", "100", env=env),
                         {"min_gpu_percent": "missed", "max_gpu_memory_gb": "missed"})

    def test_goals_run(self) -> None:
        """The installed goals work as they are, without a GPU too."""
        clip(self.folder / "a.mp4", 20, size="128x64")
        for goal in ("vr", "balanced", "throughput", "quality"):
            with self.subTest(goal):
                out = self.out / f"{goal}.mp4"
                done = run("run", self.folder / "a.mp4", "-o", f"green:{out}", "--config", goal,
                           "--config", "cpu")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(support.frames(out), 20)
                self.assertEqual("target max_p99_ms: " in done.stdout, goal == "vr")
        done = run("run", self.folder / "a.mp4", "-o", "null", "--config", "int8", "--device",
                   "cpu")
        self.assert_refused(done, 2, "int8|quantis|INT8")

    def test_from_a_file(self) -> None:
        config = self.folder / "c.yaml"
        config.write_text("targets:\n  min_fps: 99999\n")
        self.assertEqual(self.states("--config", config, "--strict-targets", code=4),
                         {"min_fps": "missed"})
        self.assertEqual(self.states("--config", config, "--min-fps", "0", "--strict-targets"), {})


if __name__ == "__main__":
    main(needs_engine=True)
