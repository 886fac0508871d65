"""`vrseg compile` and `vrseg cache` on the stand-in driver; a run by the engine they are for."""

import json
import os
import unittest

from support import SOURCE, CliTest, clip, main, run

DRIVER = os.environ.get("VRSEG_FAKE_DRIVER", "")

DESCRIPTOR = """\
title: t
licence: l
source: s
weights: {weights}
input: {{width: 24, height: 16, scale: 1/64, mean: 128}}
output: {{activation: softmax, classes: [a, person], person: [person]}}
"""


@unittest.skipUnless(DRIVER, "this build has no stand-in driver")
class Compile(CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.model = self.folder / "ops.yaml"
        self.model.write_text(DESCRIPTOR.format(weights=SOURCE / "tests" / "data" / "ops.onnx"),
                              encoding="utf-8")
        self.env = os.environ | {
            "LD_LIBRARY_PATH": os.path.dirname(DRIVER), "VRSEG_CUDA_LIBRARY": DRIVER,
            "VRSEG_CUDA_IMAGE": str(SOURCE / "LICENSE"), "VRSEG_CUDNN_LIBRARY": "none",
            "XDG_CACHE_HOME": str(self.folder / "cache")}

    def compile(self, *args: str, **more: str):
        return run("compile", self.model, *args, env=self.env | more)

    def test_plans_and_cache(self) -> None:
        done = self.compile("--precision", "fp16", "--batch", "1,2", "--verify", "--peak", "100")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"batch 2\n +us +GFLOP")
        self.assertRegex(done.stdout, r"\n *[\d.]+ +[\d.]+ +[\d.]+ +\d+% +\d+ [ *]+ +conv 3x3 ")
        self.assertRegex(done.stdout, r"(\d+) of \1 results are as plain C's\n")
        self.assertNotIn("from cache", done.stdout)
        self.assertRegex(done.stdout, r"^\d+ nodes chosen, \d+ equal to one of them, 0 from the "
                         r"cache; 0 convolutions asked about, ")
        for line in (r"compiling for batches of 2 \(1 of 2\): nodes (\d+) of \1",
                     r"compiling for batches of 1 \(2 of 2\): nodes (\d+) of \1",
                     r"comparing batches of 1 \(2 of 2\): compared (\d+) of \1"):
            self.assertRegex(done.stderr, f"(?m)^vrseg: {line}$")
        done = self.compile("--precision", "f16", "--batch", "2,1")
        self.assertIn("f16, from cache on cuda:0", done.stdout)
        self.assertEqual(done.stderr, "")
        listed = run("cache", env=self.env)
        self.assertEqual(listed.returncode, 0, listed.stderr)
        self.assertRegex(listed.stdout, r"ops.onnx, f16, Fake GPU.*\n1 file of compiled plans")
        self.assertRegex(run("cache", "clear", env=self.env).stdout, r"^1 file removed, ")
        self.assertRegex(run("cache", "list", env=self.env).stdout, r"^0 files of compiled plans")

    def test_json(self) -> None:
        done = self.compile("--batch", "1", "--json")
        lines = [json.loads(line) for line in done.stderr.splitlines()]
        self.assertEqual({(line["compiling"], line["size"], line["sizes"], line["step"])
                          for line in lines}, {(1, 1, 1, "nodes")})
        self.assertEqual(lines[-1]["done"], lines[-1]["of"])
        rows = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertGreater(len(rows), 30)
        self.assertEqual({row["batch"] for row in rows}, {1})
        self.assertTrue(all(row["us"] > 0 and row["bytes"] > 0 for row in rows))

    def test_refusals(self) -> None:
        for args, code, complaint in (
                (["--batch", "1,17"], 2, "--batch 1,17: expected numbers of 1 to 16"),
                (["--batch", "1,"], 2, "--batch 1,: expected numbers"),
                (["--peak", "-1"], 2, "--peak -1: expected a number above 0"),
                (["--device", "cpu"], 2, "networks are compiled for a GPU: cpu"),
                (["--precision", "bf16"], 2, "the engine cuda has no precision bf16"),
                (["--precision", "int8"], 2, "make a file that has with vrseg-quantize"),
                (["--precison", "f16"], 2, 'did you mean "precision"')):
            with self.subTest(args=args):
                self.assert_refused(self.compile(*args), code, complaint)
        self.assert_refused(self.compile(VRSEG_CUDNN_LIBRARY="/nowhere/libcudnn.so.9"), 1,
                            "/nowhere/libcudnn.so.9 cannot be opened .*: install cuDNN 9")
        self.assert_refused(run("compile", env=self.env), 2, "which model")
        self.assert_refused(run("cache", "empty", env=self.env), 2, "expected list or clear")

    def test_run_takes_the_plans(self) -> None:
        """Also of a network whose last enlarging is left to who makes the masks."""
        clip(self.folder / "a.mp4", 3)
        for precision in ("f32", "f16"):
            with self.subTest(precision=precision):
                done = self.compile("--precision", precision, "--batch", "1,2")
                self.assertEqual(done.returncode, 0, done.stderr)
                summary = self.out / f"{precision}.json"
                done = run("run", self.folder / "a.mp4", "-o", "null", "--engine", "cuda",
                           "--device", "cuda", "--model", self.model, "--max-batch-size", "2",
                           "--precision", precision, "--json", summary, env=self.env)
                self.assertEqual(done.returncode, 0, done.stderr)
                engine = json.loads(summary.read_text(encoding="utf-8"))["engine"]
                self.assertIn(f"{precision}, from cache", engine)
                self.assertNotIn("compiling", done.stderr)

    def test_run(self) -> None:
        """Every frame of a run on lanes comes out, by batches of two."""
        clip(self.folder / "a.mp4", 6)
        out = self.out / "mask.y4m"
        done = run("run", self.folder / "a.mp4", "-o", f"mask:{out}", "--engine", "cuda",
                   "--device", "cuda", "--model", self.model, "--max-batch-size", "2",
                   env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(out.read_bytes().count(b"FRAME"), 6)
        lines = done.stderr.splitlines()
        self.assertRegex(lines[0], r"^vrseg: compiling for batches of 2 \(1 of 2\): nodes \d+ of")
        self.assertTrue(any(line.startswith("vrseg: device cuda:0") for line in lines), lines)


if __name__ == "__main__":
    main(needs_engine=False)
