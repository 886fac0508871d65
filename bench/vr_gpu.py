#!/usr/bin/env python3
"""Stereo video of 8192x4096 on a GPU, from HEVC of 10 bits to frames that are packed with alpha
and lie in host memory for an encoder, which there is none of here.

  vr_gpu.py --clip CLIP_LR_180.mp4 --to FILE rate     then: store.py h100 vr < FILE
  vr_gpu.py --clip CLIP_LR_180.mp4 --to FILE long

rate: what NVDEC does alone (bench_decode_gpu, which also says what copying and preprocessing leave
of it), then runs with each eye through the network, smoothed, with tiles and with crops beside:
eyes reach at least 95 % of the decoder. What each resource did meanwhile: the run's own figures and
NVML's, whose share of the decoder is the mean of all that the GPU has; a file is decoded by one.
Pinning memory for the frames in flight takes half a second a gigabyte, and that counts.

long: --seconds of it, eyes alone, beside the decoder too. The process and the GPU are looked at
each second; after the second quarter neither the host's memory nor the GPU's grows, nor
descriptors, nor threads.

Both run within --gpu-memory and --pinned-memory, and what they take is compared with what the run
said before its first frame. The clip is repeated by bench_loop, so a few seconds are enough; its
name says how its pictures lie.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError, Row, note, number
from long_run import MEGABYTE, MOST_GROWTH_MB, Watched, watch
from pipeline import Monitor

SHARE = 0.95
VIEWS = {"eyes": [], "steady eyes": ["--smooth", "on"], "tiles": ["--views", "tiles"],
         "crops": ["--views", "crops"]}
RESOURCES = ("cores", "decoder", "gpu", "copy", "consumer", "memory")
READINGS = ("gpu_percent", "sm_percent", "dram_percent", "decoder_percent")
# NVML counts for all processes, and a context's own memory with them.
MOST_GPU_GROWTH_MB = 10.0


class Run:
    """A run of the program, and what the GPU showed meanwhile."""

    def __init__(self, args: argparse.Namespace, film: Path, more: list[str]):
        monitor = None if args.device == "cpu" else Monitor(str(args.vrseg))
        flags = ["--device", args.device, "--model", str(args.model), "--tickets",
                 str(args.tickets), *more, *args.flag]
        if monitor is not None:
            flags += ["--engine", "cuda", "--precision", "f16", "--gpu-memory", args.gpu_memory,
                      "--pinned-memory", args.pinned_memory]
        try:
            self.seen: Watched = watch(args.vrseg, [str(film), "-o", "alpha:null", *flags],
                                       film.with_name("null"))
        finally:
            self.readings = monitor.close() if monitor else []
        self.figures = self.seen.figures

    def number(self, key: str) -> float:
        """A figure of the run's own."""
        return number(self.figures, key, "vrseg's --json")

    def steady(self) -> list[dict[str, Any]]:
        """The GPU's readings while frames went through: those with a busy decoder."""
        return [r for r in self.readings if (r.get("decoder_percent") or 0) > 10]

    def resources(self) -> str:
        """What each resource did."""
        parts = [f"{key} {value:.0%}" for key in RESOURCES if key != "cores" and
                 (value := self.figures["resources"].get(key)) is not None]
        parts.append(f"processor {self.number('cpu_share'):.1%}")
        for key in READINGS:
            values = [r[key] for r in self.steady() if r.get(key) is not None]
            if values:
                parts.append(f"{key.replace('_percent', '')} by NVML "
                             f"{statistics.median(values):.0f} %")
        return f"{', '.join(parts)}; {self.figures['bottleneck']}"


def make_film(args: argparse.Namespace, folder: Path, frames: int) -> Path:
    """The clip, repeated."""
    film = folder / f"film{frames}_{args.clip.name.split('_', 1)[-1]}"
    benchlib.run_measured([f"{args.bench}/bench_loop", str(args.clip), str(film), str(frames)])
    return film


def measure_decoder(args: argparse.Namespace,
                    folder: Path) -> tuple[float, list[Row], dict[str, str]]:
    """Frames a second of NVDEC, and what preprocessing leaves of it; 0 on the CPU."""
    if args.device == "cpu":
        return 0.0, [], {}
    film = make_film(args, folder, args.decode_frames)
    done = benchlib.run_measured([f"{args.bench}/bench_decode_gpu", str(film), str(args.pairs),
                                  str(args.decode_frames), "1"])
    data = benchlib.parse_json(done.stdout, "bench_decode_gpu's output")
    rows = [Row(**row) for row in data["rows"]]
    note(done.stderr.strip())
    film.unlink()
    if not rows or rows[0].peer_value is None:
        raise BenchError("bench_decode_gpu says nothing of NVDEC alone")
    return rows[0].peer_value, rows, data["versions"]


def memory_rows(args: argparse.Namespace, run: Run, what: str) -> list[Row]:
    """What the run took beside what it said."""
    said = "expected.memory."
    rows = [Row(f"{what}/peak of resident memory", run.number("peak_rss_bytes") / 1e9, "GB",
                "lower", target=run.number(said + "host_bytes") / 1e9,
                note="the target is what the run said beforehand")]
    if args.device != "cpu":
        rows.append(Row(f"{what}/memory of the GPU", run.number("gpu_memory_bytes") / 1e9, "GB",
                        "lower", target=run.number(said + "gpu_budget_bytes") / 1e9,
                        note=f"--gpu-memory {args.gpu_memory}; before its first frame the run "
                             f"said {run.number(said + 'gpu_bytes') / 1e9:.2f} GB, and "
                             f"{run.number(said + 'pinned_bytes') / 1e9:.2f} GB pinned"))
    return rows


def rate(args: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Runs beside the decoder alone."""
    alone, rows, versions = measure_decoder(args, folder)
    film = make_film(args, folder, args.frames)
    for name in args.views:
        what = f"8192x4096 to packed alpha, {name}"
        runs = [Run(args, film, VIEWS[name]) for _ in range(args.repeat)]
        rates = [run.number("fps") for run in runs]
        middle = runs[rates.index(statistics.median_low(rates))]
        if middle.number("failed") != 0 or middle.number("frames") != args.frames:
            raise BenchError(f"{name}: not all of the {args.frames} frames were made")
        rows.append(Row(f"{what}/rate", statistics.median(rates), "frames/s", "higher",
                        "NVDEC alone" if alone else None, alone or None,
                        target=SHARE * alone if alone and name == "eyes" else None, runs=rates,
                        note=middle.resources()))
        rows += memory_rows(args, middle, what)
        note(f"{name}: {rates} of {alone:.1f} frames/s; {middle.resources()}")
        keep(args, name, middle)
    return rows, versions


def growth(values: list[float]) -> tuple[float, float]:
    """The most of the second quarter, and how much more there was after it."""
    quarter = len(values) // 4
    if quarter < 2:
        raise BenchError("the run was too short to say whether anything grows: more --seconds")
    base = max(values[quarter:2 * quarter])
    return base, max(values[2 * quarter:]) - base


def long(args: argparse.Namespace, folder: Path) -> tuple[list[Row], dict[str, str]]:
    """Whether memory stays as it is."""
    alone, rows, versions = measure_decoder(args, folder)
    frames = int(args.seconds * args.expected_fps)
    film = make_film(args, folder, frames)
    note(f"{frames} frames, {film.stat().st_size / 1e9:.2f} GB; the run begins")
    run = Run(args, film, [])
    what = f"8192x4096 to packed alpha, {run.number('seconds') / 60:.1f} minutes"
    keep(args, "long", run)
    looks = [look for look in run.seen.looks if 0 < look.frames < frames]
    base, more = growth([look.rss / MEGABYTE for look in looks])
    rows += [
        Row(f"{what}/frames that are missing", frames - run.number("frames"), "frames", "lower",
            target=0.0),
        Row(f"{what}/rate", run.number("fps"), "frames/s", "higher",
            "NVDEC alone" if alone else None, alone or None,
            target=SHARE * alone if alone else None, note=run.resources()),
        Row(f"{what}/resident, the second quarter", base, "MB", "lower",
            runs=[look.rss / MEGABYTE for look in looks][::len(looks) // 64 + 1]),
        Row(f"{what}/resident, growth after that", more, "MB", "lower", target=MOST_GROWTH_MB),
    ]
    held = [r["memory_used_bytes"] / MEGABYTE for r in run.steady()]
    if held:
        base, more = growth(held)
        rows += [Row(f"{what}/used on the GPU, the second quarter", base, "MB", "lower",
                     runs=held[::len(held) // 64 + 1], note="by NVML, whoever uses it"),
                 Row(f"{what}/used on the GPU, growth after that", more, "MB", "lower",
                     target=MOST_GPU_GROWTH_MB)]
    for name in ("descriptors", "threads"):
        base, more = growth([float(getattr(look, name)) for look in looks])
        rows.append(Row(f"{what}/{name}, growth after the second quarter", more, name, "lower",
                        target=0.0, note=f"{base:.0f} in it"))
    return rows + memory_rows(args, run, what), versions


def keep(args: argparse.Namespace, name: str, run: Run) -> None:
    """The run's figures and the GPU's readings, to look at."""
    if args.keep:
        args.keep.mkdir(parents=True, exist_ok=True)
        (args.keep / f"{name}.json").write_text(json.dumps(run.figures), encoding="utf-8")
        (args.keep / f"{name}.readings.json").write_text(json.dumps(run.readings),
                                                         encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("part", choices=("rate", "long"))
    parser.add_argument("--clip", type=Path, required=True, help="8192x4096, HEVC of 10 bits")
    parser.add_argument("--to", type=Path, required=True, help="the file, for store.py")
    parser.add_argument("--vrseg", type=Path, default=benchlib.ROOT / "build/vrseg")
    parser.add_argument("--bench", type=Path, default=benchlib.ROOT / "build/bench")
    parser.add_argument("--model", default="selfie-landscape")
    parser.add_argument("--device", default="cuda:0", help="cpu: to try this program out")
    parser.add_argument("--gpu-memory", default="12GB")
    parser.add_argument("--pinned-memory", default="2GB")
    parser.add_argument("--tickets", type=int, default=8)
    parser.add_argument("--views", nargs="*", choices=list(VIEWS), default=list(VIEWS))
    parser.add_argument("--frames", type=int, default=900, help="of each run (900)")
    parser.add_argument("--decode-frames", type=int, default=900)
    parser.add_argument("--pairs", type=int, default=1, help="of the decoder's measurement (1)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each (1)")
    parser.add_argument("--seconds", type=float, default=480, help="long: so many (480)")
    parser.add_argument("--expected-fps", type=float, default=100)
    parser.add_argument("--flag", action="append", default=[], help="more, of each run")
    parser.add_argument("--keep", type=Path, help="folder of all runs' figures")
    args = parser.parse_args()
    try:
        with tempfile.TemporaryDirectory(prefix="vrseg-bench-") as folder:
            rows, versions = (rate if args.part == "rate" else long)(args, Path(folder))
    except (BenchError, json.JSONDecodeError) as error:
        benchlib.fail(str(error))
    versions["vrseg"] = benchlib.first_line([str(args.vrseg), "--version"])
    text = json.dumps({"versions": versions, "rows": [asdict(row) for row in rows]}, indent=1)
    args.to.write_text(text, encoding="utf-8")
    benchlib.print_rows(rows)


if __name__ == "__main__":
    main()
