"""Converts MediaPipe's selfie segmentation from TFLite to ONNX.

TFLite keeps pictures as NHWC and fixes the batch; the ONNX file is NCHW with a free batch axis N,
input `input`, output `probability`, both float32. Weights stored as float16 behind DEQUANTIZE
become float32 initialisers. The same input file always gives the same bytes.
"""

import argparse
import struct
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

OPSET = 13
IR_VERSION = 7  # of the ONNX release that brought opset 13: read by every engine since
INPUT, OUTPUT, BATCH = "input", "probability", "N"

OPERATOR_NAMES = {value: name for name, value in vars(tflite.BuiltinOperator).items()
                  if isinstance(value, int)}
TENSOR_TYPES = {tflite.TensorType.FLOAT32: np.dtype("<f4"),
                tflite.TensorType.FLOAT16: np.dtype("<f2"),
                tflite.TensorType.INT32: np.dtype("<i4")}


class ConvertError(Exception):
    """A sentence for the user: what in the file cannot be converted."""


class Operator:
    """One operator of the TFLite graph: its name, tensors' numbers and options."""

    def __init__(self, model: tflite.Model, number: int) -> None:
        self._raw = model.Subgraphs(0).Operators(number)
        code = model.OperatorCodes(self._raw.OpcodeIndex())
        # Codes above 127 are in the newer field, the others in both or in the older one.
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        self.name = OPERATOR_NAMES.get(builtin, f"number {builtin}")
        if self.name == "CUSTOM":
            self.name = code.CustomCode().decode()
        self.number = number
        self.inputs = [int(tensor) for tensor in self._raw.InputsAsNumpy()]
        self.output = int(self._raw.OutputsAsNumpy()[0])

    def __str__(self) -> str:
        return f"operator {self.number} ({self.name})"

    def options(self, kind: type) -> object:
        """The operator's options, read as the table `kind`."""
        table = self._raw.BuiltinOptions()
        if table is None:
            raise ConvertError(f"{self} has no options")
        options = kind()
        options.Init(table.Bytes, table.Pos)
        return options

    def custom_options(self, count: int) -> list[int]:
        """The options of a custom operator, `count` int32."""
        data = self._raw.CustomOptionsAsNumpy()
        if isinstance(data, int) or data.nbytes != 4 * count:
            raise ConvertError(f"{self} has other options than {count} int32")
        return [int(value) for value in data.view("<i4")]


class Converter:
    """Walks one TFLite graph and collects the ONNX nodes and initialisers."""

    def __init__(self, model: tflite.Model) -> None:
        if model.SubgraphsLength() != 1:
            raise ConvertError(f"the file holds {model.SubgraphsLength()} graphs, not one")
        self._model = model
        self._graph = model.Subgraphs(0)
        ends = [int(tensor) for tensor in (*self._graph.InputsAsNumpy(),
                                           *self._graph.OutputsAsNumpy())]
        if len(ends) != 2:
            raise ConvertError("the graph has more than one input and one output")
        self._source, self._sink = ends
        self._values = {self._source: INPUT}  # tensor number -> ONNX value
        self._dequantized: dict[int, np.ndarray] = {}
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}

    def shape(self, tensor: int) -> list[int]:
        """A picture tensor's shape as TFLite has it: batch, height, width, channels."""
        shape = [int(size) for size in self._graph.Tensors(tensor).ShapeAsNumpy()]
        if len(shape) != 4 or min(shape) < 1:
            raise ConvertError(f"tensor {tensor} has shape {shape}, not batch, height, width and "
                               "channels")
        return shape

    def is_constant(self, tensor: int) -> bool:
        """Whether the tensor's values are in the file."""
        buffer = self._graph.Tensors(tensor).Buffer()
        return tensor in self._dequantized or self._model.Buffers(buffer).DataLength() > 0

    def constant(self, tensor: int) -> np.ndarray:
        """The values of a tensor that is in the file."""
        if tensor in self._dequantized:
            return self._dequantized[tensor]
        entry = self._graph.Tensors(tensor)
        buffer = self._model.Buffers(entry.Buffer())
        kind = TENSOR_TYPES.get(entry.Type())
        if kind is None or buffer.DataLength() == 0:
            raise ConvertError(f"tensor {tensor} is not a float32, float16 or int32 constant")
        shape = [int(size) for size in entry.ShapeAsNumpy()]
        if buffer.DataLength() != kind.itemsize * int(np.prod(shape)):
            raise ConvertError(f"tensor {tensor} has {buffer.DataLength()} bytes, which is not "
                               f"shape {shape}")
        return buffer.DataAsNumpy().view(kind).reshape(shape)

    def dequantize(self, operator: Operator) -> None:
        """Makes a float16 constant a float32 one."""
        values = self.constant(operator.inputs[0])
        if values.dtype != np.float16:
            raise ConvertError(f"{operator} reads {values.dtype}, and only float16 is expected")
        self._dequantized[operator.output] = values.astype("<f4")

    def value(self, tensor: int) -> str:
        """The ONNX name of an operand; a constant becomes an initialiser in NCHW."""
        if tensor in self._values:
            return self._values[tensor]
        values = self.constant(tensor)
        if values.ndim > 4:
            raise ConvertError(f"tensor {tensor} has {values.ndim} axes")
        nhwc = values.reshape([1] * (4 - values.ndim) + list(values.shape))
        return self.initializer(f"constant_{tensor}", nhwc.transpose(0, 3, 1, 2))

    def initializer(self, name: str, values: np.ndarray) -> str:
        """Stores a constant once under its name, as float32."""
        if name not in self._initializers:
            data = np.ascontiguousarray(values, dtype="<f4")
            self._initializers[name] = numpy_helper.from_array(data, name)
        return name

    def scalar(self, name: str, value: float) -> str:
        """Stores one number, shared by all who ask for it by that name."""
        return self.initializer(name, np.array(value, dtype="<f4"))

    def weights(self, tensor: int, axes: tuple[int, ...]) -> str:
        """Stores a kernel with its axes in ONNX's order."""
        return self.initializer(f"weights_{tensor}", self.constant(tensor).transpose(axes))

    def bias(self, tensor: int) -> str:
        """Stores a bias, one number a channel."""
        return self.initializer(f"bias_{tensor}", self.constant(tensor))

    def node(self, kind: str, inputs: list[str], name: str, **attributes: object) -> str:
        """Appends a node with one output, named as the node."""
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def result(self, operator: Operator, kind: str, inputs: list[str],
               activation: int = tflite.ActivationFunctionType.NONE, **attributes: object) -> None:
        """Appends the node that makes the operator's output, and its fused activation."""
        name = OUTPUT if operator.output == self._sink else f"tensor_{operator.output}"
        self._values[operator.output] = name
        if activation == tflite.ActivationFunctionType.NONE:
            self.node(kind, inputs, name, **attributes)
        elif activation == tflite.ActivationFunctionType.RELU:
            self.node("Relu", [self.node(kind, inputs, name + "_linear", **attributes)], name)
        else:
            raise ConvertError(f"{operator} has the fused activation {activation}, and only RELU "
                               "is known")

    def convert(self) -> onnx.ModelProto:
        """Converts every operator and returns the checked ONNX model."""
        for number in range(self._graph.OperatorsLength()):
            operator = Operator(self._model, number)
            if operator.name not in OPERATORS:
                raise ConvertError(f"{operator} is unknown to this converter, which knows "
                                   f"{', '.join(sorted(OPERATORS))}")
            OPERATORS[operator.name](self, operator)
        if self._values.get(self._sink) != OUTPUT:
            raise ConvertError("no operator makes the graph's output")
        _, height, width, channels = self.shape(self._source)
        _, out_height, out_width, out_channels = self.shape(self._sink)
        graph = helper.make_graph(
            self._nodes, "selfie_segmentation",
            [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT,
                                           [BATCH, channels, height, width])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT,
                                           [BATCH, out_channels, out_height, out_width])],
            list(self._initializers.values()))
        model = helper.make_model(graph, ir_version=IR_VERSION, producer_name="vrseg",
                                  opset_imports=[helper.make_opsetid("", OPSET)])
        onnx.checker.check_model(model, full_check=True)
        return model


def same_padding(size: int, result: int, kernel: int, stride: int,
                 dilation: int) -> tuple[int, int]:
    """TFLite's SAME padding of one axis, before and after: the odd one goes after."""
    total = max((result - 1) * stride + (kernel - 1) * dilation + 1 - size, 0)
    return total // 2, total - total // 2


def convolution(converter: Converter, operator: Operator, kind: type, axes: tuple[int, ...],
                group: int) -> None:
    """Conv from a TFLite kernel whose axes 1 and 2 are height and width."""
    options = operator.options(kind)
    source, weights, bias = operator.inputs
    kernel = converter.constant(weights).shape[1:3]
    strides = [options.StrideH(), options.StrideW()]
    dilations = [options.DilationHFactor(), options.DilationWFactor()]
    pads = [(0, 0), (0, 0)]
    if options.Padding() == tflite.Padding.SAME:
        sizes = zip(converter.shape(source)[1:3], converter.shape(operator.output)[1:3], kernel,
                    strides, dilations)
        pads = [same_padding(*axis) for axis in sizes]
    converter.result(
        operator, "Conv",
        [converter.value(source), converter.weights(weights, axes), converter.bias(bias)],
        options.FusedActivationFunction(), kernel_shape=list(kernel), strides=strides,
        dilations=dilations, group=group, pads=[before for before, _ in pads] +
        [after for _, after in pads])


def conv_2d(converter: Converter, operator: Operator) -> None:
    """The kernel is output channels, height, width, input channels."""
    convolution(converter, operator, tflite.Conv2DOptions, (0, 3, 1, 2), 1)


def depthwise_conv_2d(converter: Converter, operator: Operator) -> None:
    """The kernel is 1, height, width, channels: one group a channel of the input."""
    channels = converter.shape(operator.inputs[0])[3]
    convolution(converter, operator, tflite.DepthwiseConv2DOptions, (3, 0, 1, 2), channels)


def transpose_conv_bias(converter: Converter, operator: Operator) -> None:
    """MediaPipe's own operator: a transposed convolution with a bias. Its three options are
    TfLitePaddingParams: the padding (1 is SAME) and the strides in x and y."""
    padding, stride_x, stride_y = operator.custom_options(3)
    source, weights, bias = operator.inputs
    kernel = converter.constant(weights).shape[1:3]
    strides = [stride_y, stride_x]
    sizes, results = converter.shape(source)[1:3], converter.shape(operator.output)[1:3]
    # As SAME, each source pixel makes `stride` of the result; a kernel of the stride's size
    # neither overlaps nor needs cropping.
    fits = all(size * stride == result for size, stride, result in zip(sizes, strides, results))
    if padding != 1 or list(kernel) != strides or not fits:
        raise ConvertError(f"{operator} has padding {padding}, kernel {list(kernel)} and strides "
                           f"{strides}; only a kernel of the strides' size with SAME is known")
    converter.result(
        operator, "ConvTranspose",
        [converter.value(source), converter.weights(weights, (3, 0, 1, 2)),
         converter.bias(bias)], kernel_shape=list(kernel), strides=strides)


def average_pool_2d(converter: Converter, operator: Operator) -> None:
    """Only the pool over the whole picture, which is all that these networks have."""
    options = operator.options(tflite.Pool2DOptions)
    window = [options.FilterHeight(), options.FilterWidth()]
    if window != converter.shape(operator.inputs[0])[1:3] \
            or converter.shape(operator.output)[1:3] != [1, 1]:
        raise ConvertError(f"{operator} has a window of {window}, not the whole picture")
    converter.result(operator, "GlobalAveragePool", [converter.value(operator.inputs[0])],
                     options.FusedActivationFunction())


def mean(converter: Converter, operator: Operator) -> None:
    """Only the mean over height and width that keeps both axes."""
    axes = sorted(int(axis) for axis in converter.constant(operator.inputs[1]).flat)
    if axes != [1, 2] or not operator.options(tflite.ReducerOptions).KeepDims():
        raise ConvertError(f"{operator} is over axes {axes}, not height and width, kept")
    converter.result(operator, "GlobalAveragePool", [converter.value(operator.inputs[0])])


def resize_bilinear(converter: Converter, operator: Operator) -> None:
    """By scales and not sizes, as sizes would fix the batch."""
    options = operator.options(tflite.ResizeBilinearOptions)
    source, result = (converter.shape(tensor)[1:3] for tensor in (operator.inputs[0],
                                                                   operator.output))
    if options.AlignCorners() or not options.HalfPixelCenters() \
            or any(large % small for small, large in zip(source, result)):
        raise ConvertError(f"{operator} goes from {source} to {result}; only whole factors with "
                           "half-pixel centres are known")
    factors = [large // small for small, large in zip(source, result)]
    scales = converter.initializer("scales_{}x{}".format(*factors),
                                   np.array([1, 1, *factors], dtype="<f4"))
    converter.result(operator, "Resize", [converter.value(operator.inputs[0]), "", scales],
                     mode="linear", coordinate_transformation_mode="half_pixel")


def hard_swish(converter: Converter, operator: Operator) -> None:
    """x * clip(x + 3, 0, 6) / 6; ONNX has it as one operator only from opset 14 on."""
    source = converter.value(operator.inputs[0])
    name = f"tensor_{operator.output}_"
    shifted = converter.node("Add", [source, converter.scalar("three", 3.0)], name + "shifted")
    clipped = converter.node("Clip", [shifted, converter.scalar("zero", 0.0),
                                      converter.scalar("six", 6.0)], name + "clipped")
    product = converter.node("Mul", [source, clipped], name + "product")
    converter.result(operator, "Mul", [product, converter.scalar("sixth", 1.0 / 6.0)])


def arithmetic(kind: str, options: type) -> Callable[[Converter, Operator], None]:
    """An operator of two operands with a fused activation."""
    def convert(converter: Converter, operator: Operator) -> None:
        converter.result(operator, kind, [converter.value(tensor) for tensor in operator.inputs],
                         operator.options(options).FusedActivationFunction())
    return convert


def unary(kind: str) -> Callable[[Converter, Operator], None]:
    """An operator of one operand and no options."""
    def convert(converter: Converter, operator: Operator) -> None:
        converter.result(operator, kind, [converter.value(operator.inputs[0])])
    return convert


OPERATORS: dict[str, Callable[[Converter, Operator], None]] = {
    "ADD": arithmetic("Add", tflite.AddOptions),
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONV_2D": conv_2d,
    "Convolution2DTransposeBias": transpose_conv_bias,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": Converter.dequantize,
    "HARD_SWISH": hard_swish,
    "LOGISTIC": unary("Sigmoid"),
    "MEAN": mean,
    "MUL": arithmetic("Mul", tflite.MulOptions),
    "RELU": unary("Relu"),
    "RESIZE_BILINEAR": resize_bilinear,
}


def convert_bytes(data: bytes) -> bytes:
    """Converts a TFLite file's bytes to an ONNX file's."""
    if not tflite.Model.ModelBufferHasIdentifier(data, 0):
        raise ConvertError("this is not a TFLite file")
    try:
        model = Converter(tflite.Model.GetRootAsModel(data, 0)).convert()
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise ConvertError(f"the file is damaged ({error})") from error
    return model.SerializeToString(deterministic=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("source", type=Path, help="the TFLite file")
    parser.add_argument("target", type=Path, help="the ONNX file to write")
    arguments = parser.parse_args()
    try:
        arguments.target.write_bytes(convert_bytes(arguments.source.read_bytes()))
    except (ConvertError, OSError) as error:
        print(f"convert_selfie.py: {arguments.source}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
