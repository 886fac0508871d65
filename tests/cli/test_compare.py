"""`vrseg models compare`: on a clip, on pictures with masks, its files, and what it refuses. Models
are tiny networks of tests/data and, where they are installed, real ones."""

import json
import os
import subprocess
import unittest
from pathlib import Path

import support
from support import SOURCE, clip, ffmpeg, run

SHARED = Path(os.environ.get("VRSEG_SHARED_DIR", ""))
DESCRIPTOR = """\
title: of tests, {name}
licence: none needed
source: "bring your own: tests/data"
batch: free
{more}input: {{width: 6, height: 4}}
output: {{activation: softmax, classes: [background, person], person: [person]}}
"""
SHORT = ("--seconds", "0.05", "--frames", 6, "--progress", "none", "--device", "cpu")


class Compare(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        self.json = self.folder / "compare.json"
        self.sheet = self.folder / "sheet.png"
        self.tiny = [self.network("tiny"), self.network("tiny-other")]

    def network(self, name: str, more: str = "") -> Path:
        data = (SOURCE / "tests" / "data" / f"{name}.onnx").read_bytes()
        (self.folder / f"{name}.onnx").write_bytes(data)
        path = self.folder / f"{name}.yaml"
        path.write_text(DESCRIPTOR.format(name=name, more=more), encoding="utf-8")
        return path

    def compare(self, *args: object, models: list | None = None) -> dict:
        """Two tiny networks unless others are named."""
        names = ",".join(map(str, models or self.tiny))
        done = run("models", "compare", *args, *SHORT, "--models", names, "--json", self.json,
                   "--sheet", self.sheet)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.printed = done.stdout
        return json.loads(self.json.read_text(encoding="utf-8"))

    def pictures(self, count: int) -> tuple[Path, Path]:
        """Pictures of noise, and masks of their names: white on the left half."""
        images, masks = self.folder / "images", self.folder / "masks"
        for folder in (images, masks):
            folder.mkdir()
        ffmpeg("-f", "lavfi", "-i", "testsrc=size=64x48:rate=1", "-frames:v", count,
               images / "p%02d.png")
        ffmpeg("-f", "lavfi", "-i", "color=black:size=64x48:rate=1", "-vf",
               "drawbox=0:0:32:48:white:fill", "-frames:v", count, "-pix_fmt", "gray",
               masks / "p%02d.png")
        return images, masks

    def test_video(self) -> None:
        source = clip(self.folder / "a.mp4", 12)
        found = self.compare(source)
        self.assertEqual([m["name"] for m in found["models"]], [str(p) for p in self.tiny])
        self.assertAlmostEqual(found["rate"], 25)
        for model in found["models"]:
            self.assertEqual(model["frames"], 6)
            self.assertGreater(model["fps"], 0)
            self.assertGreater(model["peak_rss_bytes"], 1e6)
            self.assertIsNone(model["iou"])
            self.assertGreaterEqual(model["flicker_percent"], 0)
            self.assertTrue(0 <= model["coverage"] <= 1)
        self.assertIn(found["recommended"], [str(p) for p in self.tiny])
        self.assertIn(f"recommended: {found['why']}", self.printed)
        size = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=width,height",
                               "-of", "csv=p=0", self.sheet], capture_output=True, text=True,
                              check=True).stdout.strip()
        self.assertEqual(size, "1054,519")  # four frames; a row of frames and one of each model

    def test_masks_decide(self) -> None:
        """IoU is that of the masks, which are the right ones for one of the two."""
        images, masks = self.pictures(3)
        first = self.compare(images, "--masks", masks)
        for model in first["models"]:
            self.assertTrue(0 <= model["iou"] <= 1)
            self.assertIsNone(model["flicker_percent"])  # pictures do not follow each other
        # What the second one says becomes the truth: it is right then, and recommended.
        for file in masks.iterdir():
            file.unlink()
        done = run("run", images, "-o", f"{masks}/", "--model", self.tiny[1], "--threshold", "0.5",
                   "--refine", "off", "--device", "cpu")
        self.assertEqual(done.returncode, 0, done.stderr)
        for picture, mask in zip(sorted(images.iterdir()), sorted(masks.iterdir())):
            mask.rename(masks / picture.name)
        second = self.compare(images, "--masks", masks, "--refine", "off")
        self.assertGreater(second["models"][1]["iou"], 0.99)
        self.assertEqual(second["recommended"], str(self.tiny[1]))
        self.assertIn("nearest to those given", second["why"])

    def test_video_with_masks(self) -> None:
        """Masks of a video go by their order; flicker that they have is none."""
        source = clip(self.folder / "a.mp4", 6)
        masks = self.folder / "m"
        masks.mkdir()
        ffmpeg("-f", "lavfi", "-i", "color=white:size=64x48:rate=1", "-frames:v", 6,
               masks / "%04d.png")
        found = self.compare(source, "--masks", masks)
        for model in found["models"]:
            self.assertGreater(model["dtssd"], -1)
            self.assertAlmostEqual(model["iou"] >= 0, True)

    def test_one_that_fails(self) -> None:
        """Its reason is shown, and the others are compared; test-only is never recommended."""
        source = clip(self.folder / "a.mp4", 6)
        broken = self.network("tiny-int8")
        (self.folder / "tiny-int8.onnx").write_bytes(b"none")
        tests = self.network("tiny", "test_only: on\n")
        found = self.compare(source, models=[broken, tests, self.tiny[1]])
        self.assertIn("tiny-int8.onnx", found["models"][0]["not_measured"])
        self.assertTrue(found["models"][1]["test_only"])
        self.assertEqual(found["recommended"], str(self.tiny[1]))
        self.assertIn("for tests only", self.printed)

    def test_real(self) -> None:
        """Installed models, on pictures of people with masks where these are there."""
        people = SHARED / "media" / "people"
        if not (people / "images").is_dir():
            self.skipTest("VRSEG_SHARED_DIR has no pictures of people")
        images, masks = self.folder / "images", self.folder / "masks"
        for folder in (images, masks):
            folder.mkdir()
        for picture in sorted((people / "images").iterdir())[:6]:
            mask = next((people / "masks").glob(f"{picture.stem}*"))
            (images / picture.name).symlink_to(picture)
            (masks / mask.name).symlink_to(mask)
        done = run("models", "compare", images, "--masks", masks, *SHORT, "--json", self.json,
                   "--sheet", self.sheet)
        self.assertEqual(done.returncode, 0, done.stderr)
        found = json.loads(self.json.read_text(encoding="utf-8"))
        by_name = {model["name"]: model for model in found["models"]}
        self.assertGreater(by_name[support.MODEL]["iou"], 0.3)
        self.assertIn(found["recommended"], by_name)

    def test_refusals(self) -> None:
        source = clip(self.folder / "a.mp4", 3)
        images, masks = self.pictures(2)
        (masks / "p02.png").rename(masks / "q02.png")
        tiny = ("--models", self.tiny[0])
        for args, complaint in (
                ([source, "--models", "selfi"], 'did you mean "selfie'),
                (["nowhere.mp4", *tiny], r"nowhere\.mp4"),
                ([images, *tiny, "--masks", masks], "there is no mask for p02.png"),
                ([images, *tiny, "--masks", "/nowhere"], "/nowhere: cannot be listed"),
                ([source, *tiny, "--masks", masks], "there are fewer masks than frames"),
                ([source, *tiny, "--sheet", "/nowhere/x.png"], "its folder does not exist"),
                ([source, *tiny, "--json", source], "is the input itself")):
            with self.subTest(args=args):
                done = run("models", "compare", *args, *SHORT)
                self.assert_refused(done, 2, complaint)
        for args, complaint in (
                ([], "no input is given"),
                (["-"], "cannot be read again"),
                ([source, source], "one input at a time"),
                ([source, "--frames", 0], "expected a number from 1 to"),
                ([source, "--model", "selfie"], "use --models")):
            with self.subTest(args=args):
                done = run("models", "compare", *args)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertRegex(done.stderr, f"^vrseg models compare: .*{complaint}")
        help_text = run("models", "compare", "--help")
        self.assertEqual(help_text.returncode, 0)
        self.assertIn("--sheet", help_text.stdout)


if __name__ == "__main__":
    support.main(needs_engine=True)
