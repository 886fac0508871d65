#!/usr/bin/env python3
"""Writes DeepLabV3+ on ResNet-50 with random weights as an ONNX file and its descriptor.

The structure is that of the paper, as an exporter leaves it (norms folded into the convolutions):
output stride 16, ASPP at 6, 12 and 18, a decoder of 48 + 256 channels, two classes, logits enlarged
by 4 at the end. Speed does not depend on the weights, accuracy does: judge that on trained ones.
Weights are FP16 behind a Cast, which halves the file; the seed is fixed. With --int8 all layers are
quantised as vrseg-quantize does it: weights in 8 bits by output channel, what goes into a
convolution rounded to steps of one size for all, for shortcuts that read it too. With --half
input, output and everything between are FP16, as ONNX Runtime wants it for that precision.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

DESCRIPTOR = """\
title: DeepLabV3+ on ResNet-50, random weights, {size}x{size}
licence: none
source: "made by bench/peers/deeplab_onnx.py"
test_only: on
weights: {weights}
batch: free
input:
  name: input
  width: {size}
  height: {size}
  mean: [123.675, 116.28, 103.53]
  scale: [1/58.395, 1/57.12, 1/57.375]
output:
  name: logits
  activation: softmax
  classes: [background, person]
  person: [person]
"""


class Builder:
    """Nodes and weights in the order in which they are made."""

    STEP = 0.25  # of what goes into a convolution in 8 bits

    def __init__(self, seed: int, width: float, kind: str = "float"):
        self.int8, self.half = kind == "int8", kind == "half"
        self.rounded: dict[str, str] = {}
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.width = width
        self.number = 0

    def name(self, text: str) -> str:
        """A name that is not there yet."""
        self.number += 1
        return f"{text}_{self.number}"

    def node(self, op: str, inputs: list[str], **attributes: object) -> str:
        """Adds a node of one output."""
        output = self.name(op.lower())
        self.nodes.append(helper.make_node(op, inputs, [output], output, **attributes))
        return output

    def constant(self, text: str, values: np.ndarray) -> str:
        """Adds a constant."""
        name = self.name(text)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def steps_of(self, x: str) -> str:
        """The value rounded to steps."""
        if x not in self.rounded:
            step = self.constant("scale", np.array(self.STEP, np.float32))
            zero = self.constant("zero", np.array(0, np.int8))
            self.rounded[x] = self.node("DequantizeLinear",
                                        [self.node("QuantizeLinear", [x, step, zero]), step, zero])
        return self.rounded[x]

    def bits_of(self, values: np.ndarray) -> str:
        """Weights in 8 bits, a scale for each output channel."""
        scale = np.abs(values).max(axis=(1, 2, 3)) / 127
        bits = np.rint(values / scale[:, None, None, None]).astype(np.int8)
        return self.node("DequantizeLinear",
                         [self.constant("weights_i8", bits),
                          self.constant("scale", scale.astype(np.float32)),
                          self.constant("zero", np.zeros(len(scale), np.int8))], axis=0)

    def conv(self, x: str, ins: int, outs: int, kernel: int = 1, stride: int = 1,
             dilation: int = 1, relu: bool = True, gain: float = 1.0) -> str:
        """A convolution with bias, its weights by He et al. (2015)."""
        deviation = gain * np.sqrt(2 / (ins * kernel * kernel))
        values = self.random.normal(0, deviation, (outs, ins, kernel, kernel))
        floats = np.float16 if self.half else np.float32
        bias = self.constant("bias", self.random.normal(0, 0.05, outs).astype(floats))
        if self.half:
            weights = self.constant("weights", values.astype(np.float16))
        elif self.int8:
            x, weights = self.steps_of(x), self.bits_of(values)
        else:
            half = self.constant("weights_f16", values.astype(np.float16))
            weights = self.node("Cast", [half], to=TensorProto.FLOAT)
        pad = dilation * (kernel // 2)
        y = self.node("Conv", [x, weights, bias], kernel_shape=[kernel] * 2, strides=[stride] * 2,
                      dilations=[dilation] * 2, pads=[pad] * 4)
        return self.node("Relu", [y]) if relu else y

    def resize(self, x: str, factor: int, mode: str) -> str:
        """Enlarges height and width."""
        scales = self.name("scales")
        self.weights.append(numpy_helper.from_array(
            np.array([1, 1, factor, factor], np.float32), scales))
        half_pixel = mode == "linear"
        return self.node("Resize", [x, "", scales], mode=mode, nearest_mode="floor",
                         coordinate_transformation_mode="half_pixel" if half_pixel else
                         "asymmetric")

    def channels(self, full: int) -> int:
        """So many channels of a thinner network: a multiple of 8."""
        return max(8, int(full * self.width) // 8 * 8)


def layer(b: Builder, x: str, ins: int, middle: int, blocks: int, stride: int,
          dilation: int) -> tuple[str, int]:
    """Bottlenecks of ResNet; the first has the stride, the others the dilation."""
    outs = middle * 4
    for i in range(blocks):
        first = i == 0
        y = b.conv(x, ins, middle)
        y = b.conv(y, middle, middle, 3, stride if first else 1, 1 if first else dilation)
        y = b.conv(y, middle, outs, relu=False, gain=0.4)
        if first:
            x = b.conv(x, ins, outs, stride=stride, relu=False)
        elif b.int8:
            x = b.steps_of(x)
        x = b.node("Relu", [b.node("Add", [y, x])])
        ins = outs
    return x, outs


def network(b: Builder, size: int) -> str:
    """Everything from `input` to `logits`."""
    stem, aspp, low_channels = b.channels(64), b.channels(256), b.channels(48)
    x = b.conv("input", 3, stem, 7, 2)
    x = b.node("MaxPool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    low, ins = layer(b, x, stem, b.channels(64), 3, 1, 1)
    low_ins = ins
    x, ins = layer(b, low, ins, b.channels(128), 4, 2, 1)
    x, ins = layer(b, x, ins, b.channels(256), 6, 2, 1)
    x, ins = layer(b, x, ins, b.channels(512), 3, 1, 2)
    pooled = b.conv(b.node("GlobalAveragePool", [x]), ins, aspp)
    branches = [b.conv(x, ins, aspp)]
    branches += [b.conv(x, ins, aspp, 3, 1, d) for d in (6, 12, 18)]
    branches.append(b.resize(pooled, size // 16, "nearest"))
    x = b.conv(b.node("Concat", branches, axis=1), 5 * aspp, aspp)
    x = b.resize(x, 4, "linear")
    x = b.node("Concat", [b.conv(low, low_ins, low_channels), x], axis=1)
    x = b.conv(x, low_channels + aspp, aspp, 3)
    x = b.conv(x, aspp, aspp, 3)
    return b.resize(b.conv(x, aspp, 2, relu=False), 4, "linear")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="gets deeplab.onnx and deeplab.yaml")
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--width", type=float, default=1, help="share of the channels")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--int8", action="store_true", help="quantised layers")
    parser.add_argument("--half", action="store_true", help="all in FP16")
    args = parser.parse_args()
    b = Builder(args.seed, args.width, "int8" if args.int8 else "half" if args.half else "float")
    last = network(b, args.size)
    b.nodes[-1].output[0] = "logits"
    assert last != "logits"
    floats = TensorProto.FLOAT16 if args.half else TensorProto.FLOAT
    graph = helper.make_graph(
        b.nodes, "deeplab",
        [helper.make_tensor_value_info("input", floats,
                                       ["batch", 3, args.size, args.size])],
        [helper.make_tensor_value_info("logits", floats,
                                       ["batch", 2, args.size, args.size])], b.weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    args.folder.mkdir(parents=True, exist_ok=True)
    onnx.save(model, args.folder / "deeplab.onnx")
    (args.folder / "deeplab.yaml").write_text(
        DESCRIPTOR.format(size=args.size, weights="deeplab.onnx"), encoding="utf-8")


if __name__ == "__main__":
    main()
