"""Pictures between NumPy and the library, without copies.

A submitted array is read where it lies, and kept until the library says that it is done with it.
The arrays of a result are the library's memory; each of them keeps its result.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from . import _abi, gpu
from ._library import check, core

# Name, dtype, planes, samples of a plane's column, whether planes from 1 to 2 have half the sides.
_FORMATS: dict[str, tuple[int, Any, tuple[int, ...], bool]] = {
    "yuv420p": (_abi.VRS_FORMAT_YUV420P, np.uint8, (1, 1, 1), True),
    "nv12": (_abi.VRS_FORMAT_NV12, np.uint8, (1, 2), True),
    "p010": (_abi.VRS_FORMAT_P010, np.uint16, (1, 2), True),
    "yuv420p10": (_abi.VRS_FORMAT_YUV420P10, np.uint16, (1, 1, 1), True),
    "rgb24": (_abi.VRS_FORMAT_RGB24, np.uint8, (3,), False),
    "bgra": (_abi.VRS_FORMAT_BGRA, np.uint8, (4,), False),
    "gray8": (_abi.VRS_FORMAT_GRAY8, np.uint8, (1,), False),
    "gray10": (_abi.VRS_FORMAT_GRAY10, np.uint16, (1,), False),
    "yuva420p": (_abi.VRS_FORMAT_YUVA420P, np.uint8, (1, 1, 1, 1), True),
    "yuva420p10": (_abi.VRS_FORMAT_YUVA420P10, np.uint16, (1, 1, 1, 1), True),
}
_BY_NUMBER = {number: name for name, (number, *_) in _FORMATS.items()}
FORMATS = tuple(_FORMATS)


class Picture:
    """A picture in a format of its own: `format` is a name of FORMATS, `planes` its arrays.

    Planes have the shape (rows, columns), or (rows, columns, n) where a column has n samples: UV of
    nv12 and p010, rgb24, bgra. Chroma has (width + 1) // 2 columns and (height + 1) // 2 rows.
    10-bit samples are 16-bit words. They lie in the host's memory, or all on one GPU: tensors whose
    data has been queued by then. `matrix` is the H.273 number of the colours' matrix, `full_range`
    None where that is not known."""

    def __init__(self, format: str, planes: Sequence[Any], matrix: int = 2,
                 full_range: bool | None = None) -> None:
        if format not in _FORMATS:
            raise ValueError(f"{format!r} is no format: expected one of {', '.join(FORMATS)}")
        _, dtype, samples, _ = _FORMATS[format]
        if len(planes) != len(samples):
            raise ValueError(f"{format} has {len(samples)} planes, not {len(planes)}")
        self.format, self.matrix, self.full_range = format, matrix, full_range
        self.planes = [_plane(plane, dtype, count, f"plane {i} of {format}")
                       for i, (plane, count) in enumerate(zip(planes, samples))]
        places = {plane.device if isinstance(plane, gpu.Plane) else None for plane in self.planes}
        if len(places) > 1:
            raise ValueError(f"the planes of a picture lie in different memories: {places}; expected "
                             "the host's, or one GPU's")
        self.device: int | None = places.pop()
        self.height, self.width = (int(side) for side in self.planes[0].shape[:2])
        for i, plane in enumerate(self.planes):
            expected = self._shape(i)
            if plane.shape[:2] != expected:
                raise ValueError(f"plane {i} of a picture of {self.width}x{self.height} in {format} "
                                 f"has {expected[1]} columns and {expected[0]} rows, not "
                                 f"{plane.shape[1]} and {plane.shape[0]}")

    def _shape(self, plane: int) -> tuple[int, int]:
        half = _FORMATS[self.format][3] and plane in (1, 2)
        return ((self.height + 1) // 2, (self.width + 1) // 2) if half \
            else (self.height, self.width)


def _plane(given: Any, dtype: Any, samples: int, what: str) -> np.ndarray | gpu.Plane:
    """An array of the plane's type whose columns lie side by side; a copy only where they do not.
    A tensor of a GPU is never copied."""
    if isinstance(given, gpu.Plane) or gpu.is_tensor(given):
        return _gpu_plane(given, dtype, samples, what)
    array = _host_array(given)
    dims = 2 if samples == 1 else 3
    if array.ndim == 3 and array.shape[2] == 1 and samples == 1:
        array = array[:, :, 0]
    if array.ndim != dims or (dims == 3 and array.shape[2] != samples):
        shape = "(rows, columns)" if dims == 2 else f"(rows, columns, {samples})"
        raise ValueError(f"{what} has the shape {array.shape}: expected {shape}")
    if array.dtype != dtype:
        raise TypeError(f"{what} is of {array.dtype}: expected {np.dtype(dtype)}")
    if 0 in array.shape:
        raise ValueError(f"{what} is empty: {array.shape}")
    size = array.dtype.itemsize
    packed = array.strides[1] == samples * size and (dims == 2 or array.strides[2] == size)
    aligned = array.strides[0] % size == 0 and array.ctypes.data % size == 0
    return array if packed and aligned else np.ascontiguousarray(array)


def _gpu_plane(given: Any, dtype: Any, samples: int, what: str) -> gpu.Plane:
    plane = given if isinstance(given, gpu.Plane) else gpu.plane_of(given)
    shape, strides, size = plane.shape, plane.strides, np.dtype(dtype).itemsize
    dims = 2 if samples == 1 else 3
    if samples == 1 and len(shape) == 3 and shape[2] == 1:
        shape, strides = shape[:2], strides[:2]
    if len(shape) != dims or (dims == 3 and shape[2] != samples):
        expected = "(rows, columns)" if dims == 2 else f"(rows, columns, {samples})"
        raise ValueError(f"{what} has the shape {shape}: expected {expected}")
    if plane.dtype != dtype:
        raise TypeError(f"{what} is of {plane.dtype}: expected {np.dtype(dtype)}")
    if 0 in shape:
        raise ValueError(f"{what} is empty: {shape}")
    if strides[1] != samples * size or (dims == 3 and strides[2] != size):
        raise ValueError(f"{what} lies on a GPU with columns that are not side by side, and is not "
                         "copied: give its contiguous()")
    return plane._replace(shape=shape, strides=strides)


def _host_array(given: Any) -> np.ndarray:
    """A NumPy array, or what speaks DLPack, as an array of the same memory."""
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "__dlpack__"):
        kind = int(given.__dlpack_device__()[0])
        if kind not in (1, 3):  # kDLCPU, kDLCUDAHost
            raise TypeError(f"a frame in memory of DLPack's device type {kind} cannot be submitted: "
                            "expected the host's or an NVIDIA GPU's")
        return np.from_dlpack(given)
    raise TypeError(f"a frame is a NumPy array, a DLPack tensor or a vrseg.Picture, not "
                    f"{type(given).__name__}")


def picture_of(frame: Any) -> Picture:
    """A frame as it is submitted: by its shape rgb24, bgra or gray8, unless it says a format."""
    if isinstance(frame, Picture):
        return frame
    array = gpu.plane_of(frame) if gpu.is_tensor(frame) else _host_array(frame)
    dims = len(array.shape)
    samples = 1 if dims == 2 else array.shape[-1] if dims == 3 else 0
    formats = {1: "gray8", 3: "rgb24", 4: "bgra"}
    if samples not in formats:
        raise ValueError(f"a frame has the shape (rows, columns, 3) for RGB, (rows, columns, 4) for "
                         f"BGRA or (rows, columns) for gray, not {array.shape}")
    return Picture(formats[samples], [array])


# What the library reads, by the number that it gives back; of GPUs with the event that it waits for.
_kept: dict[int, tuple[list[Any], Any]] = {}
_numbers = itertools.count(1)


def _release(number: int | None) -> None:
    planes, event = _kept.pop(number or 0, ([], None))
    if event is not None:
        gpu.gpu(planes[0].device).give(event)


_release_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_release)


def fill_image(image: Any, picture: Picture) -> int:
    """Points a vrs_image at a picture's memory, which is kept until forget() or the library's
    release. Returns its number."""
    number = next(_numbers)
    image.format = _FORMATS[picture.format][0]
    image.width, image.height = picture.width, picture.height
    image.color.matrix, image.color.transfer, image.color.primaries = picture.matrix, 2, 2
    image.color.range = 0 if picture.full_range is None else 2 if picture.full_range else 1
    event = None
    for i, plane in enumerate(picture.planes):
        address = plane.address if isinstance(plane, gpu.Plane) else plane.ctypes.data
        image.planes[i] = ctypes.cast(address, ctypes.POINTER(ctypes.c_uint8))
        image.strides[i] = plane.strides[0]
    if picture.device is not None:
        event = gpu.gpu(picture.device).record()
        image.memory, image.device = _abi.VRS_MEMORY_CUDA, picture.device
        image.ready = event
    image.release = _release_callback
    image.opaque = number
    _kept[number] = (list(picture.planes), event)
    return number


def forget(number: int) -> None:
    """The library did not take the picture."""
    _release(number)


def kept_count() -> int:
    """Pictures that the library has not given back yet."""
    return len(_kept)


def arrays_of(image: Any, owner: Any) -> tuple[np.ndarray | gpu.DeviceArray, ...]:
    """The planes of a vrs_image as arrays of its memory, which is the host's or a GPU's; none where
    it has none. Each keeps `owner` alive."""
    name = _BY_NUMBER[image.format]
    _, dtype, samples, chroma = _FORMATS[name]
    size = np.dtype(dtype).itemsize
    found: list[tuple[tuple[int, ...], tuple[int, ...], Any]] = []
    for i, count in enumerate(samples):
        half = chroma and i in (1, 2)
        rows = (image.height + 1) // 2 if half else image.height
        columns = (image.width + 1) // 2 if half else image.width
        stride = image.strides[i]
        found.append(((rows, columns), (stride, size), dtype) if count == 1 else
                     ((rows, columns, count), (stride, count * size, size), dtype))
    if not image.planes[0]:
        return ()
    if image.memory == _abi.VRS_MEMORY_CUDA:
        return gpu.plane_arrays(image, found, owner)
    return tuple(_host_plane(image.planes[i], shape, strides, dtype, owner)
                 for i, (shape, strides, dtype) in enumerate(found))


def _host_plane(pointer: Any, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any,
                owner: Any) -> np.ndarray:
    stride, row = strides[0], shape[1] * strides[1]
    first = ctypes.cast(pointer, ctypes.c_void_p).value or 0
    low = first + (stride * (shape[0] - 1) if stride < 0 else 0)
    memory: Any = (ctypes.c_uint8 * (abs(stride) * (shape[0] - 1) + row)).from_address(low)
    memory._owner = owner  # the array's base: lives as long as any view of it
    return np.ndarray(shape, dtype, memory, first - low, strides)


def check_image(image: Any) -> None:
    """The library's own check; raises InvalidError."""
    check(core.vrs_image_check(ctypes.byref(image)))
