#!/usr/bin/python3
"""Makes the ONNX files in hostile/ that must be refused, and hostile.txt: for each the status and a
part of the sentence.

The files are committed; this is how they came to be. It needs the packages onnx and numpy, so it
runs in the environment of the tools.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).resolve().parent
FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64
PICTURE = ["n", 3, 8, 8]


def constant(name: str, *shape: int) -> TensorProto:
    return numpy_helper.from_array(np.ones(shape, np.float32), name)


def numbers(name: str, *values: int) -> TensorProto:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def claim(name: str, dims: list, kind: int = FLOAT, data: bytes = b"\0\0\0\0") -> TensorProto:
    """A tensor that says of itself what is not true."""
    tensor = TensorProto(name=name, data_type=kind, raw_data=data)
    tensor.dims.extend(dims)
    return tensor


def external(name: str, dims: list, **where: object) -> TensorProto:
    """A tensor whose elements are in another file."""
    tensor = TensorProto(name=name, data_type=FLOAT, data_location=TensorProto.EXTERNAL)
    tensor.dims.extend(dims)
    for key, value in where.items():
        tensor.external_data.add(key=key, value=str(value))
    return tensor


def model(*nodes: tuple, constants: list = (), shape: list | None = None, opset: int | None = 13,
          outputs: tuple = ("y",)) -> bytes:
    """Nodes as (operator, inputs, outputs, attributes); x in, y out."""
    made = []
    for i, (op, inputs, results, attributes) in enumerate(nodes):
        domain, _, op = op.rpartition(".")
        made.append(helper.make_node(op, inputs, results, name=f"node{i}", domain=domain,
                                     **attributes))
    graph = helper.make_graph(
        made, "hostile", [helper.make_tensor_value_info("x", FLOAT, shape or PICTURE)],
        [onnx.ValueInfoProto(name=name) for name in outputs], list(constants))
    result = helper.make_model(graph, producer_name="vrseg")
    result.ir_version = 8
    del result.opset_import[:]
    if opset is not None:
        result.opset_import.append(helper.make_opsetid("", opset))
    return result.SerializeToString(deterministic=True)


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def nested(depth: int) -> bytes:
    """Graphs in attributes of nodes in graphs, by the bytes."""
    message = b""
    for _ in range(depth):
        for field in (6, 5, 1):  # AttributeProto.g, NodeProto.attribute, GraphProto.node
            message = varint(field << 3 | 2) + varint(len(message)) + message
    return varint(7 << 3 | 2) + varint(len(message)) + message


def add(inputs: list, result: str = "y") -> tuple:
    return ("Add", inputs, [result], {})


def conv(*inputs: str, **attributes: object) -> tuple:
    return ("Conv", ["x", *inputs], ["y"], attributes)


def structure() -> dict:
    relu = ("Relu", ["x"], ["y"], {})
    many = [("Unheard", ["x"], ["y" if i == 0 else f"y{i}"], {}) for i in range(40)]
    return {
        "opset-99": ("UNSUPPORTED", "operator set 99", model(relu, opset=99)),
        "opset-6": ("UNSUPPORTED", "operator set 6", model(relu, opset=6)),
        "opset-none": ("FORMAT", "holds no operator set", model(relu, opset=None)),
        "empty": ("FORMAT", "holds no graph", b""),
        "text": ("FORMAT", "is not an ONNX file", b"%PDF-1.4 this is no network\n"),
        "nested": ("FORMAT", "nested too deeply", nested(3000)),
        "loop": ("FORMAT", "has a loop", model(add(["x", "b"], "a"), add(["a", "x"], "b"),
                                               add(["a", "b"]))),
        "loop-self": ("FORMAT", "has a loop", model(add(["x", "y"]))),
        "nothing-makes": ("FORMAT", 'reads "who", which nothing makes', model(add(["x", "who"]))),
        "made-twice": ("FORMAT", '"y" is made twice', model(relu, relu)),
        "no-output": ("FORMAT", "has no outputs", model(relu, outputs=())),
        "output-missing": ("FORMAT", 'has no output "z"', model(relu, outputs=("z",))),
        "unsupported": ("UNSUPPORTED", '"node0" (Unheard), "node1" (com.example.Relu), "node3" '
                                       '(If)',
                        model(("Unheard", ["x"], ["a"], {}),
                              ("com.example.Relu", ["a"], ["b"], {}), ("Relu", ["b"], ["c"], {}),
                              ("If", ["c"], ["y"], {}))),
        "unsupported-many": ("UNSUPPORTED", "more",
                             model(*many, outputs=tuple(node[2][0] for node in many))),
        "open": ("UNSUPPORTED", 'leaves the size of axis 2 ("h") open',
                 model(relu, shape=["n", 3, "h", 8])),
        "second-result": ("UNSUPPORTED", 'it reads "mask"',
                          model(("Dropout", ["x"], ["d", "mask"], {}),
                                ("Where", ["mask", "x", "d"], ["y"], {}))),
        "training": ("UNSUPPORTED", "exported for training",
                     model(("Dropout", ["x", "", "t"], ["y"], {}),
                           constants=[numpy_helper.from_array(np.array(True), "t")])),
        "second-output": ("UNSUPPORTED", 'output "mask"',
                          model(("Dropout", ["x"], ["d", "mask"], {}), outputs=("mask",))),
    }


def shapes() -> dict:
    huge = 1 << 62
    doubled = [("Concat", [f"c{i}", f"c{i}"], [f"c{i + 1}"], {"axis": 0}) for i in range(60)]
    return {
        "conv-channels": ("FORMAT", "do not go with 3 channels",
                          model(conv("w"), constants=[constant("w", 4, 5, 3, 3)])),
        "conv-kernel": ("FORMAT", "kernel covers 9",
                        model(conv("w"), constants=[constant("w", 4, 3, 9, 9)])),
        "conv-bias": ("FORMAT", "4 floats were expected",
                      model(conv("w", "b"), constants=[constant("w", 4, 3, 3, 3),
                                                       constant("b", 5)])),
        "conv-rank": ("FORMAT", "where four of floats",
                      model(conv("w"), constants=[constant("w", 4, 3, 3)])),
        "conv-computed": ("UNSUPPORTED", "is computed", model(("Relu", ["x"], ["w"], {}),
                                                              conv("w"))),
        "conv-stride": ("UNSUPPORTED", '"strides" has 0',
                        model(conv("w", strides=[0, 1]), constants=[constant("w", 4, 3, 3, 3)])),
        "conv-pads": ("UNSUPPORTED", '"pads" has 9223372036854775807',
                      model(conv("w", pads=[2**63 - 1, 0, 0, 0]),
                            constants=[constant("w", 4, 3, 3, 3)])),
        "conv-line": ("UNSUPPORTED", "only four of floats",
                      model(conv("w"), constants=[constant("w", 4, 3, 3)], shape=["n", 3, 8])),
        "add": ("FORMAT", 'shapes disagree: "x" is 1x3x8x8 and "b" is 5x8',
                model(add(["x", "b"]), constants=[constant("b", 5, 8)])),
        "types": ("FORMAT", "types disagree", model(add(["x", "b"]), constants=[numbers("b", 1)])),
        "concat": ("FORMAT", "shapes disagree",
                   model(("Concat", ["x", "b"], ["y"], {"axis": 1}),
                         constants=[constant("b", 1, 3, 8, 9)])),
        "axis": ("FORMAT", "axis 4 is none", model(("Concat", ["x", "x"], ["y"], {"axis": 4}))),
        "reshape": ("FORMAT", "cannot become",
                    model(("Reshape", ["x", "s"], ["y"], {}), constants=[numbers("s", 7, -1)])),
        "reshape-picture": ("UNSUPPORTED", "depends on what is in the picture",
                            model(("Cast", ["x"], ["c"], {"to": INT64}),
                                  ("Reshape", ["x", "c"], ["y"], {}))),
        "split": ("FORMAT", "shapes disagree",
                  model(("Split", ["x", "s"], ["y", "z"], {"axis": 1}),
                        constants=[numbers("s", 1, 1)])),
        "transpose": ("FORMAT", "no order of 4 axes",
                      model(("Transpose", ["x"], ["y"], {"perm": [0, 1, 1, 2]}))),
        "matmul": ("FORMAT", "shapes disagree",
                   model(("MatMul", ["x", "b"], ["y"], {}), constants=[constant("b", 7, 3)])),
        "gather": ("FORMAT", "index 9 is not in an axis of 3",
                   model(("Gather", ["c", "i"], ["g"], {}), add(["x", "g"]),
                         constants=[constant("c", 3), numpy_helper.from_array(
                             np.int64(9), "i")])),
        "resize-channels": ("UNSUPPORTED", "other axes than the last two",
                            model(("Resize", ["x", "", "s"], ["y"], {"mode": "nearest"}),
                                  constants=[numpy_helper.from_array(
                                      np.array([1, 2, 1, 1], np.float32), "s")])),
        "resize-cubic": ("UNSUPPORTED", 'mode "cubic"',
                         model(("Resize", ["x", "", "s"], ["y"], {"mode": "cubic"}),
                               constants=[constant("s", 4)])),
        "resize-huge": ("FORMAT", "resizes to a side",
                        model(("Resize", ["x", "", "", "s"], ["y"], {"mode": "nearest"}),
                              constants=[numbers("s", 1, 3, huge, huge)])),
        "expand-huge": ("UNSUPPORTED", "more bytes than any memory",
                        model(("Expand", ["x", "s"], ["y"], {}),
                              constants=[numbers("s", 1 << 30, 1 << 30, 1, 1, 1, 1)])),
        "pad-huge": ("UNSUPPORTED", "more bytes than any memory",
                     model(("Pad", ["x", "s"], ["y"], {}),
                           constants=[numbers("s", 0, 0, huge, huge, 0, 0, huge, huge)])),
        "slice-nothing": ("UNSUPPORTED", "has no elements",
                          model(("Slice", ["x", "s", "s"], ["y"], {}),
                                constants=[numbers("s", 1)])),
        "double": ("UNSUPPORTED", "more bytes than any memory",
                   model(*doubled, ("Gather", ["c60", "i"], ["g"], {}), add(["x", "g"]),
                         constants=[constant("c0", 8), numpy_helper.from_array(np.int64(0), "i")])),
        "input-huge": ("UNSUPPORTED", "more bytes than any memory",
                       model(("Relu", ["x"], ["y"], {}), shape=["n", huge, huge, huge])),
    }


def constants() -> dict:
    def uses(tensor: TensorProto) -> bytes:
        return model(add(["x", "b"]), constants=[tensor])

    return {
        "constant-short": ("FORMAT", "12 bytes by its dims, and 4 are there",
                           uses(claim("b", [3]))),
        "constant-negative": ("FORMAT", "a size of -1 along axis 0", uses(claim("b", [-1]))),
        "constant-overflow": ("UNSUPPORTED", "2 GB or more",
                              uses(claim("b", [1 << 62, 1 << 62, 4]))),
        "constant-rank": ("UNSUPPORTED", "7 axes", uses(claim("b", [1] * 7))),
        "constant-type": ("UNSUPPORTED", "type number 14", uses(claim("b", [1], 14))),
        "external-missing": ("NOT_FOUND", "not-there.bin: the weights of",
                             uses(external("b", [3], location="not-there.bin"))),
        "external-above": ("FORMAT", "not a name below",
                           uses(external("b", [3], location="../hostile.txt"))),
        "external-root": ("FORMAT", "not a name below",
                          uses(external("b", [3], location="/etc/hostname"))),
        "external-nowhere": ("FORMAT", "not a name below", uses(external("b", [3]))),
        "external-short": ("FORMAT", "is cut short",
                           uses(external("b", [3], location="text.onnx", offset=20))),
        "external-far": ("FORMAT", "is cut short",
                         uses(external("b", [3], location="text.onnx", offset=2**64 - 4))),
        "external-offset": ("FORMAT", "is no number of bytes",
                            uses(external("b", [3], location="text.onnx", offset="-4"))),
        "external-length": ("FORMAT", "12 bytes by its dims and 8",
                            uses(external("b", [3], location="text.onnx", length=8))),
        "external-2gb": ("UNSUPPORTED", "2 GB or more",
                         uses(external("b", [1 << 15, 1 << 14], location="text.onnx"))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=HERE, metavar="DIR",
                        help="where the files go (default: beside this script)")
    out = parser.parse_args().out
    (out / "hostile").mkdir(exist_ok=True)
    lines = []
    for name, (status, part, data) in {**structure(), **shapes(), **constants()}.items():
        (out / "hostile" / f"{name}.onnx").write_bytes(data)
        lines.append(f"{name} {status} {part}")
    (out / "hostile.txt").write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
