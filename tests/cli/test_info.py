"""How files lie: what `vrseg info` says, and that a run does what it says."""

import json
import os
from pathlib import Path

import support
from support import clip, ffmpeg, run, video

LEFT_RIGHT = ("-c:v", "ffv1", "-metadata:s:v", "stereo_mode=left_right")


def info(path: Path, *args: object) -> dict:
    """What info says of a file, as JSON."""
    done = run("info", path, "--json", *args)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)


def moving(path: Path, count: int, layout: str, *args: object) -> Path:
    """A clip whose halves ("hstack", "vstack") show one moving scene, one of them a bit aside."""
    ffmpeg("-f", "lavfi", "-i", f"mandelbrot=size=160x144:rate={count},trim=end_frame={count}",
           "-filter_complex", f"[0]split[a][b];[a]crop=144:144:0:0[l];[b]crop=144:144:4:0[r];"
           f"[l][r]{layout}", *(args or ("-c:v", "ffv1")), path)
    return path


class Info(support.CliTest):
    def test_name(self) -> None:
        found = info(clip(self.folder / "a_RL_F190_TEST.mp4", 2))
        self.assertEqual((found["layout"], found["swapped"], found["projection"], found["fov"]),
                         ("sbs", True, "fisheye", 190))
        self.assertEqual((found["layout_by"], found["projection_by"]), ("name", "name"))
        self.assertEqual(found["claims"]["name"]["why"], 'the word "rl"; the word "f190"')

    def test_container_before_name(self) -> None:
        found = info(clip(self.folder / "a_TB_180.mkv", 2, *LEFT_RIGHT))
        self.assertEqual((found["layout"], found["layout_by"]), ("sbs", "container"))
        self.assertRegex(found["conflict"], "the container says eyes side by side, the file name "
                         "eyes one above the other: the container wins, as players go by it; "
                         "--layout says otherwise")
        self.assertEqual(found["projection"], "half-equirect")

    def test_option_before_all(self) -> None:
        source = clip(self.folder / "a_TB_180.mkv", 2, *LEFT_RIGHT)
        found = info(source, "--layout", "mono", "--projection", "MKX200")
        self.assertEqual((found["layout"], found["projection"], found["lens"], found["fov"]),
                         ("mono", "fisheye", "MKX200", 200))
        self.assertIn("an option always wins", found["conflict"])

    def test_content(self) -> None:
        found = info(moving(self.folder / "scene.mkv", 2, "hstack"))
        self.assertEqual((found["layout"], found["layout_by"]), ("sbs", "content"))
        self.assertIn("show one scene", found["claims"]["content"]["why"])
        self.assertIn("--projection equirect|half-equirect|fisheye[:FOV]|flat", found["doubt"])
        found = info(moving(self.folder / "scene_LR.mkv", 2, "vstack"))
        self.assertEqual((found["layout"], found["layout_by"]), ("sbs", "name"))
        self.assertIn("the picture eyes one above the other: the file name wins", found["conflict"])

    def test_lines(self) -> None:
        done = run("info", clip(self.folder / "a_LR_180.mp4", 2), "--layout", "tb")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"layout +top-bottom, half-equirect 180 degrees\n")
        self.assertRegex(done.stdout, r"eyes +left 64x24 at 0,0, right 64x24 at 0,24\n")
        self.assertRegex(done.stdout, r"by +eyes: option; projection: name\n")
        self.assertRegex(done.stdout, r"container +-\n")
        self.assertRegex(done.stdout, r"contradicts the option says")

    def test_refusals(self) -> None:
        source = clip(self.folder / "a.mp4", 2)
        self.assert_refused(run("info", source, "--projection", "fisheye:300"), 2,
                            r'fisheye of "300" degrees cannot be; .* 90 to 270')
        self.assert_refused(run("info", source, "--projection", "equirec"), 2,
                            r'did you mean "equirect"\?')
        self.assert_refused(run("info", source, "--projection", "mesh"), 2,
                            "--projection mesh, but the file holds no mesh")
        self.assert_refused(run("info", self.folder / "none.mp4"), 2, "No such file")
        odd = clip(self.folder / "odd.mkv", 2, "-c:v", "ffv1", "-pix_fmt", "yuv444p", size="65x48")
        self.assert_refused(run("info", odd, "--layout", "sbs"), 2,
                            r"odd\.mkv: layout sbs: a frame of 65x48 has no two halves of one size")
        self.assertEqual(info(odd, "--layout", "tb")["layout"], "tb")

    def test_real_files(self) -> None:
        folder = Path(os.environ.get("VRSEG_SHARED_DIR", "")) / "media" / "vr"
        google = folder / "google_vr180_video-sample-inject_tb_mesh.mp4"
        if not google.exists():
            self.skipTest("the shared folder has no media/vr")
        found = info(google)
        self.assertEqual((found["layout"], found["projection"]), ("tb", "mesh"))
        self.assertEqual((found["layout_by"], found["projection_by"]), ("container", "container"))
        found = info(folder / "mery_stereo_sbs_cg_2048x1024.mp4")
        self.assertEqual((found["layout"], found["layout_by"]), ("sbs", "name"))
        self.assertEqual(found["claims"]["content"]["layout"], "sbs")
        self.assertEqual((found["projection"], found["projection_by"]), ("equirect", "content"))


class Run(support.CliTest):
    """A run's views are those that info shows."""

    def masks(self, source: Path, *args: object) -> bytes:
        done = run("run", source, "-o", self.out / "mask.y4m", *args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return (self.out / "mask.y4m").read_bytes()

    def test_views_are_the_eyes(self) -> None:
        args = ("-c:v", "ffv1", "-metadata:s:v", "stereo_mode=left_right")
        source = moving(self.folder / "a.mkv", 2, "hstack", *args)
        halves = self.masks(source, "--layout", "sbs")
        self.assertEqual(self.masks(source), halves)
        self.assertNotEqual(self.masks(source, "--layout", "mono"), halves)

    def test_contradictions_are_told(self) -> None:
        source = clip(self.folder / "a_TB_180.mkv", 2, *LEFT_RIGHT)
        done = run("run", source, "-o", self.out / "o.mp4")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the container wins, as players go by it", done.stderr)
        self.assertEqual(video(self.out / "o.mp4")["width"], 64)

    def test_what_does_not_halve_is_refused(self) -> None:
        odd = clip(self.folder / "odd.mkv", 2, "-c:v", "ffv1", "-pix_fmt", "yuv444p", size="65x48")
        done = run("run", odd, "-o", self.out / "o.mp4", "--layout", "sbs")
        self.assert_refused(done, 2, "its width is odd; is it --layout mono?")
        self.assert_left()


if __name__ == "__main__":
    support.main(needs_engine=True)
