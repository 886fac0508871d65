"""Frames in and pictures out, in the two ways that Python offers: BGR by OpenCV, I420 by a pipe.

bgr: cv2.VideoCapture decodes and converts to BGR, as every tutorial has it; the ffmpeg at the end
converts back to 4:2:0. i420: a second ffmpeg decodes into a pipe, and the picture is composed on
its Y, U and V planes in 8 bits, so that nothing is converted but the network's input.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
import os
import tempfile

import cv2
import numpy as np

from peer_io import GREEN_BGR, GREEN_YUV, Child, PeerError, Run, Video, output_arguments

RESIZE = {"linear": cv2.INTER_LINEAR, "area": cv2.INTER_AREA}


def to_bytes(mask: np.ndarray) -> np.ndarray:
    """A mask of 0..1 as 8 bits, rounded."""
    return cv2.convertScaleAbs(mask, alpha=255.0)


def grow(mask: np.ndarray, width: int, height: int) -> np.ndarray:
    """Bilinear up-sampling of an 8-bit mask; nothing where the size is right."""
    if mask.shape == (height, width):
        return mask
    return cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)


class BgrFrames:
    """Decoded by cv2.VideoCapture; `blend` is linear (cv2.blendLinear) or u8 (8-bit products)."""

    pixel_format = "bgr24"

    def __init__(self, video: Video, blend: str):
        self.video = video
        self.blend = blend
        self.frame: np.ndarray | None = None
        self.green = np.empty((video.height, video.width, 3), np.uint8)
        self.green[:] = GREEN_BGR
        self.zero = np.zeros((video.height, video.width), np.uint8)
        self.capture = cv2.VideoCapture(video.path)
        if not self.capture.isOpened():
            raise PeerError(f"OpenCV cannot open {video.path}")

    def start(self, run: Run, limit: int) -> None:
        """Nothing to start: the capture decodes in this process."""

    def read(self) -> bool:
        """Decodes the next frame; False at the end."""
        there, self.frame = self.capture.read()
        return there

    def rgb(self, size: tuple[int, int] | None, resize: str) -> np.ndarray:
        """The frame as RGB, resized to (width, height) where a size is given."""
        if size is None:
            return cv2.cvtColor(self.frame, cv2.COLOR_BGR2RGB)
        small = cv2.resize(self.frame, size, interpolation=RESIZE[resize])
        return cv2.cvtColor(small, cv2.COLOR_BGR2RGB)

    def composite(self, mask: np.ndarray) -> np.ndarray:
        """The frame over green by a mask of any size, 0..1 float."""
        width, height = self.video.width, self.video.height
        if self.blend == "linear":
            if mask.shape != (height, width):
                mask = cv2.resize(mask, (width, height), interpolation=cv2.INTER_LINEAR)
            return cv2.blendLinear(self.frame, self.green, mask, cv2.subtract(1.0, mask))
        alpha = grow(to_bytes(mask), width, height)
        person = cv2.multiply(self.frame, cv2.merge((alpha, alpha, alpha)), scale=1 / 255)
        back = cv2.merge((self.zero, cv2.bitwise_not(alpha), self.zero))
        return cv2.add(person, back)

    def close(self) -> None:
        """Lets the decoder go."""
        self.capture.release()


class I420Frames:
    """Decoded by an ffmpeg process; frames are the three planes in one buffer."""

    pixel_format = "yuv420p"

    def __init__(self, video: Video, blend: str):
        if video.width % 2 or video.height % 2:
            raise PeerError(f"{video.path}: i420 wants an even width and height; use --pixels bgr")
        self.video = video
        self.child: Child | None = None
        height, width = video.height, video.width
        self.buffer = np.empty((height * 3 // 2, width), np.uint8)
        self.result = np.empty_like(self.buffer)
        # What green adds to each plane for every alpha: the second half of the blend as a table.
        back = 255 - np.arange(256, dtype=np.float32)
        self.back = [np.rint(back * value / 255).astype(np.uint8) for value in GREEN_YUV]
        del blend  # there is one way on the planes

    def start(self, run: Run, limit: int) -> None:
        """Starts the decoder, for so many frames (0: all)."""
        count = ["-frames:v", str(limit)] if limit else []
        self.child = run.child(["-i", self.video.path, "-map", "0:v:0", *count, "-vsync",
                                "passthrough", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"],
                               reading=True)

    def read(self) -> bool:
        """Reads the next frame from the pipe; False at the end."""
        return self.child.read(memoryview(self.buffer).cast("B"))

    def rgb(self, size: tuple[int, int] | None, resize: str) -> np.ndarray:
        """The frame as RGB, resized to (width, height) where a size is given."""
        full = cv2.cvtColor(self.buffer, cv2.COLOR_YUV2RGB_I420)
        return full if size is None else cv2.resize(full, size, interpolation=RESIZE[resize])

    def _planes(self, buffer: np.ndarray) -> list[np.ndarray]:
        height, width = self.video.height, self.video.width
        flat = buffer.reshape(-1)
        luma, chroma = height * width, height * width // 4
        half = (height // 2, width // 2)
        return [flat[:luma].reshape(height, width), flat[luma:luma + chroma].reshape(half),
                flat[luma + chroma:].reshape(half)]

    def composite(self, mask: np.ndarray) -> np.ndarray:
        """The frame over green by a mask of any size, 0..1 float, plane by plane in 8 bits."""
        width, height = self.video.width, self.video.height
        alpha = grow(to_bytes(mask), width, height)
        half = cv2.resize(alpha, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
        sources, results = self._planes(self.buffer), self._planes(self.result)
        for index, weight in enumerate((alpha, half, half)):
            cv2.multiply(sources[index], weight, dst=results[index], scale=1 / 255)
            cv2.add(results[index], cv2.LUT(weight, self.back[index]), dst=results[index])
        return self.result

    def close(self) -> None:
        """Waits for the decoder's end."""
        self.child.close()


def frames_of(video: Video, pixels: str, blend: str) -> BgrFrames | I420Frames:
    """The frames of a video in the way that was asked for."""
    return I420Frames(video, blend) if pixels == "i420" else BgrFrames(video, blend)


@contextmanager
def result_file(wanted: str, suffix: str) -> Iterator[str]:
    """The path to encode to: the user's, or a temporary one that is deleted afterwards."""
    if wanted:
        yield wanted
        return
    with tempfile.TemporaryDirectory(prefix="vrseg-peer-") as folder:
        yield os.path.join(folder, "result" + suffix)


def work(run: Run, frames: BgrFrames | I420Frames, segment, arguments, path: str) -> None:
    """The loop: read, segment, composite or mask, write; then close the file.

    `segment(frames, stages, since)` returns the mask (0..1 float) and the time after it.
    """
    video = frames.video
    pixel_format = frames.pixel_format if arguments.output == "green" else "gray"
    encoder, _ = output_arguments(arguments.encoder)
    frames.start(run, arguments.frames)
    sink = run.child(["-y", "-f", "rawvideo", "-pix_fmt", pixel_format, "-s",
                      f"{video.width}x{video.height}", "-r", video.rate, "-i", "-", *encoder, path])
    stages = run.stages
    since = run.began
    while not arguments.frames or run.frames < arguments.frames:
        there = frames.read()
        since = stages.add("decode", since)
        if not there:
            break
        mask, since = segment(frames, stages, since)
        run.mask_done()
        if arguments.output == "green":
            picture = frames.composite(mask)
        else:
            picture = grow(to_bytes(mask), video.width, video.height)
        since = stages.add("mask and blend", since)
        sink.write(memoryview(np.ascontiguousarray(picture)).cast("B"))
        run.frame_done()
        since = stages.add("write", since)
    frames.close()
    sink.close()
    stages.add("finish", since)
