#!/usr/bin/python3
"""Makes the small networks in operators/, a few operators each, and records what ONNX Runtime makes
of them: operators.txt says which results in which order, operators.bin holds their elements. The
graph's tests compare the interpreter with that.

The files are committed; this is how they came to be. It needs the packages onnx 1.23, onnxruntime
1.32 and numpy, in an environment of one's own.
"""

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
BATCH = 2
FLOAT, INT64, INT32, UINT8, INT8, BOOL, FLOAT16 = (
    TensorProto.FLOAT, TensorProto.INT64, TensorProto.INT32, TensorProto.UINT8, TensorProto.INT8,
    TensorProto.BOOL, TensorProto.FLOAT16)


@dataclass
class Case:
    """A network: nodes as (operator, inputs, outputs, attributes), `x` in and `y` out."""
    name: str
    nodes: list
    inputs: dict = field(default_factory=lambda: {"x": ["n", 4, 6, 7]})
    constants: dict = field(default_factory=dict)
    opset: int = 13
    outputs: tuple = ("y",)
    after: int = 0  # nodes that are left after all passes; 0: any number
    kinds: dict = field(default_factory=dict)  # types of inputs that are not floats
    external: bool = False  # its constants are in a file beside it


def pattern(shape: list, kind: int, which: int) -> np.ndarray:
    """Numbers that tests/graph/support.h makes, too."""
    numbers = (np.arange(int(np.prod(shape)), dtype=np.int64) * 7919 + 131 * which) % 257
    if kind == FLOAT:
        return ((numbers - 128) / 64).astype(np.float32).reshape(shape)
    if kind == UINT8:
        return (numbers % 256).astype(np.uint8).reshape(shape)
    if kind == INT8:
        return (numbers % 255 - 127).astype(np.int8).reshape(shape)
    if kind == BOOL:
        return (numbers % 2 == 1).reshape(shape)
    return (numbers % 7 - 3).astype({INT64: np.int64, INT32: np.int32}[kind]).reshape(shape)


def weights(*shape: int, which: int = 5) -> np.ndarray:
    """Floats for constants."""
    return pattern(list(shape), FLOAT, which) / 4


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float32)


def one(name: str, op: str, more: tuple = (), constants: dict | None = None, opset: int = 13,
        inputs: dict | None = None, outputs: tuple = ("y",), kinds: dict | None = None,
        after: int = 0, **attributes: object) -> Case:
    """A case of one node that reads x and `more`."""
    known = {"inputs": inputs} if inputs else {}
    return Case(name, [(op, ["x", *more], list(outputs), attributes)], constants=constants or {},
                opset=opset, outputs=outputs, kinds=kinds or {}, after=after, **known)


def elementwise() -> list[Case]:
    cases = [one(op.lower(), op) for op in (
        "Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "LeakyRelu", "Log",
        "Neg", "Reciprocal", "Relu", "Round", "Sigmoid", "Sign", "Sin", "Softplus", "Sqrt",
        "Tanh")]
    cases += [one(f"binary-{op.lower()}", op, ("b",), {"b": weights(4, 1, 1)}) for op in (
        "Add", "Sub", "Mul", "Div", "Min", "Max")]
    cases += [one(f"compare-{op.lower()}", op, ("b",), {"b": weights(6, 1)}) for op in (
        "Equal", "Less", "LessOrEqual", "Greater", "GreaterOrEqual")]
    two = {"x": ["n", 4, 1, 7], "b": ["n", 1, 6, 7]}
    cases += [
        one("binary-both", "Mul", ("b",), inputs=two),
        one("binary-integers", "Div", ("b",), {"b": ints(2, -3, 5, 1, -1, 7, 2)},
            kinds={"x": INT64}),
        one("mod-integers", "Mod", ("b",), {"b": ints(2, -3, 5, 1, -4, 7, 2)}, kinds={"x": INT64}),
        one("mod-floats", "Mod", ("b",), {"b": floats(0.5, -0.75, 2, 1, -1.5, 3, .25)}, fmod=1),
        one("pow", "Pow", ("b",), {"b": floats(2)}),
        one("pow-mixed", "Pow", ("b",), {"b": ints(3)}),
        one("sum-three", "Sum", ("b", "c"), {"b": weights(7), "c": weights(4, 6, 1)}),
        one("mean-three", "Mean", ("b", "c"), {"b": weights(7), "c": weights(4, 6, 1)}),
        one("max-three", "Max", ("b", "c"), {"b": weights(7), "c": weights(4, 6, 1)}),
        one("clip-relu6", "Clip", ("low", "high"), {"low": np.float32(0), "high": np.float32(1.5)}),
        one("clip-wrong-way", "Clip", ("low", "high"),
            {"low": np.float32(1), "high": np.float32(-1)}),
        one("clip-low", "Clip", ("low",), {"low": np.float32(-.5)}),
        one("clip-old", "Clip", opset=7, min=-.5, max=.75),
        one("clip-integers", "Clip", ("low", "high"), {"low": np.int64(-1), "high": np.int64(2)},
            kinds={"x": INT64}),
        one("leaky-relu", "LeakyRelu", alpha=.3),
        one("elu-alpha", "Elu", alpha=.7),
        one("hard-sigmoid", "HardSigmoid", alpha=.3, beta=.4),
        one("hard-swish", "HardSwish", opset=14),
        one("gelu", "Gelu", opset=20),
        one("mish", "Mish", opset=18),
        one("prelu-channels", "PRelu", ("s",), {"s": weights(4, 1, 1)}),
        one("prelu-one", "PRelu", ("s",), {"s": weights(1)}),
        one("prelu-columns", "PRelu", ("s",), {"s": weights(7)}),
        one("not", "Not", kinds={"x": BOOL}),
        one("logic", "And", ("b",), {"b": pattern([6, 7], BOOL, 2)}, kinds={"x": BOOL}),
        one("xor", "Xor", ("b",), {"b": pattern([6, 7], BOOL, 2)}, kinds={"x": BOOL}),
        Case("where", [("Greater", ["x", "zero"], ["c"], {}),
                       ("Where", ["c", "x", "b"], ["y"], {})],
             constants={"zero": np.float32(.25), "b": weights(6, 1)}),
        one("cast-integers", "Cast", to=INT32),
        one("cast-bytes", "Cast", to=FLOAT, kinds={"x": UINT8}),
        one("cast-truth", "Cast", to=BOOL),
        Case("half", [("Cast", ["h"], ["w"], {"to": FLOAT}), ("Mul", ["x", "w"], ["y"], {})],
             constants={"h": np.array([1, 6.1e-5, 3e-7, -65504, 0, -.1, 2.5], np.float16)},
             after=1),
    ]
    return cases


def windows() -> list[Case]:
    w33 = {"w": weights(6, 4, 3, 3), "b": weights(6, which=9)}
    up = {"w": weights(4, 3, 3, 2), "b": weights(3, which=9)}
    cases = [
        one("conv", "Conv", ("w", "b"), w33, pads=[1, 1, 1, 1]),
        one("conv-no-bias", "Conv", ("w",), {"w": weights(5, 4, 1, 1)}),
        one("conv-stride", "Conv", ("w", "b"), w33, pads=[0, 1, 2, 1], strides=[2, 3]),
        one("conv-dilated", "Conv", ("w", "b"), w33, pads=[2, 4, 2, 4], dilations=[2, 4]),
        one("conv-grouped", "Conv", ("w", "b"), {"w": weights(6, 2, 3, 3), "b": weights(6)},
            group=2, pads=[1, 1, 1, 1]),
        one("conv-depthwise", "Conv", ("w",), {"w": weights(8, 1, 3, 5)}, group=4,
            pads=[1, 2, 1, 2]),
        one("conv-same-upper", "Conv", ("w",), {"w": weights(2, 4, 4, 3)}, auto_pad="SAME_UPPER",
            strides=[2, 2]),
        one("conv-same-lower", "Conv", ("w",), {"w": weights(2, 4, 4, 3)}, auto_pad="SAME_LOWER",
            strides=[2, 2]),
        one("conv-valid", "Conv", ("w",), {"w": weights(2, 4, 2, 3)}, auto_pad="VALID"),
        one("conv-large", "Conv", ("w", "b"),
            {"w": weights(5, 40, 3, 3) / 8, "b": weights(5)}, inputs={"x": ["n", 40, 15, 17]},
            pads=[1, 1, 1, 1], strides=[4, 1]),
        one("up", "ConvTranspose", ("w", "b"), up, strides=[2, 2]),
        one("up-pads", "ConvTranspose", ("w", "b"), up, strides=[2, 3], pads=[1, 0, 1, 1],
            output_padding=[1, 0]),
        one("up-grouped", "ConvTranspose", ("w",), {"w": weights(4, 3, 2, 2)}, group=2,
            strides=[2, 2], dilations=[1, 2]),
        one("up-shape", "ConvTranspose", ("w",), {"w": weights(4, 3, 3, 3)}, strides=[2, 2],
            output_shape=[12, 14]),
        one("up-same", "ConvTranspose", ("w",), {"w": weights(4, 3, 3, 3)}, strides=[2, 2],
            auto_pad="SAME_UPPER"),
        one("max-pool", "MaxPool", kernel_shape=[3, 2], strides=[2, 2], pads=[1, 0, 1, 1]),
        one("max-pool-ceil", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
        one("max-pool-dilated", "MaxPool", kernel_shape=[2, 3], dilations=[2, 2], strides=[1, 1]),
        one("max-pool-same", "MaxPool", kernel_shape=[3, 3], strides=[2, 2],
            auto_pad="SAME_UPPER"),
        one("average-pool", "AveragePool", kernel_shape=[3, 3], strides=[2, 2],
            pads=[1, 1, 1, 1]),
        one("average-pool-pads", "AveragePool", kernel_shape=[3, 3], strides=[2, 2],
            pads=[1, 1, 1, 1], count_include_pad=1),
        one("average-pool-ceil", "AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1),
        one("global-average", "GlobalAveragePool"),
        one("global-max", "GlobalMaxPool"),
        one("batch-norm", "BatchNormalization", ("s", "b", "m", "v"),
            {"s": weights(4), "b": weights(4, which=2), "m": weights(4, which=3),
             "v": np.abs(weights(4, which=4)) + np.float32(.1)}, epsilon=1e-3),
        one("instance-norm", "InstanceNormalization", ("s", "b"),
            {"s": weights(4), "b": weights(4, which=2)}),
        one("instance-norm-rows", "InstanceNormalization", ("s", "b"),
            {"s": weights(4), "b": weights(4, which=2)}, inputs={"x": ["n", 4, 9]}),
        one("layer-norm", "LayerNormalization", ("s", "b"),
            {"s": weights(7), "b": weights(7, which=2)}, opset=17),
        one("layer-norm-two", "LayerNormalization", ("s",), {"s": weights(6, 7)}, opset=17, axis=2,
            epsilon=1e-2),
    ]
    return cases


def resizes() -> list[Case]:
    cases = []
    coordinates = ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric")
    for coordinate in coordinates:
        for name, scales in (("up", (1, 1, 2, 1.5)), ("down", (1, 1, .6, .5))):
            cases.append(one(f"resize-{coordinate.replace('_', '-')}-{name}", "Resize",
                             ("", "s"), {"s": floats(*scales)}, mode="linear",
                             coordinate_transformation_mode=coordinate))
    for nearest in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"):
        for coordinate in ("half_pixel", "asymmetric"):
            cases.append(one(f"resize-{nearest.replace('_', '-')}-{coordinate[:4]}", "Resize",
                             ("", "s"), {"s": floats(1, 1, 2.5, .7)}, mode="nearest",
                             nearest_mode=nearest, coordinate_transformation_mode=coordinate))
    cases += [
        one("resize-tf-nearest", "Resize", ("r", "s"), {"r": floats(), "s": floats(1, 1, 2, 1.5)},
            opset=11, mode="nearest", coordinate_transformation_mode="tf_half_pixel_for_nn"),
        one("resize-symmetric", "Resize", ("", "s"), {"s": floats(1, 1, .6, 1.7)}, opset=19,
            mode="linear", coordinate_transformation_mode="half_pixel_symmetric"),
        one("resize-crop", "Resize", ("r", "", "z"),
            {"r": floats(0, 0, .2, .1, 1, 1, 1.2, .9), "z": ints(BATCH, 4, 9, 5)}, mode="linear",
            inputs={"x": [BATCH, 4, 6, 7]}, coordinate_transformation_mode="tf_crop_and_resize",
            extrapolation_value=-3.0),
        one("resize-sizes", "Resize", ("", "", "z"), {"z": ints(BATCH, 4, 13, 4)}, mode="linear",
            inputs={"x": [BATCH, 4, 6, 7]}, coordinate_transformation_mode="half_pixel"),
        one("resize-axes", "Resize", ("", "", "z"), {"z": ints(11, 9)}, opset=18, mode="linear",
            axes=[2, 3]),
        one("resize-not-larger", "Resize", ("", "", "z"), {"z": ints(13, 9)}, opset=18,
            mode="linear", axes=[2, 3], keep_aspect_ratio_policy="not_larger"),
        one("resize-ten", "Resize", ("s",), {"s": floats(1, 1, 2, 3)}, opset=10, mode="linear"),
        one("upsample-nine", "Upsample", ("s",), {"s": floats(1, 1, 2, 3)}, opset=9,
            mode="nearest"),
        one("upsample-seven", "Upsample", opset=7, mode="linear", scales=[1.0, 1.0, 2.0, 2.0]),
        one("resize-nothing", "Resize", ("", "s"), {"s": floats(1, 1, 1, 1)}, mode="linear",
            coordinate_transformation_mode="half_pixel"),
    ]
    return cases


def moves() -> list[Case]:
    sizes = ("Resize", ["x", "", "", "sizes"], ["y"], {"mode": "nearest"})
    return [
        Case("concat", [("Concat", ["x", "b", "x"], ["y"], {"axis": 1})],
             inputs={"x": ["n", 4, 6, 7], "b": ["n", 2, 6, 7]}),
        one("split-equal", "Split", outputs=("y", "z"), axis=1),
        one("split-sizes", "Split", ("s",), {"s": ints(1, 3, 2)}, outputs=("y", "z", "w"), axis=2),
        one("split-old", "Split", opset=11, outputs=("y", "z"), axis=-1, split=[5, 2]),
        one("split-uneven", "Split", opset=18, outputs=("y", "z", "w"), axis=3, num_outputs=3),
        one("slice", "Slice", ("a", "b", "c", "d"),
            {"a": ints(1, -1), "b": ints(100, -100), "c": ints(2, 3), "d": ints(2, -3)}),
        one("slice-default", "Slice", ("a", "b"), {"a": ints(0, 1), "b": ints(9, 3)}),
        one("slice-old", "Slice", opset=9, starts=[1, -3], ends=[4, 7], axes=[1, 3]),
        one("pad", "Pad", ("p", "v"), {"p": ints(0, 0, 1, 2, 0, 1, 0, 3), "v": np.float32(-1)}),
        one("pad-reflect", "Pad", ("p",), {"p": ints(0, 0, 2, 3, 0, 0, 4, 1)}, mode="reflect"),
        one("pad-edge", "Pad", ("p",), {"p": ints(0, 0, 2, 3, 0, 0, 4, 1)}, mode="edge"),
        one("pad-cut", "Pad", ("p",), {"p": ints(0, 0, -1, 3, 0, 0, -2, -1)}),
        one("pad-axes", "Pad", ("p", "", "a"), {"p": ints(1, 2, 3, 4), "a": ints(3, 2)},
            opset=18),
        one("pad-old", "Pad", opset=9, pads=[0, 0, 1, 2, 0, 0, 3, 4], value=.5),
        one("reshape", "Reshape", ("s",), {"s": ints(0, 2, -1, 7)}),
        one("flatten", "Flatten", axis=2),
        Case("squeeze", [("Unsqueeze", ["x", "a"], ["u"], {}),
                         ("Transpose", ["u"], ["t"], {"perm": [0, 2, 1, 4, 3, 5]}),
                         ("Squeeze", ["t", "b"], ["y"], {})],
             constants={"a": ints(1, -1), "b": ints(2, 5)}),
        Case("squeeze-old", [("Unsqueeze", ["x"], ["u"], {"axes": [1]}),
                             ("Squeeze", ["u"], ["y"], {"axes": [1]})], opset=11),
        one("transpose", "Transpose", perm=[0, 2, 3, 1]),
        Case("transpose-twice", [("Transpose", ["x"], ["t"], {"perm": [0, 2, 3, 1]}),
                                 ("Relu", ["t"], ["r"], {}),
                                 ("Transpose", ["r"], ["u"], {"perm": [0, 3, 1, 2]}),
                                 ("Transpose", ["u"], ["y"], {"perm": [0, 2, 3, 1]})], after=2),
        one("expand", "Expand", ("s",), {"s": ints(5, 1, 4, 1, 7)}, inputs={"x": ["n", 1, 3, 1]}),
        one("tile", "Tile", ("r",), {"r": ints(1, 2, 1, 3)}),
        one("gather", "Gather", ("i",), {"i": np.array([[1, -1], [0, 2]], np.int64)}, axis=2,
            inputs={"x": ["n", 4, 6]}),
        one("gather-scalar", "Gather", ("i",), {"i": np.int64(-2)}, axis=1),
        one("depth-to-space", "DepthToSpace", blocksize=2, inputs={"x": ["n", 8, 3, 2]}),
        one("depth-to-space-crd", "DepthToSpace", blocksize=2, mode="CRD",
            inputs={"x": ["n", 8, 3, 2]}),
        one("space-to-depth", "SpaceToDepth", blocksize=3, inputs={"x": ["n", 2, 6, 3]}),
        # What exporters write where a size is free: the shape is computed.
        Case("shape-reshape", [("Shape", ["x"], ["s"], {}),
                               ("Gather", ["s", "zero"], ["n"], {"axis": 0}),
                               ("Unsqueeze", ["n", "axes"], ["m"], {}),
                               ("Concat", ["m", "rest"], ["t"], {"axis": 0}),
                               ("Reshape", ["x", "t"], ["y"], {})],
             constants={"zero": np.int64(0), "axes": ints(0), "rest": ints(-1, 7)}, after=1),
        Case("shape-resize", [("Shape", ["x"], ["s"], {}),
                              ("Slice", ["s", "zero", "two", "zero"], ["n"], {}),
                              ("Slice", ["s", "two", "four", "zero"], ["h"], {}),
                              ("Mul", ["h", "two"], ["d"], {}),
                              ("Concat", ["n", "d"], ["sizes"], {"axis": 0}), sizes],
             constants={"zero": ints(0), "two": ints(2), "four": ints(4)}, after=1),
        # The shape of one addend makes the other: the addition must not become the first's own.
        Case("shape-residual", [("Conv", ["x", "w"], ["c"], {}), ("Shape", ["c"], ["s"], {}),
                                ("MaxPool", ["x"], ["p"], {"kernel_shape": [2, 2]}),
                                ("Resize", ["p", "", "", "s"], ["r"], {"mode": "nearest"}),
                                ("Add", ["c", "r"], ["y"], {})],
             constants={"w": weights(4, 4, 1, 1)}, after=4),
        Case("shape-data", [("Shape", ["x"], ["s"], {}), ("Cast", ["s"], ["f"], {"to": FLOAT}),
                            ("Mul", ["x", "f"], ["y"], {})], inputs={"x": ["n", 3, 2, 4]}),
        Case("shape-fill", [("Shape", ["x"], ["s"], {"start": 0, "end": 2}),
                            ("ConstantOfShape", ["s"], ["c"],
                             {"value": numpy_helper.from_array(floats(.75))}),
                            ("Unsqueeze", ["c", "axes"], ["u"], {}),
                            ("Add", ["x", "u"], ["y"], {})],
             constants={"axes": ints(2, 3)}, opset=15),
        Case("size", [("Size", ["x"], ["s"], {}), ("Cast", ["s"], ["f"], {"to": FLOAT}),
                      ("Div", ["x", "f"], ["y"], {})]),
        Case("constants", [("Constant", [], ["c"], {"value_floats": [1.0, 2.0, 3.0]}),
                           ("Constant", [], ["d"], {"value_float": .5}),
                           ("Mul", ["c", "d"], ["e"], {}), ("Add", ["x", "e"], ["y"], {})],
             inputs={"x": ["n", 3]}, after=1),
    ]


def reductions() -> list[Case]:
    matrix = {"x": ["n", 5]}
    cases = [one(f"reduce-{op.lower()}", f"Reduce{op}", axes=[1, 3], keepdims=0)
             for op in ("Mean", "Max", "Min", "Prod", "L2")]
    cases += [
        one("reduce-sum", "ReduceSum", ("a",), {"a": ints(-1, 1)}),
        one("reduce-all", "ReduceMean", keepdims=1, inputs={"x": [BATCH, 4, 3]}),
        one("reduce-eighteen", "ReduceMax", ("a",), {"a": ints(2)}, opset=18, keepdims=0),
        one("reduce-nothing", "ReduceSum", noop_with_empty_axes=1),
        one("argmax", "ArgMax", axis=1),
        one("argmax-last", "ArgMax", axis=-1, keepdims=0, select_last_index=1),
        one("argmin", "ArgMin", axis=2, keepdims=0),
        one("softmax", "Softmax", axis=1),
        one("softmax-old", "Softmax", axis=2, opset=11),
        one("log-softmax", "LogSoftmax", axis=-1),
        one("matmul", "MatMul", ("b",), {"b": weights(7, 5)}),
        one("matmul-both", "MatMul", ("b",), inputs={"x": ["n", 1, 3, 4], "b": ["n", 2, 4, 5]}),
        one("gemm", "Gemm", ("b", "c"), {"b": weights(3, 5), "c": weights(3)}, inputs=matrix,
            transB=1, alpha=.5, beta=2.0),
        one("gemm-plain", "Gemm", ("b",), {"b": weights(5, 3)}, inputs=matrix),
        one("quantize", "QuantizeLinear", ("s", "z"),
            {"s": np.float32(.0125), "z": np.uint8(120)}),
        one("quantize-channels", "QuantizeLinear", ("s", "z"),
            {"s": floats(.01, .02, .03, .5), "z": np.zeros(4, np.int8)}, axis=1),
        one("dequantize", "DequantizeLinear", ("s", "z"),
            {"s": np.float32(.0125), "z": np.uint8(120)}, kinds={"x": UINT8}),
        one("dequantize-channels", "DequantizeLinear", ("s", "z"),
            {"s": floats(.01, .02, .03, .5), "z": np.array([1, -2, 3, 0], np.int8)}, axis=1,
            kinds={"x": INT8}),
    ]
    return cases


def patterns() -> list[Case]:
    """Several nodes that the passes make one of."""
    w = {"w": weights(4, 4, 3, 3), "b": weights(4, which=8)}
    conv = ("Conv", ["x", "w", "b"], ["c"], {"pads": [1, 1, 1, 1]})
    norm = {"s": weights(4), "h": weights(4, which=2), "m": weights(4, which=3),
            "v": np.abs(weights(4, which=4)) + np.float32(.1)}
    three, six = {"three": np.float32(3)}, {"six": np.float32(6), "zero": np.float32(0)}
    scale = {"sx": np.float32(.02), "zx": np.uint8(128), "sy": np.float32(.05),
             "zy": np.uint8(100)}
    eight = {"q": pattern([3, 4, 3, 3], INT8, 4), "sw": floats(.01, .02, .005),
             "zw": np.zeros(3, np.int8), "qb": np.array([50, -70, 9], np.int32),
             "sb": floats(.0002, .0004, .0001), "zb": np.zeros(3, np.int32)}
    return [
        Case("fuse-norm", [conv, ("BatchNormalization", ["c", "s", "h", "m", "v"], ["n"], {}),
                           ("Relu", ["n"], ["y"], {})], constants=w | norm, after=1),
        Case("external", [conv, ("Mul", ["c", "h"], ["y"], {})],
             constants=w | {"h": floats(1, -2, .5, 3).reshape(4, 1, 1)}, external=True),
        Case("fuse-pad", [("Pad", ["x", "around"], ["p"], {}),
                          ("Conv", ["p", "w", "b"], ["c"], {"pads": [0, 1, 1, 0]}),
                          ("Relu", ["c"], ["y"], {})],
             constants=w | {"around": ints(0, 0, 1, 0, 0, 0, 2, 3)}, after=1),
        Case("fuse-pad-not", [("Pad", ["x", "around", "one"], ["p"], {}),
                              ("Conv", ["p", "w", "b"], ["y"], {})],
             constants=w | {"around": ints(0, 0, 1, 0, 0, 0, 2, 3), "one": np.float32(1)},
             after=2),
        Case("fuse-norm-up", [("ConvTranspose", ["x", "w"], ["c"], {"group": 2}),
                              ("BatchNormalization", ["c", "s", "h", "m", "v"], ["n"], {}),
                              ("Clip", ["n", "zero", "six"], ["y"], {})],
             constants={"w": weights(4, 2, 2, 2)} | norm | six, after=1),
        Case("fuse-scale", [conv, ("Mul", ["c", "k"], ["m"], {}), ("Sub", ["m", "j"], ["d"], {}),
                            ("Div", ["d", "six"], ["y"], {})],
             constants=w | six | {"k": weights(1, 4, 1, 1), "j": weights(4, 1, 1)}, after=1),
        Case("fuse-residual", [conv, ("Conv", ["c", "w", "b"], ["d"], {"pads": [1, 1, 1, 1]}),
                               ("Add", ["d", "x"], ["a"], {}), ("Relu", ["a"], ["y"], {})],
             constants=w, after=2),
        Case("fuse-residual-two", [conv, ("Conv", ["x", "w"], ["d"], {"pads": [1, 1, 1, 1]}),
                                   ("Add", ["c", "d"], ["a"], {}),
                                   ("LeakyRelu", ["a"], ["y"], {"alpha": .2})], constants=w,
             after=2),
        Case("fuse-read-twice", [conv, ("Relu", ["c"], ["r"], {}), ("Add", ["c", "r"], ["y"], {})],
             constants=w, after=3),
        Case("fuse-output", [conv, ("Relu", ["c"], ["y"], {})], constants=w, after=2,
             outputs=("y", "c")),
        Case("fuse-hard-swish", [conv, ("Add", ["c", "three"], ["a"], {}),
                                 ("Clip", ["a", "zero", "six"], ["l"], {}),
                                 ("Mul", ["c", "l"], ["m"], {}), ("Div", ["m", "six"], ["y"], {})],
             constants=w | three | six, after=1),
        Case("fuse-hard-swish-two", [conv, ("Add", ["three", "c"], ["a"], {}),
                                     ("Clip", ["a", "zero", "six"], ["l"], {}),
                                     ("Mul", ["l", "sixth"], ["m"], {}),
                                     ("Mul", ["m", "c"], ["y"], {})],
             constants=w | three | six | {"sixth": np.float32(1 / 6)}, after=1),
        Case("fuse-hard-sigmoid", [conv, ("Add", ["c", "three"], ["a"], {}),
                                   ("Clip", ["a", "zero", "six"], ["l"], {}),
                                   ("Div", ["l", "six"], ["y"], {})],
             constants=w | three | six, after=1),
        Case("fuse-silu", [conv, ("Sigmoid", ["c"], ["s"], {}), ("Mul", ["c", "s"], ["y"], {})],
             constants=w, after=1),
        Case("fuse-prelu", [conv, ("PRelu", ["c", "k"], ["y"], {})],
             constants=w | {"k": weights(4, 1, 1)}, after=1),
        Case("fuse-gate", [conv, ("GlobalAveragePool", ["c"], ["g"], {}),
                           ("Sigmoid", ["g"], ["s"], {}), ("Mul", ["c", "s"], ["y"], {})],
             constants=w, after=4),
        Case("identity", [("Identity", ["x"], ["i"], {}), ("Dropout", ["i"], ["d"], {}),
                          ("Reshape", ["d", "same"], ["r"], {}), ("Identity", ["r"], ["y"], {})],
             constants={"same": ints(0, 4, 6, 7)}),
        Case("arena", [("Relu", ["x"], ["a"], {}), ("Sigmoid", ["a"], ["b"], {}),
                       ("Tanh", ["b"], ["c"], {}), ("Abs", ["c"], ["d"], {}),
                       ("Exp", ["d"], ["left"], {}), ("Neg", ["left"], ["right"], {}),
                       ("Concat", ["left", "right"], ["joined"], {"axis": 1}),
                       ("Reshape", ["joined", "flat"], ["f"], {}), ("Abs", ["f"], ["g"], {}),
                       ("Sqrt", ["g"], ["y"], {})], constants={"flat": ints(0, 8, 42)}),
        Case("eight-bits", [("QuantizeLinear", ["x", "sx", "zx"], ["xq"], {}),
                            ("DequantizeLinear", ["xq", "sx", "zx"], ["xf"], {}),
                            ("DequantizeLinear", ["q", "sw", "zw"], ["wf"], {"axis": 0}),
                            ("DequantizeLinear", ["qb", "sb", "zb"], ["bf"], {"axis": 0}),
                            ("Conv", ["xf", "wf", "bf"], ["c"], {"pads": [1, 1, 1, 1]}),
                            ("Relu", ["c"], ["r"], {}),
                            ("QuantizeLinear", ["r", "sy", "zy"], ["yq"], {}),
                            ("DequantizeLinear", ["yq", "sy", "zy"], ["y"], {})],
             constants=scale | eight, after=6),
    ]


def build(case: Case) -> onnx.ModelProto:
    """A checked model."""
    nodes = [helper.make_node(op, inputs, outputs, name=f"{op}_{i}", **attributes)
             for i, (op, inputs, outputs, attributes) in enumerate(case.nodes)]
    inputs = [helper.make_tensor_value_info(name, case.kinds.get(name, FLOAT), shape)
              for name, shape in case.inputs.items()]
    outputs = [onnx.ValueInfoProto(name=name) for name in case.outputs]
    constants = [numpy_helper.from_array(np.asarray(data), name)
                 for name, data in case.constants.items()]
    graph = helper.make_graph(nodes, case.name, inputs, outputs, constants)
    model = helper.make_model(graph, producer_name="vrseg",
                              opset_imports=[helper.make_opsetid("", case.opset)])
    model.ir_version = 8
    model = onnx.shape_inference.infer_shapes(model)
    return model


def move_out(model: onnx.ModelProto, place: Path) -> None:
    """Puts the constants of a model into a file of their own, one after the other."""
    data = b""
    for tensor in model.graph.initializer:
        onnx.external_data_helper.set_external_data(tensor, place.name, len(data),
                                                    len(tensor.raw_data))
        data += tensor.raw_data
        tensor.ClearField("raw_data")
    place.write_bytes(data)


def record(case: Case, path: Path) -> tuple[list[str], bytes]:
    """The lines of a case, its figures and each output's type and dims, and all elements."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(str(path), options)
    fed = {}
    for which, (name, shape) in enumerate(case.inputs.items()):
        sizes = [BATCH if size == "n" else size for size in shape]
        fed[name] = pattern(sizes, case.kinds.get(name, FLOAT), which)
    free = any("n" in shape for shape in case.inputs.values())
    lines = [f"{case.name} {BATCH if free else 1} {case.after} {len(case.outputs)}"]
    elements = b""
    for name, value in zip(case.outputs, session.run(list(case.outputs), fed)):
        lines.append(f"{name} {value.dtype} {' '.join(map(str, value.shape))}".rstrip())
        elements += value.tobytes()
    return lines, elements


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR",
                        help="where the files go (default: beside this script)")
    out = parser.parse_args().out
    (out / "operators").mkdir(exist_ok=True)
    lines, elements = [], b""
    for case in [*elementwise(), *windows(), *resizes(), *moves(), *reductions(), *patterns()]:
        model = build(case)
        path = out / "operators" / f"{case.name}.onnx"
        if case.external:
            move_out(model, path.with_suffix(".bin"))
        path.write_bytes(model.SerializeToString(deterministic=True))
        more = record(case, path)
        lines += more[0]
        elements += more[1]
    (out / "operators.txt").write_text("\n".join(lines) + "\n", encoding="ascii")
    (out / "operators.bin").write_bytes(elements)


if __name__ == "__main__":
    main()
