#!/usr/bin/env python3
"""Measures what tiles gain on spherical pictures: real pictures with their masks, warped.

Each picture of `people` and `pennfudan` hangs as a plane, its longer side `--angle` degrees wide,
somewhere ahead (seeded) in an eye of 180 degrees half-equirect or of a fisheye of 190 degrees; its
mask is warped alike and is the truth. What surrounds it is its own border, blurred. Only eyes are
kept whose people cover less than 1/8 of the frame. Each network runs on the eyes whole (`--views
eyes`) and in each other way; the figure is the mean person IoU over the eyes.

Target: every full-body network gains at least 0.03 IoU. Networks for portraits alone have rows
without a target. To networks with states each eye is a still video, and so it is for crops, which
look for people from frame to frame: what counts is the last frame, when every place was looked at.

With crops there are films too: the camera turns by 0.4 degrees a frame, so that crops have
to follow. A frame's figure is its IoU; how steady masks are is dtSSD, and crops must not be less so
than whole eyes are.

Runs with the python of the peers' environment and writes bench/results/<device>/vr_views.json, or
vr_crops.json of the way "crops".
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
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
from onnx_models import MODELS, OnnxModel  # noqa: E402

GAIN = 0.03
MOST_SHARE = 1 / 8
PORTRAITS = ("pphumanseg-lite", "sinet-portrait")
PROJECTIONS = {"half-equirect": "half-equirect", "fisheye": "fisheye:190"}
STILL_FRAMES = 6  # of a picture as a video, for networks with states
CROP_FRAMES = 60  # until crops have looked at all places: 48 at most, 8 frames behind
FILM_FRAMES, FILM_SIDE, FILM_STEP = 60, 768, 0.4  # degrees a frame
FILMS = 2  # a projection


@dataclass
class Eye:
    """A spherical picture and the truth."""

    name: str
    path: Path
    truth: np.ndarray


def directions(projection: str, side: int) -> np.ndarray:
    """What each pixel of an eye of side x side looks at: x to the right, y up, z ahead."""
    axis = (np.arange(side) + 0.5) / side
    u, v = np.meshgrid(axis, axis)
    if projection == "half-equirect":
        lon, lat = math.pi * (u - 0.5), math.pi * (0.5 - v)
        return np.stack([np.cos(lat) * np.sin(lon), np.sin(lat), np.cos(lat) * np.cos(lon)], -1)
    x, y = 2 * u - 1, 1 - 2 * v
    r = np.hypot(x, y)
    theta = r * math.radians(190) / 2
    scale = np.where(r > 0, np.sin(theta) / np.maximum(r, 1e-9), 0)
    out = np.stack([scale * x, scale * y, np.cos(theta)], -1)
    out[r > 1] = (0, 0, -1)
    return out


def plane_map(look: np.ndarray, yaw: float, pitch: float, tan_x: float, tan_y: float,
              width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Columns and rows of a plane's picture for each direction, and which directions hit it."""
    cy, sy, cp, sp = math.cos(yaw), math.sin(yaw), math.cos(pitch), math.sin(pitch)
    x = look[..., 0] * cy - look[..., 2] * sy
    level = look[..., 0] * sy + look[..., 2] * cy
    y = look[..., 1] * cp - level * sp
    z = look[..., 1] * sp + level * cp
    ahead = z > 1e-6
    z = np.where(ahead, z, 1)
    columns = (x / (z * tan_x) + 1) / 2 * width - 0.5
    rows = (1 - y / (z * tan_y)) / 2 * height - 0.5
    hit = ahead & (columns >= 0) & (rows >= 0) & (columns <= width - 1) & (rows <= height - 1)
    return columns.astype(np.float32), rows.astype(np.float32), hit


def warp(image: np.ndarray, mask: np.ndarray, look: np.ndarray, angle: float, yaw: float,
         pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture as a plane in the eye, in that direction in degrees, and its mask."""
    height, width = mask.shape
    longer = math.tan(math.radians(angle) / 2)
    tan_x, tan_y = longer * min(1, width / height), longer * min(1, height / width)
    yaw, pitch = math.radians(yaw), math.radians(pitch)
    columns, rows, hit = plane_map(look, yaw, pitch, tan_x, tan_y, width, height)
    # The eye has fewer pixels an angle than the picture, mostly: area by blurring first.
    step = width / (2 * tan_x) / (look.shape[0] / math.pi)
    sharp = cv2.GaussianBlur(image, (0, 0), 0.4 * step) if step > 1.2 else image
    seen = cv2.remap(sharp, columns, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    around = cv2.GaussianBlur(seen, (0, 0), look.shape[0] / 40)
    behind = ~(look[..., 2] > -0.99)
    eye = np.where(hit[..., None], seen, around)
    eye[behind] = 0
    truth = cv2.remap(mask.astype(np.float32), columns, rows, cv2.INTER_LINEAR)
    return eye, (truth > 0.5) & hit


def read_pair(media: Path, name: str, suffix: str, path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A picture of a set and its mask."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    mask = cv2.imread(str(media / name / "masks" / f"{path.stem}{suffix}.png"),
                      cv2.IMREAD_UNCHANGED)
    if image is None or mask is None:
        raise BenchError(f"{path} or its mask cannot be read")
    return image, (mask if mask.ndim == 2 else mask[:, :, 0]) > 0


def make_eyes(media: Path, folder: Path, projection: str, side: int, angle: float,
              every: int, limit: int) -> list[Eye]:
    """Warps each `every`-th picture of the sets, `limit` of each at most (0: no limit)."""
    look = directions(projection, side)
    where = random.Random(7)
    eyes = []
    for name, suffix in (("people", ""), ("pennfudan", "_mask")):
        paths = sorted((media / name / "images").glob("*"))[::every]
        for path in paths[:limit or None]:
            image, mask = read_pair(media, name, suffix, path)
            yaw, pitch = where.uniform(-40, 40), where.uniform(-20, 5)
            eye, truth = warp(image, mask, look, angle, yaw, pitch)
            if 0.0005 < truth.mean() < MOST_SHARE:
                out = folder / f"{name}-{path.stem}.png"
                cv2.imwrite(str(out), eye)
                eyes.append(Eye(out.stem, out, truth))
    return eyes


def models_folder(models: Path, folder: Path) -> Path:
    """Links under the names that descriptors have."""
    folder.mkdir()
    for model in MODELS:
        (folder / f"{model.name}.onnx").symlink_to(models / model.file)
    return folder


@dataclass
class Film:
    """A spherical film and the truth of each frame."""

    name: str
    path: Path
    truth: list[np.ndarray]


def make_films(media: Path, folder: Path, projection: str, angle: float) -> list[Film]:
    """Pictures that pass by as the camera turns, 24 degrees in all."""
    look = directions(projection, FILM_SIDE)
    films = []
    for path in sorted((media / "pennfudan/images").glob("*"))[::17][:FILMS]:
        image, mask = read_pair(media, "pennfudan", "_mask", path)
        frames = folder / path.stem
        frames.mkdir(parents=True)
        truth = []
        for i in range(FILM_FRAMES):
            yaw = FILM_STEP * (i - FILM_FRAMES / 2)
            eye, shown = warp(image, mask, look, angle, yaw, -8)
            cv2.imwrite(str(frames / f"{i:04}.png"), eye)
            truth.append(shown)
        out = folder / f"{path.stem}.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", str(frames / "%04d.png"), "-c:v",
                        "ffv1", "-pix_fmt", "yuv420p", str(out)], check=True)
        films.append(Film(path.stem, out, truth))
    return films


def still_video(eye: Eye, folder: Path, count: int) -> Path:
    """The eye as so many equal frames, without loss."""
    path = folder / f"{eye.name}.mkv"
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-loop", "1", "-i", str(eye.path), "-frames:v",
                    str(count), "-c:v", "ffv1", "-pix_fmt", "yuv420p", str(path)],
                   check=True)
    return path


def all_frames(path: Path) -> list[np.ndarray]:
    """The pictures of a folder of masks, in order."""
    return [cv2.imread(str(mask), cv2.IMREAD_GRAYSCALE) for mask in sorted(path.glob("*.png"))]


class Runner:
    """Runs of vrseg over eyes of one projection."""

    def __init__(self, vrseg: str, models: Path, projection: str, folder: Path) -> None:
        self.vrseg, self.projection, self.folder = vrseg, projection, folder
        self.environment = {**os.environ, "VRSEG_MODELS_DIR": str(models)}
        self.runs = 0

    def run(self, source: Path, model: str, words: list[str]) -> Path:
        """One run; the folder of its masks."""
        self.runs += 1
        out = self.folder / f"masks-{self.runs}"
        out.mkdir()
        command = [self.vrseg, "run", str(source), "-o", f"mask:{out}/", "--model", model,
                   "--mask-size", "source", "--layout", "mono", "--projection",
                   PROJECTIONS[self.projection], *words]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchError(f"{' '.join(command)}: {done.stderr.strip()[-400:]}")
        return out

    def masks(self, eyes: list[Eye], model: OnnxModel, way: str) -> list[np.ndarray]:
        """The masks of all eyes as booleans."""
        if model.output == "recurrent" or way == "crops":
            count = CROP_FRAMES if way == "crops" else STILL_FRAMES
            return [all_frames(self.run(still_video(eye, self.folder, count), model.name,
                                        ["--views", way]))[-1] > 127 for eye in eyes]
        out = self.run(eyes[0].path.parent, model.name, ["--views", way])
        return [cv2.imread(str(out / f"{eye.name}.png"), cv2.IMREAD_GRAYSCALE) > 127
                for eye in eyes]


def film_rows(runner: Runner, films: list[Film], model: OnnxModel) -> list[Row]:
    """How well and how steadily crops follow what moves, beside whole eyes."""
    figures: dict[str, list[float]] = {}
    for way in ("eyes", "crops"):
        iou, dtssd = [], []
        for film in films:
            masks = all_frames(runner.run(film.path, model.name, ["--views", way]))
            known = range(FILM_FRAMES // 3, FILM_FRAMES)  # by then people were found
            iou += [metrics.iou(masks[i] > 127, film.truth[i]) for i in known]
            dtssd.append(metrics.dtssd([masks[i] / 255 for i in known],
                                       [film.truth[i] for i in known]))
        figures[way] = [float(np.mean(iou)), float(np.mean(dtssd))]
    name = f"{runner.projection}/{model.name}/crops/film"
    portrait = model.name in PORTRAITS
    eyes, crops = figures["eyes"], figures["crops"]
    return [Row(f"{name}/iou", crops[0], "IoU", "higher", "vrseg, eyes whole", eyes[0],
                target=None if portrait else eyes[0] + GAIN),
            Row(f"{name}/dtssd", crops[1], "dtSSD", "lower", "vrseg, eyes whole", eyes[1],
                target=None if portrait else eyes[1])]


def collect(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows."""
    models = models_folder(arguments.models_dir, folder / "models")
    wanted = arguments.models.split(",") if arguments.models else [m.name for m in MODELS]
    ways = arguments.ways.split(",")
    rows = []
    for projection in PROJECTIONS:
        place = folder / projection
        (place / "eyes").mkdir(parents=True)
        eyes = make_eyes(arguments.media, place / "eyes", projection, arguments.side,
                         arguments.angle, arguments.every, arguments.limit)
        share = float(np.mean([eye.truth.mean() for eye in eyes]))
        note(f"{projection}: {len(eyes)} eyes, {100 * share:.1f} % person")
        runner = Runner(arguments.vrseg, models, projection, place)
        films = [] if "crops" not in ways else make_films(arguments.media, place / "films",
                                                         projection, arguments.angle)
        for model in (m for m in MODELS if m.name in wanted):
            def figure(way: str, model: OnnxModel = model) -> float:
                found = runner.masks(eyes, model, way)
                return float(np.mean([metrics.iou(mask, eye.truth)
                                      for mask, eye in zip(found, eyes, strict=True)]))

            whole = figure("eyes")
            for way in ways:
                target = None if model.name in PORTRAITS else whole + GAIN
                row = Row(f"{projection}/{model.name}/{way}/iou", figure(way), "IoU", "higher",
                          "vrseg, eyes whole", whole, target=target)
                benchlib.print_rows([row])
                rows.append(row)
            if "crops" in ways and films:
                rows += film_rows(runner, films, model)
                benchlib.print_rows(rows[-2:])
    return rows


def main() -> None:
    """Parses the command line, measures, writes the results."""
    options = benchlib.quality_options(__doc__)
    options.add_argument("--models", default="", metavar="A,B", help="only these networks")
    options.add_argument("--ways", default="tiles", metavar="A,B",
                         help="of the option views: tiles, crops")
    options.add_argument("--side", type=int, default=1536, help="pixels of an eye")
    options.add_argument("--angle", type=float, default=60,
                         help="degrees of a picture's longer side")
    options.add_argument("--every", type=int, default=5, help="only each so manieth picture")
    options.add_argument("--limit", type=int, default=0, help="only so many pictures of each set")
    arguments = options.parse_args()
    try:
        device = benchlib.use_cores(arguments.cores)
        versions = benchlib.quality_versions(arguments.vrseg, cv2, np)
        with tempfile.TemporaryDirectory(prefix="vrseg-views-") as name:
            rows = collect(arguments, Path(name))
        if arguments.limit or arguments.models:
            note("not written: only whole runs over all networks are kept")
        else:
            name = "vr_crops" if arguments.ways == "crops" else "vr_views"
            note(f"wrote {benchlib.write_results(device, name, versions, rows)}")
    except (BenchError, OSError, subprocess.CalledProcessError) as error:
        benchlib.fail(str(error))


if __name__ == "__main__":
    main()
