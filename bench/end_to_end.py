#!/usr/bin/env python3
"""Measures the main job, a video composed over green as H.264, beside its peers and its ceiling.

For each video the same two cores run in turn, several times: vrseg, MediaPipe's script, the ONNX
Runtime + OpenCV scripts, and the parts alone (floors.py). Medians of these interleaved runs go
into bench/results/<device>/end_to_end.json, each figure beside its peer, limit and target. Ratios
are taken turn by turn before their median, since a shared machine's speed drifts from turn to turn:

    times          at least 2x MediaPipe's script as its guide writes it (OpenCV frames, whole
                   frame to MediaPipe); more than every variant of the ONNX Runtime script and
                   than MediaPipe's script tuned (planes through pipes, small frames to the
                   network)
    of_ceiling     at least 0.90 of the rate that the parts alone allow on two busy cores (fps
                   beside it, and beside the ceiling from one thread with the other core at rest:
                   floors.py). Its peer is one ffmpeg that decodes and encodes the same frames and
                   does nothing else: how near that comes to its own ceiling
    cpu_of_parts   CPU ms a frame while frames run: at most 1.10 times the sum of the parts alone,
                   from which their start is taken off too (`cpu_ms` is of the whole process)
    memory         at most 200 MB above ffmpeg with the same decoder and encoder
    memory_growth  juggle eight times as long: at most 10 MB more
    first_mask     seconds from the start of the process, with a warm model cache: under 1

Rates are frames by the time from the first read to the closed file, for the peers without imports
and model loading; `fps_whole` counts everything from the start of the process to its end.
Refinement and smoothing are off but in the rows that name them.

The clips 1080p60 are made from the juggle clip: 24 to 60 frames a second by motion-compensated
interpolation (ffmpeg's minterpolate), then scaled from 720p, as H.264 and as HEVC.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import benchlib
import floors
from benchlib import BenchError, Measured, Row, median, note, number, run_measured

VIDEOS = {
    "squats": "videos/tfjs_pose_squats_720x1280.mp4",
    "juggle": "videos/sam2_juggle_1280x720.mp4",
    "woman": "videos/sam2_woman_and_dog_1280x720.mp4",
    "one-by-one": "videos/intel_one-by-one-person-detection_768x432.mp4",
}
# Stereo files, taken as plain pictures: only where they are asked for.
VR = {
    "vr180_plain": "vr/google_vr180_video-sample-inject_tb_mesh.mp4",
    "sbs_plain": "vr/mery_stereo_sbs_cg_2048x1024.mp4",
}
MADE = ("juggle_1080p60_h264_interpolated", "juggle_1080p60_hevc_interpolated")
OFF = ("--refine", "off", "--smooth", "off")
# What ffmpeg gives libx264 by default: the peers and the encoder alone run at it.
CRF = ("--crf", "23")
MEGA = 1e6
GROWTH_TIMES = 8


@dataclass
class Figures:
    """One run of vrseg or of a peer, in the units of the rows."""

    fps: float
    fps_whole: float
    cpu_ms: float
    peak_mb: float
    first_mask: float
    output_mb: float
    running_cpu_ms: float | None = None  # without the start; only vrseg tells it
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass
class Way:
    """A way to do the job: its key, what a reader is told, and the function that does it once."""

    key: str
    title: str
    run: Callable[[], Figures]


def of_vrseg(measured: Measured, summary: dict[str, Any], out: Path) -> Figures:
    """vrseg's figures: rate and stages from its summary; CPU and memory as the kernel counts."""
    whose = "vrseg's summary"
    frames = number(summary, "frames", whose)
    if frames < 1:
        raise BenchError("vrseg made no frame")
    stages = {name: 1e3 * number(stage, "busy_seconds", f'stage "{name}" of {whose}') / frames
              for name, stage in summary.get("stages", {}).items()}
    return Figures(
        fps=frames / number(summary, "seconds", whose), fps_whole=frames / measured.seconds,
        cpu_ms=1e3 * measured.cpu_seconds / frames,
        peak_mb=max(measured.peak_rss, number(summary, "peak_rss_bytes", whose)) / MEGA,
        first_mask=number(summary, "first_mask_seconds", whose),
        output_mb=out.stat().st_size / MEGA,
        running_cpu_ms=1e3 * number(summary, "cpu_seconds", whose) / frames,
        extra={"frames": int(frames), "stages": stages, "bottleneck": summary.get("bottleneck")})


def of_peer(measured: Measured) -> Figures:
    """A peer's figures, from what it printed."""
    lines = measured.stdout.strip().splitlines()
    whose = "the peer's report"
    report = benchlib.parse_json(lines[-1] if lines else "", whose)
    frames = number(report, "frames", whose)
    return Figures(
        fps=number(report, "fps", whose), fps_whole=frames / measured.seconds,
        cpu_ms=1e3 * number(report, "cpu_seconds", whose) / frames,
        peak_mb=number(report, "peak_rss", whose) / MEGA,
        first_mask=number(report, "first_mask_seconds", whose),
        output_mb=number(report, "output_bytes", whose) / MEGA,
        extra={"frames": int(frames), "versions": report.get("versions", {})})


class Bench:
    """What all runs share: programs, models, folder for what is written and thrown away."""

    def __init__(self, arguments: argparse.Namespace, folder: Path):
        self.arguments = arguments
        self.folder = folder
        self.preset = arguments.preset
        self.python = None if arguments.no_peers else benchlib.peers_python(arguments.peers_python)
        models = arguments.models_dir
        self.onnx = benchlib.need_file(models / benchlib.LANDSCAPE_FILE, "the model")
        self.versions: dict[str, str] = {}

    def vrseg(self, video: Path, options: tuple[str, ...] = OFF, output: str = "green") -> Figures:
        """One run of vrseg."""
        out, summary = self.folder / "vrseg.mp4", self.folder / "vrseg.json"
        for stale in (out, summary):
            stale.unlink(missing_ok=True)
        command = [self.arguments.vrseg, "run", str(video), "-o", f"{output}:{out}", *options,
                   "--preset", self.preset, *CRF, "--json", str(summary)]
        if self.arguments.model:
            command += ["--model", self.arguments.model]
        measured = run_measured(command)
        text = benchlib.need_file(summary, "vrseg's summary").read_text(encoding="utf-8")
        return of_vrseg(measured, benchlib.parse_json(text, str(summary)), out)

    def peer(self, script: str, video: Path, options: list[str]) -> Figures:
        """One run of a peer."""
        out = self.folder / "peer.mp4"
        command = [str(self.python), str(benchlib.PEERS / script), "--video", str(video),
                   "--encoder", f"x264:{self.preset}", "--to", str(out), *options]
        figures = of_peer(run_measured(command))
        self.versions.update(figures.extra["versions"])
        return figures

    def peers(self, video: Path, output: str) -> list[Way]:
        """The scripts: key, title and what runs them once."""
        if self.python is None:
            return []
        even = not any(size % 2 for size in frame_size(video))
        ways = []

        def add(key: str, title: str, script: str, options: list[str]) -> None:
            options = [*options, "--output", output]
            ways.append(Way(key, title, lambda: self.peer(script, video, options)))

        medium, ort = "mediapipe_script.py", "ort_opencv_script.py"
        add("mediapipe", "MediaPipe landscape, OpenCV", medium, ["--model", "1"])
        add("mediapipe-general", "MediaPipe general, OpenCV", medium, ["--model", "0"])
        if even:
            add("mediapipe-tuned", "MediaPipe landscape, tuned: planes, small frames", medium,
                ["--model", "1", "--pixels", "i420", "--feed", "small"])
        for threads, name in ((0, "default threads"), (1, "1 thread")):
            for pixels in ("bgr", "i420") if even else ("bgr",):
                add(f"ort-{threads}-{pixels}", f"ONNX Runtime + OpenCV, {name}, {pixels}", ort,
                    ["--model", str(self.onnx), "--threads", str(threads), "--pixels", pixels])
        return ways


def frame_size(video: Path) -> tuple[int, int]:
    """Width and height, by ffprobe."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
               "stream=width,height", "-of", "json", str(video)]
    streams = json.loads(run_measured(command).stdout or "{}").get("streams")
    if not streams:
        raise BenchError(f"{video} has no video stream")
    return streams[0]["width"], streams[0]["height"]


def make_clips(juggle: Path, folder: Path, seconds: float) -> dict[str, Path]:
    """The two 1080p60 clips; interpolation runs once, HEVC is made from the same frames."""
    between = folder / "juggle_60.mkv"
    note(f"interpolating {seconds} s of {juggle.name} to 60 frames a second")
    filters = "minterpolate=fps=60:mi_mode=mci:me_mode=bidir,scale=1920:1080:flags=bicubic"
    run_measured(floors.ffmpeg([], juggle, ["-t", str(seconds), "-vf", filters, "-c:v", "libx264",
                                            "-qp", "0", "-preset", "ultrafast", str(between)]))
    coders = {MADE[0]: ["libx264", "-crf", "20", "-preset", "fast"],
              MADE[1]: ["libx265", "-crf", "23", "-preset", "fast", "-x265-params",
                        "log-level=none", "-tag:v", "hvc1"]}
    made = {}
    for name, coder in coders.items():
        made[name] = folder / f"{name}.mp4"
        run_measured(floors.ffmpeg([], between, ["-c:v", *coder, "-pix_fmt", "yuv420p",
                                                 str(made[name])]))
    between.unlink()
    return made


def interleaved(ways: list[Way], repeat: int,
                each_turn: Callable[[], None]) -> dict[str, list[Figures]]:
    """Every way once, then again, so that a slow minute of the machine hits all alike."""
    found: dict[str, list[Figures]] = {way.key: [] for way in ways}
    for turn in range(repeat):
        for way in ways:
            figures = way.run()
            found[way.key].append(figures)
            note(f"  {turn + 1}/{repeat} {way.key}: {figures.fps:.1f} fps, "
                 f"{figures.cpu_ms:.2f} CPU ms, {figures.peak_mb:.0f} MB")
        each_turn()
    return found


def values(runs: list[Figures], what: str) -> list[float]:
    """One figure of every run."""
    return [getattr(one, what) for one in runs]


def middle(runs: list[Figures], what: str) -> float:
    """Its median."""
    return median(values(runs, what))


def fps_rows(name: str, found: dict[str, list[Figures]], titles: dict[str, str],
             ceiling: float | None, resting: float | None = None) -> list[Row]:
    """Rates beside the peers and the ceilings: of busy cores, and of one with the other at rest."""
    ours = middle(found["vrseg"], "fps")
    runs = values(found["vrseg"], "fps")
    factors = {"mediapipe": 2.0, "mediapipe-tuned": 1.0}
    scripts = [key for key in found if key.startswith("ort-")]
    if scripts:
        factors[max(scripts, key=lambda script: middle(found[script], "fps"))] = 1.0
    rows = []
    for key, factor in factors.items():
        if key in found:
            ratios = [us / them for us, them in zip(runs, values(found[key], "fps"))]
            best = "ort-best" if key in scripts else key
            rows.append(Row(f"{name}/times/{best}", median(ratios), "x", "higher", titles[key],
                            1.0, target=factor, runs=ratios))
    for key in found:
        if key != "vrseg":
            rows.append(Row(f"{name}/fps/{key}", ours, "fps", "higher", titles[key],
                            middle(found[key], "fps"), ceiling, runs=runs))
    rows.append(Row(f"{name}/fps/ceiling", ours, "fps", "higher", limit=ceiling, runs=runs))
    rows.append(Row(f"{name}/fps/ceiling_one_thread", ours, "fps", "higher", limit=resting,
                    runs=runs, note="parts measured on one thread while the other core rests"))
    return rows


def ceiling_rows(name: str, ours: list[Figures], turns_ms: list[float], cores: int,
                 together: float | None = None) -> list[Row]:
    """Rate and CPU time as shares of what the parts alone give in the same turn."""
    rates = [one.fps * total / (cores * 1e3) for one, total in zip(ours, turns_ms)]
    costs = [one.running_cpu_ms / total for one, total in zip(ours, turns_ms)]
    if not rates:
        return []
    peer = None if together is None else "one ffmpeg: decoder and encoder alone, of their ceiling"
    return [Row(f"{name}/of_ceiling", median(rates), "x", "higher", peer, together, limit=1.0,
                target=0.9, runs=rates),
            Row(f"{name}/cpu_of_parts", median(costs), "x", "lower", limit=1.0, target=1.1,
                runs=costs)]


def cost_rows(name: str, found: dict[str, list[Figures]], titles: dict[str, str],
              alone: dict[str, Any]) -> list[Row]:
    """CPU time, memory, start and size of the result."""
    ours = found["vrseg"]
    key = "mediapipe" if "mediapipe" in found else None
    title = titles[key] if key else None

    def peer(what: str) -> float | None:
        return middle(found[key], what) if key else None

    total = alone.get("sum_busy_ms")
    base = alone["transcode_peak_rss"] / MEGA
    above = [value - base for value in values(ours, "peak_mb")]
    return [
        Row(f"{name}/cpu_ms", middle(ours, "cpu_ms"), "ms/frame", "lower", title, peer("cpu_ms"),
            total, runs=values(ours, "cpu_ms")),
        Row(f"{name}/cpu_ms_one_thread", middle(ours, "cpu_ms"), "ms/frame", "lower",
            limit=alone.get("sum_ms"), runs=values(ours, "cpu_ms"),
            note="parts measured on one thread while the other core rests"),
        Row(f"{name}/peak_memory", middle(ours, "peak_mb"), "MB", "lower", title, peer("peak_mb"),
            limit=base, runs=values(ours, "peak_mb")),
        Row(f"{name}/memory_above_ffmpeg", median(above), "MB", "lower", target=200.0, runs=above,
            note=f"ffmpeg with the same decoder and encoder: {base:.0f} MB"),
        Row(f"{name}/first_mask", middle(ours, "first_mask"), "s", "lower", title,
            peer("first_mask"), target=1.0, runs=values(ours, "first_mask")),
        Row(f"{name}/fps_whole", middle(ours, "fps_whole"), "fps", "higher", title,
            peer("fps_whole"), runs=values(ours, "fps_whole")),
        Row(f"{name}/output_size", middle(ours, "output_mb"), "MB", "lower", title,
            peer("output_mb")),
    ]


def stage_rows(name: str, ours: list[Figures], alone: dict[str, Any]) -> list[Row]:
    """Busy time of each stage, beside the part alone where there is one."""
    limits = {"decode": alone["decode_1"]["cpu_ms"], "encode": alone["encode_1"]["cpu_ms"],
              "infer": alone.get("network_ms"), "postprocess": alone.get("postprocess_ms")}
    rows = []
    for stage in ours[0].extra["stages"]:
        runs = [one.extra["stages"].get(stage, 0.0) for one in ours]
        rows.append(Row(f"{name}/stage/{stage}", median(runs), "ms/frame", "lower",
                        limit=limits.get(stage), runs=runs))
    if rows and ours[-1].extra["bottleneck"]:
        rows[0].note = f"bottleneck: {ours[-1].extra['bottleneck']}"
    return rows


def floor_rows(name: str, alone: dict[str, Any]) -> list[Row]:
    """The parts alone."""
    rows = [Row(f"{name}/alone/{part}", alone[part]["cpu_ms"], "ms/frame", "lower",
                runs=alone[part]["runs_cpu_ms"], note=f"{alone[part]['fps']:.0f} fps")
            for part in ("decode_1", "decode_2", "decode_busy", "encode_1", "encode_2",
                         "encode_busy")]
    for part in ("network_ms", "postprocess_ms"):
        if alone.get(part) is not None:
            rows.append(Row(f"{name}/alone/{part[:-3]}", alone[part], "ms/frame", "lower"))
    return rows


class PartsAlone:
    """The parts of a run of one video alone, measured once each turn of the interleaved runs."""

    def __init__(self, bench: Bench, video: Path):
        self.bench, self.video = bench, video
        self.turns: list[floors.Parts] = []
        self.own: list[floors.Own] = []
        self.program = bench.arguments.own_floors
        if not os.path.exists(self.program):
            note(f"{self.program} is missing: no ceiling, and no target that is made from it")
            self.program = ""
        if bench.python is None:  # vrseg's own composite, as the encoder left it
            self.raw = bench.folder / "green.y4m"
            run_measured(floors.ffmpeg([], bench.folder / "vrseg.mp4",
                                       ["-vsync", "passthrough", str(self.raw)]))
        else:
            self.raw = floors.green_raw(video, bench.onnx, bench.python, bench.folder)
        self.frames = floors.same_frames(video, self.raw)

    def turn(self) -> None:
        """Measures all parts once."""
        self.turns.append(floors.measure(self.video, self.raw, self.bench.preset, self.frames,
                                         self.bench.folder, self.bench.arguments.cores))
        if self.program:
            command = [self.program, str(self.video)]
            if self.bench.arguments.model:
                command += ["--model", self.bench.arguments.model]
            network, postprocess = self.figures(command)
            with ThreadPoolExecutor(self.bench.arguments.cores) as pool:
                busy = list(pool.map(self.figures, [command] * self.bench.arguments.cores))
            self.own.append(floors.Own(network, postprocess, median([one[0] for one in busy]),
                                       median([one[1] for one in busy])))

    def figures(self, command: list[str]) -> tuple[float, float]:
        """CPU ms a frame of network and postprocess, in one run of vrseg's program."""
        data = benchlib.parse_json(run_measured(command).stdout, self.program)
        return (number(data, "network_ms", self.program),
                number(data, "postprocess_ms", self.program))

    def summary(self) -> dict[str, Any]:
        """The medians and the ceiling; deletes the raw frames."""
        self.raw.unlink()
        return floors.summary(self.turns, self.own, self.bench.arguments.cores)


def option_rows(name: str, bench: Bench, video: Path, plain: list[Figures]) -> list[Row]:
    """The same with refinement and smoothing, and masks in place of the composite."""
    kinds = {
        "refine": (("--refine", "on", "--smooth", "off"), "green"),
        "smooth": (("--refine", "off", "--smooth", "on"), "green"),
        "refine_smooth": (("--refine", "on", "--smooth", "on"), "green"),
        "mask": (OFF, "mask"),
    }
    rows = []
    for kind, (options, output) in kinds.items():
        runs = [bench.vrseg(video, options, output) for _ in range(bench.arguments.repeat)]
        rows += [Row(f"{name}/{kind}/fps", middle(runs, "fps"), "fps", "higher",
                     "vrseg, composite, both off", middle(plain, "fps"), runs=values(runs, "fps")),
                 Row(f"{name}/{kind}/cpu_ms", middle(runs, "cpu_ms"), "ms/frame", "lower",
                     "vrseg, composite, both off", middle(plain, "cpu_ms"))]
    return rows


def growth_row(bench: Bench, juggle: Path) -> Row:
    """Memory of a clip and of the same clip eight times over."""
    long = bench.folder / "long.mp4"
    run_measured(["ffmpeg", "-v", "error", "-nostdin", "-y", "-stream_loop", str(GROWTH_TIMES - 1),
                  "-i", str(juggle), "-map", "0:v:0", "-c", "copy", str(long)])
    runs = []
    for _ in range(bench.arguments.repeat):
        short = bench.vrseg(juggle).peak_mb
        runs.append(bench.vrseg(long).peak_mb - short)
    long.unlink()
    return Row("juggle/memory_growth", median(runs), "MB", "lower", target=10.0, runs=runs,
               note=f"{GROWTH_TIMES} times as long")


def measure_video(bench: Bench, name: str, video: Path) -> list[Row]:
    """All rows of one video."""
    note(f"{name}: {video.name}")
    bench.vrseg(video)  # warms the model cache and the page cache
    ways = [Way("vrseg", "vrseg", lambda: bench.vrseg(video)), *bench.peers(video, "green")]
    parts = PartsAlone(bench, video)
    found = interleaved(ways, bench.arguments.repeat, parts.turn)
    frames = {key: runs[0].extra["frames"] for key, runs in found.items()}
    if len(set(frames.values())) != 1:
        raise BenchError(f"{video.name}: not all made as many frames: {frames}")
    titles = {way.key: way.title for way in ways}
    alone = parts.summary()
    rows = fps_rows(name, found, titles, alone["ceiling_busy_fps"], alone["ceiling_fps"])
    rows += ceiling_rows(name, found["vrseg"], alone["turns_busy_ms"], bench.arguments.cores,
                         alone["together_of_ceiling"])
    rows += cost_rows(name, found, titles, alone)
    rows += stage_rows(name, found["vrseg"], alone)
    rows += floor_rows(name, alone)
    rows += option_rows(name, bench, video, found["vrseg"])
    benchlib.print_rows(rows)
    return rows


def programs(arguments: argparse.Namespace) -> dict[str, str]:
    """Versions of what is measured; a sentence where vrseg cannot be run."""
    try:
        done = subprocess.run([arguments.vrseg, "--version"], capture_output=True, text=True,
                              check=True)
    except (OSError, subprocess.CalledProcessError):
        raise BenchError(f"{arguments.vrseg} cannot be run: build it first") from None
    if not shutil.which("ffmpeg"):
        raise BenchError("the program ffmpeg is missing: install Debian's package ffmpeg")
    return {"vrseg": done.stdout.strip(), "ffmpeg": benchlib.first_line(["ffmpeg", "-version"])}


def parse() -> argparse.Namespace:
    """The command line."""
    shared = benchlib.shared_folder()
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--media", type=Path, default=shared / "media",
                         help="folder with videos/ and vr/ (default: $VRSEG_SHARED_DIR/media)")
    options.add_argument("--models-dir", type=Path, default=shared / "models",
                         help="folder with the ONNX files of the peers")
    options.add_argument("--videos", default="", metavar="A,B",
                         help=f"only these: {', '.join([*VIDEOS, *MADE, *VR])}")
    options.add_argument("--results", default="", metavar="NAME",
                         help="keep the rows of --videos as a file of this name")
    options.add_argument("--vrseg", default=str(benchlib.ROOT / "build/vrseg"))
    options.add_argument("--own-floors", default=str(benchlib.ROOT / "build/bench/vrseg-floors"))
    options.add_argument("--model", default="", help="vrseg's model (default: its own choice)")
    options.add_argument("--preset", default="veryfast", help="x264's, for all")
    options.add_argument("--repeat", type=int, default=5, help="interleaved runs of each")
    options.add_argument("--cores", type=int, default=2)
    options.add_argument("--clip-seconds", type=float, default=5.0, help="of the 1080p60 clips")
    options.add_argument("--peers-python", metavar="PATH")
    options.add_argument("--no-peers", action="store_true", help="a quick look at vrseg alone")
    options.add_argument("--temp", type=Path, help="where the clips and results lie meanwhile")
    arguments = options.parse_args()
    if arguments.repeat < 1:
        options.error("--repeat wants at least 1")
    return arguments


def chosen_videos(arguments: argparse.Namespace, folder: Path) -> dict[str, Path]:
    """Name and path of every video that was asked for; makes the 1080p60 clips if needed."""
    wanted = arguments.videos.split(",") if arguments.videos else [*VIDEOS, *MADE]
    for name in wanted:
        if name not in {**VIDEOS, **VR} and name not in MADE:
            raise BenchError(f'there is no video "{name}": {", ".join([*VIDEOS, *MADE, *VR])}')
    paths = {name: benchlib.need_file(arguments.media / {**VIDEOS, **VR}[name], "the video")
             for name in wanted if name not in MADE}
    if any(name in MADE for name in wanted):
        juggle = benchlib.need_file(arguments.media / VIDEOS["juggle"], "the video")
        made = make_clips(juggle, folder, arguments.clip_seconds)
        paths.update({name: path for name, path in made.items() if name in wanted})
    return paths


def main() -> None:
    """Measures everything and writes the file."""
    arguments = parse()
    try:
        device = benchlib.use_cores(arguments.cores)
        versions = programs(arguments)
        with tempfile.TemporaryDirectory(prefix="vrseg-bench-", dir=arguments.temp) as name:
            bench = Bench(arguments, Path(name))
            paths = chosen_videos(arguments, bench.folder)
            rows = [row for key, path in paths.items() for row in measure_video(bench, key, path)]
            if "juggle" in paths:
                rows.append(growth_row(bench, paths["juggle"]))
        versions.update(bench.versions)
        name = arguments.results or "end_to_end"
        if arguments.no_peers or (arguments.videos and not arguments.results):
            print(json.dumps([row.stored() for row in rows], indent=1))
            note("not written: only whole runs with the peers, or with --results, are kept")
        else:
            note(f"wrote {benchlib.write_results(device, name, versions, rows)}")
    except (BenchError, OSError) as error:
        benchlib.fail(str(error))


if __name__ == "__main__":
    main()
