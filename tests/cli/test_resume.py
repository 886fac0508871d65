"""Runs that are killed and gone on with. Which frames were finished when is left to chance: what
comes out must be the same each time."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import support
from support import clip, frames, run, start, summary

# A few here; `make check-full` asks for fifty.
KILLS = int(os.environ.get("VRSEG_KILLS", "4"))
FRAMES = 120
SIZE = "320x180"  # x264 reads memory that it never wrote where pictures are very small
COMMON = ("--segment-frames", 10, "--encoder-threads", 1)
SLOW = ("--live", "on", "--latency-target-us", 60000000)  # at the clip's own rate


def decoded(path) -> str:
    """Checksums and times of all frames of a video."""
    done = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-map", "0:v", "-f",
                           "framemd5", "-"], capture_output=True, text=True, check=True,
                          timeout=support.PATIENCE)
    return done.stdout


def decoded_frames(path) -> list[str]:
    """Checksums of the frames alone."""
    return [line.rsplit(" ", 1)[1] for line in decoded(path).splitlines() if line[0] != "#"]


class Resume(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.clip = clip(self.folder / "in.mp4", FRAMES, "-f", "lavfi", "-i", "sine=duration=4.8",
                         "-c:v", "libx264", "-g", 25, "-pix_fmt", "yuv420p", "-c:a", "aac",
                         "-shortest", size=SIZE)

    def whole(self, name: str, *args: object) -> str:
        """What an unbroken run makes."""
        path = self.folder / name
        done = run("run", self.clip, "-o", path, *COMMON, *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return decoded(path)

    def kill_a_run(self, seconds: float, *args: object) -> None:
        """Kills it so long after its start, wherever it is then."""
        process = start("run", self.clip, *args, *COMMON)
        try:
            process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def start_until(self, folder: str, segment: int, *args: object) -> subprocess.Popen:
        """A run that has begun a segment of an output."""
        process = start("run", self.clip, *args, *COMMON, *SLOW)
        while process.poll() is None and not list(self.out.glob(f"{folder}/seg-{segment:05}.*")):
            time.sleep(0.01)
        self.assertIsNone(process.poll())
        return process

    def kill_after(self, folder: str, segment: int, *args: object) -> None:
        process = self.start_until(folder, segment, *args)
        process.kill()
        process.communicate()

    def test_killed_at_random(self) -> None:
        expected = self.whole("whole.mkv")
        begin = time.monotonic()
        self.whole("whole.mp4")
        length = time.monotonic() - begin
        chance = random.Random(1)
        for number in range(KILLS):
            with self.subTest(number):
                output = self.out / "o.mkv"
                self.kill_a_run(length * chance.uniform(0.2, 1.1), "-o", output)
                if chance.random() < 0.3:  # and once more
                    self.kill_a_run(length * chance.uniform(0.2, 1.1), "-o", output, "--resume")
                done = run("run", self.clip, "-o", output, *COMMON, "--resume")
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assert_left("o.mkv")
                self.assertEqual(decoded(output), expected)
                streams = {s["codec_type"]: s for s in support.probe(output)}
                self.assertGreater(int(streams["audio"]["nb_read_frames"]), 200)
                output.unlink()

    def test_two_outputs_go_on_together(self) -> None:
        mask, green = self.out / "m.mkv", self.out / "g.mp4"
        options = ("--output", "mask", "-o", mask, "--output", "green", "-o", green)
        self.assertEqual(run("run", self.clip, *options, *COMMON).returncode, 0)
        expected = decoded(mask), decoded(green)
        mask.unlink()
        green.unlink()
        self.kill_after("g.mp4.vrseg", 3, *options)
        done = run("run", self.clip, *options, *COMMON, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("m.mkv", "g.mp4")
        self.assertEqual((decoded(mask), decoded(green)), expected)

    def test_what_is_whole_stays(self) -> None:
        output, figures = self.out / "o.mkv", self.folder / "run.json"
        self.assertEqual(run("run", self.clip, "-o", output, *COMMON).returncode, 0)
        before = output.stat()
        done = run("run", self.clip, "-o", output, *COMMON, "--resume", "--json", figures)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual((output.stat().st_ino, output.stat().st_mtime_ns),
                         (before.st_ino, before.st_mtime_ns))
        self.assertIn("was finished before", summary(figures)["note"])

    def test_a_list_goes_on_with_its_second_input(self) -> None:
        second = clip(self.folder / "b.mp4", 30, size=SIZE)
        pattern = str(self.out / "{name}.mkv")
        self.assertEqual(run("run", self.clip, "-o", self.out / "in.mkv", *COMMON).returncode, 0)
        done = run("run", self.clip, second, "-o", pattern, *COMMON, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("in.mkv", "b.mkv")
        self.assertEqual(frames(self.out / "b.mkv"), 30)

    def test_stopped_and_gone_on_with(self) -> None:
        """The first Ctrl-C of a run that is to be gone on with leaves its segments."""
        expected, output = self.whole("whole.mkv"), self.out / "o.mkv"
        process = self.start_until("o.mkv.vrseg", 1, "-o", output, "--resume")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=support.PATIENCE)
        self.assertEqual(process.returncode, 130, said)
        self.assertIn(b"resume goes on", said)
        self.assert_left("o.mkv.vrseg")
        done = run("run", self.clip, "-o", output, *COMMON, "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(decoded(output), expected)

    def test_refusals(self) -> None:
        output = self.out / "o.mkv"
        self.kill_after("o.mkv.vrseg", 2, "-o", output)
        self.assert_refused(run("run", self.clip, "-o", output, *COMMON, "--threshold", "0.5",
                                "--resume"), 2, "had threshold=0, and this one has threshold=0.5")
        other = clip(self.folder / "other.mp4", 20, size=SIZE)
        self.assert_refused(run("run", other, "-o", output, *COMMON, "--resume"), 2, "source_bytes")
        self.assert_refused(run("run", self.clip, "-o", self.out / "o.y4m", *COMMON, "--resume"), 2,
                            "Y4M cannot be gone on with")
        self.assert_refused(run("run", self.clip, "-o", output, *COMMON, "--overwrite", "off"), 2,
                            "finished segments of a run that ended early")
        self.assert_left("o.mkv.vrseg")

    def shards(self, count: int, *args: object, **changed: tuple) -> None:
        """Makes all shards; `changed` gives some other arguments."""
        for number in range(1, count + 1):
            done = run("run", self.clip, "-o", self.out / "o.mkv", "--shard", f"{number}/{count}",
                       *COMMON, *changed.get(f"shard{number}", args))
            self.assertEqual(done.returncode, 0, done.stderr)

    def test_shards_are_the_whole(self) -> None:
        expected = self.whole("whole.mkv")
        self.shards(3)
        self.assert_left(*(f"o.mkv.{n}of3.vrseg" for n in (1, 2, 3)))
        # Another run of a whole shard leaves it as it is.
        before = os.stat(self.out / "o.mkv.2of3.vrseg" / "journal.jsonl").st_mtime_ns
        done = run("run", self.clip, "-o", self.out / "o.mkv", "--shard", "2/3", *COMMON,
                   "--resume")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.stat(self.out / "o.mkv.2of3.vrseg" / "journal.jsonl").st_mtime_ns,
                         before)
        done = run("join", self.out / "o.mkv")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_left("o.mkv")
        self.assertEqual(decoded(self.out / "o.mkv"), expected)
        whole, joined = support.probe(self.folder / "whole.mkv"), support.probe(self.out / "o.mkv")
        self.assertEqual([s["codec_name"] for s in whole], [s["codec_name"] for s in joined])
        self.assertEqual([s["nb_read_frames"] for s in whole],
                         [s["nb_read_frames"] for s in joined])

    def test_shards_that_do_not_go_together(self) -> None:
        self.shards(2, shard2=("--threshold", "0.5"))
        join = "join", self.out / "o.mkv"
        self.assert_refused(run(*join), 2, r"2of2.vrseg: was made with threshold=0.5, and the "
                                           "first shard with threshold=0;")
        shutil.rmtree(self.out / "o.mkv.2of2.vrseg")
        self.assert_refused(run(*join), 2, "shard 2 of 2 is missing")
        self.kill_after("o.mkv.2of2.vrseg", 3, "-o", self.out / "o.mkv", "--shard", "2/2")
        self.assert_refused(run(*join), 2, "2of2.vrseg: is not whole; run this shard again")
        self.shards(2, "--resume")
        segment = next((self.out / "o.mkv.1of2.vrseg").glob("seg-00001.*"))
        segment.write_bytes(segment.read_bytes()[:-1])
        self.assert_refused(run(*join), 2, "1of2.vrseg: is not whole; run this shard again")
        self.shards(2, "--resume")
        self.assertEqual(run(*join).returncode, 0)
        self.assert_left("o.mkv")
        self.assert_refused(run(*join), 2, "there is no first shard beside it")
        self.assert_refused(run("join", self.folder / "none.mkv"), 2, "there is no first shard")

    def test_job_array(self) -> None:
        """The example for Slurm, with the variables that an array sets."""
        expected, output = self.whole("whole.mkv"), self.out / "o.mkv"
        script = support.SOURCE / "examples" / "cluster" / "shards.slurm"
        for task in (2, 1):
            array = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_ARRAY_TASK_MIN": "1",
                     "SLURM_ARRAY_TASK_MAX": "2", "VRSEG": support.PROGRAM}
            subprocess.run(["sh", script, self.clip, output, *map(str, COMMON)], check=True,
                           env=os.environ | array, capture_output=True, timeout=support.PATIENCE)
        self.assertEqual(run("join", output).returncode, 0)
        self.assertEqual(decoded(output), expected)
        done = subprocess.run(["sh", script, self.clip, output], capture_output=True, check=False,
                              env=os.environ | {"SLURM_ARRAY_TASK_MIN": "0"})
        self.assertEqual(done.returncode, 2)

    def test_smoothing_is_warmed_up(self) -> None:
        smooth = "--smooth", "on", "--smooth-motion", "off", "--codec", "ffv1"
        whole = self.folder / "whole.mkv"
        self.assertEqual(run("run", self.clip, "-o", whole, *smooth).returncode, 0)
        output = self.out / "o.mkv"
        done = run("run", self.clip, "-o", output, *smooth, "--from", "60f", "--to", "90f")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(decoded_frames(output), decoded_frames(whole)[60:90])

    def test_a_range(self) -> None:
        whole = decoded_frames(self.clip_masks())
        output = self.out / "o.mkv"
        for start_, end, first, last in (("1", "0:00:02", 25, 50), ("30f", "31f", 30, 31),
                                         ("4.4", "", 110, 120), ("", "0.5", 0, 13)):
            args = [*(("--from", start_) if start_ else ()), *(("--to", end) if end else ())]
            done = run("run", self.clip, "-o", output, "--codec", "ffv1", *args)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(decoded_frames(output), whole[first:last])
            self.assertEqual(float(support.video(output)["start_time"]), 0)

    def clip_masks(self) -> Path:
        path = self.folder / "masks.mkv"
        done = run("run", self.clip, "-o", path, "--codec", "ffv1")
        self.assertEqual(done.returncode, 0, done.stderr)
        return path

    def test_no_such_range(self) -> None:
        for args, complaint in (
                (("--from", "x"), 'from: "x" is no place in a video'),
                (("--from", "5"), "no frame lies between from and to; it has 120 frames"),
                (("--from", "2", "--to", "1"), "no frame lies between"),
                (("--to", "1:75"), 'to: "1:75" is no place'),
                (("--shard", "0/3"), 'shard: "0/3" is no shard'),
                (("--shard", "3"), 'shard: "3" is no shard'),
                (("--shard", "13/13", "--segment-frames", 50), "fewer segments than there are")):
            done = run("run", self.clip, "-o", self.out / "o.mkv", *args)
            self.assert_refused(done, 2, complaint)
        done = run("run", "-", "-o", self.out / "o.mkv", "--from", "1",
                   input=self.clip.read_bytes(), text=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn(b"only of a video in a file", done.stderr)
        self.assert_refused(run("run", self.clip, "-o", f"{self.out}/p/", "--shard", "1/2"), 2,
                            "shards are made of video files only")
        self.assert_left()


if __name__ == "__main__":
    support.main(needs_engine=True)
