"""What a run says first: what it will take of disk and memory; and that this holds."""

import json
import os
import re
import shutil

import support
from support import clip, ffmpeg, pattern, run, summary

SIZE = r"[\d.]+ [KMG]B"
DISK = rf"(?m)^vrseg: output: about {SIZE} \(at least {SIZE}\); {SIZE} are free in "
UNKNOWN = rf"(?m)^vrseg: output: nobody knows how large, .*; {SIZE} are free in "
MEMORY = (rf"(?m)^vrseg: memory: at most about {SIZE}: program and network {SIZE}, frames in "
          rf"flight and their masks {SIZE}, decoder {SIZE}, encoder {SIZE}$")


class Expect(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.figures = self.folder / "run.json"

    def expected(self, *args: object, **more) -> tuple[str, dict]:
        """What a run said, and its figures."""
        done = run("run", *args, "--json", self.figures, **more)
        said = done.stderr if isinstance(done.stderr, str) else done.stderr.decode()
        self.assertEqual(done.returncode, 0, said)
        return said, summary(self.figures)

    def test_a_file(self) -> None:
        source = clip(self.folder / "in.mp4", 40, size="320x180")
        said, figures = self.expected(source, "-o", self.out / "o.mp4")
        lines = said.splitlines()
        self.assertRegex(lines[0], "^vrseg: device cpu")
        self.assertRegex(lines[1], DISK + re.escape(str(self.out)) + "$")
        self.assertRegex(lines[2], MEMORY)
        disk, = figures["expected"]["disks"]
        self.assertEqual(figures["expected"]["output_bytes"], disk["likely_bytes"])
        self.assertEqual((disk["folder"], disk["outputs"]), (str(self.out), 1))
        # So that the order of size is right: a mask of a test pattern is not a mask of people.
        self.assertLess(disk["least_bytes"], (self.out / "o.mp4").stat().st_size * 10)
        self.assertAlmostEqual(disk["free_bytes"], shutil.disk_usage(self.out).free, delta=4e9)

    def test_known_to_the_byte(self) -> None:
        source = clip(self.folder / "in.mp4", 12, size="320x180")
        _, figures = self.expected(source, "-o", self.out / "o.y4m", "-o",
                                   f"green:{self.out}/g.y4m")
        header = 100  # of a Y4M file at most
        size = sum(path.stat().st_size for path in self.out.iterdir())
        self.assertTrue(0 <= size - figures["expected"]["output_bytes"] < 2 * header, size)

    def test_nothing_goes_into_files(self) -> None:
        source = clip(self.folder / "in.mp4", 12)
        said, figures = self.expected(source, "-o", "null")
        self.assertNotIn("output:", said)
        self.assertRegex(said, MEMORY)
        self.assertEqual((figures["expected"]["output_bytes"], figures["expected"]["disks"]),
                         (0, []))

    def test_a_pipe(self) -> None:
        """Nobody knows how long it is: no size and no time is made up."""
        source = clip(self.folder / "in.mkv", 30)
        said, figures = self.expected("-", "-o", self.out / "o.mp4", input=source.read_bytes(),
                                      text=False)
        self.assertRegex(said, UNKNOWN + re.escape(str(self.out)) + "$")
        self.assertNotIn("time: about", said)
        expected = figures["expected"]
        self.assertIsNone(expected["output_bytes"])
        self.assertIsNone(expected["seconds"])
        self.assertIsNone(expected["disks"][0]["likely_bytes"])
        self.assertGreater(expected["disks"][0]["free_bytes"], 0)
        self.assertGreater(expected["memory"]["host_bytes"], 0)

    def test_quiet(self) -> None:
        source = clip(self.folder / "in.mp4", 12)
        done = run("run", source, "-o", self.out / "o.mp4", "--progress", "none")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_json_lines(self) -> None:
        """The first line has it already."""
        source = clip(self.folder / "in.mp4", 12)
        said, figures = self.expected(source, "-o", self.out / "o.mp4", "--progress", "json")
        first = json.loads(said.splitlines()[0])
        self.assertEqual(first["expected"], figures["expected"] | {"seconds": None, "fps": None})

    def test_without_the_check_of_room(self) -> None:
        source = clip(self.folder / "in.mp4", 12)
        said, _ = self.expected(source, "-o", self.out / "o.mp4", "--disk-check", "off")
        self.assertRegex(said, DISK)

    def test_no_room_says_nothing_else(self) -> None:
        free = shutil.disk_usage(self.out).free
        source = clip(self.folder / "in.mp4", 2, "-c:v", "libx264", "-preset", "ultrafast",
                      "-video_track_timescale", 1000, "-r", "1/3000", "-pix_fmt", "yuv420p")
        done = run("run", source, "-o", self.out / "o.mp4", "--bitrate", 1000000000, "--json",
                   self.figures)
        self.assert_refused(done, 1, "are free there, and 1 output of the run needs at least")
        self.assertNotIn("memory:", done.stderr)
        self.assertIsNone(summary(self.figures)["expected"]["memory"]["host_bytes"])

    def test_memory_is_as_said(self) -> None:
        """Of a stereo sphere with tiles of 10 bits, and of each encoder.

        Not where MALLOC_PERTURB_ has memory written to that nobody touches.
        """
        env = {name: value for name, value in os.environ.items() if name != "MALLOC_PERTURB_"}
        sphere = self.folder / "a_LR_180.mkv"
        ffmpeg(*pattern(30, "1280x640"), "-c:v", "libx265", "-preset", "ultrafast",
               "-x265-params", "log-level=error:pools=2", "-pix_fmt", "yuv420p10le", sphere)
        for args in ((sphere, "-o", f"alpha:{self.out}/a.mp4", "--views", "tiles"),
                     (sphere, "-o", f"{self.out}/m.mp4", "-o", f"green:{self.out}/g.mp4"),
                     (sphere, "-o", f"{self.out}/m.mkv", "--codec", "ffv1", "--views", "crops")):
            with self.subTest(args):
                _, figures = self.expected(*args, env=env)
                memory = figures["expected"]["memory"]
                self.assertLessEqual(figures["peak_rss_bytes"], memory["host_bytes"])
                parts = sum(memory[f"{name}_bytes"]
                            for name in ("program", "frames", "decoder", "encoder"))
                self.assertEqual(memory["host_bytes"], parts)
                self.assertIsNone(memory["gpu_budget_bytes"])


if __name__ == "__main__":
    support.main(needs_engine=True)
