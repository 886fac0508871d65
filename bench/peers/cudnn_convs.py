#!/usr/bin/env python3
"""cuDNN's time for the layers of bench_conv_cuda, through PyTorch: FP16, channels last, fused with
bias, ReLU and residual where cuDNN can, the fastest plan by torch.backends.cudnn.benchmark, twenty
calls in a CUDA graph, median. One line a layer: its name, a tab, microseconds."""

import argparse
import statistics

import torch
import torch.nn.functional as F

LAYERS = [
    ("l1 1x1 64-64", 128, 64, 64, 1, False), ("l1 1x1 64-256 down", 128, 64, 256, 1, False),
    ("l1 1x1 64-256 add", 128, 64, 256, 1, True), ("l1 1x1 256-64", 128, 256, 64, 1, False),
    ("l2 1x1 256-128", 128, 256, 128, 1, False), ("l2 1x1 128-512 add", 64, 128, 512, 1, True),
    ("l2 1x1 512-128", 64, 512, 128, 1, False), ("l3 1x1 512-256", 64, 512, 256, 1, False),
    ("l3 1x1 256-1024 add", 32, 256, 1024, 1, True), ("l3 1x1 1024-256", 32, 1024, 256, 1, False),
    ("l4 1x1 1024-512", 32, 1024, 512, 1, False),
    ("l4 1x1 1024-2048 down", 32, 1024, 2048, 1, False),
    ("l4 1x1 512-2048 add", 32, 512, 2048, 1, True), ("l4 1x1 2048-512", 32, 2048, 512, 1, False),
    ("aspp 1x1 2048-256", 32, 2048, 256, 1, False), ("aspp 1x1 1280-256", 32, 1280, 256, 1, False),
    ("low 1x1 256-48", 128, 256, 48, 1, False), ("l3 3x3 256", 32, 256, 256, 3, False),
]
CALLS = 20
ROUNDS = 15


def time_graph(call) -> float:
    """Microseconds of a call."""
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        for _ in range(3):
            call()
    stream.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        for _ in range(CALLS):
            call()
    runs = []
    for _ in range(ROUNDS):
        begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        begin.record()
        graph.replay()
        end.record()
        end.synchronize()
        runs.append(begin.elapsed_time(end) * 1e3 / CALLS)
    return statistics.median(runs)


def random(*shape: int) -> torch.Tensor:
    made = torch.empty(*shape, device="cuda", dtype=torch.half).uniform_(-1, 1)
    return made.to(memory_format=torch.channels_last)


def layer(n: int, side: int, c: int, k: int, size: int, residual: bool, dilation: int = 1) -> float:
    x = random(n, c, side, side).relu()
    weight = random(k, c, size, size) * (1 / (c * size * size) ** 0.5)
    bias = torch.zeros(k, device="cuda", dtype=torch.half)
    where = ([1, 1], [size // 2 * dilation] * 2, [dilation] * 2, 1)
    if residual:
        add = random(n, k, side, side).relu()
        return time_graph(
            lambda: torch.cudnn_convolution_add_relu(x, weight, add, 1.0, bias, *where))
    return time_graph(lambda: torch.cudnn_convolution_relu(x, weight, bias, *where))


def stem(n: int) -> float:
    x, weight = random(n, 16, 259, 259), random(64, 16, 4, 4) * 0.1
    bias = torch.zeros(64, device="cuda", dtype=torch.half)
    return time_graph(lambda: F.max_pool2d(
        torch.cudnn_convolution_relu(x, weight, bias, [1, 1], [0, 0], [1, 1], 1), 3, 2, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.parse_args()
    torch.backends.cudnn.benchmark = True
    with torch.no_grad():
        for n in (16, 1):
            print(f"stem with pool, B{n}\t{stem(n):.2f}", flush=True)
            dilated = {d: layer(n, 32, 2048, 256, 3, False, d) for d in (6, 12, 18)}
            for d, us in dilated.items():
                print(f"aspp 3x3 d{d}, B{n}\t{us:.2f}", flush=True)
            print(f"aspp 3x3 d6+d12+d18, B{n}\t{sum(dilated.values()):.2f}", flush=True)
            for name, *rest in LAYERS:
                print(f"{name}, B{n}\t{layer(n, *rest):.2f}", flush=True)


if __name__ == "__main__":
    main()
