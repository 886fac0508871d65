"""From a torch module to an ONNX file that every engine of vrseg takes: a free batch axis, resizing
by constant scales, operators of one opset, nothing computed at run time that is known before.

The TorchScript exporter is used, as it takes any module that can be traced; what it leaves of
computed sizes is replaced here by the numbers that ONNX Runtime finds.
"""

import os
import tempfile
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from errors import UserError

OPSET = 17
IR_VERSION = 8  # of the ONNX release that brought opset 17
INPUT, OUTPUT, BATCH = "input", "scores", "batch"
# Protobuf ends at 2 GB; vrseg reads files without external data.
MAX_BYTES = 2_000_000_000


def session(model: onnx.ModelProto | Path, threads: int = 0) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU, quiet, of a model or a file."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what fails is said in one sentence
    options.intra_op_num_threads = threads
    source = str(model) if isinstance(model, Path) else model.SerializeToString()
    try:
        return onnxruntime.InferenceSession(source, options, ["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's exceptions have no common base
        what = model if isinstance(model, Path) else "the exported network"
        raise UserError(f"{what}: ONNX Runtime cannot open it: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of an exception's text, cut where it is endless."""
    text = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return text if len(text) <= 300 else text[:300] + "..."


def export(network: nn.Module, height: int, width: int, free_batch: bool = True) -> onnx.ModelProto:
    """The network, in evaluation mode on the CPU, as a simplified ONNX model: `input` N x 3 x
    height x width to `scores` N x C x h x w. UserError: it cannot be traced or converted, or has
    another output."""
    network.eval()
    example = torch.zeros(2 if free_batch else 1, 3, height, width)
    axes = {INPUT: {0: BATCH}, OUTPUT: {0: BATCH}} if free_batch else None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "traced.onnx"
        try:
            with warnings.catch_warnings(), torch.no_grad():
                # About the exporter's age, and Python values that become constants: whether they
                # may is what the checks with other batches find out.
                warnings.simplefilter("ignore")
                torch.onnx.export(network, (example,), str(path), dynamo=False,
                                  opset_version=OPSET, input_names=[INPUT], output_names=[OUTPUT],
                                  dynamic_axes=axes)
        except Exception as error:  # whatever the user's own module raises
            raise UserError(f"the network cannot be exported: {first_line(error)}") from error
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"the network has {path.stat().st_size / 1e9:.1f} GB, and an ONNX file "
                            "ends at 2 GB")
        model = onnx.load(path)
    if len(model.graph.output) != 1:
        raise UserError(f"the network has {len(model.graph.output)} outputs, and vrseg-export "
                        "wants one, of N x classes x height x width")
    return finish(resize_by_scales(simplify(model), height, width))


def fixed_batch(batch: int, error: Exception) -> UserError:
    """What to do where an exported network does not run with some batch."""
    return UserError(f"the exported network does not run with a batch of {batch}, so it has the "
                     f"batch built in; export it with --fixed-batch: {first_line(error)}")


def simplify(model: onnx.ModelProto) -> onnx.ModelProto:
    """Folds constants and removes what does nothing."""
    import onnxslim  # only here: what does not export starts faster

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return onnxslim.slim(model)


def tensor_shapes(model: onnx.ModelProto, names: list[str], height: int,
                  width: int) -> dict[str, tuple[int, ...]]:
    """The shapes that the named tensors have for one view, found by running the model."""
    probe = onnx.ModelProto()
    probe.CopyFrom(model)
    there = {output.name for output in probe.graph.output}
    probe.graph.output.extend(helper.make_empty_tensor_value_info(name)
                              for name in names if name not in there)
    run = session(probe)
    picture = np.zeros((1, 3, height, width), np.float32)
    try:
        values = run.run(names, {run.get_inputs()[0].name: picture})
    except Exception as error:
        raise fixed_batch(1, error) from error
    return {name: value.shape for name, value in zip(names, values)}


def scale_of(before: int, after: int) -> float:
    """The factor, as FP32, that makes `before` into `after` pixels when the result is rounded
    down, as Resize does."""
    scale = np.float32(after / before)
    if int(np.floor(np.float32(before) * scale)) < after:
        scale = np.nextafter(scale, np.float32(np.inf))
    return float(scale)


def resize_by_scales(model: onnx.ModelProto, height: int, width: int) -> onnx.ModelProto:
    """Gives each Resize that has sizes, of which the batch is one, constant scales instead."""
    graph = model.graph
    resizes = [node for node in graph.node if node.op_type == "Resize" and len(node.input) > 3
               and node.input[3]]
    if not resizes:
        return model
    names = [name for node in resizes for name in (node.input[0], node.output[0])
             if name != graph.input[0].name]
    shapes = tensor_shapes(model, list(dict.fromkeys(names)), height, width)
    shapes.setdefault(graph.input[0].name, (1, 3, height, width))
    for number, node in enumerate(resizes):
        before, after = shapes[node.input[0]], shapes[node.output[0]]
        if len(before) != 4 or before[:2] != after[:2]:
            raise UserError(f"{node.name}: resizes {before} to {after}, and only height and width "
                            "can be resized")
        scales = [1.0, 1.0, scale_of(before[2], after[2]), scale_of(before[3], after[3])]
        name = f"scales_{number}"
        graph.initializer.append(numpy_helper.from_array(np.array(scales, np.float32), name))
        data = node.input[0]
        del node.input[:]
        node.input.extend([data, "", name])
    return simplify(model)


def finish(model: onnx.ModelProto) -> onnx.ModelProto:
    """Names the producer, writes the shapes of input and output plainly and checks the file."""
    graph = model.graph
    model.ir_version = IR_VERSION
    model.producer_name, model.producer_version = "vrseg-export", ""
    model.doc_string = graph.doc_string = ""
    for node in graph.node:
        node.doc_string = ""
    del model.metadata_props[:]
    dims = graph.input[0].type.tensor_type.shape.dim
    height, width = dims[2].dim_value, dims[3].dim_value
    shape = tensor_shapes(model, [graph.output[0].name], height, width)[graph.output[0].name]
    if len(shape) != 4 or shape[0] != 1:
        raise UserError(f"the network's output for one picture has shape {list(shape)}, and "
                        "1 x classes x height x width is wanted; wrap it in a module that returns "
                        "that")
    batch = dims[0].dim_param or dims[0].dim_value
    del graph.output[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT,
                                                      [batch, *shape[1:]]))
    onnx.checker.check_model(model)
    return model


def output_shape(model: onnx.ModelProto) -> tuple[int, int, int]:
    """Classes, height and width of what finish() left."""
    dims = model.graph.output[0].type.tensor_type.shape.dim
    return dims[1].dim_value, dims[2].dim_value, dims[3].dim_value


def publish(data: bytes, target: Path) -> None:
    """Writes a file whole or not at all: beside its place, to the disk, then renamed."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(name, 0o644)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
