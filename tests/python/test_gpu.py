"""Tensors of a GPU in and out, on the stand-in for NVIDIA's driver: what is queued there runs late
and in any order that streams and events allow, so that a wait that is missing shows."""

import ctypes
import gc
import os
import threading
import time
import unittest
from unittest import mock

import numpy as np

import support

support.use_package()

import vrseg  # noqa: E402
from vrseg import gpu, images  # noqa: E402

WIDTH, HEIGHT, COUNT = 96, 64, 6
REASON = "" if os.environ.get("VRSEG_CUDA_LIBRARY") else "there is no stand-in driver"
REASON = REASON or support.runs_here()
CONFIG = {"engine": "openvino", "refine": "off"}


def frames() -> list[np.ndarray]:
    """A bright part that moves."""
    random = np.random.default_rng(5)
    made = random.integers(0, 128, (COUNT, HEIGHT, WIDTH, 3), dtype=np.uint8)
    for i, frame in enumerate(made):
        frame[10:50, 8 * i:8 * i + 40] += 100
    return list(made)


class Side:
    """The driver as another library has it, with a stream of its own."""

    def __init__(self) -> None:
        self.gpu = gpu.gpu(0)
        self.driver = ctypes.CDLL(os.environ["VRSEG_CUDA_LIBRARY"])
        self.driver.cuMemAlloc_v2.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
        self.driver.cuMemFree_v2.argtypes = [ctypes.c_uint64]
        self.driver.cuMemcpyHtoDAsync_v2.argtypes = [ctypes.c_uint64, ctypes.c_void_p,
                                                     ctypes.c_size_t, ctypes.c_void_p]
        self.driver.cuMemcpyDtoHAsync_v2.argtypes = [ctypes.c_void_p, ctypes.c_uint64,
                                                     ctypes.c_size_t, ctypes.c_void_p]
        self.stream = ctypes.c_void_p()
        self.call("cuStreamCreateWithPriority", ctypes.byref(self.stream), 1, 0)

    def call(self, function: str, *arguments: object) -> None:
        with self.gpu._current():
            result = getattr(self.driver, function)(*arguments)
        assert result == 0, (function, result)

    def download(self, address: int, pitch: int, rows: int, columns: int) -> np.ndarray:
        """Bytes, after what the stream has been given."""
        whole = np.zeros(pitch * (rows - 1) + columns, np.uint8)
        self.call("cuMemcpyDtoHAsync_v2", whole.ctypes.data, address, whole.nbytes, self.stream)
        self.gpu.wait_here(self.gpu.record(self.stream))
        return np.ndarray((rows, columns), np.uint8, whole, 0, (pitch, 1)).copy()


class Tensor:
    """A tensor of another library: uploaded on that one's stream, some time later."""
    alive = 0

    def __init__(self, side: Side, array: np.ndarray, strides: tuple[int, ...] | None = None,
                 kind: tuple[int, int] = (1, 8)) -> None:
        self.side, self.array, self.kind = side, np.ascontiguousarray(array), kind
        self.strides, self.address = strides, ctypes.c_uint64()
        side.call("cuMemAlloc_v2", ctypes.byref(self.address), self.array.nbytes + 64)
        side.call("cuMemcpyHtoDAsync_v2", self.address.value + 64, self.array.ctypes.data,
                  self.array.nbytes, side.stream)
        Tensor.alive += 1

    def __dlpack_device__(self) -> tuple[int, int]:
        return 2, 0

    def __dlpack__(self, *, stream: int | None = None) -> object:
        self.side.gpu.wait(stream, self.side.gpu.record(self.side.stream).value)
        managed = gpu._Managed()
        dims = self.array.ndim
        shape = (ctypes.c_int64 * dims)(*self.array.shape)
        strides = self.strides and (ctypes.c_int64 * dims)(*self.strides)
        managed.tensor = gpu._Tensor(self.address.value, gpu._Device(2, 0), dims,
                                     gpu._Type(*self.kind, 1), shape, strides, 64)

        @gpu._Callback
        def free(_address: int) -> None:
            held.clear()
            self.side.gpu.wait_here(self.side.gpu.record(self.side.stream))  # its upload
            self.side.call("cuMemFree_v2", self.address.value)
            Tensor.alive -= 1

        @gpu._Callback
        def drop(capsule: int) -> None:
            if gpu._capsule_is(capsule, b"dltensor"):
                free(0)

        held = [managed, shape, strides, free, drop]
        managed.deleter = ctypes.cast(free, ctypes.c_void_p)
        KEPT.append(drop)  # code that runs must not be freed
        return gpu._new_capsule(ctypes.addressof(managed), b"dltensor", drop)


KEPT: list[object] = []


def taken(capsule: object) -> gpu._Managed:
    """What a consumer does with a capsule: the structure is its own from now on."""
    address = gpu._capsule_pointer(id(capsule), b"dltensor")
    rename = ctypes.pythonapi.PyCapsule_SetName
    rename.argtypes = [ctypes.py_object, ctypes.c_char_p]
    assert rename(capsule, b"used_dltensor") == 0
    return ctypes.cast(address, ctypes.POINTER(gpu._Managed)).contents


def give_back(managed: gpu._Managed) -> None:
    """What a consumer does at the end."""
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(managed.deleter)(ctypes.addressof(managed))


@unittest.skipIf(REASON, REASON)
class Gpu(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.side = Side()
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            cls.expected = [r.mask.copy() for r in pipeline.results(frames())]
        assert any(mask.any() for mask in cls.expected)

    def tearDown(self) -> None:
        gc.collect()
        for _ in range(30_000):  # what a thread gives back is there some time later
            if images.kept_count() == gpu.exported_count() == Tensor.alive == 0:
                break
            time.sleep(0.001)
        self.assertEqual((images.kept_count(), gpu.exported_count(), Tensor.alive), (0, 0, 0))

    def until(self, pipeline: vrseg.AsyncPipeline, tickets: int) -> None:
        """What is given back by a thread is there some time later."""
        while pipeline.stats()["tickets_in_use"] != tickets:
            time.sleep(0.001)

    def test_in(self) -> None:
        """Frames of a GPU give the same masks, and go back to their producer."""
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            for frame, expected in zip(frames(), self.expected):
                pipeline.submit_frame(Tensor(self.side, frame))
                result = pipeline.get_result()
                result.raise_for_error()
                self.assertTrue(np.array_equal(result.mask, expected))
            del result
            self.until(pipeline, 0)

    def test_many_in_flight(self) -> None:
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            tensors = (Tensor(self.side, frame) for frame in frames())
            for result, expected in zip(pipeline.results(tensors, in_flight=3), self.expected):
                self.assertTrue(np.array_equal(result.mask, expected))
            del result
            self.until(pipeline, 0)

    def test_out(self) -> None:
        """Masks stay on the GPU, where a consumer's stream waits for them; they keep their result
        until that stream is done with them."""
        outputs = ({"kind": "mask", "memory": "device"},)
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0, outputs=outputs) as pipeline:
            for frame, expected in zip(frames(), self.expected):
                pipeline.submit_frame(Tensor(self.side, frame))
                result = pipeline.get_result()
                self.assertEqual(result.__dlpack_device__(), (2, 0))
                self.assertEqual((result.mask.shape, result.mask.dtype),
                                 ((HEIGHT, WIDTH), np.uint8))
                managed = taken(result.__dlpack__(stream=self.side.stream.value,
                                                  max_version=(1, 0)))
                tensor = managed.tensor
                del result
                self.assertEqual(tuple(tensor.shape[:2]), (HEIGHT, WIDTH))
                self.assertEqual((tensor.strides[1], tensor.offset), (1, 0))
                mask = self.side.download(tensor.data, tensor.strides[0], HEIGHT, WIDTH)
                self.assertTrue(np.array_equal(mask, expected))
                self.assertEqual(pipeline.stats()["tickets_in_use"], 1)
                give_back(managed)
                self.until(pipeline, 0)

    def test_reader_is_waited_for(self) -> None:
        """A tensor that is dropped while its stream still reads gives its result back later."""
        outputs = ({"kind": "mask", "memory": "device"},)
        gate, wait_here = threading.Event(), gpu._Gpu.wait_here

        def slow(self: gpu._Gpu, event: ctypes.c_void_p) -> None:
            gate.wait()
            wait_here(self, event)

        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0, outputs=outputs) as pipeline:
            pipeline.submit_frame(frames()[0])
            mask = pipeline.get_result().mask
            with mock.patch.object(gpu._Gpu, "wait_here", slow):
                capsule = mask.__dlpack__(stream=self.side.stream.value)
                del mask, capsule  # nobody took it: the same
                self.assertEqual(gpu.exported_count(), 0)
                self.assertEqual(pipeline.stats()["tickets_in_use"], 1)
                gate.set()
                self.until(pipeline, 0)
            # Whom nothing waits for, by its own wish.
            pipeline.submit_frame(frames()[0])
            mask = pipeline.get_result().mask
            managed = taken(mask.__dlpack__(stream=-1))
            del mask
            give_back(managed)
            self.assertEqual(pipeline.stats()["tickets_in_use"], 0)

    def test_planes(self) -> None:
        """A picture of several planes, and memory that is refused."""
        luma = Tensor(self.side, np.full((HEIGHT, WIDTH), 90, np.uint8))
        chroma = Tensor(self.side, np.full((HEIGHT // 2, WIDTH // 2, 2), 128, np.uint8))
        picture = vrseg.Picture("nv12", [luma, chroma])
        self.assertEqual((picture.device, picture.width, picture.height), (0, WIDTH, HEIGHT))
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, 0) as pipeline:
            pipeline.submit_frame(picture)
            self.assertIsNone(pipeline.get_result().error)
        del picture, luma, chroma
        array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        for given, error, words in (
                (Tensor(self.side, array, (3 * WIDTH, 3, 2)), ValueError, "contiguous"),
                (Tensor(self.side, array, kind=(2, 16)), TypeError, "float16: expected uint8"),
                (Tensor(self.side, array, kind=(6, 8)), TypeError, "None: expected uint8"),
                (Tensor(self.side, array[..., :2]), ValueError, "a frame has the shape")):
            with self.assertRaisesRegex(error, words):
                images.picture_of(given)
        with self.assertRaisesRegex(ValueError, "different memories"):
            vrseg.Picture("nv12", [Tensor(self.side, array[..., 0]),
                                   np.zeros((HEIGHT // 2, WIDTH // 2, 2), np.uint8)])

    def test_refused(self) -> None:
        with vrseg.AsyncPipeline(support.MODEL, CONFIG, "cpu") as pipeline, \
                self.assertRaisesRegex(vrseg.InvalidError, "memory"):
            pipeline.submit_frame(Tensor(self.side, frames()[0]))
        with self.assertRaisesRegex(vrseg.VrsegError, "the CPU"):
            vrseg.AsyncPipeline(support.MODEL, CONFIG, "cpu",
                                outputs=({"kind": "mask", "memory": "device"},))
        with self.assertRaisesRegex(ValueError, "expected host or device"):
            vrseg.AsyncPipeline(support.MODEL, CONFIG, 0, outputs=({"memory": "disk"},))
        array = gpu.DeviceArray(4096, (2, 2), (2, 1), np.uint8, 0, None, None)
        self.assertIn("(2, 2) uint8 on GPU 0", repr(array))
        with self.assertRaisesRegex(ValueError, "stream 0"):
            array.__dlpack__(stream=0)
        for wish in ({"copy": True}, {"dl_device": (1, 0)}):
            with self.assertRaisesRegex(BufferError, "not copied"):
                array.__dlpack__(stream=-1, **wish)
        with self.assertRaisesRegex(vrseg.DeviceError, "GPU 9: cuDeviceGet failed"):
            gpu.gpu(9)
        with mock.patch.dict(os.environ, {"VRSEG_CUDA_LIBRARY": "/nowhere/libcuda.so"}), \
                self.assertRaisesRegex(vrseg.MissingError, "NVIDIA's driver"):
            gpu._Gpu(0)


if __name__ == "__main__":
    support.main()
