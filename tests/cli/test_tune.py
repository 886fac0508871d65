"""`vrseg tune`: a search on a real clip, its files, interrupts, and what it refuses."""

import csv
import json
import os
import signal
import subprocess
import time
import unittest
from pathlib import Path

import support
from support import clip, run, start

DRIVER = os.environ.get("VRSEG_FAKE_DRIVER", "")
SEARCH = os.environ.get("VRSEG_SEARCH_TEST", "")

# Trials as short as can be: what is looked at is that they are made, not what they measure.
SHORT = ("--trial-seconds", "0.1", "--progress", "none")
# A search over very little.
LITTLE = ("--search", "max_batch_size=1,2", "--search", "tickets=auto,8", "-o", "null")


class Tune(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.temporary = self.folder / "tmp"
        self.temporary.mkdir()
        self.cache = self.folder / "cache"
        self.env = os.environ | {"TMPDIR": str(self.temporary),
                                 "XDG_CACHE_HOME": str(self.cache)}

    def tune(self, *args: object) -> subprocess.CompletedProcess:
        done = run("tune", *args, env=self.env)
        self.assertEqual(os.listdir(self.temporary), [], "a folder of trials is left")
        return done

    def remembered(self) -> list[Path]:
        return sorted(self.cache.glob("vrseg/tuned/*.yaml"))

    def test_user(self) -> None:
        """Search, look at what it wrote, run with it both ways."""
        source = clip(self.folder / "a.mp4", 40)
        saved, table = self.folder / "tuned.yaml", self.folder / "table.csv"
        figures = self.folder / "tune.json"
        done = self.tune(source, "--trials", 6, "--trial-seconds", "0.1", "--save", saved,
                         "--table", table, "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"(?m)^best: [\d.]+ fps; as it was: [\d.]+ fps$")
        self.assertRegex(done.stdout, r"(?m)^  max_batch_size +\S+")
        self.assertRegex(done.stdout, r"(?m)^`vrseg run --tuned` uses them: selfie-landscape ")
        self.assertRegex(done.stderr, r"(?m)^vrseg: device cpu.*, network by .*; as it is: ")
        self.assertEqual(done.stderr.count("trial "), done.stderr.count(" of 6: "))
        result = json.loads(figures.read_text(encoding="utf-8"))
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual(len(rows), result["trials"])
        self.assertGreater(len(rows), 1)
        self.assertEqual(list(rows[0])[:-2], list(result["settings"]))
        self.assertIn("encoder_threads", result["settings"])
        self.assertIn("decoder_threads", result["settings"])
        self.assertGreater(result["fps"], 0)
        self.assertEqual(result["failed"], 0)
        # What was found is what a run takes, from either place.
        self.assertEqual(len(self.remembered()), 1)
        done = run("run", source, "-o", "null", "--config", saved, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        done = run("run", source, "-o", "null", "--tuned", env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("settings found by measuring: most frames a second; ", done.stderr)
        # Without being asked a run does not look there.
        self.remembered()[0].write_text("broken", encoding="utf-8")
        done = run("run", source, "-o", "null", env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("measuring", done.stderr)
        done = run("run", source, "-o", "null", "--tuned", env=self.env)
        self.assert_refused(done, 2, r"remove the file, or run `vrseg tune` again")

    def test_saved_is_the_best(self) -> None:
        """The YAML has the best row of the table, and what the user has set."""
        source = clip(self.folder / "a.mp4", 20)
        saved, table = self.folder / "tuned.yaml", self.folder / "table.csv"
        done = self.tune(source, *SHORT, "--exhaustive", "--search", "max_batch_size=2,4",
                         "--search", "tickets=8,16", "-o", "null", "--save", saved, "--table",
                         table, "--smooth", "on", "--max-frames", 15, "--remember", "off")
        self.assertEqual(done.returncode, 0, done.stderr)
        with table.open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        self.assertEqual([(r["max_batch_size"], r["tickets"]) for r in rows],
                         [("2", "8"), ("2", "16"), ("4", "8"), ("4", "16")])
        best = max(rows, key=lambda row: float(row["fps"]))
        text = saved.read_text(encoding="utf-8")
        self.assertIn(f"  max_batch_size: {best['max_batch_size']}\n", text)
        self.assertIn(f"  tickets: {best['tickets']}\n", text)
        self.assertIn("  smooth: on\n", text)
        self.assertNotIn("max_frames", text)
        self.assertEqual(self.remembered(), [])
        # It is what the search's own test searches in.
        done = subprocess.run([SEARCH, table], capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stdout, f"max_batch_size tickets 4 {best['fps']}\n")

    def test_tuned(self) -> None:
        """Flags go before what is remembered; other precisions have none."""
        source = clip(self.folder / "a.mp4", 5)
        done = run("run", source, "-o", "null", "--tuned", env=self.env)
        self.assert_refused(done, 2, "no settings are remembered for selfie-landscape 256x144 in "
                                     "f32 on .*: `vrseg tune` finds them")
        done = self.tune(source, *SHORT, *LITTLE, "--trials", 2)
        self.assertEqual(done.returncode, 0, done.stderr)
        file = self.remembered()[0]
        text = file.read_text(encoding="utf-8")
        self.assertIn('  max_batch_size: "', text)
        # A value that no search has found shows that a run takes it, and that a flag is stronger.
        head = text[:text.index("settings:")]
        file.write_text(head + 'settings:\n  tickets: "999"\n', encoding="utf-8")
        done = run("run", source, "-o", "null", "--tuned", env=self.env)
        self.assert_refused(done, 2, 'tickets: "999" is not a whole number from 2 to 256')
        done = run("run", source, "-o", "null", "--tuned", "--tickets", 7, env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_synthetic(self) -> None:
        figures = self.folder / "tune.json"
        done = self.tune("--synthetic=64x48", *SHORT, "--trials", 3, "--json", figures, "-o",
                         "green:x.mp4")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("decoder_threads", json.loads(figures.read_text())["settings"])

    def test_latency(self) -> None:
        figures = self.folder / "tune.json"
        done = self.tune("--synthetic=64x48", *SHORT, "--trials", 3, "--goal", "latency", "--rate",
                         100, "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        result = json.loads(figures.read_text())
        self.assertGreater(result["latency_ms"], 0)
        self.assertLess(result["fps"], 110)  # frames come at the rate, not as fast as they can
        self.assertNotIn("encoder_threads", result["settings"])
        done = self.tune("--synthetic=64x48", *SHORT, "--trials", 3, "--max-latency", 0.01)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no settings keep the bound: these come nearest", done.stdout)
        done = self.tune("--synthetic=64x48", *SHORT, "--trials", 3, "--max-latency", 10000)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("no settings keep", done.stdout)
        source = clip(self.folder / "a.mp4", 30)
        done = self.tune(source, *SHORT, *LITTLE, "--trials", 3, "--max-latency", 100000, "--json",
                         figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertGreater(json.loads(figures.read_text())["latency_ms"], 0)

    @unittest.skipUnless(DRIVER, "this build has no stand-in driver")
    def test_gpu(self) -> None:
        """There lanes and the decoder are searched; the CPU's threads do not matter."""
        source, figures = clip(self.folder / "a.mp4", 12), self.folder / "tune.json"
        self.env |= {"LD_LIBRARY_PATH": os.path.dirname(DRIVER), "VRSEG_CUDA_LIBRARY": DRIVER,
                     "VRSEG_CUDA_IMAGE": str(support.SOURCE / "LICENSE"),
                     "VRSEG_CUDNN_LIBRARY": "none"}
        done = self.tune(source, *SHORT, "--device", "cuda:0", "--engine", "openvino", "--trials",
                         2, "-o", "null", "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        settings = json.loads(figures.read_text())["settings"]
        self.assertLessEqual({"lanes", "decoder", "max_batch_size", "tickets"}, set(settings))
        self.assertFalse({"preprocess_threads", "postprocess_threads"} & set(settings))
        self.assertRegex(done.stdout, "uses them: selfie-landscape .* on .*, compute capability")

    def test_failing_trials(self) -> None:
        """Settings that cannot be used are told of, and the search goes on; where none can, it
        fails with the first reason."""
        source = clip(self.folder / "a.mp4", 10)
        table = self.folder / "table.csv"
        # On the CPU the GPU's decoder is refused.
        done = self.tune(source, "--trial-seconds", "0.1", "--exhaustive", "--search",
                         "decoder=auto,nvdec", "--device", "cpu", "-o", "null", "--table", table)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"trial 2 of 2: cannot be used: decoder nvdec: .*\S")
        self.assertIn("2 trials, 1 of them could not be used", done.stdout)
        self.assertEqual(table.read_text(encoding="utf-8").splitlines()[2], "nvdec,failed,failed")
        done = self.tune(source, *SHORT, "--search", "decoder=nvdec", "--device", "cpu", "-o",
                         "null")
        self.assert_refused(done, 2, r"none of \d+ trials could be measured; the first: ")

    def test_refusals(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        (self.folder / "text.mp4").write_text("no video", encoding="utf-8")
        for args, complaint in (
                (["nowhere.mp4"], r"nowhere\.mp4"),
                ([self.folder / "text.mp4"], r"text\.mp4"),
                ([source, "--save", "/nowhere/x.yaml"], r"/nowhere/x\.yaml: cannot be written"),
                ([source, "--save", f"{self.folder}/"], "is a folder; name a file"),
                ([source, "-o", "-"], "-o -: a trial needs the name of a file"),
                ([source, "-o", "x.unknown"], r"unknown"),
                ([source, "--model", "nothing"], "nothing"),
                ([source, "--table", "/nowhere/t.csv"], r"/nowhere/t\.csv: cannot be written"),
                ([source, "--search", "threshold=0,1"], "threshold: this is no option of speed"),
                ([source, "--search", "lanes"], "expected NAME=VALUE,VALUE"),
                ([source, "--search", "lanes="], "expected NAME=VALUE,VALUE"),
                ([source, "--search", "lanes=1,99"], 'lanes: "99" is not a whole number'),
                ([source, "--search", "lanes=1", "--search", "lanes=2"], "named twice"),
                ([source, "--search", "lanes=" + ",".join("1" * 33)], "more than 32 values")):
            with self.subTest(args=args):
                done = self.tune(*args, *SHORT)
                self.assert_refused(done, 2, complaint)
        for args, complaint in (
                ([], "no input is given"),
                ([source, "--synthetic"], "either an input or --synthetic"),
                ([source, source], "one input at a time"),
                (["-"], "standard input cannot be read again"),
                (["--synthetic=8x8"], "expected WxH of 16 to 16384"),
                (["--synthetic=64x48x"], "expected WxH"),
                ([source, "--goal", "speed"], "expected latency or throughput"),
                ([source, "--goal", "latency"], "at which rate"),
                ([source, "--rate", "30"], "--rate goes with --goal latency"),
                ([source, "--rate", "0"], "expected a number from 0.1"),
                ([source, "--max-latency", "x"], "expected a number"),
                ([source, "--goal", "latency", "--rate", "9"], "measured on frames in memory"),
                (["--synthetic", "--max-latency", "20", "-o", "x.mp4"], "nothing is written"),
                ([source, "--trials", "0"], "expected a number from 1 to 256"),
                ([source, "--trials", "nan"], "expected a number"),
                ([source, "--trial-seconds", "-1"], "expected a number"),
                ([source, "--remember", "maybe"], "expected on or off")):
            with self.subTest(args=args):
                done = self.tune(*args)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertRegex(done.stderr, f"^vrseg tune: .*{complaint}")
        self.assertEqual(self.remembered(), [])

    def test_nothing_to_search(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        fixed = ("--max-batch-size", 2, "--requests", 2, "--engine-threads", 2, "--tickets", 9,
                 "--preprocess-threads", 2, "--postprocess-threads", 2, "--decoder-threads", 2,
                 "--max-queue-delay-us", 1000, "--device", "cpu")
        done = self.tune(source, *SHORT, "-o", "null", *fixed)
        self.assert_refused(done, 2, "there is nothing to search")

    def test_interrupted(self) -> None:
        """Control-C leaves the best so far, and no folder of trials."""
        source = clip(self.folder / "a.mp4", 200, size="320x240")
        saved = self.folder / "tuned.yaml"
        process = start("tune", source, "--trial-seconds", 1, "--progress", "json", "--save", saved,
                        "--search", "max_batch_size=1,2,4,8", "--search", "tickets=8,16,32,64",
                        "--exhaustive", env=self.env)
        process.stdin.close()
        self.addCleanup(process.kill)
        lines = [process.stderr.readline().decode() for _ in range(2)]
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        output, rest = process.stdout.read().decode(), process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 130, rest)
        self.assertLess(time.monotonic() - began, support.PATIENCE)
        for line in lines:
            self.assertEqual(json.loads(line)["of"], 16)
        self.assertRegex(output, r"\d+ trials, .*; stopped")
        self.assertTrue(saved.exists())
        self.assertEqual(os.listdir(self.temporary), [])

    def test_group_is_ended(self) -> None:
        """A signal that ends the trial as well is no crash of it."""
        source = clip(self.folder / "a.mp4", 200, size="320x240")
        process = start("tune", source, "--trial-seconds", 3, "--search", "tickets=8,16,32,64",
                        "--exhaustive", env=self.env, start_new_session=True)
        process.stdin.close()
        self.addCleanup(process.kill)
        process.stderr.readline()
        os.killpg(process.pid, signal.SIGTERM)
        rest = process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 130, rest)
        self.assertNotIn("crashed", rest)

    def test_files_are_checked_first(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        for flag in ("--save", "--table", "--json"):
            with self.subTest(flag):
                done = self.tune(source, flag, source)
                self.assert_refused(done, 2, f"{flag} .* is the input itself")
                done = self.tune(source, flag, "/nowhere/x")
                self.assert_refused(done, 2, f"{flag} /nowhere/x: .*its folder does not exist")

    def test_interrupted_at_once(self) -> None:
        process = start("tune", "--synthetic=1920x1080", env=self.env)
        process.stdin.close()
        self.addCleanup(process.kill)
        process.stderr.readline()  # "a clip is made"
        process.send_signal(signal.SIGTERM)
        rest = process.stderr.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 130, rest)
        self.assertEqual(os.listdir(self.temporary), [])
        self.assertEqual(self.remembered(), [])

    def test_trial_that_dies(self) -> None:
        """A trial that the system kills is one that cannot be used."""
        source = clip(self.folder / "a.mp4", 100, size="320x240")
        process = start("tune", source, "--trial-seconds", 1, "--exhaustive", "--search",
                        "max_batch_size=1,2,4,8", "-o", "null", env=self.env)
        process.stdin.close()
        self.addCleanup(process.kill)
        process.stderr.readline()  # the first run is done
        killed = False
        while not killed and process.poll() is None:
            found = subprocess.run(["ps", "--ppid", str(process.pid), "-o", "pid="],
                                   capture_output=True, text=True, check=False)
            for number in found.stdout.split():
                try:
                    os.kill(int(number), signal.SIGKILL)
                    killed = True
                except ProcessLookupError:
                    pass  # it has just ended
        text, output = process.stderr.read().decode(), process.stdout.read().decode()
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(process.wait(support.PATIENCE), 0, text)
        self.assertRegex(text, "cannot be used: .*: it was killed, as the system does where memory")
        self.assertIn(" of them could not be used", output)
        self.assertNotIn(" 0 of them", output)


if __name__ == "__main__":
    support.main(needs_engine=True)
