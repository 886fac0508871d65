"""Pictures, their masks and frames of video, as 8-bit arrays, resized as vrseg resizes."""

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from errors import UserError

PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".ppm")
MAX_PIXELS = 100_000_000
Image.MAX_IMAGE_PIXELS = MAX_PIXELS


@dataclass(frozen=True)
class Pair:
    """A picture and, where there is one, its mask (non-zero: person)."""

    picture: Path
    mask: Path | None


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)


def mask_of(folder: Path, stem: str) -> Path:
    """The mask's file: NAME.png, or NAME_mask.png where only that is there."""
    plain, marked = folder / f"{stem}.png", folder / f"{stem}_mask.png"
    return marked if marked.is_file() and not plain.is_file() else plain


def pairs_in(folder: Path) -> list[Pair]:
    """The pairs of a folder, by name: images/NAME.* with masks/NAME.png (or NAME_mask.png), or
    NAME.jpg (webp, ...) with that mask beside it. UserError: no folder, or a picture without its
    mask."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder of pictures and masks")
    if (folder / "images").is_dir():
        found = [Pair(path, mask_of(folder / "masks", path.stem))
                 for path in pictures_in(folder / "images")]
    else:
        found = [Pair(path, mask_of(folder, path.stem)) for path in pictures_in(folder)
                 if path.suffix.lower() != ".png"]
    if not found:
        raise UserError(f"{folder}: there are no pictures; wanted are images/NAME.jpg with "
                        "masks/NAME.png, or NAME.jpg with NAME.png beside it")
    for pair in found:
        if not pair.mask.is_file():
            raise UserError(f"{pair.picture}: has no mask; {pair.mask} is missing")
    return found


def given_pictures(path: Path) -> list[Pair]:
    """Pictures without a claim to masks: a file, a folder of pictures or one of pairs."""
    if path.is_file():
        return [Pair(path, None)]
    if path.is_dir() and not (path / "images").is_dir():
        found = [Pair(picture, None) for picture in pictures_in(path)]
        if not found:
            raise UserError(f"{path}: there are no pictures in this folder")
        return found
    return pairs_in(path)


def opened(path: Path) -> Image.Image:
    """A picture's file, decoded. UserError: it is none, or far too large."""
    try:
        picture = Image.open(path)
        picture.load()
        return picture
    except (UnidentifiedImageError, Image.DecompressionBombError, SyntaxError,
            ValueError) as error:
        raise UserError(f"{path}: cannot be read as a picture: {error}") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read as a picture: {error.strerror or error}") \
            from error


def read_rgb(path: Path) -> np.ndarray:
    """A picture as height x width x 3 codes."""
    return np.asarray(opened(path).convert("RGB"))


def read_mask(path: Path) -> np.ndarray:
    """A mask as height x width of 0 and 1. A palette's numbers count, not its colours."""
    picture = opened(path)
    if picture.mode not in ("L", "P", "1", "I", "I;16"):
        picture = picture.convert("L")
    return (np.asarray(picture) != 0).astype(np.uint8)


def resized(codes: np.ndarray, width: int, height: int, resize: str = "area") -> np.ndarray:
    """Height x width x 3 codes stretched to a size: "area" weighs every source pixel by the part
    that counts, "bilinear" takes two taps an axis, whatever the factor; edges repeat."""
    if codes.shape[:2] == (height, width):
        return codes
    if resize == "area":
        return np.asarray(Image.fromarray(codes).resize((width, height), Image.Resampling.BOX))
    rows, columns = taps(codes.shape[0], height), taps(codes.shape[1], width)
    planes = codes.astype(np.float32)
    planes = blend(planes, rows, 0)
    return np.clip(np.rint(blend(planes, columns, 1)), 0, 255).astype(np.uint8)


def taps(before: int, after: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The two source positions and the second's weight for each of `after` pixels."""
    at = np.clip((np.arange(after) + 0.5) * (before / after) - 0.5, 0, before - 1)
    first = np.floor(at).astype(np.int64)
    return first, np.minimum(first + 1, before - 1), (at - first).astype(np.float32)


def blend(values: np.ndarray, at: tuple[np.ndarray, np.ndarray, np.ndarray],
          axis: int) -> np.ndarray:
    """Linear interpolation along an axis."""
    first, second, weight = at
    shape = [1] * values.ndim
    shape[axis] = len(weight)
    weight = weight.reshape(shape)
    return values.take(first, axis) * (1 - weight) + values.take(second, axis) * weight


def enlarged(mask: np.ndarray, height: int, width: int) -> np.ndarray:
    """Probabilities h x w, bilinear to another size: the way back to the picture's size."""
    return blend(blend(mask, taps(mask.shape[0], height), 0), taps(mask.shape[1], width), 1)


def video_size(path: Path) -> tuple[int, int, int]:
    """Width, height and number of frames (0: unknown) of a video's first picture stream."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_packets",
               "-show_entries", "stream=width,height,nb_read_packets", "-of", "csv=p=0", str(path)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise UserError("the program ffprobe is missing; it is in Debian's package ffmpeg") \
            from error
    fields = done.stdout.strip().split(",")
    if done.returncode != 0 or len(fields) < 2 or not fields[0].isdecimal():
        said = "".join(f": {line}" for line in done.stderr.strip().splitlines()[-1:])
        raise UserError(f"{path}: is no video that FFmpeg reads{said}")
    count = int(fields[2]) if len(fields) > 2 and fields[2].isdecimal() else 0
    return int(fields[0]), int(fields[1]), count


def video_frames(path: Path, wanted: int) -> Iterator[np.ndarray]:
    """At most `wanted` frames, evenly over the video, as height x width x 3 codes."""
    if not path.is_file():
        raise UserError(f"{path}: there is no such video")
    width, height, count = video_size(path)
    step = max(1, count // wanted)
    # Without autorotation the frames have the size that ffprobe names.
    command = ["ffmpeg", "-v", "error", "-noautorotate", "-i", str(path), "-map", "0:v:0", "-vf",
               f"select=not(mod(n\\,{step}))", "-vsync", "0", "-frames:v", str(wanted), "-f",
               "rawvideo", "-pix_fmt", "rgb24", "-"]
    size = width * height * 3
    found = 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          stdin=subprocess.DEVNULL) as process:
        while len(data := process.stdout.read(size)) == size:
            found += 1
            yield np.frombuffer(data, np.uint8).reshape(height, width, 3)
    if found == 0:
        raise UserError(f"{path}: FFmpeg decodes no frame of it")
