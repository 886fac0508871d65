"""Pictures and masks: found, read and resized as the program does."""

import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image

import pytorch_path  # noqa: F401
import measure
import pictures
from errors import UserError


class FindTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def put(self, name: str) -> Path:
        """A picture of one pixel."""
        path = self.folder / name
        path.parent.mkdir(exist_ok=True)
        Image.new("L", (1, 1)).save(path)
        return path

    def test_two_folders(self) -> None:
        for name in ("b", "a"):
            self.put(f"images/{name}.jpg")
        self.put("masks/a.png")
        with self.assertRaisesRegex(UserError, "b.jpg: has no mask; .*b.png is missing"):
            pictures.pairs_in(self.folder)
        self.put("masks/b_mask.png")
        found = pictures.pairs_in(self.folder)
        self.assertEqual([pair.mask.name for pair in found], ["a.png", "b_mask.png"])

    def test_side_by_side(self) -> None:
        self.put("a.webp")
        self.put("a.png")
        self.put("b.png")  # a mask without a picture
        found = pictures.pairs_in(self.folder)
        self.assertEqual([(pair.picture.name, pair.mask.name) for pair in found],
                         [("a.webp", "a.png")])

    def test_nothing(self) -> None:
        with self.assertRaisesRegex(UserError, "there are no pictures"):
            pictures.pairs_in(self.folder)
        with self.assertRaisesRegex(UserError, "no such folder"):
            pictures.pairs_in(self.folder / "absent")
        with self.assertRaisesRegex(UserError, "no pictures in this folder"):
            pictures.given_pictures(self.folder)
        path = self.put("a.jpg")
        self.assertEqual(pictures.given_pictures(path), [pictures.Pair(path, None)])
        self.assertEqual(pictures.given_pictures(self.folder), [pictures.Pair(path, None)])

    def test_masks(self) -> None:
        values = np.array([[0, 1, 2], [0, 255, 0]], np.uint8)
        path = self.folder / "mask.png"
        for mode in ("L", "P"):
            picture = Image.fromarray(values)
            if mode == "P":  # black for every number: the numbers count
                picture = Image.frombytes("P", (3, 2), values.tobytes())
                picture.putpalette([0] * 768)
            picture.save(path)
            np.testing.assert_array_equal(pictures.read_mask(path), values != 0)

    def test_broken(self) -> None:
        path = self.put("a.png")
        data = path.read_bytes()
        for cut in (0, 10, len(data) // 2):
            path.write_bytes(data[:cut])
            with self.assertRaisesRegex(UserError, "a.png: cannot be read as a picture"):
                pictures.read_rgb(path)


class ResizeTest(unittest.TestCase):
    def test_area(self) -> None:
        codes = np.zeros((2, 4, 3), np.uint8)
        codes[:, 0], codes[:, 3] = 100, 200
        np.testing.assert_array_equal(pictures.resized(codes, 2, 1)[0, :, 0], [50, 100])
        np.testing.assert_array_equal(pictures.resized(codes, 4, 2), codes)

    def test_bilinear_takes_two_taps(self) -> None:
        codes = np.zeros((1, 8, 3), np.uint8)
        codes[0, :, 0] = [0, 0, 0, 100, 60, 0, 0, 0]
        # Centres of two pixels fall at 1.5 and 5.5 of the source.
        np.testing.assert_array_equal(pictures.resized(codes, 2, 1, "bilinear")[0, :, 0], [0, 0])
        np.testing.assert_array_equal(pictures.resized(codes, 4, 1, "bilinear")[0, :, 0],
                                      [0, 50, 30, 0])
        np.testing.assert_array_equal(pictures.resized(codes[:, 3:5], 4, 1, "bilinear")[0, :, 0],
                                      [100, 90, 70, 60])

    def test_enlarged(self) -> None:
        mask = np.array([[0.0, 1.0]], np.float32)
        np.testing.assert_allclose(pictures.enlarged(mask, 2, 4), [[0, 0.25, 0.75, 1]] * 2)
        np.testing.assert_array_equal(measure.mask_at(mask, 1, 4)[0], [0, 0, 1, 1])

    def test_iou(self) -> None:
        self.assertEqual(measure.iou(np.array([1, 1, 0, 0]), np.array([0, 1, 1, 0])), 1 / 3)
        self.assertEqual(measure.iou(np.zeros(3), np.zeros(3)), 1)
        self.assertEqual(measure.iou(np.zeros(3), np.ones(3)), 0)


if __name__ == "__main__":
    unittest.main()
