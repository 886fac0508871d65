"""Exceptions: a class for each status that a program tells apart, all of them VrsegError."""

from __future__ import annotations

from . import _abi


class VrsegError(Exception):
    """A call that failed. `status` is its name in the C API ("VRS_INVALID"), the text says what was
    tried, on what, what was expected and what to do."""

    def __init__(self, status: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class InvalidError(VrsegError, ValueError):
    """An argument or a setting is not valid."""


class NotFoundError(VrsegError, FileNotFoundError):
    """A file, a model or a name does not exist."""


class OutOfMemoryError(VrsegError, MemoryError):
    """Memory could not be allocated."""


class WaitTimeout(VrsegError, TimeoutError):
    """The time-out passed before there was something to return."""


class ClosedError(VrsegError):
    """The pipeline was finished, or is closed, and takes nothing more."""


class FullError(VrsegError):
    """All tickets hold results that nobody fetches."""


class RefusedError(VrsegError):
    """The queue was full, and the config says that frames are refused then."""


class MissingError(VrsegError):
    """A library that is opened at run time is missing; the text says how to get it."""


class DeviceError(VrsegError):
    """The device failed, or was lost."""


_CLASSES = {
    _abi.VRS_INVALID: InvalidError,
    _abi.VRS_NOT_FOUND: NotFoundError,
    _abi.VRS_NO_MEMORY: OutOfMemoryError,
    _abi.VRS_TIMEOUT: WaitTimeout,
    _abi.VRS_CLOSED: ClosedError,
    _abi.VRS_FULL: FullError,
    _abi.VRS_REFUSED: RefusedError,
    _abi.VRS_MISSING: MissingError,
    _abi.VRS_DEVICE: DeviceError,
    _abi.VRS_DEVICE_LOST: DeviceError,
}


def error_of(status: int, name: str, detail: str) -> VrsegError:
    """The exception of a status."""
    return _CLASSES.get(status, VrsegError)(name, detail)
