#!/usr/bin/env python3
"""Preprocessing as one writes it with PyTorch, timed: 1080p frames to 512x512 FP16 on a GPU.

Each job is timed eagerly, as a CUDA graph, compiled, and compiled as a CUDA graph, on sets of data
in turn that are together larger than the L2, random, by events around a round. Prints a line of
JSON for each: {"job": "JOB, B8", "ways": {"eager": us, "graph": us, ...}, "versions"}. What needs
no compiling comes first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as functional

WIDTH, HEIGHT, SIDE = 1920, 1080, 512
COLD_BYTES = 120 << 20
MEAN, SCALE = (123.675, 116.28, 103.53), (0.0171, 0.0175, 0.0174)
# BT.709, limited range: R, G, B 0..255 from Y, U, V.
MATRIX = ((1.1643836, 0.0, 1.7927411), (1.1643836, -0.2132486, -0.5329093),
          (1.1643836, 2.1124018, 0.0))
Frame = tuple[torch.Tensor, ...]


def constant(values: Any, *shape: int) -> torch.Tensor:
    """Numbers on the device."""
    return torch.tensor(values, device="cuda", dtype=torch.float32).view(*shape)


class Job:
    """One way from frames to a tensor."""

    def __init__(self, pixels: str, mode: str, channels: int) -> None:
        self.pixels, self.mode, self.channels = pixels, mode, channels
        self.mean, self.scale = constant(MEAN, 1, 3, 1, 1), constant(SCALE, 1, 3, 1, 1)
        self.matrix = constant(MATRIX, 3, 3)
        self.offset = constant((16.0, 128.0, 128.0), 1, 3, 1, 1)

    def frames(self, batch: int) -> Frame:
        """Random data."""
        def random(*shape: int) -> torch.Tensor:
            return torch.randint(0, 256, shape, dtype=torch.uint8, device="cuda")

        if self.pixels == "rgb24":
            return (random(batch, HEIGHT, WIDTH, 3),)
        return random(batch, 1, HEIGHT, WIDTH), random(batch, HEIGHT // 2, WIDTH // 2, 2)

    def resize(self, planes: torch.Tensor) -> torch.Tensor:
        """To the network's size."""
        if self.mode == "area":
            return functional.interpolate(planes, (SIDE, SIDE), mode="area")
        return functional.interpolate(planes, (SIDE, SIDE), mode="bilinear", align_corners=False)

    def run(self, *frame: torch.Tensor) -> torch.Tensor:
        """Resized in the frame's own colours, as vrseg does: less work than first to RGB."""
        if self.pixels == "rgb24":
            rgb = self.resize(frame[0].permute(0, 3, 1, 2).float())
        else:
            luma = self.resize(frame[0].float())
            chroma = self.resize(frame[1].permute(0, 3, 1, 2).float())
            yuv = torch.cat((luma, chroma), 1) - self.offset
            rgb = torch.einsum("rc,bchw->brhw", self.matrix, yuv).clamp(0.0, 255.0)
        values = ((rgb - self.mean) * self.scale).half()
        if self.channels == 3:
            return values.contiguous()
        values = functional.pad(values, (0, 0, 0, 0, 0, self.channels - 3))
        return values.permute(0, 2, 3, 1).contiguous()


JOBS = {"nv12 area nhwc8 f16": ("nv12", "area", 8),
        "rgb24 bilinear nchw f16": ("rgb24", "bilinear", 3)}


def time_round(call: Callable[[], Any], calls: int, rounds: int) -> float:
    """Median microseconds of one of a round's calls."""
    for _ in range(3):
        call()
    torch.cuda.synchronize()
    times = []
    for _ in range(rounds):
        begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
        begin.record()
        call()
        end.record()
        end.synchronize()
        times.append(begin.elapsed_time(end) * 1e3 / calls)
    return statistics.median(times)


def graphed(call: Callable[[], Any]) -> Callable[[], Any]:
    """The call as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        call()
    return graph.replay


def measure(job: Job, batch: int, rounds: int, compiled: bool) -> dict[str, float]:
    """Both ways: called, and as a CUDA graph."""
    frame_bytes = WIDTH * HEIGHT * 3 // (1 if job.pixels == "rgb24" else 2)
    sets = max(2, COLD_BYTES // (batch * frame_bytes) + 1)
    frames = [job.frames(batch) for _ in range(sets)]
    run = torch.compile(job.run, dynamic=False) if compiled else job.run

    def call() -> list[torch.Tensor]:
        return [run(*frame) for frame in frames]  # all outputs live: none stays in the cache

    names = ("compile", "compile graph") if compiled else ("eager", "graph")
    return {names[0]: time_round(call, sets, rounds),
            names[1]: time_round(graphed(call), sets, rounds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=31)
    args = parser.parse_args()
    if not torch.cuda.is_available():
        sys.exit("torch_preprocess.py: torch sees no GPU")
    versions = {"torch": torch.__version__}
    with torch.inference_mode():
        for compiled in (False, True):
            for name, what in JOBS.items():
                for batch in (8, 1):
                    ways = measure(Job(*what), batch, args.rounds, compiled)
                    print(json.dumps({"job": f"{name}, B{batch}", "ways": ways,
                                      "versions": versions}), flush=True)


if __name__ == "__main__":
    main()
