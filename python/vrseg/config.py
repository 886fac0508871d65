"""Settings and models: from Python's values to the library's."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Union

from . import _abi
from ._library import check, core, media, text

# A mapping of options (by section or flat), a YAML file, or the name of a configuration.
ConfigLike = Union[Mapping[str, Any], str, "os.PathLike[str]", None]
DeviceLike = Union[int, str, None]


class Config:
    """Settings by name; every option of docs/options.md. Used by one thread at a time."""

    def __init__(self, config: ConfigLike = None, device_id: DeviceLike = None) -> None:
        self._pointer = ctypes.c_void_p()
        create = media.vrs_job_config_create if media else core.vrs_config_create
        check(create(ctypes.byref(self._pointer)))
        if isinstance(config, Mapping):
            for name, value in _flat(config):
                self[name] = value
        elif config is not None:
            if not isinstance(config, (str, os.PathLike)):
                raise TypeError("a config is a dict, a YAML file or the name of a configuration, "
                                f"not {type(config).__name__}")
            check(core.vrs_config_load(self._pointer, os.fsencode(os.fspath(config))))
        if device_id is not None:
            self["device"] = _device(device_id)

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, bool):
            value = "on" if value else "off"
        check(core.vrs_config_set(self._pointer, name.encode(), str(value).encode()))

    def __getitem__(self, name: str) -> str:
        value = core.vrs_config_get(self._pointer, name.encode())
        if value is None:
            raise KeyError(name)
        return text(value)

    def __iter__(self) -> Iterator[str]:
        for index in range(core.vrs_config_count(self._pointer)):
            yield text(core.vrs_config_option(self._pointer, index).contents.name)

    def __len__(self) -> int:
        return int(core.vrs_config_count(self._pointer))

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and \
            core.vrs_config_get(self._pointer, name.encode()) is not None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the options that differ from their defaults as YAML."""
        check(core.vrs_config_save(self._pointer, os.fsencode(os.fspath(path))))

    def __del__(self) -> None:
        if getattr(self, "_pointer", None):
            core.vrs_config_destroy(self._pointer)


def _flat(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Options with their sections in front where they stand in one."""
    for name, value in config.items():
        if isinstance(value, Mapping):
            for inner, inner_value in value.items():
                yield f"{name}.{inner}", inner_value
        else:
            yield name, value


def _device(device_id: int | str) -> str:
    """The option "device" of a number, "cpu", "auto" or "cuda:N"."""
    if isinstance(device_id, bool):
        raise TypeError("device_id is a GPU's number, \"cpu\" or \"auto\", not a truth value")
    return f"cuda:{device_id}" if isinstance(device_id, int) else device_id


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a model before it is loaded."""

    name: str
    title: str
    licence: str
    width: int
    height: int
    classes: int
    installed: bool
    weights_path: str


def _model_info(info: Any) -> ModelInfo:
    return ModelInfo(text(info.name), text(info.title), text(info.licence), info.input_width,
                     info.input_height, info.class_count, info.installed, text(info.weights_path))


def models() -> list[ModelInfo]:
    """The models of the registry, installed or not."""
    found: list[ModelInfo] = []

    @_abi.vrs_model_visit_fn
    def visit(_opaque: int, info: Any) -> bool:
        found.append(_model_info(info.contents))
        return True

    check(core.vrs_models_list(visit, None))
    return found


class Model:
    """A model by its name, its descriptor (.yaml) or its ONNX file."""

    def __init__(self, name_or_path: str | os.PathLike[str]) -> None:
        self.pointer = ctypes.c_void_p()
        check(core.vrs_model_load(os.fsencode(os.fspath(name_or_path)),
                                  ctypes.byref(self.pointer)))

    @property
    def info(self) -> ModelInfo:
        """What the descriptor says."""
        return _model_info(core.vrs_model_get_info(self.pointer))

    def __del__(self) -> None:
        if getattr(self, "pointer", None):
            core.vrs_model_destroy(self.pointer)
