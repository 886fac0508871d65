#!/usr/bin/env python3
"""How fast frames of a video become tensors for training: vrseg.datasets.FrameDataset beside a
plain loader, in turns, a batch at a time as a DataLoader without workers gives them.

The plain loader is what one writes without vrseg: ffmpeg decodes and converts to RGB in a process
of its own, PyTorch resizes (area, antialiased) and normalises. Both decode on as many threads as
there are cores. Prints JSON for store.py; needs PyTorch and the package (of `make wheel`):

    PYTHONPATH=build/python/source .local/torch-venv/bin/python bench/loader.py VIDEO | \\
      bench/store.py cpu2 loader
"""

import argparse
import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
import vrseg
from torch.nn import functional
from torch.utils.data import DataLoader, IterableDataset
from vrseg.datasets import FrameDataset

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class Plain(IterableDataset):
    """ffmpeg's RGB through a pipe, resized by PyTorch."""

    def __init__(self, video: Path, frames: int, size: int) -> None:
        super().__init__()
        self.video, self.frames, self.size = video, frames, size
        probed = subprocess.run(
            ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
             "stream=width,height", "-of", "csv=p=0", video], check=True, capture_output=True,
            text=True)
        self.width, self.height = map(int, probed.stdout.strip().split(",")[:2])

    def __iter__(self) -> Iterator[torch.Tensor]:
        mean, std = (torch.tensor(v).view(1, 3, 1, 1) for v in (MEAN, STD))
        count = self.width * self.height * 3
        with subprocess.Popen(["ffmpeg", "-v", "error", "-i", self.video, "-frames:v",
                               str(self.frames), "-pix_fmt", "rgb24", "-f", "rawvideo", "-"],
                              stdout=subprocess.PIPE) as process:
            while len(data := process.stdout.read(count)) == count:
                codes = torch.frombuffer(bytearray(data), dtype=torch.uint8)
                picture = codes.view(1, self.height, self.width, 3).permute(0, 3, 1, 2).float()
                small = functional.interpolate(picture, (self.size, self.size), mode="bilinear",
                                               antialias=True)
                yield ((small / 255 - mean) / std)[0]


def rate(make: Callable[[], IterableDataset], batch: int) -> tuple[float, torch.Tensor]:
    """Frames a second from the first batch to the last, and the first batch."""
    loader, first, count = iter(DataLoader(make(), batch_size=batch)), None, 0
    first = next(loader)
    start = time.perf_counter()
    for tensors in loader:
        count += len(tensors)
    return count / (time.perf_counter() - start), first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path)
    parser.add_argument("--frames", type=int, default=200)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeat", type=int, default=5)
    args = parser.parse_args()
    torch.set_num_threads(os.cpu_count() or 1)
    spec = vrseg.TensorSpec(args.size, args.size, mean=tuple(255 * m for m in MEAN),
                            scale=tuple(1 / (255 * s) for s in STD))

    def ours() -> IterableDataset:
        return FrameDataset([args.video], spec, config={"max_frames": args.frames})

    def plain() -> IterableDataset:
        return Plain(args.video, args.frames, args.size)

    runs: dict[str, list[float]] = {"ours": [], "plain": []}
    for _ in range(args.repeat):
        ours_rate, a = rate(ours, args.batch)
        plain_rate, b = rate(plain, args.batch)
        runs["ours"].append(ours_rate)
        runs["plain"].append(plain_rate)
        # The same pictures, up to the way of resizing: the colours' means are near each other.
        if (a.mean((0, 2, 3)) - b.mean((0, 2, 3))).abs().max() > 0.05:
            raise SystemExit("loader: the two loaders give different pictures")
    row = {"name": f"{args.video.stem}/{args.size}/batch {args.batch}",
           "value": round(statistics.median(runs["ours"]), 1), "unit": "frames/s",
           "better": "higher", "peer": "ffmpeg pipe + PyTorch",
           "peer_value": round(statistics.median(runs["plain"]), 1),
           "runs": [round(one, 1) for one in runs["ours"]]}
    print(json.dumps({"versions": {"torch": torch.__version__, "vrseg": vrseg.version()},
                      "rows": [row]}))


if __name__ == "__main__":
    main()
