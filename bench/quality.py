#!/usr/bin/env python3
"""Measures masks against the truth: each network through vrseg and through ONNX Runtime + OpenCV.

The reference way: decode the picture with OpenCV, stretch it to the network's size (2-tap linear
or area, by the table in peers/onnx_models.py), normalise, run ONNX Runtime, up-sample the person's
probability to the picture's size (INTER_LINEAR), cut at 0.5. vrseg gets the same folder of
pictures and writes its masks as PNGs under the same base names. Sets: people and pennfudan (mean
person IoU over the pictures), davis_tennis (IoU and dtSSD over the frames, see metrics.py), the
last also with smoothing and refinement.

Targets: IoU at most 0.005 under the reference way; with the refinement that is the default
(`--refine auto`) at least as good as without; with smoothing dtSSD at most that without.

Runs with the python of the peers' environment and writes bench/results/<device>/quality.json.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import benchlib
from benchlib import BenchError, Row, note

try:
    import cv2
    import numpy as np
    import onnxruntime
except ImportError as error:
    benchlib.fail(f"{error}: run it with the python of the peers' environment (`make peers`)")

sys.path.insert(0, str(benchlib.PEERS))
import metrics  # noqa: E402
from onnx_models import MODELS, OnnxModel  # noqa: E402
from onnx_network import Network  # noqa: E402
from peer_io import PeerError  # noqa: E402

TOLERANCE = 0.005
PEER = "ONNX Runtime + OpenCV"


@dataclass
class PictureSet:
    """Pictures and their true masks, in the order of their names."""

    name: str
    folder: Path
    pictures: list[Path]
    masks: list[Path]

    def truths(self) -> list[np.ndarray]:
        """The masks as booleans; any value but 0 is a person."""
        return [read(path, cv2.IMREAD_UNCHANGED) > 0 for path in self.masks]


def read(path: Path, flags: int) -> np.ndarray:
    """Decodes a picture; one channel of a grey mask that was stored as colour."""
    image = cv2.imread(str(path), flags)
    if image is None:
        raise BenchError(f"{path} cannot be read as a picture")
    return image if flags == cv2.IMREAD_COLOR or image.ndim == 2 else image[:, :, 0]


def find_set(name: str, pictures: Path, masks: Path, suffix: str = "") -> PictureSet:
    """Pairs the pictures of a folder with their masks, named alike but for `suffix`."""
    found = sorted(path for path in pictures.glob("*") if path.suffix in (".png", ".jpg"))
    if not found:
        raise BenchError(f"there are no pictures in {pictures}")
    paired = [benchlib.need_file(masks / f"{path.stem}{suffix}.png", "the mask") for path in found]
    return PictureSet(name, pictures, found, paired)


def picture_sets(media: Path, limit: int) -> list[PictureSet]:
    """The three sets; `limit` cuts them for a quick look (0: whole)."""
    sets = [find_set("people", media / "people/images", media / "people/masks"),
            find_set("pennfudan", media / "pennfudan/images", media / "pennfudan/masks", "_mask"),
            find_set("davis_tennis", media / "davis_tennis/rgb_256x448",
                     media / "davis_tennis/mask_256x448")]
    if limit:
        for one in sets:
            one.pictures, one.masks = one.pictures[:limit], one.masks[:limit]
    return sets


def reference_masks(network: Network, pictures: PictureSet,
                    resize: int) -> Iterator[np.ndarray]:
    """The reference way. A recurrent network keeps its states over a video's frames alone."""
    height, width = network.model.size
    network.reset()
    for path in pictures.pictures:
        if pictures.name != "davis_tennis":
            network.reset()
        image = read(path, cv2.IMREAD_COLOR)
        small = cv2.resize(image, (width, height), interpolation=resize)
        mask = network.run(cv2.cvtColor(small, cv2.COLOR_BGR2RGB))
        yield cv2.resize(mask, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)


def vrseg_masks(vrseg: str, model: str, pictures: PictureSet, folder: Path,
                refine: str, smooth: str) -> list[np.ndarray]:
    """Runs vrseg on the folder of the set and reads its masks back as 0..1."""
    out = folder / f"{pictures.name}-{refine}-{smooth}"
    out.mkdir()
    command = [vrseg, "run", str(pictures.folder), "-o", f"mask:{out}/", "--model", model,
               "--mask-size", "source", "--refine", refine, "--smooth", smooth]
    benchlib.run_measured(command)
    masks = []
    for path in pictures.pictures:
        mask = read(benchlib.need_file(out / f"{path.stem}.png", "vrseg's mask"),
                    cv2.IMREAD_UNCHANGED)
        masks.append(mask.astype(np.float32) / 255)
    return masks


def check_sizes(masks: list[np.ndarray], truths: list[np.ndarray], pictures: PictureSet) -> None:
    """A mask of another size than its truth cannot be compared."""
    for mask, truth, path in zip(masks, truths, pictures.pictures, strict=True):
        if mask.shape != truth.shape:
            raise BenchError(f"the mask of {path} is {mask.shape[1]}x{mask.shape[0]}, the truth "
                             f"{truth.shape[1]}x{truth.shape[0]}")


@dataclass
class Figures:
    """What one way gave on one set; dtssd of the masks as they are, and cut at 0.5."""

    iou: float
    dtssd: float | None = None
    dtssd_cut: float | None = None


def judge(masks: list[np.ndarray], pictures: PictureSet) -> Figures:
    """IoU, and flicker where the set is a video."""
    truths = pictures.truths()
    check_sizes(masks, truths, pictures)
    figures = Figures(metrics.mean_iou(masks, truths))
    if pictures.name == "davis_tennis":
        figures.dtssd = metrics.dtssd(masks, truths)
        figures.dtssd_cut = metrics.dtssd([mask > 0.5 for mask in masks], truths)
    return figures


def flicker_rows(name: str, ours: Figures, peer: str | None,
                 theirs: Figures | None) -> list[Row]:
    """dtSSD of soft and of cut masks beside another way."""
    rows = []
    for key in ("dtssd", "dtssd_cut"):
        other = getattr(theirs, key) if theirs else None
        rows.append(Row(name.replace("dtssd", key), getattr(ours, key), "dtSSD", "lower",
                        peer, other))
    return rows


def vrseg_rows(vrseg: str, model: OnnxModel, pictures: PictureSet, peer: Figures,
               folder: Path) -> list[Row]:
    """The rows of one network on one set, plain and with refinement and smoothing."""
    prefix = f"{model.name}/{pictures.name}"
    video = pictures.name == "davis_tennis"

    def figures(refine: str, smooth: str) -> Figures:
        return judge(vrseg_masks(vrseg, model.name, pictures, folder, refine, smooth), pictures)

    plain, refined = figures("off", "off"), figures("auto", "off")
    rows = [Row(f"{prefix}/iou", plain.iou, "IoU", "higher", PEER, peer.iou,
                target=peer.iou - TOLERANCE),
            Row(f"{prefix}/iou_refined", refined.iou, "IoU", "higher", "vrseg, refinement off",
                plain.iou, target=plain.iou)]
    if video:
        smooth, both = figures("off", "on"), figures("auto", "on")
        off = "vrseg, smoothing off"
        rows += flicker_rows(f"{prefix}/dtssd", plain, PEER, peer)
        rows += flicker_rows(f"{prefix}/dtssd_refined", refined, "vrseg, refinement off", plain)
        rows.append(Row(f"{prefix}/iou_smoothed", smooth.iou, "IoU", "higher", off, plain.iou))
        rows += flicker_rows(f"{prefix}/dtssd_smoothed", smooth, off, plain)
        rows.append(Row(f"{prefix}/iou_refined_smoothed", both.iou, "IoU", "higher"))
        rows += flicker_rows(f"{prefix}/dtssd_refined_smoothed", both, None, None)
    return rows


def peer_rows(model: OnnxModel, pictures: PictureSet, peer: Figures) -> list[Row]:
    """The reference way alone, for --peer-only."""
    rows = [Row(f"{model.name}/{pictures.name}/iou", peer.iou, "IoU", "higher")]
    if peer.dtssd is not None:
        rows += flicker_rows(f"{model.name}/{pictures.name}/dtssd", peer, None, None)
    return rows


def vrseg_version(vrseg: str) -> str:
    """What `vrseg --version` says; a sentence where there is no such program."""
    try:
        done = subprocess.run([vrseg, "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise BenchError(f"{vrseg} cannot be run: build it first, or use --peer-only") from None
    return done.stdout.strip()


def recurrent_over_pictures(model: OnnxModel, pictures: PictureSet) -> bool:
    """Whether the two ways cannot be the same: states over pictures that are no sequence."""
    return model.output == "recurrent" and pictures.name != "davis_tennis"


def collect(arguments: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows of the networks that were asked for."""
    rows: list[Row] = []
    wanted = arguments.models.split(",") if arguments.models else [m.name for m in MODELS]
    known = {model.name: model for model in MODELS}
    sets = picture_sets(arguments.media, arguments.limit)
    for name in wanted:
        if name not in known:
            raise BenchError(f'there is no network "{name}": {", ".join(known)}')
        model = known[name]
        way = model.resize if arguments.resize == "model" else arguments.resize
        resize = cv2.INTER_AREA if way == "area" else cv2.INTER_LINEAR
        network = Network(model, str(arguments.models_dir / model.file), 0)
        for pictures in sets:
            if not arguments.peer_only and recurrent_over_pictures(model, pictures):
                note(f"{name}/{pictures.name}: left out, a folder is one video to vrseg and the "
                     "network carries its states from picture to picture")
                continue
            peer = judge(list(reference_masks(network, pictures, resize)), pictures)
            if arguments.peer_only:
                found = peer_rows(model, pictures, peer)
            else:
                part = folder / f"{model.name}-{pictures.name}"
                part.mkdir()
                found = vrseg_rows(arguments.vrseg, model, pictures, peer, part)
            benchlib.print_rows(found)
            rows += found
    return rows


def main() -> None:
    """Parses the command line, measures, writes the results."""
    options = benchlib.quality_options(__doc__)
    options.add_argument("--models", default="", metavar="A,B", help="only these networks")
    options.add_argument("--limit", type=int, default=0, help="only so many pictures of each set")
    options.add_argument("--resize", choices=("model", "area", "linear"), default="model",
                         help="how the reference way shrinks pictures (default: by onnx_models.py)")
    options.add_argument("--peer-only", action="store_true",
                         help="only the reference way, printed and not written")
    arguments = options.parse_args()
    try:
        device = benchlib.use_cores(arguments.cores)
        versions = {"onnxruntime": onnxruntime.__version__, "opencv": cv2.__version__,
                    "numpy": np.__version__, "python": sys.version.split()[0]}
        if not arguments.peer_only:
            versions["vrseg"] = vrseg_version(arguments.vrseg)
        with tempfile.TemporaryDirectory(prefix="vrseg-quality-") as name:
            rows = collect(arguments, Path(name))
        if arguments.peer_only or arguments.limit or arguments.models:
            note("not written: only whole runs of vrseg over all networks are kept")
        else:
            note(f"wrote {benchlib.write_results(device, 'quality', versions, rows)}")
    except (BenchError, PeerError, OSError) as error:
        benchlib.fail(str(error))


if __name__ == "__main__":
    main()
