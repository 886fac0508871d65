#!/usr/bin/env python3
"""What a night's run takes on the CPU: whether memory is bounded, and stays as it was said.

  long_run.py hours | store.py cpu2 hours
  long_run.py 8k | store.py cpu2 8k

hours: two hours of 60 frames a second (--frames) of very small pictures through a network of a few
weights, so that what is for each frame counts: tickets, queues, segments, the journal. The process
is looked at each second. What it holds at a quarter of the run is the measure; the rows "growth"
are the most that it has more of until its last frame: at most 10 MB of memory, no descriptor, no
thread. What joining the segments takes on top is a row of its own. Files in its working folder and
lines of its journal are counted as it goes.

8k: 8192x4096 pixels, side by side, HEVC of 10 bits, to frames packed with alpha, HEVC too, each eye
and tiles of it through the network. Once short and once twice as long (--frames): the peak of
resident memory beside what the run said beforehand that it would be at most, and the peak of the
longer one beside that of the shorter; few frames are in flight, so that the shorter one fills all.

Clips are made here by ffmpeg. Prints JSON for store.py; what misses its target is `check`'s affair.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError, Row, need_file, note, number

MEGABYTE = 1e6
MOST_GROWTH_MB = 10.0
LOOK_SECONDS = 1.0
SMALL = "64x48"
LOOP_FRAMES = 600  # of the small clip, which is repeated
NETWORK = """title: a convolution of six pixels by four
licence: Apache-2.0
source: tests/data
weights: {}
batch: free
input:
  width: 6
  height: 4
  scale: 1/255
output:
  activation: softmax
  classes: [background, person]
  person: [1]
"""


@dataclass
class Look:
    """A process at one moment."""

    frames: int
    rss: int
    descriptors: int
    threads: int
    files: int
    lines: int


@dataclass
class Watched:
    """A run that was watched to its end."""

    seconds: float = 0
    figures: dict[str, Any] = field(default_factory=dict)
    looks: list[Look] = field(default_factory=list)


def look_at(pid: int, frames: int, work: Path) -> Look | None:
    """What a process holds now; None: it has ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
        rss, threads = int(fields["VmRSS"].split()[0]) * 1024, int(fields["Threads"])
        descriptors = len(os.listdir(f"/proc/{pid}/fd"))
    except (OSError, KeyError):
        return None
    files = lines = 0
    try:
        files = len(os.listdir(work))
        with (work / "journal.jsonl").open("rb") as journal:
            lines = sum(1 for _ in journal)
    except OSError:
        pass  # not begun, or joined already
    return Look(frames, rss, descriptors, threads, files, lines)


def watch(program: Path, args: list[str], output: Path) -> Watched:
    """Runs the program and looks at it each second."""
    figures = output.with_name("figures.json")
    command = [str(program), "run", *args, "--json", str(figures), "--progress", "json"]
    work = output.with_name(output.name + ".vrseg")
    watched, last = Watched(), [0]
    complaints: list[str] = []
    began = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True) as process:

        def read() -> None:
            for line in process.stderr or []:
                if line.startswith("{"):
                    last[0] = json.loads(line).get("frames", last[0])
                else:
                    complaints.append(line.strip())

        reader = threading.Thread(target=read)
        reader.start()
        while process.poll() is None:
            seen = look_at(process.pid, last[0], work)
            if seen is not None:
                watched.looks.append(seen)
            time.sleep(LOOK_SECONDS)
        reader.join()
    watched.seconds = time.monotonic() - began
    if process.returncode != 0:
        last_words = complaints[-1] if complaints else "it said nothing"
        raise BenchError(f"{' '.join(command)} ended with code {process.returncode}: {last_words}")
    watched.figures = benchlib.parse_json(figures.read_text(encoding="utf-8"), "vrseg's --json")
    return watched


def ffmpeg(*args: object) -> None:
    """Runs ffmpeg quietly."""
    benchlib.run_measured(["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, args)])


# ---- hours --------------------------------------------------------------------------------------


def small_clip(folder: Path, frames: int) -> Path:
    """So many small frames of 60 a second: a short clip, repeated without encoding it again."""
    part, whole = folder / "part.mp4", folder / "film.mp4"
    ffmpeg("-f", "lavfi", "-i", f"testsrc=size={SMALL}:rate=60:duration={LOOP_FRAMES / 60}",
           "-c:v", "libx264", "-preset", "veryfast", "-bf", 0, "-pix_fmt", "yuv420p", part)
    ffmpeg("-stream_loop", -(-frames // LOOP_FRAMES) - 1, "-i", part, "-c", "copy",
           "-frames:v", frames, whole)
    return whole


def growth_rows(looks: list[Look], frames: int) -> list[Row]:
    """From what was seen of a run over its frames, and while its segments were joined."""
    steady = [look for look in looks if frames // 4 <= look.frames < frames]
    joining = [look for look in looks if look.frames >= frames]
    if len(steady) < 8:
        raise BenchError("the run was too short to say whether anything grows: give more --frames")
    first, rest = steady[:len(steady) // 8 + 1], steady[len(steady) // 8 + 1:]
    rss = [look.rss / MEGABYTE for look in looks]
    base = max(look.rss for look in first)
    rows = [
        Row("memory/resident at a quarter", base / MEGABYTE, "MB", "lower",
            runs=rss[::len(rss) // 64 + 1], note="runs: over the whole run"),
        Row("memory/growth after that", max(look.rss for look in rest) / MEGABYTE -
            base / MEGABYTE, "MB", "lower", target=MOST_GROWTH_MB),
    ]
    if joining:
        more = max(look.rss for look in joining) - max(look.rss for look in rest)
        rows.append(Row("memory/more while the segments are joined", more / frames, "bytes/frame",
                        "lower", note="libav's index of the finished file"))
    for name in ("descriptors", "threads"):
        before = max(getattr(look, name) for look in first)
        after = max(getattr(look, name) for look in rest)
        rows.append(Row(f"process/{name}, growth after a quarter", float(after - before), name,
                        "lower", target=0.0, note=f"{before} at a quarter"))
    return rows


def hours(args: argparse.Namespace, folder: Path) -> list[Row]:
    """A very long run of very small frames."""
    weights = need_file(benchlib.ROOT / "tests/data/tiny.onnx", "the network")
    model = folder / "tiny.yaml"
    model.write_text(NETWORK.format(weights), encoding="utf-8")
    frames = args.frames or 432000
    clip = small_clip(folder, frames)
    output = folder / "mask.mp4"
    note(f"{frames} frames of {SMALL} are made; the run begins")
    run = watch(args.program, [str(clip), "-o", str(output), "--model", str(model), "--preset",
                               "ultrafast", "--device", "cpu"], output)
    made = number(run.figures, "frames", "vrseg's --json")
    # Beside the journal; that of the joined file is there at the end, too.
    segments = max((look.files for look in run.looks if look.frames < frames), default=0) - 1
    lines = max((look.lines for look in run.looks), default=0) - 1  # behind its header
    return [
        Row("run/frames that are missing", frames - made, "frames", "lower", target=0.0),
        Row("run/rate", number(run.figures, "fps", "vrseg's --json"), "frames/s", "higher",
            note=f"{frames} frames of {SMALL} in {run.seconds:.0f} s"),
        *growth_rows(run.looks, frames),
        Row("files/segments side by side", float(segments), "files", "lower",
            note="1800 frames each"),
        Row("files/lines of the journal", float(lines), "lines", "lower"),
        Row("files/left in the working folder", float(len(list(folder.glob("*.vrseg")))),
            "folders", "lower", target=0.0),
    ]


# ---- 8K -----------------------------------------------------------------------------------------


def large_clip(path: Path, frames: int) -> Path:
    """Side-by-side frames of 8192x4096, HEVC of 10 bits; what they show does not matter."""
    ffmpeg("-f", "lavfi", "-i", "testsrc2=size=2048x1024:rate=60", "-vf",
           "scale=8192:4096:flags=neighbor,format=yuv420p10le", "-frames:v", frames, "-c:v",
           "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:pools=2", path)
    return path


def large_run(args: argparse.Namespace, folder: Path, frames: int) -> Watched:
    """A run of so many large frames with tiles."""
    clip = large_clip(folder / f"film{frames}_LR_180.mp4", frames)
    output = folder / "out_LR_180_FISHEYE_F180_alpha.mp4"
    note(f"{frames} frames of 8192x4096 are made; the run begins")
    run = watch(args.program, [str(clip), "-o", f"alpha:{output}", "--views", "tiles",
                               "--device", "cpu", "--preset", args.preset, "--tickets",
                               str(args.tickets)], output)
    if number(run.figures, "frames", "vrseg's --json") != frames:
        raise BenchError(f"{clip}: not all of its {frames} frames were made")
    note(f"{run.seconds:.0f} s")
    clip.unlink()
    return run


def eight_k(args: argparse.Namespace, folder: Path) -> list[Row]:
    """Large frames in bounded memory."""
    frames = args.frames or 16
    short, long = (large_run(args, folder, count) for count in (frames, 2 * frames))
    peaks = [number(run.figures, "peak_rss_bytes", "vrseg's --json") for run in (short, long)]
    said = number(long.figures, "expected.memory.host_bytes", "vrseg's --json")
    parts = ", ".join(f"{name} {number(long.figures, f'expected.memory.{name}_bytes', 'it'):.3g}"
                      for name in ("program", "frames", "decoder", "encoder"))
    return [
        Row(f"8192x4096, tiles, alpha/peak of resident memory, {2 * frames} frames",
            peaks[1] / 1e9, "GB", "lower", target=said / 1e9,
            note=f"the target is what the run said beforehand, in bytes: {parts}"),
        Row(f"8192x4096, tiles, alpha/the same, {frames} frames", peaks[0] / 1e9, "GB", "lower"),
        Row("8192x4096, tiles, alpha/share of the longer run's peak in the shorter one's",
            peaks[1] / peaks[0], "", "lower", target=1.1),
        Row("8192x4096, tiles, alpha/rate", number(long.figures, "fps", "vrseg's --json"),
            "frames/s", "higher", note=f"preset {args.preset}, {args.tickets} frames in flight"),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("part", choices=("hours", "8k"))
    parser.add_argument("--frames", type=int, default=0,
                        help="of the run (hours: 432000), of the shorter one (8k: 16)")
    parser.add_argument("--preset", default="ultrafast", help="of the encoder, 8k (ultrafast)")
    parser.add_argument("--tickets", type=int, default=4, help="frames in flight, 8k (4)")
    parser.add_argument("--program", type=Path, default=benchlib.ROOT / "build/vrseg")
    parser.add_argument("--cores", type=int, default=2)
    args = parser.parse_args()
    try:
        benchlib.use_cores(args.cores)
        with tempfile.TemporaryDirectory(prefix="vrseg-bench-") as folder:
            rows = (hours if args.part == "hours" else eight_k)(args, Path(folder))
    except BenchError as error:
        benchlib.fail(str(error))
    versions = {"vrseg": benchlib.first_line([str(args.program), "--version"]),
                "ffmpeg": benchlib.first_line(["ffmpeg", "-version"])}
    json.dump({"versions": versions, "rows": [asdict(row) for row in rows]}, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
