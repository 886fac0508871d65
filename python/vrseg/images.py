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

from . import _abi
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
    10-bit samples are 16-bit words. `matrix` is the H.273 number of the colours' matrix, `full_range`
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
        self.height, self.width = self.planes[0].shape[:2]
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


def _plane(given: Any, dtype: Any, samples: int, what: str) -> np.ndarray:
    """An array of the plane's type whose columns lie side by side; a copy only where they do not."""
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


def _host_array(given: Any) -> np.ndarray:
    """A NumPy array, or what speaks DLPack, as an array of the same memory."""
    if isinstance(given, np.ndarray):
        return given
    if hasattr(given, "__dlpack__"):
        kind = int(given.__dlpack_device__()[0])
        if kind not in (1, 3):  # kDLCPU, kDLCUDAHost
            raise TypeError("a frame in a GPU's memory (DLPack device type "
                            f"{kind}) cannot be submitted from Python: move it to the host")
        return np.from_dlpack(given)
    raise TypeError(f"a frame is a NumPy array, a DLPack tensor or a vrseg.Picture, not "
                    f"{type(given).__name__}")


def picture_of(frame: Any) -> Picture:
    """A frame as it is submitted: by its shape rgb24, bgra or gray8, unless it says a format."""
    if isinstance(frame, Picture):
        return frame
    array = _host_array(frame)
    samples = 1 if array.ndim == 2 else array.shape[-1] if array.ndim == 3 else 0
    formats = {1: "gray8", 3: "rgb24", 4: "bgra"}
    if samples not in formats:
        raise ValueError(f"a frame has the shape (rows, columns, 3) for RGB, (rows, columns, 4) for "
                         f"BGRA or (rows, columns) for gray, not {array.shape}")
    return Picture(formats[samples], [array])


# Arrays that the library reads, by the number that it gives back.
_kept: dict[int, list[np.ndarray]] = {}
_numbers = itertools.count(1)


def _release(number: int | None) -> None:
    _kept.pop(number or 0, None)


_release_callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_release)


def fill_image(image: Any, picture: Picture) -> int:
    """Points a vrs_image at a picture's memory, which is kept until forget() or the library's
    release. Returns its number."""
    number = next(_numbers)
    image.format = _FORMATS[picture.format][0]
    image.width, image.height = picture.width, picture.height
    image.color.matrix, image.color.transfer, image.color.primaries = picture.matrix, 2, 2
    image.color.range = 0 if picture.full_range is None else 2 if picture.full_range else 1
    for i, plane in enumerate(picture.planes):
        image.planes[i] = ctypes.cast(plane.ctypes.data, ctypes.POINTER(ctypes.c_uint8))
        image.strides[i] = plane.strides[0]
    image.release = _release_callback
    image.opaque = number
    _kept[number] = picture.planes
    return number


def forget(number: int) -> None:
    """The library did not take the picture."""
    _release(number)


def kept_count() -> int:
    """Pictures that the library has not given back yet."""
    return len(_kept)


def arrays_of(image: Any, owner: Any) -> tuple[np.ndarray, ...]:
    """The planes of a vrs_image as arrays of its memory. Each keeps `owner` alive."""
    name = _BY_NUMBER[image.format]
    _, dtype, samples, chroma = _FORMATS[name]
    found = []
    for i, count in enumerate(samples):
        half = chroma and i in (1, 2)
        rows = (image.height + 1) // 2 if half else image.height
        columns = (image.width + 1) // 2 if half else image.width
        size = np.dtype(dtype).itemsize
        stride = image.strides[i]
        row = columns * count * size
        first = ctypes.cast(image.planes[i], ctypes.c_void_p).value or 0
        low = first + (stride * (rows - 1) if stride < 0 else 0)
        memory = (ctypes.c_uint8 * (abs(stride) * (rows - 1) + row)).from_address(low)
        memory._owner = owner  # the array's base: lives as long as any view of it
        shape = (rows, columns) if count == 1 else (rows, columns, count)
        steps = (stride, size) if count == 1 else (stride, count * size, size)
        found.append(np.ndarray(shape, dtype, memory, first - low, steps))
    return tuple(found)


def check_image(image: Any) -> None:
    """The library's own check; raises InvalidError."""
    check(core.vrs_image_check(ctypes.byref(image)))
