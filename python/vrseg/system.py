"""What this machine is, and whether a configuration can run here: `vrseg doctor` for programs."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from . import _abi
from ._library import check, core, media, text
from .config import Config, ConfigLike, DeviceLike

_STATES = {_abi.VRS_CHECK_OK: "ok", _abi.VRS_CHECK_WARNING: "warning",
           _abi.VRS_CHECK_FAILED: "failed", _abi.VRS_CHECK_SKIPPED: "skipped"}


@dataclass(frozen=True)
class Check:
    """One thing that was looked at; fields as in vrseg/system.h."""

    name: str
    state: str  # "ok", "warning", "failed", "skipped"
    required: bool
    found: str
    wanted: str
    gives: str
    remedy: str


def _plain(value: Any) -> Any:
    """A struct as a dict, texts as str, arrays as lists."""
    if isinstance(value, ctypes.Structure):
        return {name: _plain(getattr(value, name)) for name, *_ in value._fields_}
    if isinstance(value, bytes):
        return text(value)
    if isinstance(value, ctypes.Array):
        return [_plain(item) for item in value]
    return value


def system_info() -> dict[str, Any]:
    """The machine: the fields of vrs_system_info. Numbers that are not known are -1."""
    value = _abi.vrs_system_info()
    core.vrs_system_read(ctypes.byref(value))
    info = _plain(value)
    info["numa"] = info["numa"][:info.pop("numa_count")]
    return dict(info)


def gpus() -> list[dict[str, Any]]:
    """The GPUs that NVIDIA's driver shows; none without a driver."""
    count = ctypes.c_int32()
    if core.vrs_gpu_count(ctypes.byref(count)) != _abi.VRS_OK:
        return []
    found = []
    for number in range(count.value):
        value = _abi.vrs_gpu_info()
        check(core.vrs_gpu_read(number, ctypes.byref(value)))
        found.append(_plain(value))
    return found


def _gather(call: Callable[[Any], int]) -> list[Check]:
    found: list[Check] = []

    @_abi.vrs_check_fn
    def visit(_opaque: int, given: Any) -> None:
        value = _plain(given.contents)
        value["state"] = _STATES[value["state"]]
        found.append(Check(**value))

    check(call(visit))
    return found


def requirements(config: ConfigLike = None, device_id: DeviceLike = None) -> list[Check]:
    """What is there and missing for a configuration. It can run where no required check failed."""
    settings = Config(config, device_id)
    found = _gather(lambda visit: core.vrs_requirements_check(settings._pointer, visit, None))
    if media:
        found += _gather(lambda visit: media.vrs_media_check(settings._pointer, visit, None))
    return found


def deploy_check(config: ConfigLike = None, device_id: DeviceLike = None, *,
                 output: str | os.PathLike[str] = ".", output_bytes: int = 0, width: int = 0,
                 height: int = 0, run: bool = True) -> list[Check]:
    """The checklist of a deployment; `run`: with one frame through the pipeline."""
    settings = Config(config, device_id)
    options = _abi.vrs_deploy_options(output=os.fsencode(os.fspath(output)),
                                      output_bytes=output_bytes, width=width, height=height,
                                      run=run)
    return _gather(lambda visit: core.vrs_deploy_check(settings._pointer, ctypes.byref(options),
                                                       visit, None))


def self_test() -> list[Check]:
    """Every kernel and a tiny network on each engine and device beside plain C."""
    return _gather(lambda visit: core.vrs_self_test(visit, None))
