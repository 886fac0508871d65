"""Runs a converted selfie segmentation model on a drawn person, by ONNX's reference evaluator, and
compares the result with the known one.

The picture is integer arithmetic alone, so that a test in any language can draw the same one. The
result is the mean probability in each cell of an 8 x 8 grid.
"""

import argparse
import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx.reference import ReferenceEvaluator

GRID = 8
TOLERANCE = 1e-3


def drawn_person(width: int, height: int) -> np.ndarray:
    """A head with eyes on a body before a gradient: RGB, 8 bit, 3 x height x width. Every size is
    drawn from the coordinates u, v of a 256 x 256 picture; every division rounds down."""
    y, x = np.mgrid[0:height, 0:width]
    u, v = x * 256 // width, y * 256 // height
    background = (90 + u // 4, 110 + v // 4, 130 + (u + v) // 8)
    body = (40 + v // 8, 60 + v // 8, 120 + v // 8)
    shade = abs(u - 128) // 2
    skin = (215 - shade, 170 - shade, 140 - shade)
    in_body = (u - 128) ** 2 + (v - 256) ** 2 < 110 ** 2
    in_head = 9 * (u - 128) ** 2 + 5 * (v - 90) ** 2 < 14400
    in_eye = (abs(u - 128) - 16) ** 2 + (v - 82) ** 2 < 25
    picture = np.where(in_body, body, background)
    picture = np.where(in_head, skin, picture)
    return np.where(in_eye, 30, picture).astype(np.uint8)


def run(path: Path) -> np.ndarray:
    """The model's probabilities of the drawn person, as the means of the grid's cells."""
    model = onnx.load(path)
    _, _, height, width = (axis.dim_value for axis in
                           model.graph.input[0].type.tensor_type.shape.dim)
    batch = (drawn_person(width, height)[np.newaxis] / 255.0).astype(np.float32)
    with warnings.catch_warnings():
        # The evaluator computes both branches of its sigmoid, of which one may overflow.
        warnings.simplefilter("ignore", RuntimeWarning)
        probability, = ReferenceEvaluator(model).run(None, {"input": batch})
    cells = probability.reshape(GRID, height // GRID, GRID, width // GRID)
    return cells.mean(axis=(1, 3), dtype=np.float64)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("model", type=Path, help="the ONNX file")
    parser.add_argument("known", help="the known grid as JSON, or - to print the grid")
    arguments = parser.parse_args()
    grid = run(arguments.model)
    if arguments.known == "-":
        print(json.dumps(np.round(grid, 6).tolist()))
        return 0
    known = np.array(json.loads(arguments.known))
    off = float(abs(grid - known).max()) if known.shape == grid.shape else float("inf")
    if not off <= TOLERANCE:
        print(f"known_output.py: {arguments.model}: the result on the drawn person is off by "
              f"{off:.4g}, and {TOLERANCE} is allowed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
