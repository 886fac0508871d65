"""A small file cut at 64 places: as many good frames come out as there are."""

import json
import subprocess
from pathlib import Path

import support
from support import frames, run, summary

FRAMES = 24
# Matroska's positions are those of the blocks around the packets.
BLOCK_HEADER = 16


def packet_ends(path: Path) -> list[int]:
    """Where each packet of the video ends in the file."""
    done = subprocess.run(["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries",
                           "packet=pos,size", "-of", "json", str(path)],
                          capture_output=True, check=True, timeout=support.PATIENCE)
    packets = json.loads(done.stdout)["packets"]
    return [int(packet["pos"]) + int(packet["size"]) for packet in packets]


class Cut(support.CliTest):
    def check(self, whole: Path, place: int, ends: list[int]) -> int:
        """Runs on the first `place` bytes; returns how many frames came out."""
        self.setUp()  # a folder of its own for each place
        cut = self.folder / f"cut{whole.suffix}"
        cut.write_bytes(whole.read_bytes()[:place])
        output, figures = self.out / "mask.mp4", self.folder / "run.json"
        done = run("run", cut, "-o", output, "--json", figures)
        good = sum(end + BLOCK_HEADER <= place for end in ends)
        at_most = sum(end <= place for end in ends) + 1  # a packet cut in two may show something
        self.assert_sentences(done.stderr)
        if done.returncode == 2:
            self.assertEqual(good, 0, done.stderr)
            self.assert_left()
            return 0
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assert_left("mask.mp4")
        written = frames(output)
        self.assertGreaterEqual(written, good)
        self.assertLessEqual(written, at_most)
        self.assertEqual(summary(figures)["frames"], written)
        self.assertGreater(summary(figures)["damaged"], 0)
        self.assertNotEqual(summary(figures)["note"], "")
        return written

    def check_all(self, whole: Path, places: int) -> None:
        ends = packet_ends(whole)
        self.assertEqual(len(ends), FRAMES)
        size = whole.stat().st_size
        counts = set()
        for i in range(places):
            place = size * i // places + 1
            if place > ends[-1]:
                continue  # all frames are whole: only the container's end is gone
            with self.subTest(place=place, of=size):
                counts.add(self.check(whole, place, ends))
        self.assertIn(0, counts)
        self.assertGreaterEqual(len(counts), 3)

    def test_mp4(self) -> None:
        path = self.folder / "whole.mp4"
        support.ffmpeg(*support.pattern(FRAMES), "-c:v", "libx264", "-preset", "ultrafast",
                       "-g", 8, "-pix_fmt", "yuv420p",
                       "-movflags", "+faststart", path)
        self.check_all(path, 48)

    def test_matroska(self) -> None:
        path = self.folder / "whole.mkv"
        support.ffmpeg(*support.pattern(FRAMES), "-c:v", "libvpx-vp9", "-deadline", "realtime",
                       "-cpu-used", 8, "-g", 8, "-pix_fmt", "yuv420p", path)
        self.check_all(path, 16)

    def test_mp4_without_index(self) -> None:
        path = support.clip(self.folder / "whole.mp4", FRAMES)  # its index is at the end
        cut = self.folder / "cut.mp4"
        data = path.read_bytes()
        cut.write_bytes(data[:data.rindex(b"moov") + 200])
        self.assert_refused(run("run", cut, "-o", self.out / "o.mp4"), 2, "cut.mp4")
        self.assert_left()


if __name__ == "__main__":
    support.main(needs_engine=True)
