#!/usr/bin/env python3
"""Measures how steady masks are: vrseg without smoothing, with a fixed share, and along the motion.

On davis_tennis and on clips whose truth and motion are known (moves.py): IoU, boundary F, dtSSD,
flicker (mean |p_t - p_(t-1)| over pixels whose truth is the same in both frames; on the clips of
moves.py along the motion, of person and background each), and of stereo the difference of the eyes'
areas. All in the default refinement, at the source's size.

Targets of smoothing along the motion: IoU and boundary F as without, dtSSD below, flicker at most
half, areas within 1 %.

Runs with the python of the peers' environment and writes bench/results/<device>/steady.json.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import benchlib
from benchlib import BenchError, Row, note

try:
    import cv2
    import numpy as np
except ImportError as error:
    benchlib.fail(f"{error}: run it with the python of the peers' environment (`make peers`)")

sys.path.insert(0, str(benchlib.PEERS))
import metrics  # noqa: E402
import moves  # noqa: E402
from onnx_models import find  # noqa: E402

WAYS = {"plain": ("--smooth", "off"),
        "fixed": ("--smooth", "on", "--smooth-motion", "off"),
        "steady": ("--smooth", "on")}
AREAS = 0.01
UNITS = {"iou": "IoU", "boundary_f": "F", "dtssd": "dtSSD", "flicker": "% of full",
         "area_difference": "of the area"}


@dataclass
class Figures:
    """What one way gave on one clip."""

    iou: float
    boundary_f: float
    dtssd: float
    flicker: float
    area_difference: float | None


def tennis(media: Path) -> moves.Clip:
    """The real clip; where its player is in each frame is not known."""
    folder = media / "davis_tennis/rgb_256x448"
    pictures = [cv2.imread(str(path)) for path in sorted(folder.glob("*"))]
    masks = [cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
             for path in sorted((media / "davis_tennis/mask_256x448").glob("*"))]
    truths = [(mask if mask.ndim == 2 else mask[:, :, 0]) > 0 for mask in masks]
    if not pictures or len(pictures) != len(truths):
        raise BenchError(f"davis_tennis is not complete in {folder.parent}")
    return moves.Clip("davis_tennis", pictures, truths, [], [])


def shifted(picture: np.ndarray, right: float, down: float) -> np.ndarray:
    """Moved by so much; NaN where nothing comes from inside."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(picture.astype(np.float32), move, picture.shape[::-1],
                          flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
                          borderValue=float("nan"))


def pair_flicker(clip: moves.Clip, before: np.ndarray, now: np.ndarray, t: int,
                 truths: tuple[np.ndarray, np.ndarray]) -> float:
    """Flicker between frames t - 1 and t: in place where no motion is known, else along it."""
    if not clip.person:
        return metrics.flicker(before, now, truths[0] == truths[1])
    last, counts = np.zeros_like(now), np.zeros(now.shape, bool)
    for places, there in ((clip.background, False), (clip.person, True)):
        step = [b - a for a, b in zip(places[t - 1], places[t], strict=True)]
        came, truth = shifted(before, *step), shifted(truths[0], *step)
        same = (truths[1] == there) & np.isfinite(came) & (truth == float(there))
        last[same], counts = came[same], counts | same
    return metrics.flicker(last, now, counts)


def eyes_of(clip: moves.Clip, mask: np.ndarray) -> list[np.ndarray]:
    """Both halves of stereo, else the whole."""
    return np.hsplit(mask, 2) if clip.stereo else [mask]


def judge(clip: moves.Clip, masks: list[np.ndarray]) -> Figures:
    """Means over frames (and eyes)."""
    ious, edges, flickers, areas = [], [], [], []
    for t, (mask, truth) in enumerate(zip(masks, clip.truths, strict=True)):
        halves, right = eyes_of(clip, mask), eyes_of(clip, truth)
        ious += [metrics.iou(m > 0.5, g) for m, g in zip(halves, right, strict=True)]
        edges += [metrics.boundary_f(m > 0.5, g) for m, g in zip(halves, right, strict=True)]
        if clip.stereo:
            areas.append(metrics.area_difference(*halves))
        if t == 0 or t in clip.cuts:
            continue
        for m, b, g, h in zip(halves, eyes_of(clip, masks[t - 1]), right,
                              eyes_of(clip, clip.truths[t - 1]), strict=True):
            flickers.append(pair_flicker(clip, b, m, t, (h, g)))
    return Figures(float(np.mean(ious)), float(np.mean(edges)), metrics.dtssd(masks, clip.truths),
                   float(np.mean(flickers)), float(np.mean(areas)) if areas else None)


def run(vrseg: str, model: str, clip: moves.Clip, way: str, folder: Path) -> list[np.ndarray]:
    """vrseg's masks of a clip whose pictures lie in folder/NAME."""
    out = folder / f"{model}-{clip.name}-{way}"
    out.mkdir()
    benchlib.run_measured([vrseg, "run", str(folder / clip.name), "-o", f"mask:{out}/", "--model",
                           model, "--mask-size", "source", "--layout",
                           "sbs" if clip.stereo else "mono", *WAYS[way]])
    masks = []
    for path in sorted(out.glob("*.png")):
        mask = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        masks.append((mask if mask.ndim == 2 else mask[:, :, 0]).astype(np.float32) / 255)
    if len(masks) != len(clip.truths):
        raise BenchError(f"vrseg made {len(masks)} masks of {len(clip.truths)} frames: {clip.name}")
    return masks


def better(key: str) -> str:
    """Which way a figure of UNITS is better."""
    return "higher" if key in ("iou", "boundary_f") else "lower"


def rows_of(name: str, found: dict[str, Figures]) -> list[Row]:
    """The rows of one network on one clip, each way beside none."""
    plain, rows = found["plain"], []
    targets = {"iou": plain.iou, "boundary_f": plain.boundary_f, "dtssd": plain.dtssd,
               "flicker": plain.flicker / 2, "area_difference": AREAS}
    for way, figures in found.items():
        for key, target in targets.items():
            value = getattr(figures, key)
            if value is None:
                continue
            row = Row(f"{name}/{key}_{way}", value, UNITS[key], better(key))
            if way != "plain":
                row.peer, row.peer_value = "vrseg, smoothing off", getattr(plain, key)
            if way == "steady":
                row.target = target
            rows.append(row)
    return rows


def link_weights(models: list[str], weights: Path, folder: Path) -> None:
    """Puts weights where vrseg looks for them, by its names."""
    for name in models:
        model = find(name)
        if model is None:
            raise BenchError(f'there is no network "{name}"')
        path = benchlib.need_file(weights / model.file, f"the weights of {name}")
        (folder / f"{name}.onnx").symlink_to(path.resolve())
    os.environ["VRSEG_MODELS_DIR"] = str(folder)


def store_pictures(clip: moves.Clip, folder: Path) -> None:
    """Writes a clip's pictures into folder/NAME, where run() looks for them."""
    (folder / clip.name).mkdir()
    for t, picture in enumerate(clip.pictures):
        cv2.imwrite(str(folder / clip.name / f"{t:04d}.png"), picture)


def collect(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows of the networks and clips that were asked for."""
    models, rows = arguments.models.split(","), []
    (folder / "weights").mkdir()
    link_weights(models, arguments.models_dir, folder / "weights")
    clips = [tennis(arguments.media), *moves.make_all(arguments.media)]
    for clip in clips:
        store_pictures(clip, folder)
    for number, model in enumerate(models):
        few = number > 0 and not arguments.all  # large networks take minutes a clip
        for clip in clips:
            if few and clip.name != "davis_tennis":
                continue
            found = {way: judge(clip, run(arguments.vrseg, model, clip, way, folder))
                     for way in WAYS}
            now = rows_of(f"{model}/{clip.name}", found)
            benchlib.print_rows(now)
            rows += now
    return rows


def main() -> None:
    """Parses the command line, measures, writes the results."""
    options = benchlib.quality_options(__doc__)
    options.add_argument("--models", default="selfie-landscape,deeplabv3plus-r50-person",
                         metavar="A,B", help="networks; those behind the first one on davis_tennis")
    options.add_argument("--all", action="store_true", help="every network on every clip")
    options.add_argument("--dry", action="store_true", help="print the rows and keep nothing")
    arguments = options.parse_args()
    try:
        device = benchlib.use_cores(arguments.cores)
        versions = benchlib.quality_versions(arguments.vrseg, cv2, np)
        with tempfile.TemporaryDirectory(prefix="vrseg-steady-") as name:
            rows = collect(arguments, Path(name))
        if not arguments.dry:
            note(f"wrote {benchlib.write_results(device, 'steady', versions, rows)}")
    except (BenchError, OSError) as error:
        benchlib.fail(str(error))


if __name__ == "__main__":
    main()
