"""What headsets play: alpha in a picture's corners, a green screen, the containers' tags; and the
look before a run."""

import json
import os
import struct
import subprocess
from pathlib import Path

import support
from support import clip, ffmpeg, frames, pattern, run, video

SIZE = "320x160"


def stereo(path: Path, count: int, *args: object) -> Path:
    """A side-by-side clip of the test pattern, lossless."""
    ffmpeg(*pattern(count, SIZE), "-c:v", "ffv1", "-pix_fmt", "yuv420p", "-color_range", "pc",
           *args, path)
    return path


def luma(path: Path) -> list[bytes]:
    """The luma planes of a Y4M file of SIZE, a frame each."""
    width, height = map(int, SIZE.split("x"))
    data = path.read_bytes()
    at = data.index(b"\n") + 1
    samples = width * height * (2 if b" Cmono" in data[:at] else 3) // 2
    planes = []
    while at < len(data):
        at = data.index(b"\n", at) + 1
        planes.append(data[at:at + width * height])
        at += samples
    return planes


class Packed(support.CliTest):
    def run_well(self, *args: object) -> str:
        done = run("run", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout + done.stderr

    def test_alpha_is_where_players_look(self) -> None:
        """Unpacked by the players' formula, the alpha is the mask of the same run."""
        width, height = map(int, SIZE.split("x"))
        source = self.folder / "a_LR_F180.mkv"
        ffmpeg("-i", support.SOURCE / "tests" / "data" / "person.ppm", "-vf",
               "scale=160:160,split[a][b];[a][b]hstack,tpad=stop=2:stop_mode=clone", "-c:v", "ffv1",
               "-pix_fmt", "yuv420p", "-color_range", "pc", source)
        self.run_well(source, "-o", f"alpha:{self.out}/alpha.y4m", "-o",
                      f"mask:{self.out}/mask.y4m", "--feather", 8)
        packed, masks = luma(self.out / "alpha.y4m"), luma(self.out / "mask.y4m")
        self.assertEqual((len(packed), len(masks)), (3, 3))
        self.assertGreater(max(masks[0]) - min(masks[0]), 200)
        for frame, mask in zip(packed, masks):
            points, off = 0, 0
            for y in range(2, height - 2, 5):
                for x in range(2, width - 2, 5):
                    own = x % (width // 2)
                    if (own - 80) ** 2 + (y - 80) ** 2 > 74 ** 2:
                        continue
                    # of a 5x5 block that begins at a multiple of 5 the middle is a pixel's
                    column = (128 + 2 * x // 5) if x < width // 2 else \
                        (288 + 2 * (x - width // 2) // 5) % width
                    row = (128 + 2 * y // 5) % height
                    points += 1
                    off += abs(frame[row * width + column] - mask[y * width + x]) > 24
            self.assertGreater(points, 1200)
            self.assertLess(off, points // 20)  # a mean of 2.5 pixels, where the mask bends

    def test_tags_and_names(self) -> None:
        source = stereo(self.folder / "a_LR_180.mkv", 3)
        said = self.run_well(source, "-o", f"alpha:{self.out}/a.mp4", "-o",
                             f"green:{self.out}/g.mkv")
        self.assertIn("let it end in _LR_180_FISHEYE_F180_alpha.mp4", said)
        self.assertIn("let it end in _LR_180_SBS_passthrough.mkv", said)
        kinds = {name: {data["side_data_type"]: data for data in
                        video(self.out / name).get("side_data_list", [])}
                 for name in ("a.mp4", "g.mkv")}
        self.assertEqual(kinds["a.mp4"]["Stereo 3D"]["type"], "side by side")
        self.assertNotIn("Spherical Mapping", kinds["a.mp4"])  # a fisheye now
        self.assertEqual(kinds["g.mkv"]["Stereo 3D"]["type"], "side by side")
        self.assertEqual(kinds["g.mkv"]["Spherical Mapping"]["projection"], "tiled equirectangular")
        said = self.run_well(source, "-o", f"alpha:{self.out}/a_LR_180_FISHEYE_F180_alpha.mp4")
        self.assertNotIn("players see", said)

    def test_ten_bits_and_red(self) -> None:
        source = stereo(self.folder / "a_LR_F190.mkv", 2, "-pix_fmt", "yuv420p10le")
        self.run_well(source, "-o", f"alpha:{self.out}/a.mp4", "--alpha", "red")
        made = video(self.out / "a.mp4")
        self.assertEqual((made["codec_name"], made["pix_fmt"]), ("hevc", "yuv420p10le"))

    def test_refusals(self) -> None:
        source = stereo(self.folder / "a_TB_180.mkv", 2)
        done = run("run", source, "-o", f"alpha:{self.out}/a.mp4")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("players take it side by side, this layout is tb", done.stderr)
        done = run("run", stereo(self.folder / "b_SBS_flat.mkv", 2), "-o",
                   f"alpha:{self.out}/a.mp4")
        self.assertEqual(done.returncode, 2, done.stderr)
        self.assertIn("this projection is flat; say --projection half-equirect", done.stderr)
        self.assertEqual([p for p in self.out.iterdir() if p.is_file()], [])


class Meshes(support.CliTest):
    def test_a_cameras_mesh(self) -> None:
        """VR180's mesh has tiles, and is in the output what it was in the input."""
        folder = Path(os.environ.get("VRSEG_SHARED_DIR", "")) / "media" / "vr"
        source = folder / "google_vr180_video-sample-inject_tb_mesh.mp4"
        if not source.is_file():
            self.skipTest("the shared folder has no media/vr")
        out = self.out / "a.mp4"
        done = run("run", source, "-o", f"mask:{out}", "--views", "tiles", "--to", "0.1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn("mesh of its projection", done.stdout + done.stderr)
        said = json.loads(run("info", out, "--json").stdout)
        self.assertEqual((said["layout"], said["projection"], said["projection_by"]),
                         ("tb", "mesh", "container"))
        self.assertEqual(video(out)["side_data_list"][0]["type"], "top and bottom")
        before, after = source.read_bytes(), out.read_bytes()
        place, there = before.index(b"mshp") - 4, after.index(b"mshp") - 4
        size = int.from_bytes(before[place:place + 4], "big")
        self.assertGreater(size, 10000)
        self.assertEqual(after[there:there + size], before[place:place + size])

    def test_what_matroska_cannot_hold(self) -> None:
        """Matroska keeps swapped eyes and projection; a mesh it does not."""
        source = stereo(self.folder / "a_RL_180.mkv", 2)
        done = run("run", source, "-o", f"mask:{self.out}/m.mkv", "-o", f"green:{self.out}/g.mp4")
        self.assertEqual(done.returncode, 0, done.stderr)
        for name in ("m.mkv", "g.mp4"):
            said = json.loads(run("info", self.out / name, "--json").stdout)
            self.assertEqual((said["layout_by"], said["projection_by"]), ("container", "container"))
            self.assertEqual((said["swapped"], said["projection"]), (True, "half-equirect"))


    def test_shards_are_tagged_as_a_whole_run(self) -> None:
        """What only the name said of the layout is in the tags of what join makes."""
        source = stereo(self.folder / "a_RL_180.mkv", 8)
        out = self.out / "g.mp4"
        for part in ("1/2", "2/2"):
            done = run("run", source, "-o", f"green:{out}", "--shard", part, "--segment-frames", 2)
            self.assertEqual(done.returncode, 0, done.stderr)
        done = run("join", out)
        self.assertEqual(done.returncode, 0, done.stderr)
        said = json.loads(run("info", out, "--json").stdout)
        self.assertEqual((said["layout_by"], said["projection_by"]), ("container", "container"))
        self.assertEqual((said["swapped"], said["projection"]), (True, "half-equirect"))
        self.assertEqual(frames(out), 8)


class Preview(support.CliTest):
    def test_preview(self) -> None:
        source = clip(self.folder / "a_LR_180.mp4", 60)
        done = run("preview", source, "-o", self.out, "--seconds", "0.4", "--places", 5)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"layout +side by side, half-equirect 180 degrees "
                         r"\(eyes by name, projection by name\)")
        self.assertRegex(done.stdout, r"sheet +\S+a_LR_180_preview\.png: 5 places, people in \d")
        self.assertRegex(done.stdout, r"clip +\S+a_LR_180_preview\.mp4: 10 frames")
        self.assertRegex(done.stdout, r"run +60 frames take about \d+ s at the clip's [\d.]+ frame")
        self.assert_left("a_LR_180_preview.mp4", "a_LR_180_preview.png")
        self.assertEqual(frames(self.out / "a_LR_180_preview.mp4"), 10)
        width, height = struct.unpack(">II",
                                      (self.out / "a_LR_180_preview.png").read_bytes()[16:24])
        self.assertEqual((width, height), (2 * (3 * 64 + 16 + 8) + 8, 3 * (48 + 8) + 8))

    def test_places_differ(self) -> None:
        """The sheet shows the film's places, not its key frames."""
        source = clip(self.folder / "a.mp4", 60, "-c:v", "libx264", "-preset", "ultrafast", "-g",
                      1000, "-pix_fmt", "yuv420p", size="320x180")
        done = run("preview", source, "-o", self.out, "--seconds", 0, "--places", 4)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_left("a_preview.png")
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", self.out / "a_preview.png", "-f",
                              "rawvideo", "-pix_fmt", "gray", "-"], capture_output=True,
                             check=True).stdout
        width = 2 * (3 * 320 + 16 + 8) + 8
        cells = {b"".join(raw[(y + row) * width + x:(y + row) * width + x + 320]
                          for row in range(180))
                 for y in (8, 196) for x in (8, 992)}
        self.assertEqual(len(cells), 4)

    def test_what_cannot_seek(self) -> None:
        source = clip(self.folder / "a.mkv", 8, "-c:v", "ffv1", "-pix_fmt", "yuv420p")
        done = run("preview", "-", "-o", self.out, "--seconds", "0.1", "--places", 3,
                   input=source.read_bytes(), text=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(b"3 places from the beginning, as it cannot seek", done.stdout)
        self.assert_left("stdin_preview.mp4", "stdin_preview.png")

    def test_refusals(self) -> None:
        source = clip(self.folder / "a.mp4", 2)
        self.assert_refused(run("preview", self.folder / "none.mp4"), 2, "No such file")
        self.assert_refused(run("preview", source, "-o", self.folder / "none"), 2, "none/a_preview")
        self.assert_refused(run("preview", source, "-o", self.out, "--layout", "sbs",
                                "--projection", "fisheye:80"), 2, "90 to 270")
        for args in (["--places", "0"], ["--places", "65"], ["--seconds", "x"], []):
            done = run("preview", *([source] if args else []), *args)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("vrseg preview", done.stderr)
        self.assert_left()


if __name__ == "__main__":
    support.main(needs_engine=True)
