#!/usr/bin/env python3
"""The same network in ONNX Runtime's CUDA provider, random data, as lines of JSON.

FP16 in NHWC, its fastest way: bound to device memory, replayed as a CUDA graph, convolutions chosen
by trying all. "us" is the median of single runs ("latency") or of many queued one behind the other,
divided by their number ("rate").
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path

import numpy as np
import onnxruntime

OPTIONS = {"cudnn_conv_algo_search": "EXHAUSTIVE", "cudnn_conv_use_max_workspace": "1",
           "prefer_nhwc": "1", "enable_cuda_graph": "1"}
RUNS = 20


def measure(path: Path, batch: int, rounds: int) -> dict[str, float]:
    """Latency and rate of one batch size, with a session of its own: a graph has one shape."""
    session = onnxruntime.InferenceSession(str(path),
                                           providers=[("CUDAExecutionProvider", OPTIONS)])
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise SystemExit("onnxruntime_engine.py: this ONNX Runtime has no CUDA provider")
    size = session.get_inputs()[0].shape[2]
    x = np.random.default_rng(1).normal(size=(batch, 3, size, size)).astype(np.float16)
    y = np.zeros((batch, 2, size, size), np.float16)
    binding = session.io_binding()
    binding.bind_ortvalue_input("input", onnxruntime.OrtValue.ortvalue_from_numpy(x, "cuda", 0))
    binding.bind_ortvalue_output("logits", onnxruntime.OrtValue.ortvalue_from_numpy(y, "cuda", 0))

    def runs(count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            session.run_with_iobinding(binding)
        return (time.perf_counter() - begin) * 1e6 / count

    runs(5)
    return {"latency_us": statistics.median(runs(1) for _ in range(rounds)),
            "rate_us": statistics.median(runs(RUNS) for _ in range(max(3, rounds // 5)))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, help="with deeplab.onnx, made with --half")
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 16])
    parser.add_argument("--rounds", type=int, default=25)
    args = parser.parse_args()
    print(json.dumps({"versions": {"onnxruntime": onnxruntime.__version__}}), flush=True)
    for batch in args.batch:
        print(json.dumps({"peer": "ONNX Runtime, CUDA provider",
                          "version": onnxruntime.__version__, "precision": "f16", "batch": batch,
                          **measure(args.folder / "deeplab.onnx", batch, args.rounds)}), flush=True)


if __name__ == "__main__":
    main()
