"""The converter on small graphs made here: what it converts gives the right numbers, and what it
does not know it refuses by name."""

import unittest

import flatbuffers
import numpy as np
import onnx
import tflite
from onnx.reference import ReferenceEvaluator

import tools_path  # noqa: F401
import convert_selfie
from convert_selfie import ConvertError, convert_bytes

FLOAT32, FLOAT16, INT32 = (tflite.TensorType.FLOAT32, tflite.TensorType.FLOAT16,
                           tflite.TensorType.INT32)
TYPE_OF = {np.dtype(np.float32): FLOAT32, np.dtype(np.float16): FLOAT16,
           np.dtype(np.int32): INT32}


class Graph:
    """A TFLite file of one graph, put together tensor by tensor and operator by operator."""

    def __init__(self) -> None:
        self._builder = flatbuffers.Builder(1024)
        self._buffers = [self._buffer(b"")]
        self._tensors: list[int] = []
        self._codes: list[int] = []
        self._operators: list[int] = []

    def _vector(self, start, items: list[int]) -> int:
        start(self._builder, len(items))
        for item in reversed(items):
            self._builder.PrependUOffsetTRelative(item)
        return self._builder.EndVector()

    def _numbers(self, values: list[int]) -> int:
        return self._builder.CreateNumpyVector(np.array(values, dtype=np.int32))

    def _buffer(self, data: bytes) -> int:
        vector = self._builder.CreateByteVector(data) if data else None
        tflite.BufferStart(self._builder)
        if vector is not None:
            tflite.BufferAddData(self._builder, vector)
        return tflite.BufferEnd(self._builder)

    def tensor(self, shape: list[int], values: np.ndarray | None = None) -> int:
        """Adds a tensor, a constant where it has values, and returns its number."""
        place = 0
        if values is not None:
            place = len(self._buffers)
            self._buffers.append(self._buffer(values.tobytes()))
        sizes = self._numbers(shape)
        tflite.TensorStart(self._builder)
        tflite.TensorAddShape(self._builder, sizes)
        tflite.TensorAddType(self._builder, FLOAT32 if values is None else TYPE_OF[values.dtype])
        tflite.TensorAddBuffer(self._builder, place)
        self._tensors.append(tflite.TensorEnd(self._builder))
        return len(self._tensors) - 1

    def constant(self, values: np.ndarray) -> int:
        return self.tensor(list(values.shape), values)

    def operator(self, name: str, inputs: list[int], output: int, options: str = "",
                 custom: bytes = b"", **fields: int) -> None:
        """Adds an operator; `options` names its table, whose fields are given by name."""
        custom_name = None if hasattr(tflite.BuiltinOperator, name) else name
        code = getattr(tflite.BuiltinOperator, name, tflite.BuiltinOperator.CUSTOM)
        label = self._builder.CreateString(custom_name) if custom_name else None
        tflite.OperatorCodeStart(self._builder)
        tflite.OperatorCodeAddBuiltinCode(self._builder, code)
        tflite.OperatorCodeAddDeprecatedBuiltinCode(self._builder, min(code, 127))
        if label is not None:
            tflite.OperatorCodeAddCustomCode(self._builder, label)
        self._codes.append(tflite.OperatorCodeEnd(self._builder))
        table = None
        if options:
            getattr(tflite, options + "Start")(self._builder)
            for field, value in fields.items():
                getattr(tflite, options + "Add" + field)(self._builder, value)
            table = getattr(tflite, options + "End")(self._builder)
        custom_data = self._builder.CreateByteVector(custom) if custom else None
        sources, results = self._numbers(inputs), self._numbers([output])
        tflite.OperatorStart(self._builder)
        tflite.OperatorAddOpcodeIndex(self._builder, len(self._codes) - 1)
        tflite.OperatorAddInputs(self._builder, sources)
        tflite.OperatorAddOutputs(self._builder, results)
        if table is not None:
            tflite.OperatorAddBuiltinOptionsType(self._builder,
                                                 getattr(tflite.BuiltinOptions, options))
            tflite.OperatorAddBuiltinOptions(self._builder, table)
        if custom_data is not None:
            tflite.OperatorAddCustomOptions(self._builder, custom_data)
        self._operators.append(tflite.OperatorEnd(self._builder))

    def finish(self, source: int, sink: int) -> bytes:
        """The file's bytes."""
        builder = self._builder
        tensors = self._vector(tflite.SubGraphStartTensorsVector, self._tensors)
        operators = self._vector(tflite.SubGraphStartOperatorsVector, self._operators)
        inputs, outputs = self._numbers([source]), self._numbers([sink])
        tflite.SubGraphStart(builder)
        tflite.SubGraphAddTensors(builder, tensors)
        tflite.SubGraphAddInputs(builder, inputs)
        tflite.SubGraphAddOutputs(builder, outputs)
        tflite.SubGraphAddOperators(builder, operators)
        graph = tflite.SubGraphEnd(builder)
        graphs = self._vector(tflite.ModelStartSubgraphsVector, [graph])
        codes = self._vector(tflite.ModelStartOperatorCodesVector, self._codes)
        buffers = self._vector(tflite.ModelStartBuffersVector, self._buffers)
        tflite.ModelStart(builder)
        tflite.ModelAddVersion(builder, 3)
        tflite.ModelAddOperatorCodes(builder, codes)
        tflite.ModelAddSubgraphs(builder, graphs)
        tflite.ModelAddBuffers(builder, buffers)
        builder.Finish(tflite.ModelEnd(builder), file_identifier=b"TFL3")
        return bytes(builder.Output())


def one_operator(name: str, shapes: tuple[list[int], list[int]], constants: list[np.ndarray],
                 options: str = "", custom: bytes = b"", **fields: int) -> bytes:
    """A file whose one operator reads the input and some constants."""
    graph = Graph()
    source, sink = (graph.tensor(shape) for shape in shapes)
    inputs = [source] + [graph.constant(values) for values in constants]
    graph.operator(name, inputs, sink, options, custom, **fields)
    return graph.finish(source, sink)


def run(data: bytes, picture: np.ndarray) -> np.ndarray:
    """Converts a file and runs it on an NHWC picture; the result is NHWC."""
    model = onnx.load_from_string(convert_bytes(data))
    batch = picture.transpose(0, 3, 1, 2).astype(np.float32)
    result, = ReferenceEvaluator(model).run(None, {"input": batch})
    return result.transpose(0, 2, 3, 1)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape) * 1000 + sum(shape)).normal(size=shape).astype("<f4")


def convolve(picture: np.ndarray, kernel: np.ndarray, stride: int, pads: tuple[int, int]) \
        -> np.ndarray:
    """Convolution by its definition: NHWC, kernel of outputs, height, width, inputs; the same
    padding before and after in both axes."""
    padded = np.pad(picture, ((0, 0), pads, pads, (0, 0)))
    count, size = kernel.shape[0], kernel.shape[1]
    rows = (padded.shape[1] - size) // stride + 1
    columns = (padded.shape[2] - size) // stride + 1
    result = np.zeros((picture.shape[0], rows, columns, count), dtype=np.float64)
    for y in range(rows):
        for x in range(columns):
            window = padded[:, y * stride:y * stride + size, x * stride:x * stride + size]
            result[:, y, x] = np.einsum("nhwc,ohwc->no", window, kernel)
    return result


class ConvertTest(unittest.TestCase):
    def assert_close(self, found: np.ndarray, expected: np.ndarray) -> None:
        self.assertEqual(found.shape, expected.shape)
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    def test_unknown_operator_is_named(self) -> None:
        data = one_operator("SOFTMAX", ([1, 4, 4, 2], [1, 4, 4, 2]), [])
        with self.assertRaisesRegex(ConvertError, r"operator 0 \(SOFTMAX\) is unknown"):
            convert_bytes(data)

    def test_unknown_custom_operator_is_named(self) -> None:
        data = one_operator("MaxPoolingWithArgmax2D", ([1, 4, 4, 2], [1, 2, 2, 2]), [],
                            custom=bytes(12))
        with self.assertRaisesRegex(ConvertError, "MaxPoolingWithArgmax2D"):
            convert_bytes(data)

    def test_unknown_activation_is_refused(self) -> None:
        data = one_operator("ADD", ([1, 2, 2, 1], [1, 2, 2, 1]), [random(1)], "AddOptions",
                            FusedActivationFunction=tflite.ActivationFunctionType.TANH)
        with self.assertRaisesRegex(ConvertError, "fused activation"):
            convert_bytes(data)

    def test_not_tflite(self) -> None:
        for data in (b"", b"text", b"0123TFL9" + bytes(64)):
            with self.subTest(data=data), self.assertRaises(ConvertError):
                convert_bytes(data)

    def test_damaged_file_is_one_sentence(self) -> None:
        whole = one_operator("RELU", ([1, 4, 4, 2], [1, 4, 4, 2]), [])
        for length in range(8, len(whole), 4):
            with self.subTest(length=length):
                try:
                    convert_bytes(whole[:length])
                except ConvertError:
                    pass

    def test_conv_same_padding_and_fused_relu(self) -> None:
        picture, kernel, bias = random(2, 6, 6, 3), random(5, 3, 3, 3), random(5)
        data = one_operator("CONV_2D", ([1, 6, 6, 3], [1, 3, 3, 5]), [kernel, bias],
                            "Conv2DOptions", Padding=tflite.Padding.SAME, StrideW=2, StrideH=2,
                            DilationWFactor=1, DilationHFactor=1,
                            FusedActivationFunction=tflite.ActivationFunctionType.RELU)
        # An even size, stride 2 and a kernel of 3 pad by one, after the picture alone.
        expected = np.maximum(convolve(picture, kernel, 2, (0, 1)) + bias, 0)
        self.assert_close(run(data, picture), expected)

    def test_depthwise(self) -> None:
        picture, kernel, bias = random(2, 5, 5, 4), random(1, 3, 3, 4), random(4)
        data = one_operator("DEPTHWISE_CONV_2D", ([1, 5, 5, 4], [1, 5, 5, 4]), [kernel, bias],
                            "DepthwiseConv2DOptions", Padding=tflite.Padding.SAME, StrideW=1,
                            StrideH=1, DilationWFactor=1, DilationHFactor=1, DepthMultiplier=1)
        expected = np.concatenate(
            [convolve(picture[..., c:c + 1], kernel[..., c:c + 1], 1, (1, 1)) for c in range(4)],
            axis=3) + bias
        self.assert_close(run(data, picture), expected)

    def test_transposed_convolution_with_bias(self) -> None:
        picture, kernel, bias = random(2, 3, 4, 6), random(1, 2, 2, 6), random(1)
        data = one_operator("Convolution2DTransposeBias", ([1, 3, 4, 6], [1, 6, 8, 1]),
                            [kernel, bias], custom=np.array([1, 2, 2], dtype="<i4").tobytes())
        expected = np.zeros((2, 6, 8, 1))
        for y in range(6):
            for x in range(8):
                expected[:, y, x, 0] = picture[:, y // 2, x // 2] @ kernel[0, y % 2, x % 2] + bias
        self.assert_close(run(data, picture), expected)

    def test_transposed_convolution_of_another_kind_is_refused(self) -> None:
        data = one_operator("Convolution2DTransposeBias", ([1, 3, 4, 6], [1, 6, 8, 1]),
                            [random(1, 2, 2, 6), random(1)],
                            custom=np.array([2, 2, 2], dtype="<i4").tobytes())
        with self.assertRaisesRegex(ConvertError, "padding 2"):
            convert_bytes(data)

    def test_pools_over_the_whole_picture(self) -> None:
        picture, shapes = random(2, 3, 4, 5), ([1, 3, 4, 5], [1, 1, 1, 5])
        expected = picture.mean(axis=(1, 2), keepdims=True)
        pool = one_operator("AVERAGE_POOL_2D", shapes, [], "Pool2DOptions", FilterHeight=3,
                            FilterWidth=4, StrideH=3, StrideW=4, Padding=tflite.Padding.VALID)
        mean = one_operator("MEAN", shapes, [np.array([1, 2], dtype="<i4")], "ReducerOptions",
                            KeepDims=1)
        self.assert_close(run(pool, picture), expected)
        self.assert_close(run(mean, picture), expected)

    def test_smaller_pool_is_refused(self) -> None:
        data = one_operator("AVERAGE_POOL_2D", ([1, 4, 4, 1], [1, 2, 2, 1]), [], "Pool2DOptions",
                            FilterHeight=2, FilterWidth=2, StrideH=2, StrideW=2)
        with self.assertRaisesRegex(ConvertError, "not the whole picture"):
            convert_bytes(data)

    def test_resize_leaves_the_batch_free(self) -> None:
        data = one_operator("RESIZE_BILINEAR", ([1, 2, 3, 1], [1, 4, 6, 1]),
                            [np.array([4, 6], dtype="<i4")], "ResizeBilinearOptions",
                            HalfPixelCenters=1)
        picture = np.arange(18, dtype="<f4").reshape(3, 2, 3, 1)
        # At twice the size, half-pixel centres lie at -1/4, 1/4, 3/4, ... and stop at the edges.
        rows, columns = ((np.arange(2 * size) + 0.5) / 2 - 0.5 for size in (2, 3))
        wide = np.stack([[np.interp(columns, range(3), row) for row in rows_of]
                         for rows_of in picture[..., 0]])
        expected = np.stack([[np.interp(rows, range(2), column) for column in rows_of.T]
                             for rows_of in wide]).transpose(0, 2, 1)[..., np.newaxis]
        self.assert_close(run(data, picture), expected)

    def test_hard_swish(self) -> None:
        picture = np.linspace(-5, 5, 32, dtype="<f4").reshape(1, 4, 4, 2)
        data = one_operator("HARD_SWISH", ([1, 4, 4, 2], [1, 4, 4, 2]), [])
        self.assert_close(run(data, picture), picture * np.clip(picture + 3, 0, 6) / 6)

    def test_float16_weights_and_a_chain(self) -> None:
        half = np.array([[[[0.5]]], [[[-2.0]]]], dtype="<f2")
        graph = Graph()
        source, middle, sink = (graph.tensor([1, 2, 2, count]) for count in (1, 2, 2))
        packed, kernel = graph.constant(half), graph.tensor([2, 1, 1, 1])
        bias = graph.constant(np.array([1, 2], dtype="<f4"))
        graph.operator("DEQUANTIZE", [packed], kernel)
        graph.operator("CONV_2D", [source, kernel, bias], middle, "Conv2DOptions", StrideW=1,
                       StrideH=1, DilationWFactor=1, DilationHFactor=1)
        graph.operator("RELU", [middle], sink)
        data = graph.finish(source, sink)
        picture = random(1, 2, 2, 1)
        expected = np.maximum(np.concatenate([picture * .5 + 1, picture * -2 + 2], axis=3), 0)
        self.assert_close(run(data, picture), expected)
        model = onnx.load_from_string(convert_bytes(data))
        self.assertEqual({tensor.data_type for tensor in model.graph.initializer},
                         {onnx.TensorProto.FLOAT})
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "N")

    def test_bytes_are_the_same_each_time(self) -> None:
        data = one_operator("HARD_SWISH", ([1, 4, 4, 2], [1, 4, 4, 2]), [])
        self.assertEqual(convert_bytes(data), convert_bytes(data))

    def test_same_padding_puts_the_odd_one_after(self) -> None:
        self.assertEqual(convert_selfie.same_padding(256, 128, 3, 2, 1), (0, 1))
        self.assertEqual(convert_selfie.same_padding(32, 16, 5, 2, 1), (1, 2))
        self.assertEqual(convert_selfie.same_padding(9, 9, 3, 1, 2), (2, 2))
        self.assertEqual(convert_selfie.same_padding(4, 4, 1, 1, 1), (0, 0))


if __name__ == "__main__":
    unittest.main()
