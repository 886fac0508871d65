#!/usr/bin/env python3
"""The same network in PyTorch: DeepLabV3+ on ResNet-50, 512x512, random weights and data, as JSON.

FP32 and TF32 eager at a batch of one; FP16 with channels last: eager, replayed as a CUDA graph, and
compiled with torch.compile in its mode reduce-overhead. "us" is the median of single runs between
two events ("latency") or of many runs queued back to back, divided by their number ("rate").
On the CPU: FP32 with channels last at a batch of one, eager and compiled; rate and latency are one.
Exit code 77: PyTorch is not installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable

try:
    import torch
    import torch.nn.functional as functional
    from torch import nn
    from torchvision.models import resnet50
except ImportError as missing:
    print(f"torch_engine.py: {missing}", file=sys.stderr)
    sys.exit(77)


def block(ins: int, outs: int, kernel: int = 1, dilation: int = 1) -> nn.Sequential:
    """Convolution, norm and ReLU."""
    pad = dilation * (kernel // 2)
    return nn.Sequential(nn.Conv2d(ins, outs, kernel, padding=pad, dilation=dilation, bias=False),
                         nn.BatchNorm2d(outs), nn.ReLU(inplace=True))


class DeepLab(nn.Module):
    """DeepLabV3+ as bench/peers/deeplab_onnx.py writes it."""

    def __init__(self) -> None:
        super().__init__()
        r = resnet50(weights=None, replace_stride_with_dilation=[False, False, True])
        self.stem = nn.Sequential(r.conv1, r.bn1, r.relu, r.maxpool)
        self.first, self.rest = r.layer1, nn.Sequential(r.layer2, r.layer3, r.layer4)
        self.aspp = nn.ModuleList([block(2048, 256)] +
                                  [block(2048, 256, 3, d) for d in (6, 12, 18)])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), block(2048, 256))
        self.project, self.low = block(1280, 256), block(256, 48)
        self.decoder = nn.Sequential(block(304, 256, 3), block(256, 256, 3))
        self.head = nn.Conv2d(256, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of the picture's size."""
        low = self.first(self.stem(x))
        h = self.rest(low)
        pooled = self.pool(h).expand(-1, -1, *h.shape[-2:])
        h = self.project(torch.cat([branch(h) for branch in self.aspp] + [pooled], 1))
        h = functional.interpolate(h, low.shape[-2:], mode="bilinear", align_corners=False)
        h = self.head(self.decoder(torch.cat([self.low(low), h], 1)))
        return functional.interpolate(h, x.shape[-2:], mode="bilinear", align_corners=False)


def between_events(run: Callable[[], object], runs: int) -> float:
    """Microseconds of `runs` runs, each."""
    begin, end = torch.cuda.Event(True), torch.cuda.Event(True)
    begin.record()
    for _ in range(runs):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) * 1000 / runs


def measure(run: Callable[[], object], rounds: int) -> dict[str, float]:
    """Latency and rate, after warming up."""
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    latency = statistics.median(between_events(run, 1) for _ in range(rounds))
    rate = statistics.median(between_events(run, 20) for _ in range(max(3, rounds // 5)))
    return {"latency_us": latency, "rate_us": rate}


def measure_here(run: Callable[[], object], rounds: int) -> dict[str, float]:
    """The same on the CPU, where a run is over when its call returns."""
    took = []
    for _ in range(rounds + 1):
        begin = time.perf_counter()
        run()
        took.append((time.perf_counter() - begin) * 1e6)
    median = statistics.median(took[1:])
    return {"latency_us": median, "rate_us": median}


def on_cpu(only: list[str], rounds: int) -> None:
    """FP32 alone: the kinds of arithmetic that are faster are not on every CPU."""
    model = DeepLab().eval().to(memory_format=torch.channels_last)
    x = torch.randn(1, 3, 512, 512).to(memory_format=torch.channels_last)
    if "eager" in only:
        show("torch eager", "f32", 1, measure_here(lambda: model(x), rounds))
    if "compile" in only:
        compiled = torch.compile(model)
        try:
            figures = measure_here(lambda: compiled(x), rounds)
        except Exception as error:  # a compiler, setuptools: what it needs on a CPU may be missing
            reason = next((line for line in str(error).splitlines() if line.strip()), "")
            print(json.dumps({"peer": "torch.compile", "reason": reason}), flush=True)
        else:
            show("torch.compile", "f32", 1, figures)


def graphed(run: Callable[[], object]) -> Callable[[], object]:
    """The run as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        run()
    return graph.replay


def show(what: str, precision: str, batch: int, figures: dict[str, float]) -> None:
    """A line of JSON."""
    print(json.dumps({"peer": what, "version": torch.__version__.split("+")[0],
                      "precision": precision, "batch": batch, **figures}), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda")
    parser.add_argument("--rounds", type=int, help="single runs; 25, on the CPU 5")
    parser.add_argument("--only", choices=["eager", "graph", "compile"], nargs="+",
                        default=["eager", "graph", "compile"])
    parser.add_argument("--seconds", type=float, default=1e9, help="begin nothing after so long")
    args = parser.parse_args()
    args.rounds = args.rounds or (25 if args.device == "cuda" else 5)
    until = time.monotonic() + args.seconds
    torch.manual_seed(1)
    if args.device == "cpu":
        print(json.dumps({"versions": {"torch": torch.__version__}}))
        with torch.no_grad():
            on_cpu(args.only, args.rounds)
        return
    torch.backends.cudnn.benchmark = True
    print(json.dumps({"versions": {"torch": torch.__version__,
                                   "torch's cuDNN": str(torch.backends.cudnn.version())}}))
    with torch.no_grad():
        if "eager" in args.only:
            for precision in ("f32", "tf32"):
                torch.backends.cudnn.allow_tf32 = precision == "tf32"
                torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
                model = DeepLab().eval().cuda()
                x = torch.randn(1, 3, 512, 512, device="cuda")
                show("torch eager", precision, 1, measure(lambda: model(x), args.rounds))
        half = DeepLab().eval().cuda().half().to(memory_format=torch.channels_last)
        for batch in args.batch:
            y = torch.randn(batch, 3, 512, 512, device="cuda").half()
            y = y.to(memory_format=torch.channels_last)
            if "eager" in args.only and time.monotonic() < until:
                show("torch eager", "f16", batch, measure(lambda: half(y), args.rounds))
            if "graph" in args.only and time.monotonic() < until:
                show("torch CUDA graph", "f16", batch,
                     measure(graphed(lambda: half(y)), args.rounds))
            if "compile" in args.only and time.monotonic() < until:
                torch._dynamo.reset()
                compiled = torch.compile(half, mode="reduce-overhead")
                show("torch.compile", "f16", batch, measure(lambda: compiled(y), args.rounds))


if __name__ == "__main__":
    main()
