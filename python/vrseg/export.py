"""A torch.nn.Module as a model: exported by vrseg's own exporter, checked, and cached."""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import inspect
import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

# The exporter's modules: in a wheel beside this file, in a checkout in tools/.
_FOLDERS = (Path(__file__).resolve().parent / "exporter",
            Path(__file__).resolve().parents[2] / "tools" / "pytorch")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@contextlib.contextmanager
def _exporter() -> Iterator[ModuleType]:
    """The exporter's main module. Its modules have plain names ("graph", "errors"): they are in the
    way of nobody's afterwards."""
    folder = next((f for f in _FOLDERS if (f / "export.py").is_file()), None)
    if folder is None:
        raise ImportError(f"the exporter is not in {_FOLDERS[0]}: this package was not built whole")
    names = [path.stem for path in folder.glob("*.py")]
    before = {name: sys.modules.pop(name) for name in names if name in sys.modules}
    sys.path.insert(0, str(folder))
    try:
        yield importlib.import_module("export")
    finally:
        sys.path.remove(str(folder))
        for name in names:
            sys.modules.pop(name, None)
        sys.modules.update(before)


def _cache_folder() -> Path:
    """$XDG_CACHE_HOME/vrseg/exported, else in ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(cache) if cache.startswith("/") else Path.home() / ".cache"
    return folder / "vrseg" / "exported"


def _key(module: Any, settings: dict[str, Any], torch_version: str) -> str:
    """A hash of weights, structure, code and settings: all that the exported file depends on."""
    state = hashlib.sha256(repr((sorted(settings.items()), torch_version, str(module))).encode())
    for kind in sorted({type(part) for part in module.modules()}, key=lambda t: t.__qualname__):
        if not kind.__module__.startswith("torch."):
            with contextlib.suppress(OSError, TypeError):
                state.update(inspect.getsource(kind).encode())
    for name, value in module.state_dict().items():
        array = value.detach().cpu().contiguous()
        state.update(f"{name} {array.dtype} {tuple(array.shape)} ".encode())
        state.update(array.view(-1).numpy().tobytes())
    return state.hexdigest()[:32]


def export_module(module: Any, *, size: tuple[int, int] = (512, 512),
                  classes: Sequence[str] = ("background", "person"),
                  person: Sequence[str] = ("person",), activation: str | None = None,
                  mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD,
                  fixed_batch: bool = False, name: str | None = None) -> Path:
    """Exports a module that maps N x 3 x height x width to N x classes x h x w, compares the file
    with the module on random pictures, and returns the descriptor's path. The same module with the
    same settings is exported once: files are kept in the user's cache folder.

    `size` is (width, height); `mean` and `std` are of colours in 0..1; `activation` is what is still
    to be applied to the scores: softmax, with one class sigmoid. ImportError: PyTorch or what the
    exporter needs is missing (requirements/torch.txt); ValueError: the module cannot be exported."""
    try:
        import torch
    except ImportError as error:
        raise ImportError("a torch.nn.Module is exported by PyTorch, which is not installed "
                          "(`make torch` makes an environment that has all)") from error
    if not isinstance(module, torch.nn.Module):
        raise TypeError("a model is a name, a path or a torch.nn.Module, not "
                        f"{type(module).__name__}")
    width, height = size
    names = tuple(classes)
    settings = {"size": (width, height), "classes": names, "person": tuple(person),
                "activation": activation, "mean": tuple(mean), "std": tuple(std),
                "fixed_batch": fixed_batch}
    plain = re.sub(r"[^a-z0-9]+", "-", (name or type(module).__name__).lower()).strip("-")[:24]
    key = _key(module, settings, torch.__version__)
    target = _cache_folder() / f"{plain or 'module'}-{key}.yaml"
    if target.is_file() and target.with_suffix(".onnx").is_file():
        return target
    with _exporter() as exporter:
        _export(exporter, module, settings, target)
    return target


def _export(exporter: ModuleType, module: Any, settings: dict[str, Any], target: Path) -> None:
    """Writes NAME.onnx and NAME.yaml. ValueError: what the exporter says."""
    import argparse
    arguments = argparse.Namespace(
        network=type(module).__name__, size=settings["size"], classes=settings["classes"],
        person=list(settings["person"]) if len(settings["classes"]) > 1 else None,
        activation=settings["activation"], mean=settings["mean"], std=settings["std"],
        licence="not stated", fixed_batch=settings["fixed_batch"])
    width, height = settings["size"]
    was_training, device = module.training, next(
        (p.device for p in module.parameters()), None)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            network = module.cpu().eval()
            model = exporter.graph.export(network, height, width,
                                          free_batch=not settings["fixed_batch"])
            described = exporter.described(arguments, "a module of the calling program", model)
            exporter.check_random(exporter.Check(network, model), described)
            target.parent.mkdir(parents=True, exist_ok=True)
            exporter.write(described, model, target.parent, target.stem)
    except exporter.UserError as error:
        raise ValueError(f"{type(module).__name__}: {error}") from error
    finally:
        module.train(was_training)
        if device is not None:
            module.to(device)
