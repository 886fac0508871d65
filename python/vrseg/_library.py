"""The libraries: found, opened, their functions declared.

Looked for in $VRSEG_LIBRARY_DIR, beside this file (a wheel brings them), and where the system's
loader looks. ctypes releases the interpreter's lock during every call.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
from pathlib import Path
from typing import Any

from . import _abi
from .errors import error_of

HERE = Path(__file__).resolve().parent
VERSION = "0.1"  # of the interface that _abi.py was made from


def _open(name: str) -> ctypes.CDLL:
    """A library by its soname. ImportError: where it was looked for."""
    own = os.environ.get("VRSEG_LIBRARY_DIR")
    folders = [Path(own)] if own else [HERE / "lib"]
    for folder in folders:
        if (folder / name).exists():
            return ctypes.CDLL(str(folder / name))
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(f"{name} is neither in {folders[0]} nor where the system looks: install "
                          "vrseg, or set VRSEG_LIBRARY_DIR to the folder of its libraries "
                          f"({error})") from error


def _declare(library: ctypes.CDLL, name: str) -> None:
    functions: Any = _abi.FUNCTIONS
    for function, (result, arguments) in functions[name].items():
        try:
            found = getattr(library, function)
        except AttributeError as error:
            raise ImportError(f"{library._name} has no {function}: it is of another version than "
                              f"this package ({VERSION})") from error
        found.restype, found.argtypes = result, arguments


def _help_out() -> None:
    """What is part of the wheel, or installed as a Python package, is named to the libraries; what
    the user has set stays."""
    for variable, folder in (("VRSEG_DESCRIPTORS_DIR", HERE / "models"),
                             ("VRSEG_CONFIGS_DIR", HERE / "configs")):
        if folder.is_dir():
            os.environ.setdefault(variable, str(folder))
    if "VRSEG_OPENVINO_DIR" not in os.environ:
        spec = importlib.util.find_spec("openvino")
        for place in (spec.submodule_search_locations or []) if spec else []:
            if any((Path(place) / "libs").glob("libopenvino_c.so*")):
                os.environ["VRSEG_OPENVINO_DIR"] = str(Path(place) / "libs")


_help_out()
core: Any = _open("libvrseg.so.0")
_declare(core, "vrseg")
media: Any = None
media_reason = ""
try:
    media = _open("libvrseg-media.so.0")
    _declare(media, "vrseg-media")
except ImportError as error:  # it needs libav, which the pipeline does not
    media, media_reason = None, str(error)


def text(value: bytes | None) -> str:
    """Text of the libraries."""
    return (value or b"").decode("utf-8", "replace")


def check(status: int) -> None:
    """Raises the exception of a status that is not VRS_OK. Called by the thread that made the call:
    the sentence is the thread's."""
    if status != _abi.VRS_OK:
        detail = text(core.vrs_last_error()) or text(core.vrs_status_text(status))
        raise error_of(status, text(core.vrs_status_name(status)), detail)


def version() -> str:
    """Version of the library that is running."""
    return text(core.vrs_version())
