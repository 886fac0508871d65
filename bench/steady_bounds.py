#!/usr/bin/env python3
"""How steady masks can be at all: what smoothing that makes no mistake of its own gives.

On the clips of moves.py: the masks of vrseg without smoothing, each pixel the mean over what it was
before along the true motion of person and background, as `vrseg run --smooth on` does it along the
motion that it finds: 1 / age of the new mask, WEIGHT at least. Nothing is ever forgotten but at a
cut and where it comes into the picture. What is lost here is lost by averaging, not by wrong
vectors.

On davis_tennis, where flicker is measured in place: masks that follow the person to the pixel and
never flicker, but are a pixel too large or too small everywhere, or have a soft edge. What flickers
there comes of the person's motion alone.

Runs with the python of the peers' environment and writes bench/results/<device>/steady_bounds.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import benchlib
import steady
from benchlib import BenchError, Row, note

try:
    import cv2
    import numpy as np
except ImportError as error:
    benchlib.fail(f"{error}: run it with the python of the peers' environment (`make peers`)")

import moves  # noqa: E402

WEIGHT = 0.15  # what --smooth-weight is where nobody says


def along_truth(clip: moves.Clip, masks: list[np.ndarray]) -> list[np.ndarray]:
    """Masks of a clip that is no stereo, each the mean over its past along the true motion."""
    result: list[np.ndarray] = []
    age = 0
    for t, mask in enumerate(masks):
        if t == 0 or t in clip.cuts:
            result.append(mask)
            age = 1
            continue
        steps = [[b - a for a, b in zip(places[t - 1], places[t], strict=True)]
                 for places in (clip.background, clip.person)]
        behind, person = (steady.shifted(result[-1], *step) for step in steps)
        past = np.where(clip.truths[t], person, behind)
        share = max(1 / (age + 1), WEIGHT)
        result.append(np.where(np.isfinite(past), past + share * (mask - past), mask))
        age += 1
    return result


def without_flicker(truths: list[np.ndarray]) -> dict[str, list[np.ndarray]]:
    """Masks that follow the truth exactly and are wrong in the same way in every frame."""
    cross = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    plain = [truth.astype(np.uint8) for truth in truths]
    return {
        "a_pixel_larger": [cv2.dilate(truth, cross).astype(np.float32) for truth in plain],
        "a_pixel_smaller": [cv2.erode(truth, cross).astype(np.float32) for truth in plain],
        "soft_edge": [cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1) for truth in plain],
    }


def rows_of(name: str, figures: steady.Figures, plain: steady.Figures | None) -> list[Row]:
    """The rows of one kind of mask, beside masks without smoothing where there are any."""
    rows = []
    for key, unit in steady.UNITS.items():
        value = getattr(figures, key)
        if value is None:
            continue
        row = Row(f"{name}/{key}", value, unit, steady.better(key))
        if plain is not None:
            row.peer, row.peer_value = "vrseg, smoothing off", getattr(plain, key)
        rows.append(row)
    return rows


def collect(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows."""
    rows = []
    real = steady.tennis(arguments.media)
    for kind, masks in without_flicker(real.truths).items():
        rows += rows_of(f"{real.name}/{kind}", steady.judge(real, masks), None)
    benchlib.print_rows(rows)
    (folder / "weights").mkdir()
    steady.link_weights([arguments.model], arguments.models_dir, folder / "weights")
    for clip in moves.make_all(arguments.media):
        if clip.stereo:
            continue
        steady.store_pictures(clip, folder)
        masks = steady.run(arguments.vrseg, arguments.model, clip, "plain", folder)
        plain, best = steady.judge(clip, masks), steady.judge(clip, along_truth(clip, masks))
        now = rows_of(f"{arguments.model}/{clip.name}/true_motion", best, plain)
        benchlib.print_rows(now)
        rows += now
    return rows


def main() -> None:
    """Parses the command line, measures, writes the results."""
    options = benchlib.quality_options(__doc__)
    options.add_argument("--model", default="selfie-landscape")
    options.add_argument("--dry", action="store_true", help="print the rows and keep nothing")
    arguments = options.parse_args()
    try:
        device = benchlib.use_cores(arguments.cores)
        versions = benchlib.quality_versions(arguments.vrseg, cv2, np)
        with tempfile.TemporaryDirectory(prefix="vrseg-steady-bounds-") as name:
            rows = collect(arguments, Path(name))
        if not arguments.dry:
            note(f"wrote {benchlib.write_results(device, 'steady_bounds', versions, rows)}")
    except (BenchError, OSError) as error:
        benchlib.fail(str(error))


if __name__ == "__main__":
    main()
