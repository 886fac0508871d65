#!/usr/bin/env python3
"""Measures what the parts of a run cost alone, and from them the ceiling of a pipeline.

Decoder: `ffmpeg -threads N -i VIDEO -f null`, N = 1 and 2. Encoder: libx264 at the preset on the
composite, read raw from a Y4M file, less the time of reading that file. CPU milliseconds a frame
(user and system); the start of ffmpeg, measured by a run of one frame, is taken off, so that it
does not make the floor of a short clip easier to reach. Network and postprocess come from
vrseg's own program (--own) or from the command line. Preprocessing, queues and muxing are not in
the sum: they are what a pipeline adds.

Each part is measured twice: on one thread while the other core rests, and as `busy`, one copy on
each core at the same time. Cores that share caches, memory and often the arithmetic units of one
processor core are slower together than one of them alone, and a pipeline keeps all of them at
work: the ceiling of two cores is that of two busy ones.

ceiling = cores * 1000 / (decode + network + postprocess + encode), frames a second, for each.

Prints one JSON object on stdout.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import benchlib
from benchlib import BenchError, Measured, run_measured


@dataclass
class Alone:
    """One part alone: CPU time and rate, start taken off; peak memory of the whole process."""

    cpu_ms: float
    fps: float
    peak_rss: int


def ffmpeg(before: list[str], source: Path, after: list[str]) -> list[str]:
    """An ffmpeg command line; `before` are options of the input."""
    return ["ffmpeg", "-v", "error", "-nostdin", "-y", *before, "-i", str(source), "-map", "0:v:0",
            *after]


def null(after: list[str]) -> list[str]:
    """Discards the frames, all of them: without passthrough ffmpeg drops and doubles by time."""
    return [*after, "-vsync", "passthrough", "-f", "null", "-"]


def count_frames(source: Path) -> int:
    """Frames that come out of the decoder."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-count_frames",
               "-show_entries", "stream=nb_read_frames", "-of", "csv=p=0", str(source)]
    text = run_measured(command).stdout.strip().rstrip(",")
    if not text.isdigit() or int(text) < 2:
        raise BenchError(f"{source} has fewer than two frames")
    return int(text)


def without_start(whole: Measured, start: Measured, frames: int) -> Alone:
    """Per frame, with a run of one frame taken as the start."""
    cpu = max(whole.cpu_seconds - start.cpu_seconds, 0.0) / (frames - 1)
    wall = max(whole.seconds - start.seconds, 1e-6) / (frames - 1)
    return Alone(1e3 * cpu, 1 / wall, whole.peak_rss)


def usual(runs: list[Alone]) -> Alone:
    """The run with the median CPU time (the lower one of two), as for what it is compared with."""
    return sorted(runs, key=lambda run: run.cpu_ms)[(len(runs) - 1) // 2]


def decode_alone(source: Path, threads: int, frames: int) -> Alone:
    """The decoder with so many threads."""
    before = ["-threads", str(threads)]
    start = run_measured(ffmpeg(before, source, null(["-frames:v", "1"])))
    return without_start(run_measured(ffmpeg(before, source, null([]))), start, frames)


def encode_alone(raw: Path, preset: str, threads: int, frames: int, folder: Path,
                 copy: int = 0) -> Alone:
    """libx264 on raw frames, less the reading of them; frames a second are of both."""
    out = folder / f"floor-{copy}.mp4"
    coder = ["-c:v", "libx264", "-preset", preset, "-threads", str(threads), "-vsync",
             "passthrough"]
    # The start is that of reading: a run of one frame with libx264 would book what it allocates.
    start, read_ms = reading_ms(raw, frames)
    both = run_measured(ffmpeg([], raw, [*coder, str(out)]))
    alone = without_start(both, start, frames)
    return Alone(alone.cpu_ms - read_ms, alone.fps, both.peak_rss)


def side_by_side(part: Callable[[int], Alone], copies: int) -> Alone:
    """The mean CPU time of a part while a copy of it runs on each core; frames a second of all."""
    with ThreadPoolExecutor(copies) as pool:
        runs = list(pool.map(part, range(copies)))
    return Alone(sum(run.cpu_ms for run in runs) / copies, sum(run.fps for run in runs),
                 max(run.peak_rss for run in runs))


def reading_ms(raw: Path, frames: int) -> tuple[Measured, float]:
    """A run that reads one frame of raw video, the start; and CPU ms a frame of reading it all."""
    start = run_measured(ffmpeg([], raw, null(["-frames:v", "1"])))
    whole = run_measured(ffmpeg([], raw, null([])))
    return start, 1e3 * max(whole.cpu_seconds - start.cpu_seconds, 0.0) / (frames - 1)


def together_share(source: Path, raw: Path, preset: str, frames: int, folder: Path,
                   busy_ms: float, cores: int) -> float:
    """What one ffmpeg that decodes the video and encodes its composite, nothing else, reaches of
    the ceiling of these two parts (`busy_ms`: their CPU time on busy cores, without reading)."""
    def command(limit: list[str]) -> list[str]:
        return ffmpeg(["-threads", "1", "-i", str(source)], raw,
                      [*null(limit), "-map", "1:v:0", *limit, "-c:v", "libx264", "-preset", preset,
                       "-vsync", "passthrough", str(folder / "together.mp4")])
    _, read_ms = reading_ms(raw, frames)
    start = run_measured(command(["-frames:v", "1"]))
    rate = without_start(run_measured(command([])), start, frames).fps
    return rate * (busy_ms + read_ms) / (cores * 1e3)


def transcode(source: Path, preset: str, threads: int, folder: Path) -> Measured:
    """The same decoder and encoder in one ffmpeg: what its memory is compared with."""
    out = folder / "transcode.mp4"
    return run_measured(ffmpeg(["-threads", "1"], source,
                               ["-c:v", "libx264", "-preset", preset, "-threads", str(threads),
                                "-pix_fmt", "yuv420p", "-vsync", "passthrough", str(out)]))


def green_raw(source: Path, model: Path, python: str, folder: Path) -> Path:
    """The composite as raw Y4M, made by the ONNX Runtime script: what the encoder gets."""
    path = folder / "green.y4m"
    run_measured([python, str(benchlib.PEERS / "ort_opencv_script.py"), "--video", str(source),
                  "--model", str(model), "--pixels", "i420", "--threads", "1", "--encoder", "y4m",
                  "--to", str(path)])
    return path


def own_figures(path: str | None, network: float | None,
                postprocess: float | None) -> tuple[float | None, float | None]:
    """CPU ms a frame of network and postprocess alone; the command line wins over the file."""
    if path:
        data = benchlib.parse_json(Path(path).read_text(encoding="utf-8"), path)
        network = benchlib.number(data, "network_ms", path) if network is None else network
        if postprocess is None:
            postprocess = benchlib.number(data, "postprocess_ms", path)
    return network, postprocess


@dataclass
class Parts:
    """What ffmpeg tells of one video, once: the parts by name; decoder and encoder in one process:
    the memory, and the rate as a share of their ceiling."""

    alone: dict[str, Alone]
    transcode_rss: int
    together: float


def measure(source: Path, raw: Path, preset: str, frames: int, folder: Path,
            cores: int) -> Parts:
    """Decoder and encoder alone with one and two threads and on busy cores, and both in one
    process."""
    alone = {
        "decode_busy": side_by_side(lambda _: decode_alone(source, 1, frames), cores),
        "encode_busy": side_by_side(
            lambda copy: encode_alone(raw, preset, 1, frames, folder, copy), cores),
    }
    for threads in (1, 2):
        alone[f"decode_{threads}"] = decode_alone(source, threads, frames)
        alone[f"encode_{threads}"] = encode_alone(raw, preset, threads, frames, folder)
    busy_ms = alone["decode_busy"].cpu_ms + alone["encode_busy"].cpu_ms
    share = together_share(source, raw, preset, frames, folder, busy_ms, cores)
    return Parts(alone, transcode(source, preset, 0, folder).peak_rss, share)


@dataclass
class Own:
    """CPU ms a frame of vrseg's own parts in one turn: on one core, and with all of them busy."""

    network: float
    postprocess: float
    network_busy: float
    postprocess_busy: float


def summary(turns: list[Parts], own: list[Own], cores: int) -> dict:
    """The medians, the sums of the four parts and what they allow; no sums where `own` is empty."""
    result: dict = {"transcode_peak_rss": benchlib.median([one.transcode_rss for one in turns]),
                    "together_of_ceiling": benchlib.median([one.together for one in turns]),
                    "network_ms": None, "postprocess_ms": None, "sum_ms": None,
                    "ceiling_fps": None, "sum_busy_ms": None, "ceiling_busy_fps": None,
                    "turns_busy_ms": []}
    for name in turns[0].alone:
        runs = [one.alone[name] for one in turns]
        chosen = usual(runs)
        result[name] = {"cpu_ms": chosen.cpu_ms, "fps": chosen.fps, "peak_rss": chosen.peak_rss,
                        "runs_cpu_ms": [run.cpu_ms for run in runs]}
    if own:
        network = benchlib.median([one.network for one in own])
        postprocess = benchlib.median([one.postprocess for one in own])
        total = result["decode_1"]["cpu_ms"] + result["encode_1"]["cpu_ms"] + network + postprocess
        busy = (result["decode_busy"]["cpu_ms"] + result["encode_busy"]["cpu_ms"]
                + benchlib.median([one.network_busy for one in own])
                + benchlib.median([one.postprocess_busy for one in own]))
        result.update(network_ms=network, postprocess_ms=postprocess, sum_ms=total,
                      ceiling_fps=cores * 1e3 / total, sum_busy_ms=busy,
                      ceiling_busy_fps=cores * 1e3 / busy,
                      turns_busy_ms=[turn.alone["decode_busy"].cpu_ms
                                     + turn.alone["encode_busy"].cpu_ms + one.network_busy
                                     + one.postprocess_busy for turn, one in zip(turns, own)])
    return result


def same_frames(source: Path, raw: Path) -> int:
    """Frames of the video, which must be those of its composite."""
    frames = count_frames(source)
    if count_frames(raw) != frames:
        raise BenchError(f"{raw} has not as many frames as {source}")
    return frames


def main() -> None:
    """Parses the command line, measures, prints."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--video", required=True, type=Path)
    options.add_argument("--raw", type=Path, metavar="Y4M",
                         help="the composite as raw frames (default: made by the peers)")
    options.add_argument("--model", type=Path, help="the ONNX file that makes the composite")
    options.add_argument("--preset", default="veryfast")
    options.add_argument("--cores", type=int, default=2)
    options.add_argument("--repeat", type=int, default=3, help="the median of so many is taken")
    options.add_argument("--own", metavar="JSON", help="what vrseg-floors printed")
    options.add_argument("--network-ms", type=float)
    options.add_argument("--postprocess-ms", type=float)
    options.add_argument("--peers-python", metavar="PATH")
    arguments = options.parse_args()
    try:
        benchlib.use_cores(arguments.cores)
        source = benchlib.need_file(arguments.video, "the video")
        figures = own_figures(arguments.own, arguments.network_ms, arguments.postprocess_ms)
        with tempfile.TemporaryDirectory(prefix="vrseg-floors-") as name:
            folder, raw = Path(name), arguments.raw
            if raw is None:
                default = benchlib.shared_folder() / "models" / benchlib.LANDSCAPE_FILE
                model = benchlib.need_file(arguments.model or default, "the model")
                raw = green_raw(source, model, benchlib.peers_python(arguments.peers_python),
                                folder)
            frames = same_frames(source, raw)
            turns = [measure(source, raw, arguments.preset, frames, folder, arguments.cores)
                     for _ in range(arguments.repeat)]
        network, postprocess = figures
        own = []
        if network is not None and postprocess is not None:
            own = [Own(network, postprocess, network, postprocess)]
        result = {"video": str(source), "preset": arguments.preset, "frames": frames,
                  **summary(turns, own, arguments.cores)}
    except (BenchError, OSError) as error:
        benchlib.fail(str(error))
    print(json.dumps(benchlib.significant(result)))


if __name__ == "__main__":
    main()
