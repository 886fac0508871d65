"""Quantises a model's ONNX file to INT8 (QDQ, static ranges) with frames of your own video, and
keeps in floating point what would cost accuracy.

The layers are put into sets in their order. Each set alone in INT8 shows how sensitive it is; then
all are quantised, and the most sensitive sets go back until the loss is small enough. Weights are
INT8 a channel, activations INT8 a tensor, both symmetric, as every engine takes them.

Exit status: 0 NAME-int8.onnx and its descriptor are there, 1 no such file could be made, 2 wrong
usage.
"""

import argparse
import contextlib
import io
import logging
import math
import sys
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import numpy_helper
from onnxruntime.quantization import CalibrationMethod, QuantType
from onnxruntime.quantization.calibrate import CalibrationDataReader, create_calibrator
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

import descriptor
import graph
import pictures
from descriptor import Descriptor
from errors import UserError, report
from measure import iou, mask_at, network_input
from pictures import Pair, read_mask, read_rgb

# What has weights and is worth quantising.
OPERATORS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
METHODS = {"minmax": CalibrationMethod.MinMax, "percentile": CalibrationMethod.Percentile,
           "entropy": CalibrationMethod.Entropy}
# Only what goes into a layer is quantised: its result is, where the next layer takes it in. So the
# activation between them stays fused with the layer, and residual sums stay in floating point.
OPTIONS = {"ActivationSymmetric": True, "WeightSymmetric": True, "QuantizeBias": False,
           "OpTypesToExcludeOutputQuantization": list(OPERATORS)}


def parser_of() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(prog="vrseg-quantize", description=__doc__.split("\n\n")[0])
    parser.add_argument("model", help="a name that `vrseg models` lists, NAME.yaml or NAME.onnx")
    parser.add_argument("--video", type=Path, action="append", default=[], metavar="FILE",
                        help="frames to find the ranges with; may be given several times")
    parser.add_argument("--pictures", type=Path, action="append", default=[], metavar="DIR",
                        help="pictures for that, instead or as well")
    parser.add_argument("--frames", type=int, default=48,
                        help="how many of them, evenly over all; 48")
    parser.add_argument("--check", type=Path, action="append", default=[], metavar="DIR",
                        help="pairs of pictures and masks to measure the loss with; without, it is "
                        "the difference to the FP32 masks of the frames")
    parser.add_argument("--search", type=int, default=16, metavar="N",
                        help="pictures of those to compare sets of layers with; 16")
    parser.add_argument("--max-loss", type=float, default=0.005, metavar="IOU",
                        help="mean IoU that may be lost; 0.005")
    parser.add_argument("--sets", type=int, default=8, help="sets of layers; 8")
    parser.add_argument("--method", choices=METHODS, default="minmax",
                        help="how ranges follow from the values; minmax")
    parser.add_argument("--threads", type=int, default=0, help="of the CPU; 0: all")
    parser.add_argument("--name", help="of the new model; NAME-int8")
    parser.add_argument("--out", type=Path, metavar="DIR",
                        help="folder of the new files; by default that of the ONNX file")
    return parser


@dataclass(frozen=True)
class LayerSet:
    """Layers that are quantised together."""

    nodes: tuple[str, ...]
    macs: int

    @property
    def title(self) -> str:
        """The first layer's name, and the last's."""
        first, last = self.nodes[0], self.nodes[-1]
        return shortened(first if first == last else f"{first} .. {last}")


def shortened(text: str, width: int = 60) -> str:
    """A text of at most that many characters, its middle left out."""
    half = (width - 3) // 2
    return text if len(text) <= width else f"{text[:half]}...{text[-half:]}"


def loaded(path: Path) -> onnx.ModelProto:
    """The model, its constants folded so that weights are where the quantiser looks, every node
    with a name. UserError: it is no ONNX file, or is quantised already."""
    try:
        model = onnx.load(path)
        onnx.checker.check_model(model)
    except Exception as error:  # of protobuf, of onnx, of the file system
        raise UserError(f"{path}: cannot be read as an ONNX file: {graph.first_line(error)}") \
            from error
    if any(node.op_type in ("QuantizeLinear", "DequantizeLinear") for node in model.graph.node):
        raise UserError(f"{path}: is quantised already")
    fold_casts(model)
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"
    return model


def fold_casts(model: onnx.ModelProto) -> None:
    """Replaces a Cast of a constant by the constant: weights that are stored as FP16."""
    constants = {entry.name: entry for entry in model.graph.initializer}
    folded = []
    for node in model.graph.node:
        if node.op_type != "Cast" or node.input[0] not in constants:
            continue
        kind = onnx.helper.tensor_dtype_to_np_dtype(node.attribute[0].i)
        values = numpy_helper.to_array(constants[node.input[0]]).astype(kind)
        model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        folded.append(node)
    for node in folded:
        model.graph.node.remove(node)
    used = {name for node in model.graph.node for name in node.input}
    for entry in [entry for entry in model.graph.initializer if entry.name not in used]:
        model.graph.initializer.remove(entry)


def layers(model: onnx.ModelProto, height: int, width: int) -> list[tuple[str, int]]:
    """The layers that can be quantised, in order: name and multiplications for one picture."""
    weights = {entry.name: entry.dims for entry in model.graph.initializer}
    found = [node for node in model.graph.node
             if node.op_type in OPERATORS and len(node.input) > 1 and node.input[1] in weights]
    outputs = [node.output[0] for node in found if node.output[0] != model.graph.output[0].name]
    shapes = graph.tensor_shapes(model, outputs, height, width) if outputs else {}
    counted = []
    for node in found:
        dims = weights[node.input[1]]
        places = math.prod(shapes.get(node.output[0], (1, 1, height, width))[2:])
        counted.append((node.name, math.prod(dims) * places))
    return counted


def runs_of(found: list[tuple[str, int]], count: int) -> list[list[tuple[str, int]]]:
    """`count` runs of like length."""
    edges = np.linspace(0, len(found), count + 1).round().astype(int)
    return [found[a:b] for a, b in zip(edges, edges[1:])]


def sets_of(found: list[tuple[str, int]], count: int) -> list[LayerSet]:
    """The first layer, the last, which are mostly sensitive, and what is between in `count` - 2
    runs; of fewer than three sets all are runs."""
    count = min(count, len(found))
    runs = runs_of(found, count)
    if count > 2:
        runs = [found[:1], *runs_of(found[1:-1], count - 2), found[-1:]]
    return [LayerSet(tuple(name for name, _ in run), sum(macs for _, macs in run))
            for run in runs]


class Reader(CalibrationDataReader):
    """One picture at a time for ONNX Runtime's calibration."""

    def __init__(self, name: str, inputs: Iterable[np.ndarray]) -> None:
        self._name, self._inputs = name, iter(inputs)

    def get_next(self) -> dict[str, np.ndarray] | None:
        batch = next(self._inputs, None)
        return None if batch is None else {self._name: batch}


class Quantiser:
    """A model with the ranges of its values: makes the same with any of its layers in INT8."""

    def __init__(self, model: onnx.ModelProto, d: Descriptor, frames: list[np.ndarray],
                 method: str) -> None:
        self.model = model
        name = model.graph.input[0].name
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.onnx"
            onnx.save(model, path)
            calibrator = create_calibrator(str(path), list(OPERATORS),
                                           str(Path(folder) / "ranges.onnx"), METHODS[method],
                                           extra_options={"symmetric": True})
            with contextlib.redirect_stdout(io.StringIO()):  # it prints a line a call
                for frame in frames:  # each by itself, for histograms hold all values of a call
                    calibrator.collect_data(Reader(name, [network_input(d, frame)]))
                self._ranges = calibrator.compute_data()

    def quantised(self, nodes: Iterable[str]) -> onnx.ModelProto:
        """The model with these layers in INT8."""
        copy = onnx.ModelProto()
        copy.CopyFrom(self.model)
        quantiser = QDQQuantizer(copy, True, False, QuantType.QInt8, QuantType.QInt8, self._ranges,
                                 list(nodes), [], list(OPERATORS), OPTIONS)
        quantiser.quantize_model()
        quantiser.model.topological_sort()
        model = quantiser.model.model
        model.producer_name = "vrseg-quantize"
        return model


class Judge:
    """Measures a network's masks on pictures: against given masks, and against those of FP32.
    Holds the pictures as the network takes them, and the masks."""

    def __init__(self, d: Descriptor, threads: int, pairs: list[Pair], frames: list[np.ndarray],
                 exact: onnx.ModelProto) -> None:
        self._d, self._threads = d, threads
        self._inputs: list[np.ndarray] = []
        self._sizes: list[tuple[int, int]] = []
        for codes in (read_rgb(pair.picture) for pair in pairs) if pairs else frames:
            self._inputs.append(network_input(d, codes))
            self._sizes.append(codes.shape[:2])
        self._truths = [read_mask(pair.mask) for pair in pairs]
        for pair, truth, size in zip(pairs, self._truths, self._sizes):
            if truth.shape != size:
                raise UserError(f"{pair.mask}: is {truth.shape[1]}x{truth.shape[0]} and its "
                                f"picture {size[1]}x{size[0]}")
        self._exact = self._masks(exact)
        self.exact_iou = self._against_truths(self._exact)

    def __len__(self) -> int:
        return len(self._inputs)

    def _masks(self, model: onnx.ModelProto) -> list[np.ndarray]:
        """The masks of all pictures, at their sizes."""
        run = graph.session(model, self._threads)
        name = run.get_inputs()[0].name
        output = self._d.output or run.get_outputs()[0].name
        found = (self._d.person_mask(run.run([output], {name: batch})[0])[0]
                 for batch in self._inputs)
        return [mask_at(mask, *size) for mask, size in zip(found, self._sizes)]

    def _against_truths(self, masks: list[np.ndarray]) -> float:
        """The mean IoU with the given masks; 1 where there are none."""
        values = [iou(mask, truth) for mask, truth in zip(masks, self._truths)]
        return float(np.mean(values)) if values else 1.0

    def measured(self, model: onnx.ModelProto) -> tuple[float, float]:
        """The loss of mean IoU, and the mean IoU with FP32's masks."""
        masks = self._masks(model)
        agreement = float(np.mean([iou(*both) for both in zip(masks, self._exact)]))
        if not self._truths:
            return 1 - agreement, agreement
        return self.exact_iou - self._against_truths(masks), agreement


def megabytes(model: onnx.ModelProto) -> float:
    """The size of its file."""
    return model.ByteSize() / 1e6


def sensitivity(quantiser: Quantiser, judge: Judge, sets: list[LayerSet]) -> list[float]:
    """Each set alone in INT8: its mean IoU with FP32's masks. Prints the table."""
    total = sum(entry.macs for entry in sets) or 1
    print(f"one set of layers in INT8, {len(judge)} pictures:\n"
          f"{'set':>3} {'layers':>6} {'MACs':>6} {'loss':>8} {'IoU with FP32':>13}  from .. to")
    alone = []
    for number, entry in enumerate(sets, 1):
        loss, agreement = judge.measured(quantiser.quantised(entry.nodes))
        alone.append(agreement)
        print(f"{number:3} {len(entry.nodes):6} {entry.macs / total:6.1%} {loss:8.4f} "
              f"{agreement:13.4f}  {entry.title}", flush=True)
    return alone


def search(quantiser: Quantiser, judge: Judge, sets: list[LayerSet], max_loss: float,
           holds: Callable[[onnx.ModelProto], bool]) -> onnx.ModelProto:
    """Takes the most sensitive sets out of INT8, one by one, until the loss is small enough here
    and `holds` says so of the rest. Returns that model; prints the trade. UserError: there is
    none."""
    total = sum(entry.macs for entry in sets) or 1
    alone = sensitivity(quantiser, judge, sets)
    order = sorted(range(len(sets)), key=lambda index: alone[index])
    print(f"sets together:\n{'INT8 MACs':>9} {'MB':>6} {'loss':>8} {'IoU with FP32':>13}  "
          "in floating point")
    print(f"{0:9.1%} {megabytes(quantiser.model):6.1f} {0:8.4f} {1:13.4f}  all", flush=True)
    for out in range(len(sets)):
        kept = [entry for index, entry in enumerate(sets) if index not in order[:out]]
        model = quantiser.quantised([name for entry in kept for name in entry.nodes])
        loss, agreement = judge.measured(model)
        left = ", ".join(f"set {index + 1}" for index in sorted(order[:out])) or "none"
        print(f"{sum(entry.macs for entry in kept) / total:9.1%} {megabytes(model):6.1f} "
              f"{loss:8.4f} {agreement:13.4f}  {left}", flush=True)
        if loss <= max_loss and holds(model):
            return model
    raise UserError(f"no set of layers can be quantised at a loss of {max_loss:g}; try --method "
                    "percentile, more --frames, more --sets or a larger --max-loss")


class Whole:
    """The last word: the loss over all pictures of each folder."""

    def __init__(self, d: Descriptor, arguments: argparse.Namespace,
                 exact: onnx.ModelProto) -> None:
        self._max_loss = arguments.max_loss
        self._judges = {folder: Judge(d, arguments.threads, pictures.pairs_in(folder), [], exact)
                        for folder in arguments.check}

    def __call__(self, model: onnx.ModelProto) -> bool:
        small = True
        for folder, judge in self._judges.items():
            loss, agreement = judge.measured(model)
            small = small and loss <= self._max_loss
            print(f"  {folder.name}, all {len(judge)}: IoU {judge.exact_iou:.4f} in FP32, "
                  f"{judge.exact_iou - loss:.4f} in INT8, loss {loss:.4f}; IoU with FP32 "
                  f"{agreement:.4f}", flush=True)
        return small


def evenly(items: list, count: int) -> list:
    """At most `count` of the items, evenly among them."""
    if len(items) <= count:
        return items
    return [items[index] for index in np.linspace(0, len(items) - 1, count).round().astype(int)]


def frames_of(arguments: argparse.Namespace) -> list[np.ndarray]:
    """The pictures that ranges are found with. UserError: there are none."""
    sources = len(arguments.video) + len(arguments.pictures)
    if sources == 0:
        raise UserError("give --video FILE of what you will segment, or --pictures DIR")
    each = math.ceil(arguments.frames / sources)
    frames = [frame for path in arguments.video for frame in pictures.video_frames(path, each)]
    for folder in arguments.pictures:
        frames += [read_rgb(pair.picture)
                   for pair in evenly(pictures.given_pictures(folder), each)]
    return frames


def written(d: Descriptor, model: onnx.ModelProto, folder: Path, name: str) -> None:
    """Puts the quantised model and its descriptor into their folder, after a check that ONNX
    Runtime takes it."""
    onnx.checker.check_model(model)
    graph.session(model)
    data = model.SerializeToString()
    graph.publish(data, folder / f"{name}.onnx")
    target = folder / f"{name}.yaml"
    graph.publish(descriptor.text_of(descriptor.with_digest(d, data)).encode(), target)
    print(f"wrote {target} and {name}.onnx, {len(data) / 1e6:.1f} MB; `vrseg run --model {target} "
          "--precision int8 ...` takes it")


def checked_arguments() -> argparse.Namespace:
    """The command line. UserError: numbers out of range."""
    arguments = parser_of().parse_args()
    if arguments.frames < 1 or arguments.search < 1 or arguments.sets < 1:
        raise UserError("--frames, --search and --sets are at least 1")
    if not 0 <= arguments.max_loss < 1:
        raise UserError("--max-loss is a difference of IoU, from 0 to less than 1")
    return arguments


def main() -> int:
    logging.getLogger().setLevel(logging.ERROR)  # ONNX Runtime's quantiser advises by the root
    onnxruntime.set_default_logger_severity(4)
    arguments = checked_arguments()
    description, weights = descriptor.find(arguments.model)
    d = descriptor.read(description)
    model = loaded(weights)
    found = layers(model, d.height, d.width)
    if not found:
        raise UserError(f"{weights}: has no layer that can be quantised "
                        f"({', '.join(OPERATORS)} with constant weights)")
    frames = frames_of(arguments)
    pairs = [pair for folder in arguments.check for pair in pictures.pairs_in(folder)]
    print(f"{weights.name}: {len(found)} layers, ranges by {len(frames)} pictures, "
          f"{arguments.method}", flush=True)
    quantiser = Quantiser(model, d, frames, arguments.method)
    some = Judge(d, arguments.threads, evenly(pairs, arguments.search),
                 evenly(frames, arguments.search), model)
    result = search(quantiser, some, sets_of(found, arguments.sets), arguments.max_loss,
                    Whole(d, arguments, model))
    name = arguments.name or f"{description.stem}-int8"
    d = replace(d, title=f"{d.title}, INT8"[:200],
                source=f"{d.source}; quantised by vrseg-quantize"[:250])
    written(d, result, arguments.out or weights.parent, name)
    return 0


if __name__ == "__main__":
    sys.exit(report("vrseg-quantize", main))
