#!/usr/bin/env python3
"""What recording and tracing cost a run, as JSON for bench/store.py.

Recording is always on, so its share is counted: the spans that a run records for each frame, times
what bench_base measures for one span with both readings of the clock, over the CPU time of a frame.
Its target is 1 %. Tracing (--trace) is switched on and off in turn: the CPU time of a frame with
it, beside that without. Runs make masks of one video and write none, on the device of --device.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import benchlib
from benchlib import BenchError, Row, median, number, run_measured

MOST_PERCENT = 1.0


def spans_of(trace: Path) -> tuple[int, int]:
    """Spans of a trace, and its bytes."""
    text = trace.read_text(encoding="utf-8")
    return text.count('{"span":'), len(text)


def run_once(args: argparse.Namespace, folder: Path, trace: Path | None) -> tuple[float, float]:
    """CPU milliseconds of a frame, and frames, of one run."""
    figures = folder / "run.json"
    command = [str(args.program), "run", str(args.video), "-o", "null", "--json", str(figures),
               "--progress", "none", "--device", args.device]
    run_measured(command + (["--trace", str(trace)] if trace is not None else []))
    data = benchlib.parse_json(figures.read_text(encoding="utf-8"), "vrseg's --json")
    frames = number(data, "frames", "vrseg's --json")
    if frames < 1:
        raise BenchError(f"{args.video}: no frame was made")
    return 1e3 * number(data, "cpu_seconds", "vrseg's --json") / frames, frames


def measure(args: argparse.Namespace, folder: Path) -> list[Row]:
    """All rows."""
    trace = folder / "run.trace"
    run_once(args, folder, None)  # warms the model's and the page cache
    plain, traced, shares, spans, size, frames = [], [], [], 0, 0, 1.0
    for _ in range(args.repeat):
        without, frames = run_once(args, folder, None)
        plain.append(without)
        traced.append(run_once(args, folder, trace)[0])
        spans, size = spans_of(trace)
        base = benchlib.parse_json(run_measured([str(args.base)]).stdout, "bench_base")
        span_ms = number(base, "span_ns", "bench_base") / 1e6
        shares.append(100 * spans / frames * span_ms / without)
    more = [100 * (with_it / without - 1) for with_it, without in zip(traced, plain)]
    return [
        Row("recording, always on", median(shares), "% of CPU time", "lower", target=MOST_PERCENT,
            runs=shares, note=f"{spans / frames:.1f} spans a frame"),
        Row("tracing to a file", median(more), "% more CPU time", "lower", "without --trace",
            0.0, runs=more, note=f"{median(plain):.2f} ms a frame without"),
        Row("trace", size / frames, "bytes/frame", "lower"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("video", type=Path, help="of some seconds at least")
    parser.add_argument("--device", default="cpu", help="as for vrseg run (cpu)")
    parser.add_argument("--repeat", type=int, default=7, help="pairs of runs (7)")
    parser.add_argument("--program", type=Path, default=benchlib.ROOT / "build/vrseg")
    parser.add_argument("--base", type=Path, default=benchlib.ROOT / "build/bench/bench_base")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="vrseg-bench-") as folder:
            rows = measure(args, Path(folder))
    except BenchError as error:
        benchlib.fail(str(error))
    json.dump({"versions": {"vrseg": benchlib.first_line([str(args.program), "--version"])},
               "rows": [asdict(row) for row in rows]}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
