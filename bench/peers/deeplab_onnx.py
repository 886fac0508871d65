#!/usr/bin/env python3
"""Writes DeepLabV3+ on ResNet-50 with random weights as an ONNX file and its descriptor.

The structure is that of the paper, as an exporter leaves it (norms folded into the convolutions):
output stride 16, ASPP at 6, 12 and 18, a decoder of 48 + 256 channels, two classes, logits enlarged
by 4 at the end. Speed does not depend on the weights, accuracy does: judge that on trained ones.
Weights are FP16 behind a Cast, which halves the file; the seed is fixed.
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

    def __init__(self, seed: int, width: float):
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

    def conv(self, x: str, ins: int, outs: int, kernel: int = 1, stride: int = 1,
             dilation: int = 1, relu: bool = True, gain: float = 1.0) -> str:
        """A convolution with bias, its weights by He et al. (2015)."""
        deviation = gain * np.sqrt(2 / (ins * kernel * kernel))
        values = self.random.normal(0, deviation, (outs, ins, kernel, kernel))
        half, bias = self.name("weights_f16"), self.name("bias")
        self.weights.append(numpy_helper.from_array(values.astype(np.float16), half))
        self.weights.append(numpy_helper.from_array(
            self.random.normal(0, 0.05, outs).astype(np.float32), bias))
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
    args = parser.parse_args()
    b = Builder(args.seed, args.width)
    last = network(b, args.size)
    b.nodes[-1].output[0] = "logits"
    assert last != "logits"
    graph = helper.make_graph(
        b.nodes, "deeplab",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT,
                                       ["batch", 3, args.size, args.size])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT,
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
