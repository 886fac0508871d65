"""Frames out of files: decoded where they lie, tensors like the pipeline's, and through it."""

import gc
import subprocess
import threading
import unittest

import numpy as np

import support

support.use_package()

import vrseg  # noqa: E402

REASON = support.runs_here()
FRAMES, WIDTH, HEIGHT = 10, 64, 48


class Reader(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.clip = support.FOLDER / "clip.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                        f"testsrc=size={WIDTH}x{HEIGHT}:rate=25:duration={FRAMES / 25}", "-pix_fmt",
                        "yuv420p", "-c:v", "ffv1", "-y", cls.clip], check=True)
        raw = subprocess.run(["ffmpeg", "-v", "error", "-i", cls.clip, "-pix_fmt", "yuv420p", "-f",
                              "rawvideo", "-"], check=True, capture_output=True).stdout
        cls.raw = np.frombuffer(raw, np.uint8).reshape(FRAMES, HEIGHT * 3 // 2, WIDTH)

    def test_frames(self) -> None:
        with vrseg.Reader(self.clip) as reader:
            info = reader.info
            self.assertEqual((info.format, info.width, info.height, info.rate, info.still),
                             ("yuv420p", WIDTH, HEIGHT, 25, False))
            pictures = list(reader)
            self.assertIsNone(reader.read())
            self.assertEqual(reader.damaged, 0)
        gc.collect()
        self.assertEqual(len(pictures), FRAMES)
        for picture, raw in zip(pictures, self.raw):  # they stay when the reader is closed
            self.assertTrue(np.array_equal(picture.planes[0], raw[:HEIGHT]))
            chroma = raw[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)
            self.assertTrue(np.array_equal(picture.planes[1], chroma[0]))
            self.assertTrue(np.array_equal(picture.planes[2], chroma[1]))

    def test_tensors(self) -> None:
        spec = vrseg.TensorSpec(16, 12, mean=(10, 20, 30), scale=(1, 2, 0.5))
        bytes_spec = vrseg.TensorSpec(16, 12, bytes=True)
        floats = list(vrseg.Reader(self.clip).tensors(spec))
        codes = list(vrseg.Reader(self.clip, {"max_frames": 4}).tensors(bytes_spec))
        self.assertEqual((len(floats), len(codes)), (FRAMES, 4))
        self.assertEqual((floats[0].shape, floats[0].dtype), ((3, 12, 16), np.float32))
        self.assertEqual((codes[0].shape, codes[0].dtype), ((12, 16, 3), np.uint8))
        for tensor, code in zip(floats, codes):
            back = tensor / np.array(spec.scale).reshape(3, 1, 1) + \
                np.array(spec.mean).reshape(3, 1, 1)
            self.assertLessEqual(np.abs(back.transpose(1, 2, 0) - code).max(), 1.01)
        turned = vrseg.Reader(self.clip).read_tensor(vrseg.TensorSpec(16, 12, bgr=True, bytes=True))
        self.assertTrue(np.array_equal(turned[..., ::-1], codes[0]))

    def test_out(self) -> None:
        spec = vrseg.TensorSpec(16, 12)
        batch = np.zeros((2, 3, 12, 16), np.float32)
        reader = vrseg.Reader(self.clip)
        self.assertIs(reader.read_tensor(spec, batch[1]).base, batch)
        self.assertGreater(batch[1].max(), 0)
        self.assertEqual(batch[0].max(), 0)
        for wrong in (np.zeros((3, 12, 15), np.float32), np.zeros((3, 12, 16)),
                      np.zeros((3, 12, 32), np.float32)[:, :, ::2]):
            with self.assertRaisesRegex(ValueError, "dense"):
                reader.read_tensor(spec, wrong)
        with self.assertRaises(ValueError):
            reader.read_tensor(vrseg.TensorSpec(0, 12))

    def test_refused(self) -> None:
        with self.assertRaises(FileNotFoundError):
            vrseg.Reader("no-such.mp4")
        reader = vrseg.Reader(self.clip)
        reader.close()
        reader.close()
        with self.assertRaisesRegex(ValueError, "closed"):
            reader.read()

    def test_spec_of_model(self) -> None:
        spec = vrseg.TensorSpec.of_model(support.MODEL)
        self.assertEqual((spec.width, spec.height, spec.bytes), (256, 144, False))

    def test_readers_side_by_side(self) -> None:
        sums: list[int] = []

        def read() -> None:
            sums.append(sum(int(p.planes[0].sum()) for p in vrseg.Reader(self.clip)))

        threads = [threading.Thread(target=read) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(sums, 4 * [int(self.raw[:, :HEIGHT].sum())])

    @unittest.skipIf(REASON, REASON)
    def test_into_the_pipeline(self) -> None:
        """Decoded pictures go on as they are; the same masks as from copies."""
        def masks(copy: bool) -> list[np.ndarray]:
            def pictures():
                for p in vrseg.Reader(self.clip):
                    yield vrseg.Picture(p.format, [q.copy() for q in p.planes], p.matrix,
                                        p.full_range) if copy else p
            with vrseg.AsyncPipeline(support.MODEL, None, "cpu") as pipeline:
                return [result.mask.copy() for result in pipeline.results(pictures())]

        for a, b in zip(masks(False), masks(True), strict=True):
            self.assertTrue(np.array_equal(a, b))


if __name__ == "__main__":
    support.main()
