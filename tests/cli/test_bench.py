"""`vrseg bench`: its tables and files on the CPU and on the stand-in GPU, with a tiny network; what
it refuses; what bench/store.py, bench/check and bench/docs.py make of it."""

import json
import os
import re
import signal
import subprocess
import sys
import unittest
from pathlib import Path

import support
from support import SOURCE, clip, run, start
from test_device import DRIVER, on_gpu

DESCRIPTOR = """\
title: of tests
licence: none needed
source: "bring your own: tests/data"
batch: free
input: {width: 6, height: 4}
output: {activation: softmax, classes: [background, person], person: [person]}
"""
# Runs as short as can be: what is looked at is that they are made, not what they measure.
SHORT = ("--quick", "--frames", 4, "--size", "64x48", "--progress", "none")
NVML = os.environ.get("VRSEG_FAKE_NVML_LIBRARY", "")


class Bench(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.json = self.folder / "bench.json"
        self.markdown = self.folder / "bench.md"
        self.env = os.environ | {"TMPDIR": str(self.temporary), "VRSEG_CUDA_LIBRARY": "/nowhere"}
        for name in ("tiny", "tiny-int8"):
            data = (SOURCE / "tests" / "data" / f"{name}.onnx").read_bytes()
            (self.folder / f"{name}.onnx").write_bytes(data)
            (self.folder / f"{name}.yaml").write_text(DESCRIPTOR, encoding="utf-8")

    def bench(self, *args: object, env: dict | None = None) -> subprocess.CompletedProcess:
        """With the tiny network; nothing of it may be left."""
        done = run("bench", "--model", self.folder / "tiny.onnx", *SHORT, "--json", self.json,
                   *args, env=self.env | (env or {}))
        self.assertEqual(os.listdir(self.temporary), [], "a folder of the benchmark is left")
        return done

    def figures(self) -> dict:
        return json.loads(self.json.read_text(encoding="utf-8"))

    def check_measured(self, figures: dict, runs: int, sources: tuple[str, ...]) -> None:
        """What a configuration that was measured has to have."""
        for source in sources:
            one = figures[source]
            self.assertEqual(len(one["runs"]), runs)
            self.assertGreater(one["fps"], 0)
            self.assertGreater(one["share_of_peak"], 0)
            self.assertGreater(one["peak_rss_bytes"], 1e6)
            rates = sorted(each["fps"] for each in one["runs"])
            self.assertEqual(one["fps"], rates[(runs - 1) // 2])
            self.assertAlmostEqual(one["spread"], (rates[-1] - rates[0]) / one["fps"])
            latencies = [each["latency_all_in_flight"] for each in one["runs"]]
            if source == "memory":
                latencies.append(one["latency_one_batch"])
            for latency in latencies:
                self.assertGreaterEqual(latency["frames"], 1)
                order = [latency[name] for name in ("p50_ms", "p95_ms", "p99_ms", "max_ms")]
                self.assertEqual(order, sorted(order))
                self.assertGreater(order[0], 0)

    def test_cpu(self) -> None:
        """All default rows: those that a CPU cannot run say why."""
        done = self.bench("--repeat", 2, "--markdown", self.markdown)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(self.markdown.read_text(encoding="utf-8"), done.stdout)
        found = self.figures()
        self.assertEqual(found["device"]["id"], "cpu")
        self.assertIn("/nowhere", found["device"]["note"])
        by_name = {each["name"]: each for each in found["configurations"]}
        self.assertEqual(list(by_name), ["FP32 B1", "FP16 B1", "FP16 B4", "FP16 B8", "INT8 B8",
                                         "FP16 B16", "INT8 B16", "BF16 B1"])
        self.check_measured(by_name["FP32 B1"], 1, ("memory", "video"))
        self.assertNotIn("reference", by_name["FP32 B1"])  # another network and size
        for name in ("FP16 B1", "FP16 B16"):
            for source in ("memory", "video"):
                self.assertRegex(by_name[name][source]["not_measured"], "no precision f16")
        # The quantised network beside it was found by its name, where the CPU can.
        int8 = by_name["INT8 B8"]["memory"]
        if "not_measured" in int8:
            self.assertRegex(int8["not_measured"], "no INT8 arithmetic")
        else:
            self.check_measured(by_name["INT8 B8"], 1, ("memory", "video"))
        for line in ("| FP32 B1 | ", "| FP16 B4 | not measured |", "### End to end from video",
                     "- FP16 B8: ", "of the peak"):
            self.assertIn(line, done.stdout)
        for line in done.stdout.splitlines():
            if line.startswith("|"):
                self.assertEqual(line.count("|"), 12, line)

    def test_runs(self) -> None:
        """Runs of a configuration, and the median of them."""
        args = [arg for arg in SHORT if arg != "--quick"]
        done = run("bench", "--model", self.folder / "tiny.onnx", *args, "--seconds", "0.02",
                   "--repeat", 4, "--rows", "f32:2", "--from", "memory", "--json", "-",
                   env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(done.stdout)  # the table goes to standard error
        self.assertIn("| FP32 B2 |", done.stderr)
        self.assertEqual([each["name"] for each in found["configurations"]], ["FP32 B2"])
        self.check_measured(found["configurations"][0], 4, ("memory",))
        self.assertNotIn("video", found["configurations"][0])
        rates = [row for row in found["rows"] if row["name"] == "FP32 B2, memory/rate"]
        self.assertEqual(len(rates[0]["runs"]), 4)

    @unittest.skipUnless(DRIVER, "this build has no stand-in driver")
    def test_gpu(self) -> None:
        """The stand-in: readings of NVML, energy, and never quietly on the CPU."""
        env = on_gpu() | {"VRSEG_NVML_LIBRARY": NVML, "TMPDIR": str(self.temporary)}
        done = self.bench("--device", "cuda:0", "--rows", "f32:1,f16:4,bf16:1", "--decoder", "cpu",
                          env=env)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.figures()
        self.assertEqual((found["device"]["id"], found["device"]["name"]),
                         ("cuda:0", "Fake GPU 0"))
        first, half, other = found["configurations"]
        self.check_measured(first, 1, ("memory", "video"))
        self.check_measured(half, 1, ("memory", "video"))
        for source in ("memory", "video"):
            # Plans were chosen by a process before this one.
            self.assertRegex(first[source]["engine"], "^cuda, .*, from cache")
            self.assertRegex(other[source]["not_measured"], "bf16")
            use = first[source]["runs"][0]
            self.assertEqual(use["gpu_percent"], 97)
            self.assertGreater(use["sm_percent"], 70)
            self.assertAlmostEqual(use["power_watts"], 512.3)
            # The stand-in counts 2.5 J for each reading.
            self.assertAlmostEqual(use["energy_joules"] % 2.5, 0, 6)
            self.assertAlmostEqual(first[source]["joules_per_frame"],
                                   use["energy_joules"] / use["frames"], 4)
        # 132 multiprocessors x 1.785 GHz x 4096 operations of half precision
        self.assertAlmostEqual(found["device"]["peaks"]["f16"]["operations_per_second"] / 965.1e12,
                               1, 3)
        self.assertRegex(done.stdout, r"\n- FP32 B1, bottleneck: \w")
        warnings = " ".join(found["warnings"])
        self.assertIn("Another program used the GPU", warnings)
        self.assertIn("lowered its clocks for power heat", warnings)
        done = self.bench("--device", "cuda:7", env=env)
        self.assert_refused(done, 2, "there is no GPU cuda:7")

    def test_kept(self) -> None:
        """What is printed is what bench/store.py keeps, check judges and docs.py shows."""
        done = self.bench("--rows", "f32:1", "--from", "memory")
        self.assertEqual(done.returncode, 0, done.stderr)
        found = self.figures()
        row = next(row for row in found["rows"] if row["name"] == "FP32 B1, memory/rate")
        row["target"] = row["value"] * 2  # as a GPU's has one
        results = self.folder / "results" / "some"
        results.mkdir(parents=True)
        (results / "bench.json").write_text(json.dumps(
            {"device": "some", "date": "2026-01-01", "commit": "abc",
             "versions": found["versions"], "rows": found["rows"]}), encoding="utf-8")
        tool = SOURCE / "bench"
        checked = subprocess.run([sys.executable, "-B", tool / "check", "--results",
                                  results.parent], capture_output=True, text=True, check=False)
        self.assertEqual(checked.returncode, 1, checked.stderr)
        self.assertIn("some/bench: FP32 B1, memory/rate is ", checked.stdout)
        document = self.folder / "benchmarks.md"
        subprocess.run([sys.executable, "-B", tool / "docs.py", "--results", results.parent,
                        "--to", document], check=True)
        text = document.read_text(encoding="utf-8")
        self.assertRegex(text, r"\| configuration \|.*\| rate, frames/s \|")
        self.assertRegex(text, r"(?m)^\| FP32 B1 \| .*\*\*missed\*\*")

    def test_input(self) -> None:
        """A video of the user, into an output that he names."""
        source = clip(self.folder / "in.mp4", 12)
        done = self.bench(source, "--from", "video", "--rows", "f32:1", "-o", "green:x.mkv",
                          "--keep", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        one = self.figures()["configurations"][0]["video"]
        self.assertEqual((one["runs"][0]["frames"], one["decoder"]), (4, "cpu"))
        self.assertIn(f"{source}, decoded", done.stdout)
        self.assert_left("x.mkv")

    def test_refusals(self) -> None:
        source = clip(self.folder / "in.mp4", 3)
        for args, complaint in (
                (["--rows", "f17:1"], "there is no precision \"f17\"|f17"),
                (["--rows", "f16"], "expected PRECISION:BATCH"),
                (["--rows", "f16:17"], "expected PRECISION:BATCH"),
                (["--rows", "f16:1,"], "expected PRECISION:BATCH"),
                (["--rows", ",".join(["f32:1"] * 17)], "at most 16 configurations"),
                (["--device", "cuda:0,cuda:1"], "one device at a time"),
                (["--keep", "/nowhere"], "--keep /nowhere: there is no such folder"),
                (["--markdown", "/nowhere/x.md"], "its folder does not exist"),
                (["-o", "a/b.mp4"], "without a folder"),
                ([source, "--markdown", source], "is the input itself")):
            with self.subTest(args=args):
                self.assert_refused(self.bench(*args), 2, complaint)
        for args, complaint in (
                (["--precision", "f16"], "precision is what the configurations set"),
                (["--max-batch-size", 2], "max_batch_size is what the configurations set"),
                (["--max-frames", 2], "use --frames"),
                (["--from", "disk"], "expected memory, video or both"),
                ([source, "--from", "memory"], "takes no input"),
                (["-", "--from", "video"], "cannot be read again"),
                ([source, source], "one input at a time"),
                (["--repeat", 0], "expected a number from 1 to 10"),
                (["--size", "8x8"], "expected WxH"),
                (["--from", "memory", "-o", "x.mp4"], "writes nothing")):
            with self.subTest(args=args):
                done = self.bench(*args)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertRegex(done.stderr, f"^vrseg bench: .*{complaint}")

    def test_nothing_measured(self) -> None:
        """The table is there with its reason, and the exit status says so."""
        done = self.bench("--rows", "f16:1", "--from", "memory")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("- FP16 B1: ", done.stdout)
        done = run("bench", "--model", "nothing", *SHORT, env=self.env)
        self.assert_refused(done, 2, "nothing")

    def test_interrupted(self) -> None:
        """Control-C shows what was measured."""
        args = [arg for arg in SHORT if arg not in ("--quick", "--progress", "none", "--frames", 4)]
        process = start("bench", "--model", self.folder / "tiny.onnx", *args, "--rows",
                        "f32:1,f32:2", "--from", "memory", "--seconds", "0.1", "--repeat", 10,
                        env=self.env)
        process.stdin.close()
        self.addCleanup(process.kill)
        line = process.stderr.readline().decode()
        process.send_signal(signal.SIGINT)
        output, rest = process.stdout.read().decode(), process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        code = process.wait(support.PATIENCE)
        self.assertRegex(line, r"^vrseg: FP32 B1 from memory: [\d.]+ frames/s")
        if code == 0:
            self.skipTest("it was faster than the interrupt")
        self.assertEqual(code, 130, rest)
        self.assertRegex(output, r"(?m)^\| FP32 B1 \| [\d.]+ / ")
        self.assertIn("Stopped before the end.", output)
        self.assertEqual(os.listdir(self.temporary), [])

    def test_targets(self) -> None:
        """Those of the configuration, for each row; a missed one is an exit code if asked for."""
        args = ("--rows", "f32:1", "--from", "memory", "--min-fps")
        done = self.bench(*args, "0.001", "--strict-targets")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^- FP32 B1: target min_fps: met, ")
        done = self.bench(*args, "99999", "--strict-targets")
        self.assertEqual(done.returncode, 4, done.stderr)
        target = self.figures()["configurations"][0]["memory"]["targets"][0]
        self.assertEqual((target["name"], target["state"]), ("min_fps", "missed"))
        self.assertEqual(self.bench(*args, "99999").returncode, 0)

    def test_peers(self) -> None:
        """A peer's lines become a table; without its Python there is a reason."""
        done = self.bench("--rows", "f32:1", "--from", "memory", "--peers")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("another one is measured", self.figures()["peers_note"])
        self.assertIn("### Peers", done.stdout)


if __name__ == "__main__":
    support.main(needs_engine=True)
