"""Where a network comes from: vrseg's own, torchvision's, segmentation-models-pytorch's (with
timm's backbones), or a callable in a user's file; and its weights."""

import importlib.util
import inspect
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

import networks
from errors import UserError
from graph import first_line

FORMS = ("deeplabv3plus-r50, deeplabv3plus-tiny, torchvision:NAME, smp:ARCHITECTURE:ENCODER, "
         "timm:BACKBONE (a U-Net of it), or FILE.py:CALLABLE")
STATE_KEYS = ("network", "model", "state_dict", "model_state_dict")


class Scores(nn.Module):
    """A network whose output is one tensor: the "out" of a dictionary, the first of a list."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        result = self.network(x)
        if isinstance(result, dict):
            result = result["out"] if "out" in result else next(iter(result.values()))
        return result[0] if isinstance(result, (list, tuple)) else result


def missing(package: str) -> UserError:
    """What to do where a package of the requirements is not there."""
    return UserError(f"the Python package {package} is missing; `make torch` installs it")


def load_fitting(network: nn.Module, state: dict[str, Tensor]) -> list[str]:
    """Gives a network those of the weights that fit by name and shape; returns the names of the
    tensors that there are none for."""
    own = network.state_dict()
    fitting = {key: state[key] for key, value in own.items()
               if key in state and state[key].shape == value.shape}
    network.load_state_dict(fitting, strict=False)
    return [key for key in own if key not in fitting]


def from_torchvision(name: str, classes: int, weights: str | None) -> nn.Module:
    """A segmentation network of torchvision, with its weights of that name (downloaded), but for a
    last layer of another number of classes."""
    try:
        from torchvision import models
    except ImportError as error:
        raise missing("torchvision") from error
    known = models.list_models(module=models.segmentation)
    if name not in known:
        raise UserError(f"torchvision has no segmentation network {name}; it has "
                        f"{', '.join(known)}")
    network = models.get_model(name, weights=None, weights_backbone=None, num_classes=classes,
                               aux_loss=False)
    if weights:
        load_fitting(network, models.get_model(name, weights=weights).state_dict())
    return network


def from_smp(architecture: str, encoder: str, classes: int, weights: str | None) -> nn.Module:
    """A network of segmentation-models-pytorch; `weights` are those of its encoder."""
    try:
        import segmentation_models_pytorch as smp
    except ImportError as error:
        raise missing("segmentation-models-pytorch") from error
    return smp.create_model(architecture, encoder_name=encoder, encoder_weights=weights,
                            classes=classes)


def from_file(path: Path, name: str, sizes: dict[str, int]) -> nn.Module:
    """What a callable in a user's file returns; `classes`, `height` and `width` are passed where
    it takes parameters of these names. The file is run."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such file")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    sys.path.insert(0, str(path.parent.resolve()))
    spec.loader.exec_module(module)
    make = getattr(module, name, None)
    if not callable(make):
        raise UserError(f"{path}: has no callable {name}")
    taken = inspect.signature(make).parameters
    return make(**{key: value for key, value in sizes.items() if key in taken})


def maker(spec: str, classes: int, height: int, width: int,
          weights: str | None) -> Callable[[], nn.Module]:
    """What makes the network of that name. UserError: it is no name of one."""
    kind, _, rest = spec.partition(":")
    parts = rest.split(":")
    if spec in networks.PLANS and not weights:
        return lambda: networks.build(spec, classes, height, width)
    if spec in networks.PLANS:
        raise UserError(f"there are no weights {weights} of {spec}")
    if kind == "torchvision" and len(parts) == 1:
        return lambda: from_torchvision(rest, classes, weights)
    if kind == "smp" and len(parts) == 2:
        return lambda: from_smp(parts[0], parts[1], classes, weights)
    if kind == "timm" and len(parts) == 1:
        return lambda: from_smp("unet", f"tu-{rest}", classes, weights)
    file, _, name = spec.rpartition(":")
    if file.endswith(".py") and not weights:
        sizes = {"classes": classes, "height": height, "width": width}
        return lambda: from_file(Path(file), name, sizes)
    raise UserError(f"{spec} is no network; give {FORMS}")


def make(spec: str, classes: int, height: int, width: int, weights: str | None = None) -> nn.Module:
    """The network, in training mode, its weights drawn from the current seed where none are given.
    UserError: the name or what it names is wrong."""
    build = maker(spec, classes, height, width, weights)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            network = build()
    except UserError:
        raise
    except Exception as error:  # libraries and users' files raise what they like
        raise UserError(f"{spec}: cannot be made: {first_line(error)}") from error
    if not isinstance(network, nn.Module):
        raise UserError(f"{spec}: gives a {type(network).__name__}, and a torch.nn.Module is "
                        "wanted")
    return Scores(network)


def tried(network: nn.Module, spec: str, batch: int, height: int,
          width: int) -> tuple[int, int, int]:
    """Runs the network on grey pictures; classes, height and width of its scores. UserError: it
    does not take them, or gives something else than scores of each pixel."""
    network.eval()
    try:
        with torch.no_grad():
            scores = network(torch.zeros(batch, 3, height, width))
    except Exception as error:  # whatever a user's own module raises
        raise UserError(f"{spec}: does not take {batch} x 3 x {height} x {width}: "
                        f"{first_line(error)}") from error
    if not isinstance(scores, Tensor) or scores.ndim != 4 or len(scores) != batch:
        got = list(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise UserError(f"{spec}: gives {got} for a batch of {batch}, and {batch} x classes x "
                        "height x width is wanted; wrap it in a module that returns that")
    classes, rows, columns = scores.shape[1:]
    return classes, rows, columns


def weight_names(spec: str, weights: str) -> tuple[str, ...]:
    """The class names that come with torchvision's weights, or none. UserError: torchvision has no
    such network or weights."""
    kind, _, name = spec.partition(":")
    if kind != "torchvision":
        return ()
    try:
        from torchvision import models

        every = models.get_model_weights(name)
    except ImportError as error:
        raise missing("torchvision") from error
    except ValueError as error:
        raise UserError(f"torchvision has no network {name}") from error
    known = list(every.__members__)
    if weights not in known:
        raise UserError(f"torchvision has no weights {weights} of {name}; it has "
                        f"{', '.join(known) or 'none'}")
    return tuple(str(label).replace("__background__", "background")
                 for label in every[weights].meta.get("categories", ()))


def load(path: Path) -> dict[str, Tensor]:
    """The weights in a checkpoint: a dictionary of tensors, or one under a usual key; safetensors
    too. Nothing in the file is run. UserError: it is none."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such checkpoint")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # of pickle, zipfile, torch
        raise UserError(f"{path}: is no checkpoint that can be read without running code in it; "
                        "save `network.state_dict()`") from error
    for key in STATE_KEYS:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
            break
    if not isinstance(state, dict) or not state or \
            not all(isinstance(value, Tensor) for value in state.values()):
        raise UserError(f"{path}: holds no dictionary of tensors; save `network.state_dict()`")
    return state


def named_as(network: nn.Module, path: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """A checkpoint's weights under the names of a network of make(), and the network's own."""
    state = load(path)
    for prefix in ("module.", "network."):
        if all(key.startswith(prefix) for key in state):
            state = {key[len(prefix):]: value for key, value in state.items()}
    return state, network.network.state_dict()


def apply(network: nn.Module, path: Path) -> None:
    """Gives a network of make() the weights of a checkpoint. UserError: they do not fit, with the
    first that does not."""
    state, own = named_as(network, path)
    # Training's second head is no part of what runs.
    state = {key: value for key, value in state.items()
             if key in own or not key.startswith("aux_classifier.")}
    for key, value in own.items():
        if key not in state:
            raise UserError(f"{path}: has no weights {key}; it is of another network")
        if state[key].shape != value.shape:
            raise UserError(f"{path}: {key} has shape {list(state[key].shape)}, and "
                            f"{list(value.shape)} is wanted")
    left = [key for key in state if key not in own]
    if left:
        raise UserError(f"{path}: has weights {left[0]} that the network has not")
    network.network.load_state_dict(state)


def apply_fitting(network: nn.Module, path: Path) -> list[str]:
    """Gives a network of make() those weights of a checkpoint that fit by name and shape; returns
    the names of the tensors that it has none for. UserError: for most there are none."""
    state, own = named_as(network, path)
    left = load_fitting(network.network, state)
    if len(left) * 2 > len(own):
        raise UserError(f"{path}: has fitting weights for {len(own) - len(left)} of {len(own)} "
                        "tensors; it is of another network")
    return left
