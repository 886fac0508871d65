"""Frames out of files: decoded by libav, made ready for a network by vrseg's own kernels."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import _abi, images
from ._library import check, core, media, media_reason, text
from .config import Config, ConfigLike, Model
from .images import Picture


@dataclass(frozen=True)
class TensorSpec:
    """How frames become tensors: (code - mean) * scale of codes 0..255, as float32 of the shape
    (3, height, width), or with `bytes` the codes as uint8 of the shape (height, width, 3)."""

    width: int
    height: int
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)
    bgr: bool = False
    bilinear: bool = False
    letterbox: bool = False
    pad: float = 0.0
    bytes: bool = False

    @classmethod
    def of_model(cls, model: str | os.PathLike[str] | Model) -> "TensorSpec":
        """What a model's descriptor says."""
        loaded = model if isinstance(model, Model) else Model(model)
        value = _abi.vrs_input_tensor()
        _media().vrs_input_tensor_of(loaded.pointer, ctypes.byref(value))
        return cls(value.width, value.height, tuple(value.mean), tuple(value.scale), value.bgr,
                   value.bilinear, value.letterbox, value.pad)

    def _value(self) -> Any:
        value = _abi.vrs_input_tensor(width=self.width, height=self.height, bgr=self.bgr,
                                       bilinear=self.bilinear, letterbox=self.letterbox,
                                       pad=self.pad, bytes=self.bytes)
        value.mean[:], value.scale[:] = self.mean, self.scale
        return value

    def empty(self) -> np.ndarray:
        """An array that one frame fits into."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a tensor of {self.width}x{self.height}: sides are 1 and more")
        return np.empty((self.height, self.width, 3), np.uint8) if self.bytes \
            else np.empty((3, self.height, self.width), np.float32)


def _media() -> Any:
    """libvrseg-media. ImportError: why it is not there."""
    if media is None:
        raise ImportError(media_reason)
    return media


class _Image:
    """An image of the library's, given back with the last array of it."""

    def __init__(self, image: Any) -> None:
        self.image = image

    def __del__(self) -> None:
        core.vrs_image_release(ctypes.byref(self.image))


@dataclass(frozen=True)
class ReaderInfo:
    """What an input is; see vrseg/input.h."""

    format: str
    width: int
    height: int
    rotation: int
    rate: float  # frames a second; 0: unknown
    frames: int  # -1: unknown
    still: bool
    description: str


class Reader:
    """Reads a video, a folder of pictures or a camera, frame by frame. Of the config decoder_threads,
    raw_format and max_frames count. One thread at a time; decoding does not hold the interpreter's
    lock, so several readers run side by side."""

    def __init__(self, input: str | os.PathLike[str], config: ConfigLike = None) -> None:
        self._pointer = ctypes.c_void_p()
        library = _media()
        settings = Config(config)  # a name of its own: it lives until the call is over
        check(library.vrs_input_open(settings._pointer, os.fsencode(os.fspath(input)),
                                      ctypes.byref(self._pointer)))

    @property
    def info(self) -> ReaderInfo:
        """What is known of the input."""
        value = _abi.vrs_input_info()
        media.vrs_input_get_info(self._open(), ctypes.byref(value))
        return ReaderInfo(images._BY_NUMBER[value.format], value.width, value.height,
                          value.rotation, value.rate_num / (value.rate_den or 1),
                          value.frame_estimate, value.still, text(value.description))

    @property
    def damaged(self) -> int:
        """Frames and packets so far that are damaged or missing."""
        return int(media.vrs_input_damaged(self._open()))

    def read(self) -> Picture | None:
        """The next frame where the decoder has put it, not copied; None after the last."""
        frame = _abi.vrs_frame()
        status = media.vrs_input_read(self._open(), ctypes.byref(frame))
        if status == _abi.VRS_END:
            return None
        check(status)
        owner = _Image(frame.image)
        return Picture(images._BY_NUMBER[frame.image.format],
                       images.arrays_of(owner.image, owner), frame.image.color.matrix,
                       {1: False, 2: True}.get(frame.image.color.range))

    def read_tensor(self, spec: TensorSpec, out: np.ndarray | None = None) -> np.ndarray | None:
        """The next frame as a tensor, in `out` where that is given (of spec.empty()'s shape and
        type, dense); None after the last."""
        made = spec.empty() if out is None else out
        if out is not None:
            like = spec.empty()
            if out.shape != like.shape or out.dtype != like.dtype or \
                    not out.flags.c_contiguous or not out.flags.writeable:
                raise ValueError(f"`out` is to be a dense, writeable array of {like.dtype} of the "
                                 f"shape {like.shape}")
        status = media.vrs_input_read_tensor(self._open(), ctypes.byref(spec._value()),
                                              made.ctypes.data, None)
        if status == _abi.VRS_END:
            return None
        check(status)
        return made

    def __iter__(self) -> Iterator[Picture]:
        while (picture := self.read()) is not None:
            yield picture

    def tensors(self, spec: TensorSpec) -> Iterator[np.ndarray]:
        """The frames that are left, each as a tensor of its own."""
        while (tensor := self.read_tensor(spec)) is not None:
            yield tensor

    def close(self) -> None:
        """Closes the input; pictures that were read stay."""
        pointer, self._pointer = self._pointer, ctypes.c_void_p()
        if pointer:
            media.vrs_input_close(pointer)

    def _open(self) -> ctypes.c_void_p:
        if not self._pointer:
            raise ValueError("the reader is closed")
        return self._pointer

    def __enter__(self) -> "Reader":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            self.close()


def spread(inputs: Sequence[Any], part: int, parts: int) -> list[Any]:
    """The inputs of one of several workers."""
    return list(inputs[part::parts])
