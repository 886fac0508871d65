#!/usr/bin/env python3
"""Measures several videos in one run beside one run after another, and two GPUs beside one.

    together    seconds of single runs, one after another, by those of one run of all: at least 1,
                from the start of each process to its end
    frames      the same without starts and ends: frames a second while frames run
    gpus        frames a second of one run on two GPUs, and on four, by those on the first alone,
                with as many streams for each GPU: at least 1.95 and 3.9. Where there are not so
                many GPUs it says "not run", and no row is kept

The ways take turns, and each ratio is taken turn by turn before its median. Masks go to FFV1 at the
network's size, or nowhere with --sink null. A file of results is written where nothing was left out
and --store names a device.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError, Row, median, note, number, run_measured

VIDEOS = ("sam2_juggle_1280x720", "sam2_woman_and_dog_1280x720",
          "intel_one-by-one-person-detection_768x432", "tfjs_pose_squats_720x1280")
# A GPU's decoder is at its best with seven streams.
STREAMS_A_GPU = 8
GPUS = (2, 4)
SHARE = 0.975


def run_vrseg(args: argparse.Namespace, folder: Path, inputs: list[Path],
              *more: str) -> tuple[float, dict[str, Any]]:
    """Seconds of one whole run, and what it tells of itself."""
    summary = folder / "run.json"
    summary.unlink(missing_ok=True)
    output = "null" if args.sink == "null" else f"{folder}/{{name}}_{{number}}.mkv"
    command = [args.vrseg, "run", *map(str, inputs), "-o", output, "--codec",
               "auto" if args.sink == "null" else "ffv1", "--mask-size", "network", "--progress",
               "none", "--json", str(summary), *more]
    if args.model:
        command += ["--model", args.model]
    if args.max_frames:
        command += ["--max-frames", str(args.max_frames)]
    measured = run_measured(command)
    text = benchlib.need_file(summary, "vrseg's summary").read_text(encoding="utf-8")
    return measured.seconds, benchlib.parse_json(text, "vrseg's summary")


def together(args: argparse.Namespace, folder: Path, inputs: list[Path]) -> list[Row]:
    """One run of all beside a run for each, in turns."""
    whole, rate = [], []
    for turn in range(args.repeat):
        alone = [run_vrseg(args, folder, [path], "--device", args.device) for path in inputs]
        seconds, figures = run_vrseg(args, folder, inputs, "--device", args.device)
        frames = sum(number(one, "frames", "a summary") for _, one in alone)
        if number(figures, "frames", "the summary") != frames:
            raise BenchError("the run of all made other frames than the single runs")
        running = sum(number(one, "seconds", "a summary") for _, one in alone)
        whole.append(sum(one for one, _ in alone) / seconds)
        rate.append(number(figures, "fps", "the summary") * running / frames)
        note(f"turn {turn + 1}: {whole[-1]:.3f} times as fast in all, {rate[-1]:.3f} while running")
    return [Row("together", median(whole), "times", "higher", target=1.0, runs=whole,
                note=f"{len(inputs)} videos"),
            Row("frames", median(rate), "times", "higher", runs=rate)]


def devices(count: int) -> str:
    """So many GPUs, for --device."""
    return ",".join(f"cuda:{i}" for i in range(count))


def gpus(args: argparse.Namespace) -> int:
    """How many GPUs vrseg may use here, of the numbers that are measured."""
    for count in (*reversed(GPUS), 1):
        try:
            with tempfile.TemporaryDirectory() as folder:
                run_vrseg(argparse.Namespace(**vars(args) | {"max_frames": 1, "sink": "null"}),
                          Path(folder), args.inputs[:1], "--device", devices(count))
            return count
        except BenchError:
            continue
    return 0


def several_gpus(args: argparse.Namespace, folder: Path, inputs: list[Path],
                 most: int) -> list[Row]:
    """Two GPUs and more beside the first one, each with as many streams, in turns."""
    counts = [1, *(count for count in GPUS if count <= most)]
    rates: dict[int, list[float]] = {count: [] for count in counts}
    for turn in range(args.repeat):
        for count in counts:
            streams = [inputs[i % len(inputs)] for i in range(count * STREAMS_A_GPU)]
            figures = run_vrseg(args, folder, streams, "--device", devices(count),
                                "--inputs-at-once", str(len(streams)), "--max-batch-size",
                                str(args.max_batch_size), "--precision", "f16")[1]
            rates[count].append(number(figures, "fps", "the summary"))
        note(f"turn {turn + 1}: " + ", ".join(f"{rates[count][-1]:.1f} on {count}"
                                              for count in counts) + " frames a second")
    rows = [Row("one_gpu_fps", median(rates[1]), "frames/s", "higher", runs=rates[1])]
    for count in counts[1:]:
        times = [many / one for many, one in zip(rates[count], rates[1])]
        word = {2: "two", 4: "four"}[count]
        rows += [Row(f"{word}_gpus", median(times), "times", "higher", target=SHARE * count,
                     runs=times),
                 Row(f"{word}_gpus_fps", median(rates[count]), "frames/s", "higher",
                     runs=rates[count])]
    return rows


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("inputs", nargs="*", type=Path, help="videos (those of the shared folder)")
    parser.add_argument("--vrseg", default=str(benchlib.ROOT / "build" / "vrseg"))
    parser.add_argument("--model", help="network of all runs (vrseg's own choice)")
    parser.add_argument("--only", choices=("together", "gpus"), help="leave the other out")
    parser.add_argument("--device", default="cpu", help="of the first two figures (cpu)")
    parser.add_argument("--sink", choices=("ffv1", "null"), default="ffv1")
    parser.add_argument("--max-batch-size", type=int, default=8, help="on GPUs (8)")
    parser.add_argument("--max-frames", type=int, default=0, help="of each video; 0: all")
    parser.add_argument("--repeat", type=int, default=5, help="turns (5)")
    parser.add_argument("--store", metavar="DEVICE", help="keep results/DEVICE/several.json")
    parser.add_argument("--to", type=Path, help="file of all rows, for store.py")
    args = parser.parse_args()
    videos = benchlib.shared_folder() / "media" / "videos"
    args.inputs = args.inputs or [videos / f"{name}.mp4" for name in VIDEOS]
    for path in args.inputs:
        benchlib.need_file(path, "a video")
    return args


def main() -> None:
    args = arguments()
    with tempfile.TemporaryDirectory(prefix="vrseg-several-") as made:
        rows = together(args, Path(made), args.inputs) if args.only != "gpus" else []
        found = gpus(args) if args.only != "together" else 0
        if found >= GPUS[0]:
            rows += several_gpus(args, Path(made), args.inputs, found)
        for count in GPUS if args.only != "together" else ():
            if found < count:
                note(f"{count} GPUs: not run: vrseg finds {found} here")
    benchlib.print_rows(rows)
    if args.store and not args.max_frames and not args.only:
        note(f"written to {benchlib.write_results(args.store, 'several', {}, rows)}")
    if args.to:
        text = json.dumps({"versions": {}, "rows": [row.stored() for row in rows]}, indent=1)
        args.to.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except (BenchError, json.JSONDecodeError) as error:
        benchlib.fail(str(error))
