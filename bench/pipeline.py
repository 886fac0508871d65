#!/usr/bin/env python3
"""Measures whole runs on a GPU beside the slowest of their parts alone: run it on the GPU.

    one      frames a second of one file, decoded by NVDEC, to masks of the network's size that go
             nowhere, beside the slower of NVDEC (bench_decode_gpu) and the engine (bench_engine)
             alone: at least 95 % of it
    several  the same of --files files, --streams at once, and how busy the GPU was meanwhile: the
             time in which kernels ran (NVML), the multiprocessors that had work (GPM; beside it
             what they have while the engine alone runs), the decoder
    full     one configuration that fills GPU and processor together: at least 90 % of the one
             (NVML) and 70 % of the other
    cores    frames a second on 1, 2, 4, ... processors without the GPU, of as many files, beside
             that of one processor times as many: at least 85 % of it

Busy shares are medians of the readings while frames went through. The rows go to --to, for
`store.py h100 pipeline`; what fails is said and left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError, Row, note, number

SHARE = 0.95
FULL_GPU, FULL_CPU = 90.0, 70.0
LINEAR = 0.85
READING_S = 0.2
READINGS = ("gpu_percent", "sm_percent", "decoder_percent")


class Monitor:
    """`vrseg monitor` beside a run."""

    def __init__(self, vrseg: str):
        self.out = tempfile.TemporaryFile("w+")
        visible = os.environ.get("CUDA_VISIBLE_DEVICES", "")  # what is cuda:0 here
        self.child = subprocess.Popen([vrseg, "monitor", "--interval", str(READING_S),
                                       *(["--device", visible] if visible.isdigit() else [])],
                                      stdin=subprocess.DEVNULL, stdout=self.out)

    def close(self) -> list[dict[str, Any]]:
        """Its readings."""
        self.child.terminate()
        self.child.wait()
        self.out.seek(0)
        lines = [json.loads(line) for line in self.out if line.endswith("}\n")]
        self.out.close()
        return lines


def medians(lines: list[dict[str, Any]], seconds: float) -> dict[str, float]:
    """Of the readings of a run that went on for so long, up to the last one that saw a busy GPU:
    before it networks were compiled. Nothing of what the GPU does not tell."""
    ends = [line["seconds"] for line in lines if (line.get("gpu_percent") or 0) > 10]
    found = {}
    for key in READINGS:
        values = [line[key] for line in lines if ends and line.get(key) is not None
                  and ends[-1] - seconds < line["seconds"] <= ends[-1]]
        if values:
            found[key] = statistics.median(values)
    return found


def run_vrseg(args: argparse.Namespace, inputs: list[Path], *more: str,
              cores: str = "") -> dict[str, Any]:
    """The summary of one run, with the GPU's readings beside it."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "run.json"
        command = [*(["taskset", "-c", cores] if cores else []), args.vrseg, "run",
                   *map(str, inputs), "-o", "null", "--progress", "none", "--json", str(summary),
                   *more]
        monitor = None if cores else Monitor(args.vrseg)
        try:
            benchlib.run_measured(command)
        finally:
            lines = monitor.close() if monitor else []
        text = benchlib.need_file(summary, "vrseg's summary").read_text(encoding="utf-8")
        if args.keep:
            args.keep.mkdir(parents=True, exist_ok=True)
            name = f"{len(list(args.keep.iterdir())):02}.json"
            (args.keep / name).write_text(text, encoding="utf-8")
    found = benchlib.parse_json(text, "vrseg's summary")
    return found | {"readings": medians(lines, number(found, "seconds", "a summary"))}


def gpu_flags(args: argparse.Namespace) -> list[str]:
    """What every run on the GPU has."""
    return ["--device", "cuda:0", "--engine", "cuda", "--model", str(args.model), "--precision",
            "f16", "--max-batch-size", "16", "--mask-size", "network", *args.flag]


def says(summary: dict[str, Any]) -> str:
    """What a run tells of itself, for a row's note."""
    read = ", ".join(f"{key.replace('_', ' ')} {value:.0f}"
                     for key, value in summary["readings"].items())
    text = summary.get("bottleneck")
    if isinstance(text, dict):
        text = text.get("text")
    return f"processor {100 * number(summary, 'cpu_share', 'a summary'):.0f} %; {read}; {text}"


def engine_alone(args: argparse.Namespace) -> tuple[float, float | None]:
    """Frames a second of the engine with the largest batch, for as long as a run takes, since a GPU
    at its limit of power is faster at first; and the share of its multiprocessors that had work."""
    monitor = Monitor(args.vrseg)
    try:
        done = benchlib.run_measured([f"{args.bench}/bench_engine", str(args.model), "--precision",
                                      "f16", "--batch", "16", "--rounds", str(args.engine_rounds),
                                      *args.engine_flag])
    finally:
        lines = monitor.close()
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    rates = [line["batch"] * 1e6 / line["rate_us"] for line in found if "rate_us" in line]
    busy = medians(lines, done.seconds / 2)
    note(f"the engine alone: {max(rates):.1f} frames/s, {busy}")
    return max(rates), busy.get("sm_percent")


def decoder_alone(args: argparse.Namespace) -> dict[str, float]:
    """Frames a second of NVDEC with one stream and with several."""
    done = benchlib.run_measured([f"{args.bench}/bench_decode_gpu", str(args.clip),
                                  str(args.decode_pairs), str(args.decode_frames)])
    rows = benchlib.parse_json(done.stdout, "bench_decode_gpu's output")["rows"]
    found = {}
    for row in rows:
        if row.get("peer") == "NVDEC alone":
            found["one" if " 1 x " in row["name"] else "several"] = row["peer_value"]
    note(f"NVDEC alone: {found}")
    return found


def offline(args: argparse.Namespace, which: str, slowest: dict[str, float],
            engine_sm: float | None) -> list[Row]:
    """One file or several, beside the slowest part."""
    count = 1 if which == "one" else args.files
    at_once = min(count, args.streams)
    runs = [run_vrseg(args, [args.clip] * count, "--inputs-at-once", str(at_once),
                      *gpu_flags(args)) for _ in range(args.repeat)]
    rates = [number(run, "fps", "a summary") for run in runs]
    middle = runs[rates.index(statistics.median_low(rates))]
    part = min(slowest, key=lambda name: slowest[name])
    name = f"offline/{count} file{'s' if count > 1 else ''} of 1080p H.264 to masks of 512x512"
    rows = [Row(name, statistics.median(rates), "frames/s", "higher", f"{part} alone",
                slowest[part], target=SHARE * slowest[part], runs=rates, note=says(middle))]
    if which == "several":
        for key in middle["readings"]:
            limits = {"the engine": ("gpu_percent", "sm_percent"), "NVDEC": ("decoder_percent",)}
            values = [run["readings"][key] for run in runs if key in run["readings"]]
            alone = engine_sm if key == "sm_percent" else None
            rows.append(Row(f"offline/{count} files, {key.replace('_percent', '')} busy",
                            statistics.median(values), "%", "higher",
                            "the engine alone" if alone else None, alone, runs=values,
                            target=100 * SHARE if key in limits[part] else None))
    return rows


def full(args: argparse.Namespace) -> list[Row]:
    """Both busy: the processor decodes, and the network takes what it can."""
    flags = ["--decoder", "cpu", "--inputs-at-once", str(args.streams), *gpu_flags(args),
             *args.full_flag]
    runs = [run_vrseg(args, [args.clip] * args.streams, *flags) for _ in range(args.repeat)]
    gpu = [run["readings"]["gpu_percent"] for run in runs]
    cpu = [100 * number(run, "cpu_share", "a summary") for run in runs]
    return [Row("full/GPU busy, by NVML", statistics.median(gpu), "%", "higher", target=FULL_GPU,
                runs=gpu, note=says(runs[0])),
            Row("full/processor busy", statistics.median(cpu), "%", "higher", target=FULL_CPU,
                runs=cpu, note=" ".join(args.full_flag))]


def cores(args: argparse.Namespace) -> list[Row]:
    """Without the GPU, on more and more processors."""
    allowed = sorted(os.sched_getaffinity(0))
    rows, first = [], 0.0
    count = 1
    while count <= len(allowed):
        some = ",".join(map(str, allowed[:count]))
        runs = [run_vrseg(args, [args.cores_clip] * count, "--device", "cpu", "--mask-size",
                          "network", "--inputs-at-once", str(count), "--max-frames",
                          str(args.core_frames), *args.cores_flag, cores=some)
                for _ in range(args.repeat)]
        rates = [number(run, "fps", "a summary") for run in runs]
        first = first or statistics.median(rates)
        rows.append(Row(f"cores/{count} processor{'s' if count > 1 else ''}",
                        statistics.median(rates), "frames/s", "higher",
                        "one processor, times as many" if count > 1 else None,
                        first * count if count > 1 else None,
                        target=LINEAR * first * count if count > 1 else None, runs=rates,
                        note=says(runs[0])))
        count *= 2
    return rows


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("what", nargs="*", default=["one", "several", "full"],
                        help="one, several, full, cores (the first three)")
    parser.add_argument("--vrseg", default=str(benchlib.ROOT / "build" / "vrseg"))
    parser.add_argument("--bench", default=str(benchlib.ROOT / "build" / "bench"))
    parser.add_argument("--model", type=Path, help="as peers/deeplab_onnx.py makes it")
    parser.add_argument("--clip", type=Path, help="1080p H.264, of some thousand frames")
    parser.add_argument("--cores-clip", type=Path, help="of the last figure")
    parser.add_argument("--streams", type=int, default=8, help="files that are read at once (8)")
    parser.add_argument("--files", type=int, default=16, help="of the second figure (16)")
    parser.add_argument("--engine-rounds", type=int, default=60, help="of some 0.1 s (60)")
    parser.add_argument("--decode-pairs", type=int, default=3)
    parser.add_argument("--decode-frames", type=int, default=3000)
    parser.add_argument("--core-frames", type=int, default=300, help="of each file")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--flag", action="append", default=[], help="more, of each run on the GPU")
    parser.add_argument("--full-flag", action="append", default=[])
    parser.add_argument("--cores-flag", action="append", default=[])
    parser.add_argument("--engine-flag", action="append", default=[])
    parser.add_argument("--keep", type=Path, help="folder of all runs' summaries")
    parser.add_argument("--to", type=Path, required=True, help="the file, for store.py")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    rows: list[Row] = []
    alone: dict[str, float] = {}
    decoder: dict[str, float] = {}
    engine_sm: float | None = None
    if {"one", "several"} & set(args.what):
        alone["the engine"], engine_sm = engine_alone(args)
        decoder = decoder_alone(args)
    for what in args.what:
        try:
            if what in ("one", "several"):
                rows += offline(args, what, alone | {"NVDEC": decoder[what]}, engine_sm)
            else:
                rows += {"full": full, "cores": cores}[what](args)
        except BenchError as error:
            note(f"{what}: {error}")
        text = json.dumps({"versions": {}, "rows": [asdict(row) for row in rows]}, indent=1)
        args.to.write_text(text, encoding="utf-8")
    benchlib.print_rows(rows)


if __name__ == "__main__":
    try:
        main()
    except (BenchError, json.JSONDecodeError) as error:
        benchlib.fail(str(error))
