"""Tensors in a GPU's memory, in and out by DLPack, without copies and without waiting.

In: the producer makes a stream of ours wait for its data, and the pipeline waits for an event that
is recorded behind that. Out: the consumer's stream waits for the event behind the result's last
write; when the tensor is dropped, the result goes back once what that stream had been given by then
is done.
"""

from __future__ import annotations

import ctypes
import os
import queue
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import numpy as np

from . import _abi
from .errors import DeviceError, InvalidError, MissingError

CUDA = 2  # kDLCUDA
_LEGACY = 1  # the stream that a consumer means who names none
_NON_BLOCKING, _NO_TIMING = 1, 2
_CODES = {0: "i", 1: "u", 2: "f"}

# ---- DLPack's structures (dlpack.h, version 0.8) ----


class _Device(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("number", ctypes.c_int32)]


class _Type(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", ctypes.c_void_p), ("device", _Device), ("dims", ctypes.c_int32),
                ("type", _Type), ("shape", ctypes.POINTER(ctypes.c_int64)),
                ("strides", ctypes.POINTER(ctypes.c_int64)), ("offset", ctypes.c_uint64)]


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


_NAME = b"dltensor"  # of a capsule that nobody has taken yet
_Callback = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_python = ctypes.pythonapi
_new_capsule = _python.PyCapsule_New
_new_capsule.restype = ctypes.py_object
_new_capsule.argtypes = [ctypes.c_void_p, ctypes.c_char_p, _Callback]
# By address, as an object that is being destroyed must not be held.
_capsule_is = _python.PyCapsule_IsValid
_capsule_is.restype, _capsule_is.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]
_capsule_pointer = _python.PyCapsule_GetPointer
_capsule_pointer.restype = ctypes.c_void_p
_capsule_pointer.argtypes = [ctypes.c_void_p, ctypes.c_char_p]

# ---- the driver ----

_HANDLE = ctypes.POINTER(ctypes.c_void_p)
_FUNCTIONS: dict[str, list[Any]] = {
    "cuInit": [ctypes.c_uint],
    "cuDeviceGet": [ctypes.POINTER(ctypes.c_int), ctypes.c_int],
    "cuDevicePrimaryCtxRetain": [_HANDLE, ctypes.c_int],
    "cuCtxPushCurrent_v2": [ctypes.c_void_p],
    "cuCtxPopCurrent_v2": [_HANDLE],
    "cuStreamCreateWithPriority": [_HANDLE, ctypes.c_uint, ctypes.c_int],
    "cuStreamWaitEvent": [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint],
    "cuEventCreate": [_HANDLE, ctypes.c_uint],
    "cuEventRecord": [ctypes.c_void_p, ctypes.c_void_p],
    "cuEventSynchronize": [ctypes.c_void_p],
}


class _Gpu:
    """The primary context of a GPU, a stream of ours in it, and events that are used again. It is
    kept until the program ends."""

    def __init__(self, number: int) -> None:
        name = os.environ.get("VRSEG_CUDA_LIBRARY") or "libcuda.so.1"
        try:
            self._driver = ctypes.CDLL(name)
            for function, arguments in _FUNCTIONS.items():
                found = getattr(self._driver, function)
                found.restype, found.argtypes = ctypes.c_int, arguments
        except (OSError, AttributeError) as error:
            raise MissingError("VRS_MISSING", f"a tensor lies on GPU {number}, and NVIDIA's driver "
                               f"cannot be opened: {error}") from error
        device = ctypes.c_int()
        self.number, self.stream, self._context = number, ctypes.c_void_p(), ctypes.c_void_p()
        self._events: list[ctypes.c_void_p] = []
        self._call("cuInit", 0)
        self._call("cuDeviceGet", ctypes.byref(device), number)
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        with self._current():
            self._call("cuStreamCreateWithPriority", ctypes.byref(self.stream), _NON_BLOCKING, 0)

    def _call(self, function: str, *arguments: Any) -> None:
        result = getattr(self._driver, function)(*arguments)
        if result != 0:
            raise DeviceError("VRS_DEVICE", f"GPU {self.number}: {function} failed with the driver's "
                              f"error {result}")

    @contextmanager
    def _current(self) -> Iterator[None]:
        before = ctypes.c_void_p()
        self._call("cuCtxPushCurrent_v2", self._context)
        try:
            yield
        finally:
            self._call("cuCtxPopCurrent_v2", ctypes.byref(before))

    def record(self, stream: ctypes.c_void_p | int | None = None) -> ctypes.c_void_p:
        """An event behind what a stream has been given, by default ours. It goes back by give()."""
        with self._current():
            try:
                event = self._events.pop()
            except IndexError:
                event = ctypes.c_void_p()
                self._call("cuEventCreate", ctypes.byref(event), _NO_TIMING)
            self._call("cuEventRecord", event, self.stream if stream is None else stream)
        return event

    def give(self, event: ctypes.c_void_p) -> None:
        """Nobody needs the event any more."""
        self._events.append(event)

    def wait(self, stream: int, event: int) -> None:
        """Makes a stream wait."""
        with self._current():
            self._call("cuStreamWaitEvent", stream, event, 0)

    def wait_here(self, event: ctypes.c_void_p) -> None:
        """Makes this thread wait."""
        with self._current():
            self._call("cuEventSynchronize", event)


_gpus: dict[int, _Gpu] = {}
_lock = threading.Lock()


def gpu(number: int) -> _Gpu:
    """A GPU by its ordinal."""
    with _lock:
        if number not in _gpus:
            _gpus[number] = _Gpu(number)
        return _gpus[number]


# ---- in ----


class Plane(NamedTuple):
    """A plane of a frame in a GPU's memory, as images.py sees an array of the host."""
    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]  # in bytes
    dtype: Any
    device: int
    capsule: Any  # keeps the tensor


def is_tensor(given: Any) -> bool:
    """Whether it is what plane_of() takes."""
    return hasattr(given, "__dlpack__") and int(given.__dlpack_device__()[0]) == CUDA


def plane_of(given: Any) -> Plane:
    """A tensor of a GPU, whose data our stream of that GPU waits for from now on."""
    number = int(given.__dlpack_device__()[1])
    capsule = given.__dlpack__(stream=gpu(number).stream.value)
    if not _capsule_is(id(capsule), _NAME):
        raise InvalidError("VRS_INVALID", f"{type(given).__name__}.__dlpack__() gave no DLPack "
                           "tensor that is still to be taken")
    tensor = ctypes.cast(_capsule_pointer(id(capsule), _NAME),
                         ctypes.POINTER(_Managed)).contents.tensor
    size = tensor.type.bits // 8
    name = f"{_CODES.get(tensor.type.code, 'V')}{size}"
    shape = tuple(tensor.shape[:tensor.dims])
    if tensor.strides:
        strides = tuple(s * size for s in tensor.strides[:tensor.dims])
    else:
        strides = tuple(size * int(np.prod(shape[i + 1:])) for i in range(len(shape)))
    known = tensor.type.lanes == 1 and tensor.type.code in _CODES and size in (1, 2, 4, 8)
    return Plane((tensor.data or 0) + tensor.offset, shape, strides,
                 np.dtype(name) if known else None, tensor.device.number, capsule)


# ---- out ----


class DeviceArray:
    """A plane of a result in a GPU's memory: torch.from_dlpack(array), or any other library that
    speaks DLPack, takes it as it is. It keeps its result, and so does what is made of it."""

    def __init__(self, address: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any,
                 device: int, ready: int | None, owner: Any) -> None:
        self.shape, self.strides, self.dtype, self.device = shape, strides, np.dtype(dtype), device
        self._address, self._ready, self._owner = address, ready, owner

    def __dlpack_device__(self) -> tuple[int, int]:
        return CUDA, self.device

    def __dlpack__(self, *, stream: int | None = None, max_version: tuple[int, int] | None = None,
                   dl_device: tuple[int, int] | None = None, copy: bool | None = None) -> Any:
        """A capsule. `stream` is the consumer's: it waits for the data here, and must live until the
        tensor is dropped; None is CUDA's legacy default stream. With -1 nothing waits, also not for
        what reads the tensor when it is dropped."""
        del max_version  # any is content with the older structure
        if stream == 0:
            raise ValueError("stream 0 says nothing in DLPack: 1 is the legacy default stream, 2 the "
                             "thread's")
        if copy or dl_device not in (None, (CUDA, self.device)):
            raise BufferError(f"the array lies on GPU {self.device}, and is not copied")
        there, reader = gpu(self.device), _LEGACY if stream is None else stream
        if reader != -1 and self._ready:
            there.wait(reader, self._ready)
        return _export(self, there, None if reader == -1 else reader)

    def __repr__(self) -> str:
        return f"<vrseg.DeviceArray {self.shape} {self.dtype} on GPU {self.device}>"


# By the address of the structure that a consumer has.
_exports: dict[int, tuple[Any, ...]] = {}
_retired: "queue.SimpleQueue[tuple[_Gpu, ctypes.c_void_p, Any]]" = queue.SimpleQueue()
_thread: threading.Thread | None = None


def _export(array: DeviceArray, there: _Gpu, reader: int | None) -> Any:
    size = array.dtype.itemsize
    shape = (ctypes.c_int64 * len(array.shape))(*array.shape)
    strides = (ctypes.c_int64 * len(array.shape))(*(s // size for s in array.strides))
    managed = _Managed(deleter=ctypes.cast(_delete, ctypes.c_void_p))
    managed.tensor = _Tensor(array._address, _Device(CUDA, array.device), len(array.shape),
                             _Type(1, 8 * size, 1), shape, strides, 0)
    address = ctypes.addressof(managed)
    _exports[address] = (managed, shape, strides, there, reader, array._owner)
    return _new_capsule(address, _NAME, _drop)


def exported_count() -> int:
    """Tensors that consumers have not given back yet."""
    return len(_exports)


@_Callback
def _delete(address: int | None) -> None:
    """The consumer drops its tensor: the result goes back when its stream is done with it."""
    there, reader, owner = _exports.pop(address or 0, (None,) * 6)[3:]
    if there is None or reader is None:
        return
    try:
        _retire(there, there.record(reader), owner)
    except DeviceError:  # the GPU is lost: nothing reads any more
        pass


@_Callback
def _drop(capsule: int | None) -> None:
    """A capsule ends; that of a tensor which nobody has taken drops it."""
    if capsule and _capsule_is(capsule, _NAME):
        _delete(_capsule_pointer(capsule, _NAME))


def _retire(there: _Gpu, event: ctypes.c_void_p, owner: Any) -> None:
    global _thread
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_give_back, name="vrseg-retire", daemon=True)
            _thread.start()
    _retired.put((there, event, owner))


def _give_back() -> None:
    """In a thread of its own, so that who drops a tensor does not wait."""
    while True:
        there, event, owner = _retired.get()
        try:
            there.wait_here(event)
            there.give(event)
        except DeviceError:
            pass
        del owner


def plane_arrays(image: _abi.vrs_image, planes: list[tuple[tuple[int, ...], tuple[int, ...], Any]],
                 owner: Any) -> tuple[DeviceArray, ...]:
    """The planes of an image on a GPU, by their shapes, strides and types."""
    return tuple(DeviceArray(ctypes.cast(image.planes[i], ctypes.c_void_p).value or 0, shape,
                             strides, dtype, image.device, image.ready, owner)
                 for i, (shape, strides, dtype) in enumerate(planes))
