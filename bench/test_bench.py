#!/usr/bin/env python3
"""Tests of the arithmetic and the parsing in this folder, on recorded figures; no measuring."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
sys.path.insert(0, str(HERE / "peers"))

import benchlib  # noqa: E402
import docs  # noqa: E402
import end_to_end  # noqa: E402
import engine  # noqa: E402
import floors  # noqa: E402
import kernels_cuda  # noqa: E402
import peer_io  # noqa: E402
import results  # noqa: E402
import store  # noqa: E402
from benchlib import BenchError, Measured, Row  # noqa: E402

try:
    import numpy as np

    import metrics
except ImportError:
    np = None
try:
    import cv2  # noqa: F401

    import moves
    import steady_bounds
except ImportError:
    steady_bounds = None

SUMMARY = {
    "frames": 200, "seconds": 2.0, "fps": 100.0, "cpu_seconds": 3.0, "peak_rss_bytes": 250_000_000,
    "first_mask_seconds": 0.25,
    "stages": {"decode": {"busy_seconds": 0.5}, "infer": {"busy_seconds": 0.3}},
    "bottleneck": "encode",
}
REPORT = {
    "peer": "mediapipe", "frames": 200, "seconds": 4.0, "fps": 50.0, "cpu_seconds": 6.0,
    "peak_rss": 400_000_000, "first_mask_seconds": 1.5, "output_bytes": 1_000_000,
    "versions": {"mediapipe": "0.10.21"},
}


def result_file(rows: list[dict]) -> dict:
    """A file's content with these rows."""
    return {"device": "cpu2", "date": "2026-01-01", "commit": "abc", "versions": {"x": "1"},
            "rows": rows}


def good_row(**changes) -> dict:
    """A row that is in order, but for the changes."""
    return {"name": "clip/fps", "value": 10.0, "unit": "fps", "better": "higher", "runs": [10.0],
            **changes}


def figures(fps: float) -> end_to_end.Figures:
    """Figures in which only the rate matters."""
    return end_to_end.Figures(fps, fps, 10.0, 300.0, 0.2, 1.0, 8.0,
                              {"frames": 200, "stages": {"decode": 2.0}, "bottleneck": None})


class ParsingTest(unittest.TestCase):
    """What programs print becomes figures, or a sentence."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.out = Path(folder.name) / "out.mp4"
        self.out.write_bytes(b"x" * 500_000)

    def test_vrseg_summary(self) -> None:
        measured = Measured(2.5, 3.2, 240_000_000, "", "")
        found = end_to_end.of_vrseg(measured, SUMMARY, self.out)
        self.assertAlmostEqual(found.fps, 100)
        self.assertAlmostEqual(found.fps_whole, 80)
        self.assertAlmostEqual(found.cpu_ms, 16)  # the kernel's count, not the program's own
        self.assertAlmostEqual(found.running_cpu_ms, 15)  # the program's own, without its start
        self.assertAlmostEqual(found.peak_mb, 250)
        self.assertAlmostEqual(found.output_mb, 0.5)
        self.assertAlmostEqual(found.extra["stages"]["decode"], 2.5)

    def test_vrseg_summary_incomplete(self) -> None:
        measured = Measured(2.5, 3.2, 0, "", "")
        for key in ("frames", "seconds", "peak_rss_bytes", "first_mask_seconds",
                    "cpu_seconds"):
            broken = {name: value for name, value in SUMMARY.items() if name != key}
            with self.assertRaisesRegex(BenchError, key):
                end_to_end.of_vrseg(measured, broken, self.out)
        with self.assertRaisesRegex(BenchError, "no frame"):
            end_to_end.of_vrseg(measured, {**SUMMARY, "frames": 0}, self.out)
        with self.assertRaisesRegex(BenchError, "busy_seconds"):
            end_to_end.of_vrseg(measured, {**SUMMARY, "stages": {"decode": {}}}, self.out)

    def test_peer_report(self) -> None:
        measured = Measured(6.0, 6.5, 0, "a line of a library\n" + json.dumps(REPORT) + "\n", "")
        found = end_to_end.of_peer(measured)
        self.assertAlmostEqual(found.cpu_ms, 30)
        self.assertAlmostEqual(found.fps_whole, 200 / 6)
        with self.assertRaisesRegex(BenchError, "no JSON"):
            end_to_end.of_peer(Measured(1, 1, 0, "", ""))

    def test_failed_child_is_one_sentence(self) -> None:
        with self.assertRaisesRegex(BenchError, "code 3: so it is"):
            benchlib.run_measured(["sh", "-c", "echo so it is >&2; exit 3"])
        with self.assertRaisesRegex(BenchError, "no program"):
            benchlib.run_measured(["/nowhere/at-all"])

    def test_child_is_measured(self) -> None:
        measured = benchlib.run_measured(
            [sys.executable, "-c", "x = bytearray(90_000_000); print(len(x))"])
        self.assertEqual(measured.stdout.strip(), "90000000")
        self.assertGreater(measured.peak_rss, 90_000_000)
        self.assertGreater(measured.seconds, 0)


class RowsTest(unittest.TestCase):
    """Targets, limits and misses."""

    def test_fps_targets(self) -> None:
        found = {"vrseg": [figures(100), figures(90), figures(110)],
                 "mediapipe": [figures(40), figures(60), figures(45)],
                 "mediapipe-tuned": [figures(70)] * 3,
                 "ort-0-bgr": [figures(60)] * 3, "ort-1-i420": [figures(99)] * 3}
        rows = {row.name: row for row in
                end_to_end.fps_rows("v", found, {key: key for key in found}, 120.0)}
        self.assertAlmostEqual(rows["v/times/mediapipe"].value, 110 / 45)
        self.assertFalse(rows["v/times/mediapipe"].misses())
        self.assertEqual(rows["v/times/ort-best"].peer, "ort-1-i420")
        self.assertAlmostEqual(rows["v/times/ort-best"].value, 100 / 99)
        self.assertEqual(rows["v/fps/ceiling"].limit, 120)
        self.assertIsNone(rows["v/fps/ort-0-bgr"].target)

    def test_shares_of_the_ceiling(self) -> None:
        ours = [figures(100), figures(90), figures(110)]
        share, cost = end_to_end.ceiling_rows("v", ours, [16.0, 16.0, 20.0], 2, 0.75)
        self.assertAlmostEqual(share.value, 0.8)
        self.assertAlmostEqual(share.peer_value, 0.75)
        self.assertTrue(share.misses())
        self.assertAlmostEqual(cost.value, 8.0 / 16.0)
        self.assertEqual(end_to_end.ceiling_rows("v", ours, [], 2), [])

    def test_costs(self) -> None:
        alone = {"sum_busy_ms": 8.0, "transcode_peak_rss": 150e6}
        rows = {row.name: row for row in
                end_to_end.cost_rows("v", {"vrseg": [figures(100)]}, {}, alone)}
        self.assertEqual(rows["v/cpu_ms"].limit, 8.0)
        self.assertAlmostEqual(rows["v/memory_above_ffmpeg"].value, 150)
        self.assertFalse(rows["v/memory_above_ffmpeg"].misses())
        self.assertIsNone(rows["v/peak_memory"].peer_value)

    def test_floor_without_start(self) -> None:
        alone = floors.without_start(Measured(2.1, 1.1, 7, "", ""), Measured(0.1, 0.1, 5, "", ""),
                                     101)
        self.assertAlmostEqual(alone.cpu_ms, 10)
        self.assertAlmostEqual(alone.fps, 50)
        self.assertEqual(alone.peak_rss, 7)

    def test_ceiling(self) -> None:
        def parts(decode: float, encode: float) -> floors.Parts:
            return floors.Parts({"decode_1": floors.Alone(decode, 1.0, 1),
                                 "encode_1": floors.Alone(encode, 1.0, 1),
                                 "decode_busy": floors.Alone(2 * decode, 1.0, 1),
                                 "encode_busy": floors.Alone(2 * encode, 1.0, 1)}, 100,
                                decode / 10)

        turns = [parts(2, 7), parts(3, 6), parts(9, 50)]
        own = [floors.Own(1.0, 0.5, 3.0, 1.0), floors.Own(2.0, 0.5, 3.0, 1.0),
               floors.Own(1.0, 0.5, 3.0, 1.0)]
        found = floors.summary(turns, own, 2)
        self.assertAlmostEqual(found["sum_busy_ms"], 6 + 14 + 3 + 1)
        self.assertAlmostEqual(found["ceiling_busy_fps"], 2000 / 24)
        self.assertAlmostEqual(found["together_of_ceiling"], 0.3)
        self.assertAlmostEqual(found["turns_busy_ms"][0], 4 + 14 + 3 + 1)
        self.assertAlmostEqual(found["sum_ms"], 3 + 7 + 1 + 0.5)
        self.assertAlmostEqual(found["ceiling_fps"], 2000 / 11.5)
        self.assertIsNone(floors.summary(turns, [], 2)["ceiling_fps"])

    def test_misses(self) -> None:
        self.assertTrue(Row("a", 1, "u", "higher", target=2).misses())
        self.assertFalse(Row("a", 2, "u", "higher", target=2).misses())
        self.assertTrue(Row("a", 3, "u", "lower", target=2).misses())
        self.assertFalse(Row("a", 3, "u", "lower").misses())


class ResultsTest(unittest.TestCase):
    """The files, `check` and `docs.py`."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def write(self, rows: list[dict]) -> None:
        path = self.folder / "cpu2/some.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(result_file(rows)), encoding="utf-8")

    def check(self) -> subprocess.CompletedProcess:
        return subprocess.run([sys.executable, str(HERE / "check"), "--results", str(self.folder)],
                              capture_output=True, text=True, check=False)

    def test_check_codes(self) -> None:
        self.assertEqual(self.check().returncode, 2)
        self.write([good_row(target=9.0), good_row()])
        done = self.check()
        self.assertEqual((done.returncode, done.stdout), (0, "1 targets, 0 missed\n"))
        self.write([good_row(target=11.0)])
        done = self.check()
        self.assertEqual(done.returncode, 1)
        self.assertIn("clip/fps is 10.0 fps, under its target of 11.0", done.stdout)

    def test_bad_rows_are_named(self) -> None:
        bad = {"value": "fast", "unit": None, "better": "more", "target": "much", "name": 7}
        for key, value in bad.items():
            self.write([good_row(), good_row(**{key: value})])
            done = self.check()
            self.assertEqual(done.returncode, 2, key)
            self.assertIn("row 2", done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1)

    def test_document(self) -> None:
        self.write([good_row(target=11.0, peer="a|b", peer_value=5.0, limit=12345.678)])
        text = docs.document(results.read_results(self.folder))
        self.assertIn("| fps | 10 fps | 5 (a\\|b) | 12346 | 11 **missed** |  |", text)
        self.assertIn("## some on cpu2", text)

    def test_written_file_reads_back(self) -> None:
        kept, benchlib.RESULTS = benchlib.RESULTS, self.folder
        try:
            path = benchlib.write_results("cpu2", "mine", {"vrseg": "1"},
                                          [Row("a/b", 1.23456789, "s", "lower", runs=[1.5])])
        finally:
            benchlib.RESULTS = kept
        row = results.read_file(path)["rows"][0]
        self.assertEqual(row, {"name": "a/b", "value": 1.2346, "unit": "s", "better": "lower",
                               "peer": None, "peer_value": None, "limit": None, "target": None,
                               "runs": [1.5]})
        self.assertEqual(os.listdir(path.parent), ["mine.json"])

    def test_outputs_are_joined(self) -> None:
        """In their order; of a name the later row counts."""
        outputs = [json.dumps({"versions": {"gpu": "a", "clip": "c"},
                               "rows": [good_row(name="x/1"), good_row(name="x/2")]}),
                   json.dumps({"versions": {"gpu": "b"},
                               "rows": [good_row(name="x/2", value=3.0), good_row(name="y")]})]
        joined = store.join(list(zip(("one", "two"), outputs)))
        self.assertEqual(joined["versions"], {"gpu": "b", "clip": "c"})
        self.assertEqual([(row["name"], row["value"]) for row in joined["rows"]],
                         [("x/1", 10.0), ("x/2", 3.0), ("y", 10.0)])
        with self.assertRaisesRegex(BenchError, "two is no JSON"):
            store.join([("one", outputs[0]), ("two", "{")])
        with self.assertRaisesRegex(BenchError, "rows"):
            store.join([("one", '{"rows": []}')])


class PeerTest(unittest.TestCase):
    """The part of the peers that needs no package."""

    def test_encoders(self) -> None:
        self.assertIn("medium", peer_io.output_arguments("x264:medium")[0])
        self.assertEqual(peer_io.output_arguments("ffv1")[1], ".mkv")
        with self.assertRaisesRegex(peer_io.PeerError, "unknown encoder"):
            peer_io.output_arguments("mp5")

    def test_missing_video(self) -> None:
        with self.assertRaisesRegex(peer_io.PeerError, "no file"):
            peer_io.probe("/nowhere/at-all.mp4")

    def test_fail_is_code_two(self) -> None:
        with contextlib.redirect_stderr(io.StringIO()) as text:
            with self.assertRaises(SystemExit) as end:
                peer_io.fail("a reason")
        self.assertEqual(end.exception.code, 2)
        self.assertTrue(text.getvalue().endswith("a reason\n"))


@unittest.skipIf(np is None, "numpy is not installed: the metrics run in the peers' environment")
class MetricsTest(unittest.TestCase):
    """IoU and dtSSD on masks whose figures are known."""

    def test_iou(self) -> None:
        truth = np.array([[True, True], [False, False]])
        self.assertEqual(metrics.iou(truth, truth), 1)
        self.assertEqual(metrics.iou(~truth, truth), 0)
        self.assertAlmostEqual(metrics.iou(np.array([[True, False], [True, False]]), truth), 1 / 3)
        self.assertEqual(metrics.iou(np.zeros((2, 2), bool), np.zeros((2, 2), bool)), 1)

    def test_dtssd(self) -> None:
        truths = [np.zeros((2, 2), bool)] * 3
        still = [np.full((2, 2), 0.7)] * 3
        self.assertEqual(metrics.dtssd(still, truths), 0)  # wrong, but it does not flicker
        blink = [np.zeros((2, 2)), np.array([[1.0, 0], [0, 0]]), np.array([[1.0, 0], [0, 0]])]
        self.assertAlmostEqual(metrics.dtssd(blink, truths), 100 / 2 * 0.5)
        moving = [np.zeros((2, 2), bool), np.ones((2, 2), bool), np.zeros((2, 2), bool)]
        self.assertEqual(metrics.dtssd(moving, moving), 0)
        with self.assertRaises(ValueError):
            metrics.dtssd(still[:1], truths[:1])

    def test_boundary_f(self):
        truth = np.zeros((100, 100), bool)
        truth[20:80, 20:80] = True  # within 2 pixels counts: 0.8 % of the diagonal is 1.13
        self.assertEqual(metrics.boundary_f(truth, truth), 1)
        self.assertEqual(metrics.boundary_f(np.roll(truth, 2, 1), truth), 1)
        self.assertEqual(metrics.boundary_f(np.zeros_like(truth), truth), 0)
        self.assertEqual(metrics.boundary_f(np.zeros_like(truth), np.zeros_like(truth)), 1)
        half = metrics.boundary_f(np.roll(truth, 10, 1), truth)  # two of four sides are right
        self.assertTrue(0.4 < half < 0.6)

    def test_flicker_and_areas(self):
        before, now = np.zeros((2, 2)), np.array([[0.5, 1.0], [0.0, 0.0]])
        counts = np.array([[True, False], [True, False]])
        self.assertAlmostEqual(metrics.flicker(before, now, counts), 25)
        self.assertEqual(metrics.flicker(before, now, np.zeros((2, 2), bool)), 0)
        self.assertAlmostEqual(metrics.area_difference(np.ones((2, 2)), now), 2.5 / 4)
        self.assertEqual(metrics.area_difference(before, before), 0)


@unittest.skipIf(steady_bounds is None, "OpenCV is not installed: clips are made in the peers' "
                 "environment")
class SteadyBoundsTest(unittest.TestCase):
    """Means along a motion that is known."""

    @staticmethod
    def clip(cuts: set[int]) -> moves.Clip:
        """A square that goes two pixels a frame over a background that goes one the other way."""
        truths = [np.zeros((24, 40), bool) for _ in range(6)]
        for t, truth in enumerate(truths):
            truth[8:16, 10 + 2 * t:18 + 2 * t] = True
        return moves.Clip("square", [], truths, [(2.0 * t, 0.0) for t in range(6)],
                          [(-1.0 * t, 0.0) for t in range(6)], cuts=cuts)

    def test_what_moves_along_stays(self) -> None:
        clip = self.clip(set())
        masks = [truth.astype(np.float32) * 0.75 for truth in clip.truths]
        for t, mask in enumerate(steady_bounds.along_truth(clip, masks)):
            inside = clip.truths[t]
            self.assertTrue(np.allclose(mask[inside], 0.75))

    def test_noise_is_averaged(self) -> None:
        clip = self.clip(set())
        masks = [np.full((24, 40), t % 2, np.float32) for t in range(6)]
        result = steady_bounds.along_truth(clip, masks)
        self.assertAlmostEqual(float(result[1][12, 15]), 1 / 2)
        self.assertAlmostEqual(float(result[2][12, 15]), 1 / 3, places=5)
        self.assertAlmostEqual(float(result[5][12, 22]), 1 / 2, places=5)
        self.assertEqual(float(result[1][0, 39]), 1)  # comes into the picture: nothing before it

    def test_a_cut_begins_anew(self) -> None:
        clip = self.clip({3})
        masks = [np.full((24, 40), t % 2, np.float32) for t in range(6)]
        result = steady_bounds.along_truth(clip, masks)
        self.assertTrue((result[3] == masks[3]).all())
        self.assertAlmostEqual(float(result[4][12, 20]), 1 / 2)

    def test_masks_without_flicker(self) -> None:
        clip = self.clip(set())
        kinds = steady_bounds.without_flicker(clip.truths)
        truth = clip.truths[0]
        self.assertEqual(int(kinds["a_pixel_larger"][0].sum()), truth.sum() + 4 * 8)
        self.assertEqual(int(kinds["a_pixel_smaller"][0].sum()), 6 * 6)
        self.assertTrue(0 < float(kinds["soft_edge"][0][12, 9]) < 0.5)


NCU = """==PROF== Connected to process 1
"ID","Process ID","Kernel Name","Metric Name","Metric Unit","Metric Value"
"0","1","first","dram__bytes_read.sum","byte","1,000"
"0","1","first","dram__bytes_write.sum","byte","24"
"1","1","second","dram__bytes_read.sum","byte","10"
"1","1","second","dram__bytes_write.sum","byte","0"
"""


class KernelsCuda(unittest.TestCase):
    """What bench/kernels_cuda.py makes of its programs' words."""

    def test_bytes_of_launches(self) -> None:
        launches = kernels_cuda.ncu_bytes(NCU)
        self.assertEqual(launches, [("first", 1024.0), ("second", 10.0)])
        self.assertEqual(kernels_cuda.bytes_of_call(launches, 1), (1034.0, 2))
        self.assertEqual(kernels_cuda.bytes_of_call(launches, 2), (10.0, 1))

    def test_no_table(self) -> None:
        with self.assertRaisesRegex(BenchError, "no table"):
            kernels_cuda.ncu_bytes("==ERROR== no permission")
        for launches, calls in (([], 1), ([("x", 1.0)] * 3, 2), ([("x", 1.0)], 0)):
            with self.assertRaisesRegex(BenchError, "are not those of"):
                kernels_cuda.bytes_of_call(launches, calls)

    def test_beside_torch(self) -> None:
        rows = [{"name": "preprocess/1080p job, B8", "value": 10.0, "target": 9.0, "limit": 8.0}]
        jobs = {"job, B8": {"eager": 100.0, "graph": 50.0}, "other, B8": {"eager": 1.0}}
        made = kernels_cuda.torch_rows(rows, jobs)
        self.assertEqual(len(made), 1)
        self.assertEqual(made[0]["name"], "preprocess/1080p job, B8: beside PyTorch")
        self.assertEqual((made[0]["peer"], made[0]["peer_value"], made[0]["target"]),
                         ("PyTorch, graph", 50.0, 25.0))
        self.assertEqual(rows[0]["target"], 9.0)
        jobs["job, B8"]["compile graph"] = 12.0
        made = kernels_cuda.torch_rows(rows, jobs)
        self.assertEqual(made[0]["peer_value"], 50.0)
        self.assertEqual(made[1]["name"], "preprocess/1080p job, B8: beside PyTorch, compile graph")
        self.assertEqual((made[1]["peer_value"], made[1]["target"]), (12.0, None))


class Engine(unittest.TestCase):
    """Rows of what bench_engine and its peers print."""

    MEMORY = {"weights_mb": 80.0, "arena_mb": 300.0, "workspace_mb": 10.0, "libraries_mb": 1.0,
              "all_mb": 400.0}

    def run_lines(self, precision: str, rate_us: float, weights: float) -> list[dict[str, object]]:
        return [{"precision": precision, "run": "cold", "engine": "cuda", "compile_s": 9.0,
                 **self.MEMORY},
                {"precision": precision, "run": "sizes", "engine": "cuda", "compile_s": 3.0,
                 **self.MEMORY, "weights_mb": weights},
                {"precision": precision, "run": "sizes", "batch": 16, "latency_us": 4100.0,
                 "rate_us": rate_us},
                {"run": "sizes", "batch": 16, "node": "a", "does": "conv", "plan": "p", "us": 12.0,
                 "mb": 43.0, "gflop": 0.989, "bits": 16},
                {"run": "sizes", "batch": 16, "node": "b", "does": "conv", "plan": "p", "us": 12.0,
                 "mb": 43.0, "gflop": 0.989, "bits": 16},
                {"precision": precision, "run": "cache", "engine": "cuda", "compile_s": 0.5,
                 **self.MEMORY},
                {"precision": precision, "run": "cache", "batch": 16, "latency_us": 1.0,
                 "rate_us": 1.0}]

    def test_rows(self) -> None:
        lines = [{"versions": {"gpu": "NVIDIA H200"}}, *self.run_lines("f16", 4000.0, 80.0),
                 *self.run_lines("f32", 16000.0, 160.0),
                 {"peer": "torch.compile", "version": "2", "precision": "f16", "batch": 16,
                  "rate_us": 6400.0, "latency_us": 6500.0},
                 {"peer": "torch eager", "precision": "f16", "batch": 16, "rate_us": 9000.0,
                  "latency_us": 9100.0}]
        rows = {row.name: row for row in engine.rows_of(lines)}
        net = "DeepLabV3+ R50 512x512"
        rate = rows[f"{net}/FP16, 16 views, back to back"]
        self.assertEqual((rate.value, rate.peer, rate.peer_value), (4000, "torch.compile 2", 2500))
        self.assertAlmostEqual(rate.target, 3250)
        self.assertFalse(rate.misses())
        self.assertIn(f"{net}/FP16, 16 views, back to back, against torch eager", rows)
        self.assertEqual(rows["compiling/cold, FP16, 1, 8 and 16 views"].value, 9.0)
        self.assertEqual(rows["compiling/opening with plans from the cache, FP16"].value, 0.5)
        self.assertEqual(rows[f"{net}/FP16 over FP32, 16 views"].value, 4)
        self.assertEqual(rows["memory/weights, FP16 over FP32"].value, 0.5)
        node = rows["nodes of FP16 at 16 views/conv, 2 times"]
        self.assertAlmostEqual(node.limit, 10)
        self.assertIn("bound by bytes", node.note)


if __name__ == "__main__":
    unittest.main()
