#!/usr/bin/python3
"""Makes the tiny networks beside this script, whose results the engine's tests know exactly.

The files are committed; this is how they came to be. It needs the package onnx, so it runs in the
environment of the tools.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT = 6, 4
# Two classes out of R, G and B. Powers of two, so that every product and sum is exact.
WEIGHTS = [[0.5, -0.25, 2.0], [1.0, 4.0, -0.125]]
BIASES = [1.0, -2.0]


def value(name: str, shape: list, kind: int = TensorProto.FLOAT) -> onnx.ValueInfoProto:
    """A graph's input or output."""
    return helper.make_tensor_value_info(name, kind, shape)


def convolution(source: str, result: str, weights: list, biases: list,
                prefix: str = "") -> tuple[onnx.NodeProto, list]:
    """A 1x1 convolution and its two constants."""
    shaped = np.array(weights, np.float32)[:, :, np.newaxis, np.newaxis]
    constants = [numpy_helper.from_array(shaped, prefix + "weights"),
                 numpy_helper.from_array(np.array(biases, np.float32), prefix + "biases")]
    node = helper.make_node("Conv", [source, *(c.name for c in constants)], [result])
    return node, constants


def model(nodes: list, inputs: list, outputs: list, constants: list) -> onnx.ModelProto:
    """A checked model of opset 13."""
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    result = helper.make_model(graph, producer_name="vrseg",
                               opset_imports=[helper.make_opsetid("", 13)])
    result.ir_version = 7
    onnx.checker.check_model(result, full_check=True)
    return result


def tiny(weights: list) -> onnx.ModelProto:
    """NCHW, free batch axis, a convolution."""
    node, constants = convolution("picture", "scores", weights, BIASES)
    return model([node], [value("picture", ["n", 3, HEIGHT, WIDTH])],
                 [value("scores", ["n", 2, HEIGHT, WIDTH])], constants)


def tiny_nhwc() -> onnx.ModelProto:
    """The same with NHWC on both sides, and any size."""
    node, constants = convolution("planes", "result", WEIGHTS, BIASES)
    return model([helper.make_node("Transpose", ["picture"], ["planes"], perm=[0, 3, 1, 2]), node,
                  helper.make_node("Transpose", ["result"], ["scores"], perm=[0, 2, 3, 1])],
                 [value("picture", [1, "h", "w", 3])], [value("scores", [1, "h", "w", 2])],
                 constants)


def tiny_state() -> onnx.ModelProto:
    """Two states: `sum` adds the picture's first channel up, frame after frame; `half` halves
    itself and adds the mean of 2x2 pixels. The score is the new sum."""
    node, constants = convolution("picture", "first", [[1.0, 0.0, 0.0]], [0.0])
    constants.append(numpy_helper.from_array(np.array(0.5, np.float32), "half"))
    nodes = [
        node,
        helper.make_node("Add", ["first", "sum_in"], ["sum_out"]),
        helper.make_node("Identity", ["sum_out"], ["scores"]),
        helper.make_node("AveragePool", ["first"], ["small"], kernel_shape=[2, 2], strides=[2, 2],
                         ceil_mode=1),
        helper.make_node("Mul", ["half_in", "half"], ["halved"]),
        helper.make_node("Add", ["halved", "small"], ["half_out"]),
    ]
    inputs = [value("picture", [1, 3, "h", "w"]), value("sum_in", [1, 1, "h", "w"]),
              value("half_in", [1, 1, "h2", "w2"])]
    outputs = [value("scores", [1, 1, "h", "w"]), value("sum_out", [1, 1, "h", "w"]),
               value("half_out", [1, 1, "h2", "w2"])]
    return model(nodes, inputs, outputs, constants)


def tiny_int8() -> onnx.ModelProto:
    """The convolution quantised: bytes in, weights of eighths, scores in steps of 4."""
    shaped = np.array(WEIGHTS, np.float32)[:, :, np.newaxis, np.newaxis]
    constants = [
        numpy_helper.from_array((shaped * 8).astype(np.int8), "weights_q"),
        numpy_helper.from_array(np.array([1 / 8] * 2, np.float32), "weights_scale"),
        numpy_helper.from_array(np.zeros(2, np.int8), "weights_zero"),
        numpy_helper.from_array((np.array(BIASES) * 8).astype(np.int32), "biases_q"),
        numpy_helper.from_array(np.zeros(2, np.int32), "biases_zero"),
        numpy_helper.from_array(np.array(1, np.float32), "one"),
        numpy_helper.from_array(np.array(4, np.float32), "four"),
        numpy_helper.from_array(np.array(0, np.uint8), "zero"),
        numpy_helper.from_array(np.array(100, np.uint8), "hundred"),
    ]
    nodes = [
        helper.make_node("QuantizeLinear", ["picture", "one", "zero"], ["picture_q"]),
        helper.make_node("DequantizeLinear", ["picture_q", "one", "zero"], ["picture_f"]),
        helper.make_node("DequantizeLinear", ["weights_q", "weights_scale", "weights_zero"],
                         ["weights"], axis=0),
        helper.make_node("DequantizeLinear", ["biases_q", "weights_scale", "biases_zero"],
                         ["biases"], axis=0),
        helper.make_node("Conv", ["picture_f", "weights", "biases"], ["result"]),
        helper.make_node("QuantizeLinear", ["result", "four", "hundred"], ["result_q"]),
        helper.make_node("DequantizeLinear", ["result_q", "four", "hundred"], ["scores"]),
    ]
    return model(nodes, [value("picture", ["n", 3, HEIGHT, WIDTH])],
                 [value("scores", ["n", 2, HEIGHT, WIDTH])], constants)


def tiny_up() -> onnx.ModelProto:
    """Twice the size, by a transposed convolution: every pixel becomes four, each class of its own
    sum."""
    shaped = np.array(WEIGHTS, np.float32).T[:, :, np.newaxis, np.newaxis]
    constants = [numpy_helper.from_array(np.tile(shaped, (1, 1, 2, 2)), "weights"),
                 numpy_helper.from_array(np.array(BIASES, np.float32), "biases")]
    node = helper.make_node("ConvTranspose", ["picture", "weights", "biases"], ["scores"],
                            kernel_shape=[2, 2], strides=[2, 2])
    return model([node], [value("picture", ["n", 3, HEIGHT, WIDTH])],
                 [value("scores", ["n", 2, 2 * HEIGHT, 2 * WIDTH])], constants)


def tiny_integer() -> onnx.ModelProto:
    """Its output is of whole numbers, which vrseg refuses."""
    node, constants = convolution("picture", "result", WEIGHTS, BIASES)
    cast = helper.make_node("Cast", ["result"], ["scores"], to=TensorProto.INT32)
    return model([node, cast], [value("picture", [1, 3, HEIGHT, WIDTH])],
                 [value("scores", [1, 2, HEIGHT, WIDTH], TensorProto.INT32)], constants)


def tiny_two_outputs() -> onnx.ModelProto:
    """Two outputs: a descriptor must name the one that is meant."""
    first, constants = convolution("picture", "scores", WEIGHTS, BIASES)
    second, more = convolution("picture", "features", WEIGHTS[::-1], BIASES, "second_")
    return model([first, second], [value("picture", [1, 3, HEIGHT, WIDTH])],
                 [value("scores", [1, 2, HEIGHT, WIDTH]),
                  value("features", [1, 2, HEIGHT, WIDTH])], constants + more)


class Chain:
    """Nodes one after the other, with random weights in eighths."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(7)
        self.nodes: list = []
        self.constants: list = []

    def constant(self, array: np.ndarray) -> str:
        """A new constant's name."""
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def weights(self, *shape: int) -> str:
        """Random numbers of -1/2 to 1/2."""
        return self.constant(self.random.integers(-4, 5, shape).astype(np.float32) / 8)

    def add(self, op: str, inputs: list, outputs: int = 1, **attributes: object) -> list:
        """A node; the names of its results."""
        names = [f"v{len(self.nodes)}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(op, inputs, names, f"{op}_{len(self.nodes)}",
                                           **attributes))
        return names

    def one(self, op: str, *inputs: str, **attributes: object) -> str:
        """A node of one result."""
        return self.add(op, list(inputs), **attributes)[0]

    def conv(self, x: str, ins: int, outs: int, kernel: int = 1, **attributes: object) -> str:
        """A convolution that keeps the size unless it has a stride."""
        pad = attributes.pop("pad", kernel // 2)
        group = attributes.get("group", 1)
        return self.one("Conv", x, self.weights(outs, ins // group, kernel, kernel),
                        self.weights(outs), pads=[pad] * 4, **attributes)


def ops_first(c: Chain) -> str:
    """8 channels of 8 x 12 from the picture of 16 x 24: convolutions of every kind."""
    x = c.one("Relu", c.conv("picture", 3, 12, 3, strides=[2, 2]))
    x = c.one("MaxPool", x, kernel_shape=[3, 3], strides=[1, 1], pads=[1] * 4)
    x = c.one("Clip", c.conv(x, 12, 12, 3, group=12), c.constant(np.array(0, np.float32)),
              c.constant(np.array(6, np.float32)))
    x = c.one("HardSwish", c.conv(x, 12, 16))
    y = c.conv(c.one("PRelu", c.conv(x, 16, 8, 3, dilations=[2, 2], pad=2), c.weights(8, 1, 1)), 8,
               16)
    x = c.one("LeakyRelu", c.one("Add", y, x), alpha=0.25)
    x = c.one("Sigmoid", c.conv(x, 16, 8, 3, group=2))
    x = c.one("InstanceNormalization", x, c.weights(8), c.weights(8))
    y = c.one("ConvTranspose", c.one("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2]),
              c.weights(8, 8, 2, 2), c.weights(8), strides=[2, 2])
    return c.one("Add", x, c.one("Tanh", y))


def ops_second(c: Chain, x: str) -> str:
    """Slices, parts and whatever moves."""
    a, b = c.add("Split", [x], 2, axis=1)
    x = c.one("Concat", c.one("Relu", b), c.one("Relu", a), axis=1)
    x = c.one("Concat", c.one("Mul", x, c.weights(1, 8, 1, 1)), c.one("Exp", x), axis=1)
    a, b = c.add("Split", [c.conv(x, 16, 16)], 2, axis=1)
    gate = c.one("HardSigmoid", c.conv(c.one("GlobalAveragePool", a), 8, 8))
    x = c.one("Add", c.one("Mul", a, gate), c.one("Neg", b))
    x = c.one("Pad", x, c.constant(np.array([0, 0, 1, 2, 0, 0, 1, 0], np.int64)), mode="reflect")
    slices = [np.array(v, np.int64) for v in ([1, 10], [9, 1], [2, 3], [1, -1])]
    x = c.one("Slice", x, *(c.constant(v) for v in slices))
    x = c.one("Slice", x, *(c.constant(np.array([v], np.int64)) for v in (8, -100, 3, -1)))
    x = c.one("DepthToSpace", c.one("SpaceToDepth", x, blocksize=1), blocksize=2)
    x = c.one("SpaceToDepth", x, blocksize=2)
    x = c.one("ReduceMean", c.one("Abs", x), axes=[1], keepdims=1)
    return c.one("Sub", x, c.one("ReduceMax", x, axes=[2, 3], keepdims=1))


def ops_third(c: Chain, x: str, y: str) -> str:
    """Products, a softmax and the enlargings; x of 1 channel is broadcast over y of 8."""
    x = c.one("Mul", y, c.one("Reshape", c.one("ReduceSum", x,
              c.constant(np.array([2, 3], np.int64)), keepdims=0),
              c.constant(np.array([0, 1, 1, 1], np.int64))))
    rows = c.one("Transpose", c.one("Reshape", x, c.constant(np.array([0, 8, 96], np.int64))),
                 perm=[0, 2, 1])
    rows = c.one("Softmax", c.one("MatMul", rows, c.weights(8, 6)), axis=-1)
    rows = c.one("Transpose", c.one("MatMul", rows, c.weights(6, 8)), perm=[0, 2, 1])
    x = c.one("Reshape", rows, c.constant(np.array([0, 8, 8, 12], np.int64)))
    scales = c.constant(np.array([1, 1, 2, 2], np.float32))
    small = c.one("Resize", c.conv(x, 8, 5), "", c.constant(np.array([1, 1, 0.5, 0.5], np.float32)),
                  mode="nearest", coordinate_transformation_mode="asymmetric",
                  nearest_mode="floor")
    x = c.one("Concat", c.one("Resize", small, "", scales, mode="linear",
                              coordinate_transformation_mode="align_corners"),
              c.conv(x, 8, 3), axis=1)
    return c.one("Resize", c.conv(x, 8, 2), "", scales, mode="linear",
                 coordinate_transformation_mode="half_pixel")


class Quantised(Chain):
    """Convolutions as vrseg-quantize leaves them: what goes in is of 8 bits, weights too."""

    def through_bits(self, x: str, step: float) -> str:
        """The value in steps."""
        scale = self.constant(np.array(step, np.float32))
        zero = self.constant(np.array(0, np.int8))
        return self.one("DequantizeLinear", self.one("QuantizeLinear", x, scale, zero), scale, zero)

    def conv8(self, x: str, ins: int, outs: int, kernel: int = 1, **attributes: object) -> str:
        """A convolution of an input in steps; the size stays unless there is a stride."""
        weights = self.random.integers(-127, 128, (outs, ins, kernel, kernel)).astype(np.int8)
        scales = self.random.uniform(0.5, 1, outs).astype(np.float32) / (127 * ins ** 0.5 * kernel)
        bits = self.one("DequantizeLinear", self.constant(weights),
                        self.constant(scales.astype(np.float32)),
                        self.constant(np.zeros(outs, np.int8)), axis=0)
        pad = attributes.get("dilations", [1])[0] * (kernel // 2)
        return self.one("Conv", x, bits, self.weights(outs), pads=[pad] * 4, **attributes)


def quantised() -> onnx.ModelProto:
    """A small decoder whose convolutions are quantised, with a residual and a concatenation."""
    c = Quantised()
    x = c.one("Relu", c.conv("picture", 3, 16, 3, strides=[2, 2]))
    y = c.one("Relu", c.conv8(c.through_bits(x, 1 / 32), 16, 24, 3))
    y = c.one("Relu", c.conv8(c.through_bits(y, 1 / 64), 24, 32, 3, strides=[2, 2]))
    y = c.one("Resize", c.conv8(c.through_bits(y, 1 / 64), 32, 24), "",
              c.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
              coordinate_transformation_mode="half_pixel")
    low = c.one("Relu", c.conv8(c.through_bits(x, 1 / 32), 16, 16))
    y = c.through_bits(c.one("Concat", low, y, axis=1), 1 / 64)
    y = c.one("Relu", c.conv8(y, 40, 16, 3))
    y = c.one("Relu", c.one("Add", c.conv8(c.through_bits(y, 1 / 64), 16, 16), x))
    c.one("Resize", c.conv(y, 16, 2), "", c.constant(np.array([1, 1, 2, 2], np.float32)),
          mode="linear", coordinate_transformation_mode="half_pixel")
    return chained(c, "quantised")


def pyramid() -> onnx.ModelProto:
    """A block with a residual, and what looks at its result from several distances."""
    c = Quantised()
    x = c.one("Relu", c.conv("picture", 3, 16, 3, strides=[2, 2]))
    y = c.one("Relu", c.conv8(c.through_bits(x, 1 / 32), 16, 16, 3))
    y = c.conv8(c.through_bits(y, 1 / 64), 16, 32)
    y = c.through_bits(c.one("Relu", c.one("Add", y, c.conv(x, 16, 32))), 1 / 16)
    mean = c.through_bits(c.one("GlobalAveragePool", y), 1 / 64)
    branches = [c.one("Relu", c.conv8(y, 32, 16))]
    branches += [c.one("Relu", c.conv8(y, 32, 16, 3, dilations=[d, d])) for d in (4, 6, 5)]
    branches.append(c.one("Resize", c.one("Relu", c.conv8(mean, 32, 16)), "",
                          c.constant(np.array([1, 1, 8, 12], np.float32)), mode="nearest",
                          coordinate_transformation_mode="asymmetric", nearest_mode="floor"))
    y = c.through_bits(c.one("Concat", *branches, axis=1), 1 / 32)
    y = c.one("Relu", c.conv8(y, 80, 16))
    c.one("Resize", c.conv(y, 16, 2), "", c.constant(np.array([1, 1, 2, 2], np.float32)),
          mode="linear", coordinate_transformation_mode="half_pixel")
    return chained(c, "pyramid")


def blocks() -> onnx.ModelProto:
    """Blocks of a ResNet: the first has a shortcut with a stride, the second and the third add what
    is rounded, the last adds the floats."""
    c = Quantised()
    x = c.one("Relu", c.conv("picture", 3, 16, 3, strides=[2, 2]))
    ins = 16
    for i in range(4):
        rounded = c.through_bits(x, 1 / 32)
        y = c.one("Relu", c.conv8(rounded, ins, 16))
        y = c.one("Relu", c.conv8(c.through_bits(y, 1 / 64), 16, 16, 3,
                                  strides=[2, 2] if i == 0 else [1, 1]))
        y = c.conv8(c.through_bits(y, 1 / 64), 16, 48)
        shortcut = x if i == 3 else rounded
        if i == 0:
            shortcut = c.conv8(rounded, ins, 48, strides=[2, 2])
        x, ins = c.one("Relu", c.one("Add", y, shortcut)), 48
    y = c.one("Relu", c.conv8(c.through_bits(x, 1 / 16), 48, 16))
    c.one("Resize", c.conv(y, 16, 2), "", c.constant(np.array([1, 1, 4, 4], np.float32)),
          mode="linear", coordinate_transformation_mode="half_pixel")
    return chained(c, "blocks")


def enlarged() -> onnx.ModelProto:
    """Convolutions of what was enlarged by four, joined with another picture, before and behind."""
    c = Chain()
    x = c.one("Relu", c.conv("picture", 3, 16, 3, strides=[2, 2]))
    y = c.one("Relu", c.conv(x, 16, 16, 3, strides=[2, 2]))
    y = c.one("Relu", c.conv(y, 16, 24, 3, strides=[2, 2]))
    scales = c.constant(np.array([1, 1, 4, 4], np.float32))
    parts = []
    for before in (True, False):
        large = c.one("Resize", c.conv(y, 24, 16), "", scales, mode="linear",
                      coordinate_transformation_mode="half_pixel")
        joined = [large, c.one("Relu", c.conv(x, 16, 8))]
        z = c.one("Concat", *(joined if before else joined[::-1]), axis=1)
        parts.append(c.one("Relu", c.conv(z, 24, 16, 3)))
    c.one("Resize", c.conv(c.one("Add", *parts), 16, 2), "",
          c.constant(np.array([1, 1, 2, 2], np.float32)), mode="linear",
          coordinate_transformation_mode="half_pixel")
    return chained(c, "enlarged")


def chained(c: Chain, name: str) -> onnx.ModelProto:
    """The chain as a model from a picture of 16 x 24 to scores of two classes."""
    c.nodes[-1].output[0] = "scores"
    graph = helper.make_graph(c.nodes, name, [value("picture", ["n", 3, 16, 24])],
                              [value("scores", ["n", 2, 16, 24])], c.constants)
    result = helper.make_model(graph, producer_name="vrseg",
                               opset_imports=[helper.make_opsetid("", 14)])
    result.ir_version = 7
    onnx.checker.check_model(result, full_check=True)
    return result


def ops() -> onnx.ModelProto:
    """Most of what networks are made of, in odd sizes: results are compared with the graph's
    interpreter, not known."""
    c = Chain()
    x = ops_first(c)
    ops_third(c, ops_second(c, x), x)
    return chained(c, "ops")


def mixing() -> onnx.ModelProto:
    """A mean over the axis of the pictures, of which the file knows one."""
    nodes = [helper.make_node("ReduceMean", ["picture"], ["mean"], axes=[0]),
             helper.make_node("Sub", ["picture", "mean"], ["scores"])]
    return model(nodes, [value("picture", [1, 3, HEIGHT, WIDTH])],
                 [value("scores", [1, 3, HEIGHT, WIDTH])], [])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent, metavar="DIR",
                        help="where the files go (default: beside this script)")
    out = parser.parse_args().out
    networks = {
        "tiny": tiny(WEIGHTS),
        "blocks": blocks(),
        "enlarged": enlarged(),
        "tiny-other": tiny(WEIGHTS[::-1]),
        "tiny-nhwc": tiny_nhwc(),
        "tiny-state": tiny_state(),
        "tiny-int8": tiny_int8(),
        "ops": ops(),
        "quantised": quantised(),
        "pyramid": pyramid(),
        "tiny-integer": tiny_integer(),
        "tiny-up": tiny_up(),
        "tiny-two-outputs": tiny_two_outputs(),
        "mixing": mixing(),
    }
    for name, network in networks.items():
        (out / f"{name}.onnx").write_bytes(network.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
