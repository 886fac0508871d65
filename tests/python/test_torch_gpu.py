"""PyTorch's tensors on a real GPU: frames in and masks out without copies, in the order of streams.
Skipped where there is no GPU, unless $VRSEG_REQUIRE_CUDA is set."""

import ctypes
import gc
import os
import sys
import time
import unittest

import numpy as np

import support


def skip(reason: object) -> None:
    print(f"skipped: {reason}")
    sys.exit(1 if os.environ.get("VRSEG_REQUIRE_CUDA") else 77)


try:
    ctypes.CDLL("libcuda.so.1")  # sooner than PyTorch, which takes its time
except OSError as error:
    skip(error)

import torch  # noqa: E402

support.use_package()

import vrseg  # noqa: E402
from vrseg import gpu, images  # noqa: E402

WIDTH, HEIGHT, COUNT = 320, 192, 12
CONFIG = {"engine": "cuda", "refine": "off", "max_batch_size": 1, "lanes": 1}
ON_DEVICE = ({"kind": "mask", "memory": "device"},)
LATE = 50_000_000  # clocks, some 30 ms: what a stream does before it writes a frame


def frames() -> list[np.ndarray]:
    """Somebody drawn, head and shoulders, who moves."""
    random = np.random.default_rng(5)
    made = random.integers(60, 80, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
    down, across = np.mgrid[:HEIGHT, :WIDTH]
    for i, frame in enumerate(made):
        x = 100 + 10 * i
        frame[((across - x) / 75) ** 2 + ((down - HEIGHT) / 85) ** 2 < 1] = (40, 60, 150)
        frame[((across - x) / 30) ** 2 + ((down - 75) / 40) ** 2 < 1] = (225, 170, 145)
        frame[((across - x) / 32) ** 2 + ((down - 50) / 22) ** 2 < 1] = (50, 30, 20)
    return list(made)


class TorchGpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            cls.expected = [r.mask.copy() for r in pipeline.results(frames())]
        assert len({mask.tobytes() for mask in cls.expected}) > COUNT // 2

    def tearDown(self) -> None:
        gc.collect()
        for _ in range(30_000):  # what a thread gives back is there some time later
            if images.kept_count() == gpu.exported_count() == 0:
                break
            time.sleep(0.001)
        self.assertEqual((images.kept_count(), gpu.exported_count()), (0, 0))

    def until_free(self, pipeline: vrseg.AsyncPipeline) -> None:
        for _ in range(30_000):
            if pipeline.stats()["tickets_in_use"] == 0:
                return
            time.sleep(0.001)
        self.fail("tickets are in use without a result that holds them")

    def late(self, frame: np.ndarray, stream: torch.cuda.Stream) -> torch.Tensor:
        """A tensor that its stream writes only some time after this returns."""
        host = torch.from_numpy(frame).pin_memory()
        with torch.cuda.stream(stream):
            tensor = torch.full((HEIGHT, WIDTH, 3), 255, dtype=torch.uint8, device="cuda:0")
            torch.cuda._sleep(LATE)
            tensor.copy_(host, non_blocking=True)
        return tensor

    def test_in(self) -> None:
        """A frame is read once the stream that it was made on has made it."""
        stream = torch.cuda.Stream()
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            for frame, expected in zip(frames(), self.expected):
                tensor = self.late(frame, stream)
                with torch.cuda.stream(stream):
                    pipeline.submit_frame(tensor)
                result = pipeline.get_result()
                result.raise_for_error()
                self.assertTrue(np.array_equal(result.mask, expected))
                del result
            self.until_free(pipeline)

    def test_out(self) -> None:
        """A mask stays where the pipeline wrote it, and is read once it is written."""
        made, reader = torch.cuda.Stream(), torch.cuda.Stream()
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0, outputs=ON_DEVICE) as pipeline:
            copies = []
            for frame in frames():
                with torch.cuda.stream(made):
                    pipeline.submit_frame(self.late(frame, made))
                result = pipeline.get_result()
                with torch.cuda.stream(reader):
                    mask = torch.from_dlpack(result)
                    self.assertEqual((mask.device, mask.dtype, tuple(mask.shape)),
                                     (torch.device("cuda:0"), torch.uint8, (HEIGHT, WIDTH)))
                    again = torch.from_dlpack(result)
                    self.assertEqual(again.data_ptr(), mask.data_ptr())
                    copies.append(mask.clone())
                del result, mask, again  # while its clone may not have been made yet
            torch.cuda.synchronize()
            for copy, expected in zip(copies, self.expected):
                self.assertTrue(np.array_equal(copy.cpu().numpy(), expected))
            self.until_free(pipeline)

    def test_kept(self) -> None:
        """A mask that is kept is not written again, also after the pipeline is closed."""
        pipeline = vrseg.AsyncPipeline(support.MODEL, CONFIG, 0, outputs=ON_DEVICE)
        pipeline.start()
        pipeline.submit_frame(torch.from_numpy(frames()[0]).cuda())
        kept = torch.from_dlpack(pipeline.get_result())
        for result in pipeline.results((torch.from_numpy(f).cuda() for f in frames()),
                                       in_flight=2):
            result.raise_for_error()
        del result
        pipeline.close()
        gc.collect()
        self.assertTrue(np.array_equal(kept.cpu().numpy(), self.expected[0]))
        del kept

    def test_other_gpu(self) -> None:
        """A tensor of a GPU that the pipeline does not run on is refused, or runs there."""
        if torch.cuda.device_count() < 2:
            self.skipTest("one GPU alone")
        other = torch.cuda.device_count() - 1
        tensor = torch.from_numpy(frames()[0]).to(f"cuda:{other}")
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline, \
                self.assertRaises(vrseg.InvalidError):
            pipeline.submit_frame(tensor)
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, other, outputs=ON_DEVICE) as pipeline:
            pipeline.submit_frame(tensor)
            with torch.cuda.device(other):
                mask = torch.from_dlpack(pipeline.get_result())
            self.assertEqual(mask.device, torch.device(f"cuda:{other}"))
            self.assertTrue(np.array_equal(mask.cpu().numpy(), self.expected[0]))
            del mask


if __name__ == "__main__":
    if not torch.cuda.is_available():
        skip("PyTorch sees no GPU")
    support.main()
