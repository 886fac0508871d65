#!/usr/bin/env python3
"""Our engine beside PyTorch and ONNX Runtime on DeepLabV3+ ResNet-50: run it on the GPU.

Makes the network with random weights (peers/deeplab_onnx.py), then runs the parts that are asked
for, each in programs of its own: bench_engine in a precision (compiling for 1, 8 and 16 views cold,
then for all sizes, then all from the cache) or a peer. What they print is appended to a file of
lines as it comes, so that parts can be measured one after the other, and --to makes rows for
bench/store.py of one or several such files. A part that fails is left out, and said.

Targets: FP16 at four views and more 1.3 times torch.compile's rate, one view in 0.65 of its time;
INT8 4,500 frames a second at 16 views; FP16 twice and INT8 four times our own FP32; compiling in a
minute, from the cache in a second; weights of a half and a quarter of FP32's.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchlib
from benchlib import Row

Line = dict[str, Any]

PEERS = Path(__file__).resolve().parent / "peers"
NETWORK = "DeepLabV3+ R50 512x512"
PRECISIONS = {"f16": "FP16", "int8": "INT8", "tf32": "TF32", "f32": "FP32"}
PARTS = [*PRECISIONS, "torch", "onnxruntime"]
COLD = "1,8,16"
TIMES_FASTER = 1.3
SHARE_OF_TIME = 0.65
INT8_RATE = 4500
TIMES_FP32 = {"f16": 2, "int8": 4}
BYTES_PER_US = {"H200": 4.3e6, "H100": 3.0e6}  # of a device's copy, read and write
PEAK = {8: 1979e6, 16: 989e6, 32: 495e6}  # operations a microsecond of tensor cores, by bits
PEAK_FP32 = 67e6
NODES_OF = [("f16", 16), ("f16", 1), ("int8", 16), ("int8", 1)]


# ---- measuring ----

def run_part(command: list[str], limit_s: float, note: Line, to: Path) -> None:
    """Appends what a program prints as lines of JSON, up to its end or the limit."""
    try:
        text = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=limit_s,
                              check=True).stdout
    except subprocess.TimeoutExpired as error:
        text = (error.stdout or b"").decode() if isinstance(error.stdout, bytes) else ""
        benchlib.note(f"{Path(command[0]).name}: stopped after {limit_s:g} s")
    except (OSError, subprocess.CalledProcessError) as error:
        text = getattr(error, "stdout", None) or ""
        benchlib.note(f"{Path(command[0]).name}: {error}")
    with to.open("a", encoding="utf-8") as file:
        for line in text.splitlines():
            if line.startswith("{") and line.endswith("}"):
                file.write(json.dumps({**json.loads(line), **note}) + "\n")


def measure(args: argparse.Namespace, part: str, models: Path, cache: Path) -> None:
    """One part, into the file of lines."""
    batches = args.batch.split(",")
    if part == "torch":
        run_part([args.python, str(PEERS / "torch_engine.py"), "--batch", *batches], args.seconds,
                 {}, args.lines)
        return
    if part == "onnxruntime":
        run_part([args.python, str(PEERS / "onnxruntime_engine.py"), str(models / "half"),
                  "--batch", *batches], args.seconds, {}, args.lines)
        return
    model = models / ("int8" if part == "int8" else "float") / "deeplab.yaml"
    base = [args.program, str(model), "--precision", part, "--cache", str(cache)]
    runs = {"cold": ["--batch", COLD, "--rounds", "1"], "sizes": ["--batch", args.batch, "--nodes"],
            "cache": ["--batch", args.batch, "--rounds", "3"]}
    for run in runs if part in TIMES_FP32 else ["sizes"]:
        run_part(base + runs[run], args.seconds, {"run": run}, args.lines)


def make_networks(args: argparse.Namespace, folder: Path) -> None:
    """The ONNX files that the parts want."""
    kinds = {"float": any(p in ("f16", "tf32", "f32") for p in args.parts),
             "int8": "int8" in args.parts, "half": "onnxruntime" in args.parts}
    for kind in (kind for kind, wanted in kinds.items() if wanted):
        subprocess.run([args.python, str(PEERS / "deeplab_onnx.py"), str(folder / kind),
                        *([] if kind == "float" else [f"--{kind}"])], check=True)


# ---- rows ----

def views(batch: int) -> str:
    """So many views, in words."""
    return f"{batch} view{'s' if batch > 1 else ''}"


def rate(line: Line) -> float:
    """Frames a second, queued back to back."""
    return line["batch"] * 1e6 / line["rate_us"]


def peer_name(line: Line) -> str:
    """A peer with its version, as far as it is said."""
    return line["peer"] + (f" {line['version']}" if "version" in line else "")


def rate_rows(line: Line, peers: list[Line]) -> Iterator[Row]:
    """Rate and latency of one precision and batch, beside each peer of that precision."""
    batch, precision = line["batch"], line["precision"]
    name = f"{NETWORK}/{PRECISIONS[precision]}, {views(batch)}"
    same = [p for p in peers if p["batch"] == batch and p["precision"] == precision]
    compiled = next((p for p in same if p["peer"] == "torch.compile"), None)
    best = compiled or max(same, key=rate, default=None)
    row = Row(name=f"{name}, back to back", value=rate(line), unit="frames/s", better="higher")
    latency = Row(name=f"{name}, latency", value=line["latency_us"], unit="us", better="lower")
    if best:
        row.peer, row.peer_value = peer_name(best), rate(best)
        latency.peer, latency.peer_value = peer_name(best), best["latency_us"]
    if compiled and batch == 1:
        latency.target = SHARE_OF_TIME * compiled["latency_us"]
    elif compiled:
        row.target = TIMES_FASTER * rate(compiled)
    if precision == "int8" and batch == 16:
        row.target = INT8_RATE
    yield row
    yield latency
    for peer in same:
        if peer is not best:
            yield Row(name=f"{name}, back to back, against {peer['peer']}", value=rate(line),
                      unit="frames/s", better="higher", peer=peer_name(peer),
                      peer_value=rate(peer))


def compile_rows(line: Line) -> Iterator[Row]:
    """How long compiling and opening take, and what memory."""
    what = PRECISIONS[line["precision"]]
    if line["run"] == "cold":
        yield Row(name=f"compiling/cold, {what}, 1, 8 and 16 views", value=line["compile_s"],
                  unit="s", better="lower", target=60, note=line["engine"])
    if line["run"] == "cache":
        yield Row(name=f"compiling/opening with plans from the cache, {what}",
                  value=line["compile_s"], unit="s", better="lower", target=1)
    if line["run"] == "sizes":
        for key, kind in (("weights", "weights"), ("arena", "activations"),
                          ("workspace", "workspace"), ("libraries", "libraries"), ("all", "all")):
            yield Row(name=f"memory/{kind}, {what}", value=line[f"{key}_mb"], unit="MB",
                      better="lower")


def share_rows(rows: dict[str, Row]) -> Iterator[Row]:
    """What a precision gains over our own FP32: rate at 16 views, memory of weights."""
    for precision, times in TIMES_FP32.items():
        what = PRECISIONS[precision]
        names = [f"{NETWORK}/{p}, 16 views, back to back" for p in (what, "FP32")]
        if all(name in rows for name in names):
            ours, full = (rows[name].value for name in names)
            yield Row(name=f"{NETWORK}/{what} over FP32, 16 views", value=ours / full,
                      unit="times", better="higher", target=times)
        names = [f"memory/weights, {p}" for p in (what, "FP32")]
        if all(name in rows for name in names):
            ours, full = (rows[name].value for name in names)
            yield Row(name=f"memory/weights, {what} over FP32", value=ours / full, unit="times",
                      better="lower", note=f"the numbers alone are 1/{times}")


def node_rows(lines: list[Line], precision: str, batch: int, bytes_per_us: float) -> Iterator[Row]:
    """What each kind of node takes, the longest first, beside what it needs at least."""
    kinds: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        kinds.setdefault((line["does"], line["plan"]), []).append(line)
    for (does, plan), nodes in sorted(kinds.items(), key=lambda k: -sum(n["us"] for n in k[1])):
        one = nodes[0]
        peak = PEAK_FP32 if precision == "f32" else PEAK.get(one.get("bits", 0), PEAK[16])
        by_bytes, by_flops = one["mb"] * 1e6 / bytes_per_us, one["gflop"] * 1e9 / peak
        times = f", {len(nodes)} times" if len(nodes) > 1 else ""
        yield Row(name=f"nodes of {PRECISIONS[precision]} at {views(batch)}/{does}{times}",
                  value=one["us"], unit="us", better="lower", limit=max(by_bytes, by_flops),
                  note=f"{plan}; bound by {'bytes' if by_bytes > by_flops else 'arithmetic'}")


def rows_of(lines: list[Line]) -> list[Row]:
    """All rows; of what was measured twice the last."""
    peers = [line for line in lines if "peer" in line]
    gpu = next((line["versions"]["gpu"] for line in lines if "versions" in line), "")
    bytes_per_us = next((v for k, v in BYTES_PER_US.items() if k in gpu), BYTES_PER_US["H200"])
    rows: dict[str, Row] = {}
    nodes: dict[tuple[str, int], list[Line]] = {}
    precision = ""
    for line in lines:
        found: Iterator[Row] = iter(())
        precision = line.get("precision", precision)
        if "peer" in line:
            continue
        if "compile_s" in line:
            found = compile_rows(line)
        elif "rate_us" in line and line["run"] == "sizes":
            found = rate_rows(line, peers)
        elif "node" in line:
            nodes.setdefault((precision, line["batch"]), []).append(line)
        rows.update((row.name, row) for row in found)
    rows.update([(row.name, row) for row in share_rows(rows)])
    for key in NODES_OF:
        rows.update((row.name, row) for row in node_rows(nodes.get(key, []), *key, bytes_per_us))
    return list(rows.values())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--program", default="build/bench/bench_engine")
    parser.add_argument("--python", default=sys.executable, help="one with torch and onnx")
    parser.add_argument("--parts", nargs="*", default=PARTS, choices=PARTS)
    parser.add_argument("--batch", default="1,4,8,16")
    parser.add_argument("--seconds", type=float, default=600, help="that a program may take")
    parser.add_argument("--lines", type=Path, required=True, nargs="+",
                        help="files of lines; what is measured is appended to the last one")
    parser.add_argument("--to", type=Path, help="the file for store.py")
    args = parser.parse_args()
    files, args.lines = args.lines, args.lines[-1]
    with tempfile.TemporaryDirectory() as folder:
        make_networks(args, Path(folder))
        if args.parts:
            gpu = benchlib.first_line(["nvidia-smi", "--query-gpu=name,driver_version",
                                       "--format=csv,noheader"]).split(", ")
            with args.lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps({"versions": {"gpu": gpu[0], "driver": gpu[-1]}}) + "\n")
        for part in args.parts:
            measure(args, part, Path(folder), Path(folder) / "cache")
    lines = [json.loads(line) for file in files
             for line in file.read_text(encoding="utf-8").splitlines()]
    rows = rows_of(lines)
    benchlib.print_rows(rows)
    if args.to:
        versions: dict[str, str] = {}
        for line in lines:
            versions.update(line.get("versions", {}))
        args.to.write_text(json.dumps({"versions": versions, "rows": [asdict(r) for r in rows]},
                                      indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
