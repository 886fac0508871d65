#!/usr/bin/env python3
"""The CUDA kernels beside their peers, as JSON for bench/store.py: run it on the GPU.

Runs bench_kernels_cuda (times, beside a copy and the floor of the bytes), then Nsight Compute for
the bytes that go through DRAM, with the caches left as the calls before left them, then PyTorch's
preprocessing (peers/torch_preprocess.py), compiling last. What is missing there is left out, and
said; the file is written after each step.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError

FUSED = "preprocess/1080p nv12 area nhwc8 f16"
TIMES_FASTER = 2.0  # than the best of PyTorch's eager calls, CUDA graph and torch.compile
COMPILED_GRAPH = "compile graph"
TIMES_FEWER_BYTES = 3.0  # than separate kernels
METRICS = "dram__bytes_read.sum,dram__bytes_write.sum"
PLAIN_CALLS = 16


def ncu_bytes(text: str) -> list[tuple[str, float]]:
    """Kernel and DRAM bytes of each launch in Nsight Compute's CSV, in their order."""
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.startswith('"ID"')), None)
    if start is None:
        raise BenchError("Nsight Compute printed no table")
    launches: dict[int, tuple[str, float]] = {}
    for row in csv.DictReader(lines[start:]):
        number = int(row["ID"])
        name, total = launches.get(number, (row["Kernel Name"], 0.0))
        launches[number] = (name, total + float(row["Metric Value"].replace(",", "")))
    return [launches[number] for number in sorted(launches)]


def bytes_of_call(launches: Sequence[tuple[str, float]], calls: int) -> tuple[float, int]:
    """Median DRAM bytes of the later half of the calls, and the launches of one."""
    if calls < 1 or not launches or len(launches) % calls != 0:
        raise BenchError(f"{len(launches)} launches are not those of {calls} calls")
    each = len(launches) // calls
    sums = [sum(size for _, size in launches[i:i + each])
            for i in range(0, len(launches), each)]
    return benchlib.median(sums[calls // 2:]), each


def dram_bytes(ncu: str, program: str, name: str) -> tuple[float, int]:
    """DRAM bytes and launches of a call of the row of this name."""
    done = benchlib.run_measured([ncu, "--csv", "--print-units", "base", "--cache-control", "none",
                                  "--clock-control", "none", "--metrics", METRICS, program,
                                  "--plain", str(PLAIN_CALLS), "--only", name])
    return bytes_of_call(ncu_bytes(done.stdout), PLAIN_CALLS)


def dram_rows(ncu: str, program: str, limits: dict[str, float]) -> list[dict[str, Any]]:
    """The fused kernel beside the separate ones; `limits`: a row's bytes in and out once."""
    rows = []
    for batch in ("B1", "B8"):
        name = f"{FUSED}, {batch}"
        fused, launches = dram_bytes(ncu, program, name)
        separate, steps = dram_bytes(ncu, program, f"{FUSED} as four kernels, {batch}")
        rows.append({"name": f"{name}: DRAM bytes", "value": fused / 1e6, "unit": "MB",
                     "better": "lower", "peer": f"{steps} separate kernels",
                     "peer_value": separate / 1e6, "target": separate / 1e6 / TIMES_FEWER_BYTES,
                     "limit": limits.get(name), "note": f"launches: {launches}"})
    return rows


def torch_rows(rows: Sequence[dict[str, Any]],
               jobs: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """Our rows again, beside the best of PyTorch's usual ways, and beside both of them together: a
    compiled CUDA graph, which comes close to what the bytes take, so that no target stands there.
    """
    ours = {row["name"]: row for row in rows}
    made = []
    for job, ways in jobs.items():
        row = ours.get(f"preprocess/1080p {job}")
        if row is None:
            continue
        usual = {way: us for way, us in ways.items() if way != COMPILED_GRAPH}
        best = min(usual, key=lambda way: usual[way])
        listed = ", ".join(f"{way} {us:.4g} us" for way, us in usual.items())
        made.append({**row, "name": f"{row['name']}: beside PyTorch", "peer": f"PyTorch, {best}",
                     "peer_value": usual[best], "target": usual[best] / TIMES_FASTER,
                     "note": listed})
        if COMPILED_GRAPH in ways:
            made.append({**row, "name": f"{row['name']}: beside PyTorch, {COMPILED_GRAPH}",
                         "peer": f"PyTorch, {COMPILED_GRAPH}", "peer_value": ways[COMPILED_GRAPH],
                         "target": None})
    return made


def torch_results(python: str) -> Iterator[dict[str, Any]]:
    """What the peer prints, as it comes."""
    command = [python, str(benchlib.PEERS / "torch_preprocess.py")]
    try:
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as peer:
            for line in peer.stdout or ():
                yield benchlib.parse_json(line, "torch_preprocess.py")
    except OSError as error:
        raise BenchError(f"{python} cannot be run: {error}") from None
    if peer.returncode != 0:
        raise BenchError(f"torch_preprocess.py ended with code {peer.returncode}")


def write(path: Path, data: dict[str, Any], parts: Sequence[Sequence[dict[str, Any]]]) -> None:
    """All rows so far: a run that is cut short leaves what it has."""
    rows = [row for part in parts for row in part]
    path.write_text(json.dumps({"versions": data["versions"], "rows": rows}), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="bench_kernels_cuda")
    parser.add_argument("output", type=Path, help="file for bench/store.py")
    parser.add_argument("--python", default=sys.executable, help="one that has torch")
    parser.add_argument("--rounds", type=int, default=31)
    args = parser.parse_args()
    try:
        done = benchlib.run_measured([args.program, "--rounds", str(args.rounds)])
        data = benchlib.parse_json(done.stdout, args.program)
    except BenchError as error:
        benchlib.fail(str(error))
    rows, rate = data["rows"], data["rows"][0]["value"]
    limits = {row["name"]: row["limit"] * rate / 1e3 for row in rows[1:]}  # us * GB/s: MB
    parts: list[Sequence[dict[str, Any]]] = [rows, [], []]
    write(args.output, data, parts)
    try:
        parts[1] = dram_rows(shutil.which("ncu") or "ncu", args.program, limits)
        write(args.output, data, parts)
    except BenchError as error:
        benchlib.note(f"left out: DRAM bytes: {error}")
    try:
        jobs: dict[str, dict[str, float]] = {}
        for result in torch_results(args.python):
            jobs.setdefault(result["job"], {}).update(result["ways"])
            data["versions"].update(result["versions"])
            parts[2] = torch_rows(rows, jobs)
            write(args.output, data, parts)
    except BenchError as error:
        benchlib.note(f"left out: PyTorch: {error}")


if __name__ == "__main__":
    main()
