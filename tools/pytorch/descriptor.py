"""Descriptors (models/README.md): written for an exported network, and read for one that is to be
measured or quantised. The program has the last word on what is valid; here only what these tools
need is checked."""

import hashlib
import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import yaml

from errors import UserError

ACTIVATIONS = ("none", "sigmoid", "softmax", "argmax")
# What torchvision and timm normalise with, in 0..1.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
VOC = ("background", "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair",
       "cow", "dining table", "dog", "horse", "motorbike", "person", "potted plant", "sheep",
       "sofa", "train", "monitor")
MAX_CLASSES = 32
MAX_NAME = 63  # bytes of a model's and of a class's name
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9 _.-]*")


@dataclass(frozen=True)
class Descriptor:
    """What a descriptor says, in the units of the file: (code - mean) * scale, codes 0..255."""

    title: str
    licence: str
    source: str
    width: int
    height: int
    classes: tuple[str, ...]
    person: tuple[int, ...]
    activation: str
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    divisors: tuple[float, float, float] = (1.0, 1.0, 1.0)  # scale is 1 / divisor
    order: str = "rgb"
    resize: str = "area"
    fixed_batch: bool = False
    test_only: bool = False
    sha256: str = ""
    input: str = ""
    output: str = ""
    output_width: int = 0
    output_height: int = 0
    # What these tools do not take, said by name: "a letterboxed input".
    unusual: tuple[str, ...] = field(default=())

    def normalised(self, codes: np.ndarray) -> np.ndarray:
        """N x height x width x 3 RGB codes as the network's input, N x 3 x height x width FP32."""
        if self.order == "bgr":
            codes = codes[..., ::-1]
        mean = np.array(self.mean, np.float32)
        divisors = np.array(self.divisors, np.float32)
        return np.ascontiguousarray(((codes - mean) / divisors).transpose(0, 3, 1, 2), np.float32)

    def person_mask(self, scores: np.ndarray) -> np.ndarray:
        """N x C x h x w scores as N x h x w probabilities of a person."""
        if self.activation == "sigmoid":
            scores = 1 / (1 + np.exp(-np.clip(scores, -80, 80)))
        elif self.activation == "softmax":
            powers = np.exp(scores - scores.max(axis=1, keepdims=True))
            scores = powers / powers.sum(axis=1, keepdims=True)
        elif self.activation == "argmax":
            best = scores.argmax(axis=1)
            return np.isin(best, self.person).astype(np.float32)
        return scores[:, list(self.person)].sum(axis=1)


def person_classes(names: tuple[str, ...], wanted: list[str]) -> tuple[int, ...]:
    """The numbers of the classes that count as person. UserError: a name that is none."""
    found = []
    for name in wanted:
        if name in names:
            found.append(names.index(name))
        elif name.isdecimal() and int(name) < len(names):
            found.append(int(name))
        else:
            raise UserError(f"--person {name}: there is no such class; the network has "
                            f"{', '.join(names)}")
    return tuple(dict.fromkeys(found))


def quoted(text: str) -> str:
    """A text as a YAML scalar that every reader takes for a text."""
    if PLAIN.fullmatch(text) and not text.endswith(" ") and yaml.safe_load(text) == text:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def number(value: float) -> str:
    """The shortest decimal of at most six places."""
    return f"{value:.6f}".rstrip("0").rstrip(".")


def text_of(d: Descriptor) -> str:
    """The descriptor as YAML, in the order of models/README.md."""
    lines = [f"title: {quoted(d.title)}", f"licence: {quoted(d.licence)}",
             f"source: {quoted(d.source)}"]
    if d.sha256:
        lines.append(f"sha256: {quoted(d.sha256)}")
    if d.test_only:
        lines.append("test_only: on")
    lines += [f"batch: {'fixed' if d.fixed_batch else 'free'}", "input:"]
    if d.input:
        lines.append(f"  name: {quoted(d.input)}")
    lines += [f"  width: {d.width}", f"  height: {d.height}"]
    if d.resize != "area":
        lines.append(f"  resize: {d.resize}")
    if d.order != "rgb":
        lines.append(f"  order: {d.order}")
    lines += [f"  mean: [{', '.join(map(number, d.mean))}]",
              f"  scale: [{', '.join('1/' + number(divisor) for divisor in d.divisors)}]",
              "output:"]
    if d.output:
        lines.append(f"  name: {quoted(d.output)}")
    if d.output_width and (d.output_width, d.output_height) != (d.width, d.height):
        lines += [f"  width: {d.output_width}", f"  height: {d.output_height}"]
    lines.append(f"  activation: {d.activation}")
    lines.append(f"  classes: [{', '.join(map(quoted, d.classes))}]")
    if len(d.classes) > 1:
        lines.append(f"  person: [{', '.join(quoted(d.classes[i]) for i in d.person)}]")
    return "\n".join(lines) + "\n"


def with_digest(d: Descriptor, data: bytes) -> Descriptor:
    """The same, for a file of these bytes."""
    return replace(d, sha256=hashlib.sha256(data).hexdigest())


def ratio(value: object) -> float:
    """A number of a descriptor: 2, 0.5 or 1/255."""
    top, slash, bottom = str(value).partition("/")
    return float(top) / float(bottom) if slash else float(top)


def three(value: object) -> tuple[float, float, float]:
    """One number or a list of three."""
    values = value if isinstance(value, list) else [value] * 3
    first, second, third = map(ratio, values)
    return first, second, third


def class_names(value: object) -> tuple[str, ...]:
    """`classes`: a list of names, or how many."""
    if isinstance(value, list):
        return tuple(map(str, value))
    return tuple(f"class {i}" for i in range(int(str(value))))


def parse(text: str) -> Descriptor:
    """A descriptor's text. KeyError, TypeError, ValueError, yaml.YAMLError: it is none."""
    root = yaml.safe_load(text)
    given, out = root["input"], root["output"]
    classes = class_names(out["classes"])
    person = person_classes(classes, [str(name) for name in out.get("person", ["0"])])
    unusual = []
    if given.get("fit", "stretch") != "stretch":
        unusual.append("a letterboxed input")
    if root.get("states"):
        unusual.append("states")
    if "nhwc" in (given.get("layout"), out.get("layout")):
        unusual.append("the layout nhwc")
    width, height = int(given["width"]), int(given["height"])
    return Descriptor(
        title=str(root["title"]), licence=str(root["licence"]), source=str(root["source"]),
        width=width, height=height, classes=classes, person=person,
        activation=ACTIVATIONS[ACTIVATIONS.index(out["activation"])],
        mean=three(given.get("mean", 0)),
        divisors=tuple(1 / scale for scale in three(given.get("scale", 1))),
        order=given.get("order", "rgb"), resize=given.get("resize", "area"),
        fixed_batch=root.get("batch", "free") == "fixed", sha256=str(root.get("sha256", "")),
        test_only=root.get("test_only", False) in (True, 1, "1"),
        input=str(given.get("name", "")), output=str(out.get("name", "")),
        output_width=int(out.get("width", width)), output_height=int(out.get("height", height)),
        unusual=tuple(unusual))


def models_folder() -> Path:
    """Where vrseg looks for weights and a user's descriptors."""
    own = os.environ.get("VRSEG_MODELS_DIR")
    if own:
        return Path(own)
    data = os.environ.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "vrseg" / \
        "models"


def find(model: str) -> tuple[Path, Path]:
    """Descriptor and ONNX file of a model: a name that `vrseg models` lists, a descriptor's path,
    or an ONNX file with its descriptor beside it. UserError: one of them is missing."""
    path = Path(model)
    if path.suffix not in (".yaml", ".onnx"):
        shipped = Path(__file__).resolve().parents[2] / "models"
        places = [folder / f"{model}.yaml" for folder in (models_folder(), shipped)]
        found = [place for place in places if place.is_file()]
        if not found:
            raise UserError(f"there is no model {model}; `vrseg models` lists them, and a path "
                            "ends in .yaml or .onnx")
        path = found[0]
    description = path.with_suffix(".yaml")
    if not description.is_file():
        raise UserError(f"{description}: there is no such descriptor")
    try:
        named = (yaml.safe_load(description.read_text(encoding="utf-8")) or {}).get("weights")
    except (yaml.YAMLError, AttributeError, UnicodeDecodeError) as error:
        raise UserError(f"{description}: is no descriptor; `vrseg run` says where") from error
    places = [description.with_suffix(".onnx"), models_folder() / f"{description.stem}.onnx"]
    if named:
        places = [description.parent / str(named)]
    if path.suffix == ".onnx":
        places = [path]
    for place in places:
        if place.is_file():
            return description, place
    raise UserError(f"{places[0]}: the weights of {description.stem} are missing")


def read(path: Path) -> Descriptor:
    """A descriptor's file. UserError: it is none, or asks for what these tools do not take."""
    try:
        found = parse(path.read_text(encoding="utf-8"))
    except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError,
            yaml.YAMLError) as error:
        raise UserError(f"{path}: is no descriptor that these tools can read; `vrseg run --model "
                        f"{path}` says what is wrong") from error
    if found.unusual:
        raise UserError(f"{path}: has {' and '.join(found.unusual)}, which this tool does not take")
    return found
