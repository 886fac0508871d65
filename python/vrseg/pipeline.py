"""Frames in, masks out."""

from __future__ import annotations

import atexit
import ctypes
import threading
import time
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Union

import numpy as np

from . import _abi, images
from ._library import check, core, text
from .config import Config, ConfigLike, DeviceLike, Model
from .errors import ClosedError, InvalidError, WaitTimeout, error_of

# Waits return to Python so often, so that Ctrl-C and other signals are met.
_SLICE_US = 50_000
# As the library does: nobody has fetched for so long while all tickets are finished.
_UNREAD_S, _UNREAD_US = 2.0, 2_200_000

_KINDS = {"mask": _abi.VRS_OUTPUT_MASK, "classes": _abi.VRS_OUTPUT_CLASSES,
          "composite": _abi.VRS_OUTPUT_COMPOSITE, "cutout": _abi.VRS_OUTPUT_CUTOUT,
          "packed": _abi.VRS_OUTPUT_PACKED}

OutputLike = Union[str, Mapping[str, Any]]


class _Handle:
    """The library's pipeline and its model. Results hold it too: it is destroyed with the last."""

    def __init__(self, config: Config, model: Model) -> None:
        self.model = model
        self.pointer = ctypes.c_void_p()
        check(core.vrs_pipeline_create(config._pointer, model.pointer, ctypes.byref(self.pointer)))

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            core.vrs_pipeline_destroy(self.pointer)


class _ResultHandle:
    """The library's result, given back when nothing of it is used any more."""

    def __init__(self, pointer: Any, pipeline: _Handle) -> None:
        self.pointer, self.pipeline = pointer, pipeline

    def __del__(self) -> None:
        core.vrs_result_release(self.pointer)


class Result:
    """The answer to one frame. Its arrays are the library's memory; as long as one of them lives the
    frame's ticket is in use, so copy what is to be kept. A failed frame shows background, and
    `error` says why."""

    def __init__(self, handle: _ResultHandle) -> None:
        value = handle.pointer.contents
        self.frame_id: int = value.id
        self.pts: int = value.pts
        self.stream: int = value.stream
        self.priority: int = value.priority
        self.capture_ns: int = value.capture_ns
        self.submitted_ns: int = value.submitted_ns
        self.done_ns: int = value.done_ns
        # Whether it had a deadline and missed it.
        self.late: bool = 0 < value.deadline_ns < value.done_ns
        self.coverage: float = value.coverage
        self.error = None if value.status == _abi.VRS_OK else error_of(
            value.status, text(core.vrs_status_name(value.status)), text(value.detail))
        # Each a tuple of planes; of masks and classes the only plane. A failed frame's outputs on a
        # GPU have none.
        planes = [images.arrays_of(value.outputs[i], handle) for i in range(value.output_count)]
        self.outputs: list[Any] = [p[0] if len(p) == 1 else p for p in planes]

    @property
    def mask(self) -> Any:
        """The first output, or its first plane: (rows, columns) of 0..255 for the default one. A
        NumPy array, or of outputs with memory "device" a DeviceArray."""
        first = self.outputs[0]
        return first[0] if isinstance(first, tuple) else first

    @property
    def latency(self) -> float:
        """Seconds from the submit to the finished result."""
        return (self.done_ns - self.submitted_ns) / 1e9

    def raise_for_error(self) -> None:
        """Raises the frame's error, if it has one."""
        if self.error is not None:
            raise self.error

    def __dlpack__(self, **options: Any) -> Any:
        """The mask for torch.from_dlpack() and others, where it lies, not copied."""
        return self.mask.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[int, int]:
        kind, number = self.mask.__dlpack_device__()
        return int(kind), int(number)

    def __repr__(self) -> str:
        state = "" if self.error is None else f", {self.error.status}"
        return f"<vrseg.Result frame_id={self.frame_id} coverage={self.coverage:.3f}{state}>"


def _output(given: OutputLike) -> Any:
    """A vrs_output_desc of "mask", or of a mapping with kind, format, size, background, memory."""
    options = {"kind": given} if isinstance(given, str) else dict(given)
    kind = options.pop("kind", "mask")
    if kind not in _KINDS:
        raise ValueError(f"{kind!r} is no output: expected one of {', '.join(_KINDS)}")
    desc = _abi.vrs_output_desc(kind=_KINDS[kind])
    size: Any = options.pop("size", "source")
    if isinstance(size, str):
        sizes = {"source": (0, 0), "network": (-1, -1)}
        if size not in sizes:
            raise ValueError(f"{size!r} is no size of an output: expected source, network or "
                             "(width, height)")
        size = sizes[size]
    if not isinstance(size, Sequence) or len(size) != 2:
        raise ValueError(f"{size!r} is no size of an output: expected source, network or "
                         "(width, height)")
    desc.width, desc.height = size
    format_name = options.pop("format", None)
    if format_name is not None:
        if format_name not in images._FORMATS:
            raise ValueError(f"{format_name!r} is no format: expected one of "
                             f"{', '.join(images.FORMATS)}")
        desc.format = images._FORMATS[format_name][0]
    desc.background[:] = options.pop("background", (0, 177, 64))
    memory = options.pop("memory", "host")
    if memory not in ("host", "device"):
        raise ValueError(f"{memory!r} is no memory of an output: expected host or device")
    desc.memory = _abi.VRS_MEMORY_CUDA if memory == "device" else _abi.VRS_MEMORY_HOST
    if options:
        raise ValueError(f"{next(iter(options))!r} is no setting of an output: expected kind, "
                         "format, size, background or memory")
    return desc


class AsyncPipeline:
    """Segments frames asynchronously: each submitted frame gives one result, in order.

        pipeline = AsyncPipeline("selfie-landscape", "vr", device_id="auto")
        pipeline.start()
        pipeline.submit_frame(frame, frame_id)
        result = pipeline.get_result()

    `model` is a name of the registry, a descriptor or an ONNX file, or a torch.nn.Module, which is
    exported and cached (`export` says how it is fed: vrseg.export.export_module). `config` is a dict
    of options, a YAML file or the name of a configuration. `device_id` is a GPU's number, "cpu" or
    "auto"; None leaves it to the config. `outputs`: "mask", "classes", "composite", "cutout", or
    dicts with kind, format, size ("source", "network", (width, height)), background (R, G, B) and
    memory: "device" leaves it on the GPU that made it, as a DeviceArray.

    Each stream may be submitted by a thread of its own, and results fetched by any one thread. Waits
    end with Ctrl-C. In a `with` block the pipeline is started and closed."""

    def __init__(self, model: Any, config: ConfigLike = None, device_id: DeviceLike = None, *,
                 outputs: Sequence[OutputLike] = ("mask",),
                 export: Mapping[str, Any] | None = None) -> None:
        if not isinstance(model, (str, bytes, Model)) and not hasattr(model, "__fspath__"):
            if not hasattr(model, "state_dict"):
                raise TypeError("a model is a name, a descriptor, an ONNX file or a torch.nn.Module, "
                                f"not {type(model).__name__}")
            from .export import export_module
            model = export_module(model, **(export or {}))
        elif export is not None:
            raise TypeError("export is for a torch.nn.Module")
        loaded = model if isinstance(model, Model) else Model(model)
        self._handle: _Handle | None = _Handle(Config(config, device_id), loaded)
        for output in outputs:
            desc = _output(output)
            check(core.vrs_pipeline_add_output(self._handle.pointer, ctypes.byref(desc)))
        self._lock, self._fetch_lock = threading.Lock(), threading.Lock()
        self._stream_locks: dict[int, threading.Lock] = {}
        self._submitted = self._fetched = 0
        self._submitters: set[int] = set()
        self._fetcher: int | None = None
        self._finished = False
        _open.add(self)

    def _pointer(self) -> ctypes.c_void_p:
        handle = self._handle
        if handle is None:
            raise ClosedError("VRS_CLOSED", "the pipeline is closed")
        return handle.pointer

    def start(self) -> "AsyncPipeline":
        """Starts the threads. Once, before the first frame."""
        check(core.vrs_pipeline_start(self._pointer()))
        return self

    def submit_frame(self, frame: Any, frame_id: int | None = None, *, pts: int = 0,
                     stream: int = 0, priority: int = 0, deadline: float | None = None,
                     timeout: float | None = None) -> int:
        """Queues a frame and returns its number: `frame_id`, or the count of frames before it.

        `frame` is an array (rows, columns, 3) of RGB, (rows, columns, 4) of BGRA or (rows, columns)
        of gray bytes, anything of that kind that speaks DLPack, in the host's memory or that of the
        GPU that the pipeline runs on, or a Picture. It is not copied: do not change it before its
        result is there. What a GPU's stream had been given for it before is waited for there. `deadline`: seconds from now until its result is
        wanted. Waits while all tickets of the stream are in use, at most `timeout` seconds
        (WaitTimeout). FullError: waiting could not end, as this thread alone fetches results;
        RefusedError: the queue is full and the config says so; ClosedError: after finish();
        InvalidError: another size or format than the stream's first frame, no such stream."""
        picture = images.picture_of(frame)
        with self._lock:
            number = self._submitted if frame_id is None else frame_id
            stream_lock = self._stream_locks.setdefault(stream, threading.Lock())
        with stream_lock:
            pointer = self._pointer()
            value = _abi.vrs_frame(stream=stream, priority=priority, id=number, pts=pts)
            if deadline is not None:
                value.deadline_ns = core.vrs_now_ns() + max(1, int(deadline * 1e9))
            kept = images.fill_image(value.image, picture)
            try:
                self._wait(lambda slice_us: core.vrs_pipeline_submit(
                    pointer, ctypes.byref(value), slice_us), timeout, self._submit_slice)
            except BaseException:
                images.forget(kept)
                raise
            with self._lock:
                self._submitters.add(threading.get_ident())
                self._submitted += 1
        return number

    def get_result(self, timeout: float | None = None) -> Result:
        """The next result once it is finished; waits for it, at most `timeout` seconds
        (WaitTimeout). EOFError: all results were fetched after finish(). InvalidError: nothing is in
        flight, and no other thread ever submitted."""
        with self._fetch_lock:
            handle, pointer = self._handle, self._pointer()
            assert handle is not None
            if timeout is None and not self._finished and self._submitted == self._fetched \
                    and self._submitters == {threading.get_ident()}:
                raise InvalidError("VRS_INVALID", "there is no frame to wait for: every submitted "
                                   "one has its result, and it is this thread that submits")
            self._fetcher = threading.get_ident()
            found = ctypes.POINTER(_abi.vrs_result)()
            if self._wait(lambda slice_us: core.vrs_pipeline_get_result(
                    pointer, ctypes.byref(found), slice_us), timeout, lambda _: _SLICE_US,
                    _abi.VRS_END) == _abi.VRS_END:
                raise EOFError("all results are fetched")
            self._fetched += 1
            return Result(_ResultHandle(found, handle))

    def _submit_slice(self, waited: float) -> int:
        """How long the library is left to wait: mostly shortly; now and then so long that it can
        tell whether somebody fetches."""
        return _UNREAD_US if waited >= _UNREAD_S and self._fetcher is None else _SLICE_US

    def _wait(self, call: Any, timeout: float | None, slice_of: Any, also: int | None = None) -> int:
        """Makes a call with time-outs in slices until it is done or `timeout` has passed."""
        if timeout is not None and not timeout >= 0:
            raise InvalidError("VRS_INVALID", f"timeout={timeout!r}: expected seconds from 0 on, or "
                               "None to wait without limit")
        start = time.monotonic()
        while True:
            waited = time.monotonic() - start
            left = None if timeout is None else timeout - waited
            slice_us = slice_of(waited)
            if left is not None:
                slice_us = max(0, min(slice_us, int(left * 1e6)))
            status = int(call(slice_us))
            if status == also:
                return status
            if status != _abi.VRS_TIMEOUT:
                check(status)
                return status
            if left is not None and left <= slice_us / 1e6:
                raise WaitTimeout("VRS_TIMEOUT", f"nothing happened for {timeout:g} s")

    def results(self, frames: Iterable[Any], *, in_flight: int | None = None) -> Iterator[Result]:
        """Submits every frame and gives their results in order. `in_flight`: frames that are on
        their way at most; by default half of the tickets."""
        waiting, most = 0, in_flight or 0
        for frame in frames:
            self.submit_frame(frame)
            waiting += 1
            most = most or max(1, self.stats()["tickets"] // 2)
            while waiting >= most:
                yield self.get_result()
                waiting -= 1
        while waiting > 0:
            yield self.get_result()
            waiting -= 1

    def finish(self) -> None:
        """No more frames will be submitted; results can still be fetched."""
        core.vrs_pipeline_finish(self._pointer())
        self._finished = True

    def drain(self, timeout: float | None = None) -> None:
        """Waits until every submitted frame has its result."""
        pointer = self._pointer()
        self._wait(lambda slice_us: core.vrs_pipeline_drain(pointer, slice_us), timeout,
                   lambda _: _SLICE_US)

    def reset_stream(self, stream: int = 0) -> None:
        """Forgets a stream's past, as after a cut; its next frame may have another size."""
        core.vrs_pipeline_reset_stream(self._pointer(), stream)

    def cancel_stream(self, stream: int = 0) -> int:
        """Gives up a stream's frames that wait for a batch: their results come with the error
        VRS_CANCELLED. Returns how many. Any thread."""
        return int(core.vrs_pipeline_cancel_stream(self._pointer(), stream))

    def close(self) -> None:
        """Stops. What is in flight is dropped; arrays of results stay valid, and the library's
        threads end with the last of them. Any number of times; no other call may be running."""
        handle, self._handle = self._handle, None
        if handle is not None:
            core.vrs_pipeline_finish(handle.pointer)

    @property
    def device(self) -> str:
        """Where frames are processed, and why where that was chosen by itself."""
        return text(core.vrs_pipeline_get_device(self._pointer()))

    @property
    def engine(self) -> str:
        """What runs the network."""
        return text(core.vrs_pipeline_get_engine(self._pointer()))

    def stats(self) -> dict[str, Any]:
        """Counters, and time by stage: frames, busy seconds and threads of each."""
        value = core.vrs_pipeline_get_stats(self._pointer())
        stages = {text(core.vrs_stage_name(i)): {"frames": s.frames, "busy_seconds": s.busy_ns / 1e9,
                                                 "threads": s.threads}
                  for i, s in enumerate(value.stages)}
        counters = ("submitted", "finished", "failed", "timed_out", "dropped", "cancelled", "refused",
                    "waiting", "most_waiting", "tickets", "tickets_in_use")
        return {name: getattr(value, name) for name in counters} | {"stages": stages}

    def __enter__(self) -> "AsyncPipeline":
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, value: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close()


_open: "weakref.WeakSet[AsyncPipeline]" = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    """Before the interpreter ends: the library's threads call into it when they give frames back."""
    for pipeline in list(_open):
        pipeline.close()
