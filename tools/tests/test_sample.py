"""The sample clip's camera never leaves the photograph, and the second eye sees the person
shifted."""

import subprocess
import unittest
from pathlib import Path
from unittest import mock
import tempfile

import numpy as np

import tools_path  # noqa: F401
import make_sample


class CameraTest(unittest.TestCase):
    def test_every_frame_lies_inside_the_photograph(self) -> None:
        limit = make_sample.PHOTO * make_sample.DETAIL
        for number in range(make_sample.FRAMES):
            a, b, c, d, e, f = make_sample.cut_out(number / (make_sample.FRAMES - 1))
            for x in (0, make_sample.WIDTH):
                for y in (0, make_sample.HEIGHT):
                    for place in (a * x + b * y + c, d * x + e * y + f):
                        self.assertTrue(0 <= place <= limit, f"frame {number}: {place}")

    def test_the_camera_moves(self) -> None:
        views = {make_sample.cut_out(number / 10) for number in range(11)}
        self.assertGreater(len(views), 9)


class SecondEyeTest(unittest.TestCase):
    def test_the_person_is_shifted_and_the_background_is_not(self) -> None:
        photo = np.zeros((make_sample.PHOTO, make_sample.PHOTO, 3), dtype=np.uint8)
        photo[:, :, 0] = (np.arange(make_sample.PHOTO) % 256)[np.newaxis]
        other = make_sample.second_eye(photo).astype(int)
        # The middle of the face, and a place far from the outline. Red is the column.
        self.assertEqual(other[110, 225, 0] - photo[110, 225, 0], make_sample.PARALLAX)
        self.assertEqual(other[100, 440, 0], photo[100, 440, 0])
        self.assertTrue((np.diff(other[:, 260:500, 0], axis=1) >= 0).all())


class WriteTest(unittest.TestCase):
    def setUp(self) -> None:
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.enterContext(mock.patch.multiple(make_sample, WIDTH=64, HEIGHT=36, FRAMES=5, DETAIL=1))
        self.photo = np.full((make_sample.PHOTO, make_sample.PHOTO, 3), 128, dtype=np.uint8)

    def test_frame_count_and_size(self) -> None:
        output = self.folder / "clip.mp4"
        make_sample.encode([self.photo, self.photo], output)
        said = subprocess.run(
            ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-of", "csv=p=0",
             "-show_entries", "stream=width,height,nb_read_frames", str(output)],
            capture_output=True, text=True, check=True).stdout.strip()
        self.assertEqual(said, "128,36,5")

    def test_encoder_failure_is_one_sentence(self) -> None:
        with self.assertRaisesRegex(make_sample.SampleError, "ffmpeg could not write"):
            make_sample.encode([self.photo], self.folder / "missing" / "clip.mp4")


if __name__ == "__main__":
    unittest.main()
