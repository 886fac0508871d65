"""Short clips whose truth is known: real people, cut out by their masks, move by known amounts over
real backgrounds. Made from the same files they are the same to the bit.

A clip has pictures, true masks, and of each frame where the person and the background are, in
pixels; fractions are bilinear. A stereo clip has both eyes side by side, the person and the
background by a disparity each apart.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT, FRAMES = 640, 360, 40

Place = Callable[[int], tuple[float, float]]


@dataclass
class Clip:
    """What is seen and what is true. `cuts`: frames that show another scene than the one before."""

    name: str
    pictures: list[np.ndarray]
    truths: list[np.ndarray]
    person: list[tuple[float, float]]
    background: list[tuple[float, float]]
    stereo: bool = False
    cuts: set[int] = field(default_factory=set)


@dataclass
class Scene:
    """Person and background by their numbers, and how they move."""

    person: int
    backdrop: int
    walk: Place
    camera: Place = lambda t: (0.0, 0.0)
    noise: float = 1.5
    disparity: tuple[float, float] | None = None  # of person and background


def cut_out(media: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    """A person and its mask, cut to its box."""
    path = sorted((media / "people/images").glob("*"))[number]
    picture = cv2.imread(str(path))
    mask = cv2.imread(str(media / f"people/masks/{path.stem}.png"), cv2.IMREAD_UNCHANGED)
    mask = (mask if mask.ndim == 2 else mask[:, :, 0]) > 0
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    box = np.s_[rows[0]:rows[-1] + 1, columns[0]:columns[-1] + 1]
    return picture[box], mask[box].astype(np.float32)


def backdrop(media: Path, number: int) -> np.ndarray:
    """A frame without people: the middle of an eye of real VR180, or an empty hall."""
    name = ("vr/google_vr180_video-sample-inject_tb_mesh.mp4",
            "videos/intel_one-by-one-person-detection_768x432.mp4")[number]
    found, frame = cv2.VideoCapture(str(media / name)).read()
    if not found:
        raise OSError(f"{name} has no frame")
    if number == 1:
        return frame
    height, width = frame.shape[0] // 2, frame.shape[1]
    return frame[height // 6:height * 5 // 6, width // 5:width * 4 // 5]


def moved(picture: np.ndarray, right: float, down: float, border: int) -> np.ndarray:
    """A picture at a place of the frame."""
    move = np.array([[1, 0, right], [0, 1, down]], np.float32)
    return cv2.warpAffine(picture, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=border)


def enlarge_to(picture: np.ndarray, factor: float) -> np.ndarray:
    """Both sides by a factor, below 1 as a mean."""
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)


def make(media: Path, name: str, scene: Scene, frames: int, seed: int) -> Clip:
    """A scene of so many frames, three quarters of a frame high."""
    random = np.random.default_rng(seed)
    person, mask = cut_out(media, scene.person)
    behind = backdrop(media, scene.backdrop)
    factor = 0.75 * HEIGHT / person.shape[0]
    person, mask = enlarge_to(person, factor), enlarge_to(mask, factor)
    behind = enlarge_to(behind, 1.35 * max(WIDTH / behind.shape[1], HEIGHT / behind.shape[0]))
    clip = Clip(name, [], [], [], [], scene.disparity is not None)
    for t in range(frames):
        eyes, truths = [], []
        (x, y), (across, down) = scene.walk(t), scene.camera(t)
        for side in ((0.5, -0.5) if scene.disparity else (0.0,)):
            near, far = scene.disparity or (0, 0)
            at = (-(across + 0.1 * WIDTH) + side * far, -(down + 0.1 * HEIGHT))
            back = moved(behind, *at, cv2.BORDER_REFLECT).astype(np.float32)
            front = moved(person, x + side * near, y, cv2.BORDER_REPLICATE).astype(np.float32)
            alpha = moved(mask, x + side * near, y, cv2.BORDER_CONSTANT)
            seen = back + (front - back) * alpha[..., None]
            seen += random.normal(0, scene.noise, back.shape)
            eyes.append(np.clip(np.rint(seen), 0, 255).astype(np.uint8))
            truths.append(alpha > 0.5)
        clip.pictures.append(np.hstack(eyes))
        clip.truths.append(np.hstack(truths))
        clip.person.append((x, y))
        clip.background.append((-across, -down))
    return clip


def joined(name: str, first: Clip, second: Clip) -> Clip:
    """One clip after the other, with a cut between."""
    return Clip(name, first.pictures + second.pictures, first.truths + second.truths,
                first.person + second.person, first.background + second.background,
                cuts={len(first.pictures)})


def make_all(media: Path) -> list[Clip]:
    """A person walks, before a camera that pans, stands still in noise, runs; stereo; a cut."""
    scenes = {
        "walk": Scene(3, 0, lambda t: (180 + 2.3 * t, 70 + 3 * np.sin(t / 5))),
        "pan": Scene(7, 1, lambda t: (260 - 1.1 * t, 80), lambda t: (1.7 * t, 0.3 * t)),
        "still": Scene(11, 0, lambda t: (220, 80), noise=3),
        "run": Scene(15, 1, lambda t: (60 + 9.4 * t, 70 + 12 * np.sin(t / 3))),
        "stereo": Scene(30, 0, lambda t: (220 + 1.2 * t, 80), disparity=(14, 4)),
        "stereo_far": Scene(18, 1, lambda t: (160 + 0.7 * t, 80), disparity=(-9, 3)),
    }
    clips = [make(media, name, scene, FRAMES, seed)
             for seed, (name, scene) in enumerate(scenes.items())]
    before = make(media, "", Scene(20, 0, lambda t: (200 + 1.3 * t, 80)), FRAMES // 2, 10)
    after = make(media, "", Scene(25, 1, lambda t: (320 - 1.3 * t, 70), lambda t: (0.8 * t, 0)),
                 FRAMES // 2, 11)
    return [*clips, joined("cut", before, after)]
