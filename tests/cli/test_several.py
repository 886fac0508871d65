"""Several inputs in one run: the same files as single runs make, whatever fails beside them; lists
of inputs; and several GPUs, which are the stand-in driver's."""

import hashlib
import json
import os
import signal
import unittest
from pathlib import Path

import support
from support import clip, ffmpeg, frames, run, start, summary
from test_device import DRIVER, LOST, on_gpu
from test_stop import Progress, wait_for

SHARED = Path(os.environ.get("VRSEG_SHARED_DIR", ""))
VIDEOS = ("sam2_juggle_1280x720", "sam2_woman_and_dog_1280x720",
          "intel_one-by-one-person-detection_768x432")


def digest(path: Path) -> str:
    """Hash of the pictures of a video, whatever its container says."""
    raw = path.with_suffix(".raw")
    ffmpeg("-i", path, "-map", "0:V:0", "-f", "rawvideo", raw)
    value = hashlib.sha256(raw.read_bytes()).hexdigest()
    raw.unlink()
    return value


def states(figures: Path) -> dict[str, str]:
    """The state of each input by its file's name, as --json has them."""
    return {Path(one["input"]).name: one["state"] for one in summary(figures)["inputs"]}


class Several(support.CliTest):
    def clips(self, *counts: int) -> list[Path]:
        """Clips a.mp4, b.mp4, ... of so many frames, each of another size."""
        return [clip(self.folder / f"{name}.mp4", count, size=f"{64 + 16 * i}x48")
                for i, (name, count) in enumerate(zip("abcdefgh", counts))]

    def test_as_single_runs(self) -> None:
        inputs = self.clips(30, 7, 1, 45)
        single, figures = self.folder / "single", self.folder / "run.json"
        single.mkdir()
        more = ("--smooth", "on")
        for path in inputs:
            self.assertEqual(run("run", path, "-o", single / f"{path.stem}.mkv",
                                 *more).returncode, 0)
        for at_once in (1, 2, 4):
            with self.subTest(at_once):
                out = self.out / str(at_once)
                done = run("run", *inputs, "-o", out / "{name}.mkv", "-o",
                           f"green:{out}/green/{{number}}_{{ext}}.mkv", "--inputs-at-once",
                           at_once, "--json", figures, *more)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, "^4 of 4 inputs are done:\n  done ")
                for number, (path, count) in enumerate(zip(inputs, (30, 7, 1, 45)), 1):
                    self.assertEqual(digest(out / f"{path.stem}.mkv"),
                                     digest(single / f"{path.stem}.mkv"))
                    self.assertEqual(frames(out / "green" / f"{number}_mp4.mkv"), count)
                self.assertEqual(sorted(os.listdir(out)),
                                 ["a.mkv", "b.mkv", "c.mkv", "d.mkv", "green"])
                figure = summary(figures)
                self.assertEqual((figure["frames"], figure["inputs_done"]), (83, 4))
                self.assertEqual([one["frames"] for one in figure["inputs"]], [30, 7, 1, 45])

    def test_real_clips(self) -> None:
        inputs = [SHARED / "media" / "videos" / f"{name}.mp4" for name in VIDEOS]
        if not all(path.is_file() for path in inputs):
            self.skipTest("the shared folder of videos is not here")
        more = ("--codec", "ffv1", "--max-frames", 25, "--mask-size", "network")
        done = run("run", *inputs, "-o", self.out / "{name}.mkv", *more)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_sentences(done.stderr)
        for path in inputs:
            alone = self.folder / f"{path.stem}.mkv"
            self.assertEqual(run("run", path, "-o", alone, *more).returncode, 0)
            self.assertEqual(digest(self.out / f"{path.stem}.mkv"), digest(alone))

    def test_one_fails(self) -> None:
        inputs = self.clips(10, 10)
        broken, figures = self.folder / "broken.mp4", self.folder / "run.json"
        broken.write_bytes(b"no video at all" * 100)
        done = run("run", inputs[0], broken, self.folder / "none.mp4", inputs[1], "-o",
                   self.out / "{name}.mkv", "--json", figures)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assert_sentences(done.stderr)
        self.assertRegex(done.stderr, "vrseg: 2 of 4 inputs are not done: .*broken.mp4")
        self.assertRegex(done.stdout, "(?m)^2 of 4 inputs are done:$")
        self.assertRegex(done.stdout, r"(?m)^  failed  .*none\.mp4: 0 frames .*No such file")
        self.assertEqual(states(figures), {"a.mp4": "done", "broken.mp4": "failed",
                                           "none.mp4": "failed", "b.mp4": "done"})
        self.assert_left("a.mkv", "b.mkv")
        by_name = {Path(one["input"]).name: one for one in summary(figures)["inputs"]}
        self.assertEqual(by_name["none.mp4"]["status"], "VRS_NOT_FOUND")
        self.assertIn("No such file", by_name["none.mp4"]["detail"])

    def test_all_fail(self) -> None:
        figures = self.folder / "run.json"
        done = run("run", "x.mp4", "y.mp4", "-o", self.out / "{name}.mkv", "--json", figures,
                   cwd=self.folder)
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("2 of 2 inputs are not done: x.mp4: ", done.stderr)
        self.assertEqual(states(figures), {"x.mp4": "failed", "y.mp4": "failed"})
        self.assert_left()

    def test_an_output_that_cannot_be(self) -> None:
        """The disk refuses one input's output: the other's is whole."""
        inputs = self.clips(10, 10)
        (self.out / "a.mkv").mkdir()
        done = run("run", *inputs, "-o", self.out / "{name}.mkv")
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertRegex(done.stderr, r"1 of 2 inputs is not done: .*a\.mkv: is a folder")
        self.assertEqual(frames(self.out / "b.mkv"), 10)

    def test_damaged(self) -> None:
        inputs = self.clips(60, 10)
        cut = self.folder / "cut.y4m"
        ffmpeg("-i", inputs[0], cut)
        cut.write_bytes(cut.read_bytes()[:-100])
        figures = self.folder / "run.json"
        done = run("run", cut, inputs[1], "-o", self.out / "{name}.mkv", "--json", figures)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("some inputs have damaged or failed frames", done.stderr)
        self.assertEqual(states(figures), {"cut.y4m": "done", "b.mp4": "done"})

    def test_pictures(self) -> None:
        """Folders of pictures and single ones; a folder as the output is one for each."""
        for name in ("p", "q"):
            (self.folder / name).mkdir()
            for i, size in enumerate(("40x30", "64x48", "64x48")):
                ffmpeg(*support.pattern(1, size), "-frames:v", 1, "-update", 1,
                       self.folder / name / f"{i}.png")
        done = run("run", self.folder / "p", f"{self.folder}/q/", "-o", f"{self.out}/all/")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(str(p.relative_to(self.out)) for p in self.out.rglob("*.png")),
                         [f"all/{n}/{i}.png" for n in "pq" for i in range(3)])

    def refused(self, sentence: str, *args: object, **more: object) -> None:
        done = run("run", *args, cwd=self.folder, **more)
        self.assert_refused(done, 2, sentence)
        self.assert_left()

    def test_refused_before_anything_starts(self) -> None:
        self.clips(3, 3)
        (self.folder / "sub").mkdir()
        clip(self.folder / "sub" / "a.mp4", 3)
        os.symlink("out", self.folder / "link")
        both = "a.mp4 and sub/a.mp4 are both to be written there; tell them apart by {folder}"
        self.refused(both, "a.mp4", "sub/a.mp4", "-o", "out/{name}.mkv")
        self.refused("a.mp4 and a.mp4 are both", "a.mp4", "a.mp4", "-o", "out/{name}.mkv")
        self.refused(r"a\.mp4: is an input itself", "a.mp4", "b.mp4", "-o", "{name}.mp4")
        os.link(self.folder / "a.mp4", self.folder / "1.mp4")
        self.refused(r"1\.mp4: is an input itself", "1.mp4", "b.mp4", "-o", "{number}.mp4")
        self.refused("2 inputs cannot go to one output: put {name} into it", "a.mp4", "b.mp4", "-o",
                     "out/o.mkv")
        self.refused("2 inputs cannot go to one output", "a.mp4", "b.mp4", "-o", "-")
        self.refused("are one file", "a.mp4", "b.mp4", "-o", "out/{name}.mkv", "-o",
                     "green:link/{name}.mkv")
        self.refused("cannot hold a composite as ffv1", "a.mp4", "b.mp4", "-o",
                     "green:out/{name}.mp4", "--codec", "ffv1")
        self.refused('"{nam}" is none of {name}, {ext}', "a.mp4", "-o", "out/{nam}.mkv")
        self.refused('"}" is none of', "a.mp4", "-o", "out/x}.mkv")
        self.refused("standard input is there once", "-", "-", "-o", "out/{name}{number}.mkv")

    def test_words_of_one_input(self) -> None:
        self.clips(3)
        done = run("run", "a.mp4", "-o", "out/{{{folder}}}_{name}_{number}.mkv", cwd=self.folder)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("{" + self.folder.name + "}_a_1.mkv")

    def test_lists(self) -> None:
        self.clips(3, 4, 5)
        listed = self.folder / "list.txt"
        listed.write_bytes(b"# a list\n\na.mp4\r\n  \nb.mp4")
        (self.folder / "  ").write_bytes((self.folder / "c.mp4").read_bytes())
        figures = self.folder / "run.json"
        for args, more in ((("@list.txt",), {}), (("--list", "list.txt"), {}),
                           (("@-",), {"input": listed.read_text()})):
            with self.subTest(args):
                done = run("run", *args, "c.mp4", "-o", "out/{number}.mkv", "--json", figures,
                           cwd=self.folder, **more)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual([(one["input"], one["frames"])
                                  for one in summary(figures)["inputs"]],
                                 [("a.mp4", 3), ("  ", 5), ("b.mp4", 4), ("c.mp4", 5)])
        for name in os.listdir(self.out):
            (self.out / name).unlink()
        for data, sentence in ((b"", "lists no input"), (b"# only\n", "lists no input"),
                               (b"a.mp4\0\n", "line 1 has a zero byte"),
                               (b"a.mp4\n" + b"x" * 5000, "line 2 is longer than a path")):
            with self.subTest(sentence):
                listed.write_bytes(data)
                self.refused(sentence, "@list.txt", "-o", "out/{name}.mkv")
        self.refused(r"none\.txt: the list of inputs cannot be read", "@none.txt", "-o", "null")

    def test_interrupted(self) -> None:
        """The first interrupt closes every file that is being written; the rest is not begun."""
        inputs = [clip(self.folder / f"{name}.mp4", 4000) for name in "abc"]
        figures = self.folder / "run.json"
        process = start("run", *inputs, "-o", self.out / "{name}.mkv", "--inputs-at-once", 2,
                        "--progress", "json", "--json", figures)
        process.stdin.close()
        progress = Progress(process)
        wait_for(lambda: progress.frames() > 40, process)
        last = json.loads([line for line in progress.lines if line.startswith("{")][-1])
        self.assertEqual((last["inputs"], last["inputs_running"]), (3, 2))
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(support.PATIENCE), 130)
        self.assertRegex(progress.text(), r"vrseg: stopped: 0 of 3 inputs are done\n$")
        process.stdout.close()
        process.stderr.close()
        self.assertEqual(states(figures),
                         {"a.mp4": "stopped", "b.mp4": "stopped", "c.mp4": "waiting"})
        self.assert_left("a.mkv", "b.mkv")
        for one in summary(figures)["inputs"][:2]:
            self.assertGreater(one["frames"], 0)
            self.assertEqual(frames(Path(one["outputs"][0])), one["frames"])


@unittest.skipUnless(DRIVER, "this build has no stand-in driver")
class SeveralDevices(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.inputs = [clip(self.folder / f"{name}.mp4", 12, size="128x96") for name in "abc"]

    def whole(self, *args: object, **more: object) -> str:
        """A run on stand-in GPUs whose masks are those of the first GPU alone; its note."""
        figures, alone = self.folder / "run.json", self.folder / f"alone{args}"
        base = ("--engine", "openvino", "--codec", "ffv1", *args)
        alone.mkdir()
        for path in self.inputs:
            done = run("run", path, "-o", alone / f"{path.stem}.mkv", "--device", "cuda:0", *base,
                       env=on_gpu())
            self.assertEqual(done.returncode, 0, done.stderr)
        done = run("run", *self.inputs, "-o", self.out / "{name}.mkv", "--json", figures, *base,
                   "--device", "all", env=on_gpu(**more))
        self.assertEqual(done.returncode, 0, done.stderr)
        for path in self.inputs:
            self.assertEqual(digest(self.out / f"{path.stem}.mkv"),
                             digest(alone / f"{path.stem}.mkv"))
        self.assertRegex(summary(figures)["device"], r"^cuda:0 \(Fake GPU 0\), cuda:1 \(")
        return summary(figures)["note"]

    def test_spread(self) -> None:
        self.assertEqual(self.whole(devices=3), "")
        self.assertEqual(self.whole("--decoder", "cpu", devices=2), "")
        self.assertEqual(self.whole("--smooth", "on", devices=2), "")

    def test_lost(self) -> None:
        """A GPU that is lost in mid-run: whatever was there is done on the other one."""
        for args in ((), ("--decoder", "cpu")):
            with self.subTest(args):
                note = self.whole(*args, devices=2, lose=f"cuLaunchKernel@1:20:{LOST}")
                self.assertIn("cuda:1 was lost", note)

    def test_refused(self) -> None:
        for device, sentence in (("cuda:0,cuda:0", "cuda:0 is in it twice"),
                                 ("cuda:0,cpu", '"cpu" is no GPU'),
                                 ("cuda:0,cuda:5", "there is no GPU cuda:5")):
            with self.subTest(device):
                done = run("run", self.inputs[0], "-o", "null", "--device", device,
                           env=on_gpu(devices=2))
                self.assert_refused(done, 2, sentence)


if __name__ == "__main__":
    support.main(needs_engine=True)
