#!/usr/bin/env python3
"""Our engine beside PyTorch on DeepLabV3+ ResNet-50, as JSON for bench/store.py: run it on the GPU.

Makes the network with random weights (peers/deeplab_onnx.py), runs bench_engine for each precision,
then peers/torch_engine.py, compiling last. Targets: FP16 at four views and more 1.3 times
torch.compile's rate, one view in 0.65 of its time. What fails is left out, and said; the file is
written after each step.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchlib
from benchlib import Row

PEERS = Path(__file__).resolve().parent / "peers"
TIMES_FASTER = 1.3
SHARE_OF_TIME = 0.65
BYTES_PER_US = 4.3e6
PEAK = {"f16": 989e6, "int8": 1979e6, "tf32": 495e6, "f32": 67e6}  # operations a microsecond


def json_lines(command: list[str], limit_s: float) -> list[dict[str, Any]]:
    """What a program printed as lines of JSON, up to its end or the limit."""
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit_s,
                              check=True).stdout
    except subprocess.TimeoutExpired as error:
        text = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else ""
        benchlib.note(f"{Path(command[0]).name}: stopped after {limit_s:g} s")
    except (OSError, subprocess.CalledProcessError) as error:
        text = ""
        benchlib.note(f"{Path(command[0]).name}: {error}")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def rate_row(line: dict[str, Any], peers: list[dict[str, Any]]) -> Row:
    """The rate of one precision and batch, beside torch.compile's where that is FP16."""
    batch, precision = line["batch"], line["precision"]
    row = Row(name=f"{precision}/{batch} view{'s' if batch > 1 else ''}, back to back",
              value=batch * 1e6 / line["rate_us"], unit="frames/s", better="higher",
              note=f"one run alone {line['latency_us']:.0f} us")
    for peer in peers:
        same = peer["batch"] == batch and peer["precision"] == precision
        if same and peer["peer"] in ("torch.compile", "torch eager"):
            row.peer, row.peer_value = peer["peer"], batch * 1e6 / peer["rate_us"]
            if peer["peer"] == "torch.compile":
                factor = TIMES_FASTER if batch > 1 else 1 / SHARE_OF_TIME
                row.target = factor * row.peer_value
    return row


def node_row(line: dict[str, Any], precision: str) -> Row:
    """What a node takes beside what its bytes or its operations need."""
    by_bytes, by_flops = line["mb"] * 1e6 / BYTES_PER_US, line["gflop"] * 1e9 / PEAK[precision]
    bound = "bytes" if by_bytes > by_flops else "arithmetic"
    return Row(name=f"nodes of {precision} at {line['batch']}/{line['node']}: {line['does']}",
               value=line["us"], unit="us", better="lower", limit=max(by_bytes, by_flops),
               note=f"{line['plan']}; bound by {bound}")


def rows_of(lines: list[dict[str, Any]], peers: list[dict[str, Any]]) -> list[Row]:
    """All rows, in the order in which they were measured; a node once."""
    rows: dict[str, Row] = {}
    precision = ""
    for line in lines:
        precision = line.get("precision", precision)
        if "compile_s" in line:
            row = Row(name=f"compiling/{precision}", value=line["compile_s"], unit="s",
                      better="lower", note=f"{line['engine']}; weights {line['weights_mb']} MB, "
                      f"activations {line['arena_mb']} MB, workspace {line['workspace_mb']} MB")
        elif "rate_us" in line:
            row = rate_row(line, peers)
        else:
            row = node_row(line, precision)
        rows[row.name] = row
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/bench/bench_engine")
    parser.add_argument("--python", default=sys.executable, help="one with torch and onnx")
    parser.add_argument("--precisions", nargs="+", default=["f16", "tf32", "f32"],
                        choices=sorted(PEAK))
    parser.add_argument("--batch", default="1,4,8,16")
    parser.add_argument("--cache", help="folder of kept plans; none: all are made")
    parser.add_argument("--seconds", type=float, default=600, help="that a program may take")
    parser.add_argument("--no-peers", action="store_true")
    parser.add_argument("--to", type=Path, required=True, help="the file, for store.py")
    args = parser.parse_args()
    lines: list[dict[str, Any]] = []
    peers: list[dict[str, Any]] = []

    def keep() -> None:
        rows = [asdict(row) for row in rows_of(lines, peers)]
        args.to.write_text(json.dumps({"versions": {}, "rows": rows}, indent=1), encoding="utf-8")

    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([args.python, str(PEERS / "deeplab_onnx.py"), folder], check=True)
        for precision in args.precisions:
            lines += json_lines(
                [args.program, f"{folder}/deeplab.yaml", "--precision", precision, "--batch",
                 args.batch, "--nodes", *(["--cache", args.cache] if args.cache else [])],
                args.seconds)
            keep()
    if not args.no_peers:
        peers += json_lines([args.python, str(PEERS / "torch_engine.py"), "--batch",
                             *args.batch.split(",")], args.seconds)
        keep()
    benchlib.print_rows(rows_of(lines, peers))


if __name__ == "__main__":
    main()
