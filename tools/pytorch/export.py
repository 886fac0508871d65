"""Exports a network of PyTorch to ONNX, checks the file against PyTorch and writes the descriptor
by which `vrseg run --model NAME` takes it.

Exit status: 0 the files are there, 1 they could not be made or the check failed, 2 wrong usage.
"""

import argparse
import re
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

import descriptor
import graph
import networks
import pictures
import sources
from descriptor import Descriptor
from errors import UserError, report
from measure import iou, mask_at, network_input

ROOT = Path(__file__).resolve().parents[2]
# Largest difference to torch, as a part of the scores' range, that needs no explanation; beyond it,
# how many times torch's own rounding errors may be exceeded.
TOLERANCE, ROUNDING = 1e-3, 4.0
MAX_SIDE = 4096


def size_of(text: str) -> tuple[int, int]:
    """WxH of a command line as (width, height)."""
    found = re.fullmatch(r"(\d{1,4})x(\d{1,4})", text)
    sides = tuple(map(int, found.groups())) if found else (0, 0)
    if not all(1 <= side <= MAX_SIDE for side in sides):
        raise argparse.ArgumentTypeError(f"{text} is no size such as 512x512, of 1 to {MAX_SIDE}")
    return sides


def three_of(text: str) -> tuple[float, float, float]:
    """R,G,B of a command line, or one number for all."""
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) not in (1, 3):
        raise argparse.ArgumentTypeError(f"{text} is neither one number nor three such as "
                                         "0.485,0.456,0.406")
    first, second, third = values * (3 // len(values))
    return first, second, third


def names_of(text: str) -> tuple[str, ...]:
    """Class names with commas between, or how many classes."""
    names = tuple(name.strip() for name in text.split(","))
    if len(names) == 1 and names[0].isdecimal():
        names = default_names(int(names[0]))
    if not 1 <= len(names) <= descriptor.MAX_CLASSES or \
            not all(0 < len(name.encode()) <= descriptor.MAX_NAME for name in names):
        raise argparse.ArgumentTypeError(f"a network has 1 to {descriptor.MAX_CLASSES} classes "
                                         f"with names of 1 to {descriptor.MAX_NAME} bytes")
    return names


def default_names(count: int) -> tuple[str, ...]:
    """Names for that many classes."""
    usual = {1: ("person",), 2: ("background", "person"), len(descriptor.VOC): descriptor.VOC}
    return usual.get(count, tuple(f"class {i}" for i in range(count)))


def add_feed_options(parser: argparse.ArgumentParser) -> None:
    """What says how a network is fed, and what it is called; vrseg-train has it, too."""
    parser.add_argument("--size", type=size_of, default=(512, 512), metavar="WxH",
                        help="of the network's input; 512x512")
    parser.add_argument("--mean", type=three_of, default=descriptor.IMAGENET_MEAN,
                        help="of colours in 0..1, one number or R,G,B; ImageNet's")
    parser.add_argument("--std", type=three_of, default=descriptor.IMAGENET_STD,
                        help="what the difference to the mean is divided by; ImageNet's")
    parser.add_argument("--licence", default="not stated", help="of the weights")
    parser.add_argument("--name", help="of the model; by default after the network")


def parser_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="vrseg-export", description=__doc__.split("\n\n")[0])
    parser.add_argument("network", help=sources.FORMS)
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--checkpoint", type=Path, metavar="FILE",
                       help="its weights: a state_dict saved by torch, or safetensors")
    given.add_argument("--weights", metavar="NAME",
                       help="torchvision's weights of this name or DEFAULT (downloads them)")
    given.add_argument("--random-weights", action="store_true",
                       help="weights drawn from --seed: for benchmarks, never for people")
    parser.add_argument("--seed", type=int, default=0, help="of --random-weights; 0")
    add_feed_options(parser)
    parser.add_argument("--classes", type=names_of, default=("background", "person"),
                        metavar="N|NAMES", help="how many classes, or their names with commas "
                        "between; background,person")
    parser.add_argument("--person", type=lambda text: text.split(","), metavar="NAMES",
                        help="the classes that count as person; person")
    parser.add_argument("--activation", choices=descriptor.ACTIVATIONS,
                        help="what is still to be applied to the scores; softmax, or sigmoid with "
                        "one class")
    parser.add_argument("--fixed-batch", action="store_true",
                        help="one picture at a time, for a network that cannot take several")
    parser.add_argument("--pictures", type=Path, metavar="PATH",
                        help="to check with: a picture, a folder, or one with images/ and masks/")
    parser.add_argument("--out", type=Path, metavar="DIR", default=descriptor.models_folder(),
                        help="folder for NAME.onnx and NAME.yaml; by default where vrseg looks")
    return parser


def plain_name(network: str) -> str:
    """A model's name after its network."""
    plain = network.removeprefix("torchvision:").replace(".py:", ":")
    return re.sub(r"[^A-Za-z0-9.-]+", "-", Path(plain).name).strip("-.").lower()


def check_name(name: str) -> str:
    """The name of a model's files. UserError: it is none."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", name):
        raise UserError(f"{name!r} is no name of a model; give --name of 1 to 63 letters, digits, "
                        "- _ and .")
    return name


def described(arguments: argparse.Namespace, origin: str, model: onnx.ModelProto) -> Descriptor:
    """The descriptor of an exported model. UserError: the classes are not the network's."""
    classes, height, width = graph.output_shape(model)
    names = arguments.classes
    if len(names) != classes:
        raise UserError(f"the network has {classes} classes and not {len(names)}; give --classes")
    wanted = arguments.person or ["person"]
    if classes > 1 and not arguments.person and "person" not in names:
        raise UserError("no class is called person; give --person NAME[,NAME...]")
    given_width, given_height = arguments.size
    return Descriptor(
        title=f"{arguments.network}, {given_width}x{given_height}"[:120],
        licence=arguments.licence, source=f"bring your own: {origin}", width=given_width,
        height=given_height, classes=names,
        person=(0,) if classes == 1 else descriptor.person_classes(names, wanted),
        activation=arguments.activation or ("sigmoid" if classes == 1 else "softmax"),
        mean=tuple(255 * value for value in arguments.mean),
        divisors=tuple(255 * value for value in arguments.std),
        fixed_batch=arguments.fixed_batch, input=graph.INPUT, output=graph.OUTPUT,
        output_width=width, output_height=height)


@dataclass(frozen=True)
class Compared:
    """Scores of torch and of the exported model, the largest difference, and that as a part of
    their range."""

    expected: np.ndarray
    found: np.ndarray
    off: float
    share: float


class Check:
    """Compares the exported model with the module."""

    def __init__(self, network: nn.Module, model: onnx.ModelProto) -> None:
        self.network = network
        self.session = graph.session(model)

    def torch(self, batch: np.ndarray) -> np.ndarray:
        """The module's scores."""
        with torch.no_grad():
            return self.network(torch.from_numpy(batch)).numpy()

    def onnx(self, batch: np.ndarray) -> np.ndarray:
        """The exported model's scores."""
        try:
            return self.session.run(None, {graph.INPUT: batch})[0]
        except Exception as error:
            raise graph.fixed_batch(len(batch), error) from error

    def compared(self, batch: np.ndarray, what: str) -> "Compared":
        """The scores of both and how far they are apart. UserError: more than rounding explains."""
        expected, found = self.torch(batch), self.onnx(batch)
        if expected.shape != found.shape:
            raise UserError(f"for a batch of {len(batch)} the exported network gives "
                            f"{list(found.shape)} and torch {list(expected.shape)}; export it with "
                            "--fixed-batch")
        off, share = apart(expected, found)
        if not share <= TOLERANCE:
            # A network may magnify rounding errors, one of random weights at the least.
            exact = self.exact(batch)
            if not apart(exact, found)[0] <= ROUNDING * apart(exact, expected)[0]:
                raise UserError(f"{what}: the exported network differs from torch by {share:.2g} "
                                f"of the scores' range, more than {ROUNDING:g} times torch's own "
                                "rounding errors")
        return Compared(expected, found, off, share)

    def exact(self, batch: np.ndarray) -> np.ndarray:
        """The module's scores in double precision. Its weights are the same afterwards."""
        self.network.double()
        try:
            with torch.no_grad():
                return self.network(torch.from_numpy(batch).double()).numpy()
        finally:
            self.network.float()


def apart(expected: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """Largest difference, and as a part of the range of what is expected."""
    off = float(np.abs(expected - found).max())
    return off, off / max(float(np.ptp(expected)), 1e-12)


def check_random(check: Check, d: Descriptor) -> None:
    """Batches of 1 and 3, and that a picture's scores do not depend on its batch."""
    random = np.random.default_rng(1)
    batch = random.standard_normal((1 if d.fixed_batch else 3, 3, d.height, d.width), np.float32)
    for part in (batch[:1], batch) if len(batch) > 1 else (batch,):
        result = check.compared(part, f"random pictures, batch {len(part)}")
        print(f"random, batch {len(part)}: largest difference {result.off:.3g}, "
              f"{result.share:.2g} of the range")
    if len(batch) > 1:
        _, share = apart(check.onnx(batch[1:2])[0], check.onnx(batch)[1])
        if not share <= TOLERANCE:
            raise UserError(f"a picture's scores depend on its batch, by {share:.2g} of their "
                            "range; export the network with --fixed-batch")


def check_pictures(check: Check, d: Descriptor, pairs: list[pictures.Pair]) -> None:
    """Scores and masks of real pictures; where they have masks, how well both agree with these."""
    results, agreement, right = [], [], []
    for pair in pairs:
        codes = pictures.read_rgb(pair.picture)
        result = check.compared(network_input(d, codes), str(pair.picture))
        masks = [mask_at(d.person_mask(scores)[0], *codes.shape[:2])
                 for scores in (result.expected, result.found)]
        results.append((result.off, result.share))
        agreement.append(iou(*masks))
        if pair.mask:
            truth = pictures.read_mask(pair.mask)
            if truth.shape != codes.shape[:2]:
                raise UserError(f"{pair.mask}: has another size than its picture")
            right.append([iou(mask, truth) for mask in masks])
    off, share = np.max(results, axis=0)
    print(f"pictures, {len(pairs)}: largest difference {off:.3g}, {share:.2g} of the range; "
          f"person masks of torch and ONNX: mean IoU {np.mean(agreement):.5f}, "
          f"lowest {min(agreement):.5f}")
    if right:
        torch_iou, onnx_iou = np.mean(right, axis=0)
        print(f"IoU with the given masks: torch {torch_iou:.4f}, ONNX {onnx_iou:.4f}")


def default_picture() -> Path:
    """A photograph of a person that is in the checkout, or what `make` fetched."""
    photo = ROOT / ".local" / "data" / "scikit-image" / "astronaut.png"
    return photo if photo.is_file() else ROOT / "tests" / "data" / "person.ppm"


def write(d: Descriptor, model: onnx.ModelProto, folder: Path, name: str) -> Path:
    """Writes NAME.onnx and NAME.yaml, and returns the latter."""
    data = model.SerializeToString()
    target = folder / f"{name}.yaml"
    graph.publish(data, folder / f"{name}.onnx")
    graph.publish(descriptor.text_of(descriptor.with_digest(d, data)).encode(), target)
    print(f"wrote {target} and {name}.onnx, {len(data) / 1e6:.1f} MB; "
          f"`vrseg run --model {target} ...` takes it")
    return target


def loaded(arguments: argparse.Namespace) -> tuple[nn.Module, str]:
    """The network with its weights in evaluation mode, and where they come from."""
    width, height = arguments.size
    torch.manual_seed(arguments.seed)
    network = sources.make(arguments.network, len(arguments.classes), height, width,
                           arguments.weights)
    sources.tried(network, arguments.network, 1 if arguments.fixed_batch else 2, height, width)
    if arguments.checkpoint:
        sources.apply(network, arguments.checkpoint)
        origin = f"{arguments.network} with {arguments.checkpoint.name}"
    elif arguments.weights:
        origin = f"{arguments.network} with torchvision's {arguments.weights}"
    else:
        networks.settle(network, height, width)
        origin = f"{arguments.network} with random weights of seed {arguments.seed}"
    return network.eval(), f"{origin}, by vrseg-export"


def main() -> int:
    arguments = parser_of().parse_args()
    name = check_name(arguments.name or plain_name(arguments.network))
    if arguments.weights:
        names = sources.weight_names(arguments.network, arguments.weights)
        arguments = argparse.Namespace(**{**vars(arguments),
                                          "classes": names or arguments.classes})
    network, origin = loaded(arguments)
    width, height = arguments.size
    model = graph.export(network, height, width, free_batch=not arguments.fixed_batch)
    d = described(arguments, origin, model)
    if arguments.random_weights:
        d = replace(d, licence="random weights", title=f"{d.title}, random weights")
    check = Check(network, model)
    check_random(check, d)
    check_pictures(check, d, pictures.given_pictures(arguments.pictures or default_picture()))
    write(d, model, arguments.out, name)
    return 0


if __name__ == "__main__":
    sys.exit(report("vrseg-export", main))
