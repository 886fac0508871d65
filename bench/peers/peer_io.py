"""What both peer scripts share: the command line, the ffmpeg pipes and the measuring.

The peers are the scripts that a careful user of Python writes for the job of `vrseg run`: frames
come from OpenCV or from an ffmpeg pipe, finished frames go raw through a pipe into the ffmpeg
program, which encodes in its own process while Python works on the next frame. Nothing here slows
them: the measuring costs two clock reads a stage and one read of /proc every 16 frames.

Standard library only, so that it is imported before the clock of the imports is looked at.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import NoReturn

PIPE_BYTES = 1 << 20
RSS_EVERY = 16
GREEN_BGR = (0, 255, 0)
# The same green as limited-range BT.709 Y'CbCr, for blending on the planes.
GREEN_YUV = (173, 42, 26)


class PeerError(Exception):
    """A reason the user can act on; printed as one sentence."""


@dataclass
class Video:
    """What the scripts need to know of the input: size in pixels, rate as ffmpeg takes it."""

    path: str
    width: int
    height: int
    rate: str


@dataclass
class Stages:
    """Wall seconds of each stage, added up over the frames."""

    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, since: float) -> float:
        """Books the time since `since` on `name`; returns the present for the next stage."""
        now = time.perf_counter()
        self.seconds[name] = self.seconds.get(name, 0.0) + now - since
        return now


def fail(text: str) -> NoReturn:
    """Ends the script with one sentence and the exit code for wrong input."""
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)
    sys.exit(2)


def process_age() -> float:
    """Seconds since the kernel started this process, so that imports are counted too."""
    with open("/proc/self/stat", encoding="ascii") as stat:
        ticks = int(stat.read().rsplit(")", 1)[1].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


def parser(description: str) -> argparse.ArgumentParser:
    """The options that both scripts take."""
    result = argparse.ArgumentParser(description=description)
    result.add_argument("--video", required=True, help="the input file")
    result.add_argument("--output", choices=("green", "mask"), default="green",
                        help="composite over green, or the mask as a grey picture")
    result.add_argument("--encoder", default="x264:veryfast", metavar="NAME",
                        help="x264:PRESET, ffv1, or y4m for raw frames (default x264:veryfast)")
    result.add_argument("--to", default="", metavar="FILE",
                        help="keep the result here (default: a temporary file, deleted)")
    result.add_argument("--frames", type=int, default=0, help="stop after so many (0: all)")
    return result


def probe(path: str) -> Video:
    """Asks ffprobe for size and rate."""
    if not os.path.isfile(path):
        raise PeerError(f"there is no file {path}")
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries",
               "stream=width,height,r_frame_rate", "-of", "json", path]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True)
    except FileNotFoundError:
        raise PeerError("the program ffprobe is missing: install Debian's package ffmpeg") from None
    except subprocess.CalledProcessError as error:
        raise PeerError(f"ffprobe cannot read {path}: {error.stderr.strip()}") from None
    streams = json.loads(done.stdout).get("streams", [])
    if not streams:
        raise PeerError(f"{path} has no video stream")
    stream = streams[0]
    return Video(path, stream["width"], stream["height"], stream["r_frame_rate"])


def output_arguments(encoder: str) -> tuple[list[str], str]:
    """ffmpeg's arguments for `encoder` and the suffix of the file that it makes."""
    name, _, preset = encoder.partition(":")
    if name == "x264":
        return (["-c:v", "libx264", "-preset", preset or "veryfast", "-pix_fmt", "yuv420p"], ".mp4")
    if encoder == "ffv1":
        return (["-c:v", "ffv1"], ".mkv")
    if encoder == "y4m":
        return (["-pix_fmt", "yuv420p", "-f", "yuv4mpegpipe"], ".y4m")
    raise PeerError(f'unknown encoder "{encoder}": x264:PRESET, ffv1 and y4m are known')


class Child:
    """An ffmpeg process at one end of a pipe, with its CPU time and its own peak memory.

    The peak is VmHWM of the running process: wait4's ru_maxrss also counts the Python process
    that it was forked from.
    """

    def __init__(self, arguments: list[str], reading: bool):
        command = ["ffmpeg", "-v", "error", "-nostdin", *arguments]
        try:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL if reading else subprocess.PIPE,
                stdout=subprocess.PIPE if reading else subprocess.DEVNULL, bufsize=0)
        except FileNotFoundError:
            raise PeerError("the program ffmpeg is missing: install Debian's package") from None
        self.pipe = self.process.stdout if reading else self.process.stdin
        self.cpu_seconds = 0.0
        self.peak_rss = 0
        try:
            fcntl.fcntl(self.pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        except OSError:
            pass  # above the limit of this machine: the default size is only slower

    def look(self) -> None:
        """Notes the child's peak so far; nothing where it has ended."""
        try:
            with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
                for line in status:
                    if line.startswith("VmHWM:"):
                        self.peak_rss = max(self.peak_rss, int(line.split()[1]) * 1024)
        except OSError:
            pass

    def read(self, view: memoryview) -> bool:
        """Fills `view`; False at the end of the stream."""
        have = 0
        while have < len(view):
            count = self.pipe.readinto(view[have:])
            if not count:
                return False
            have += count
        return True

    def write(self, data: memoryview) -> None:
        """Writes all of `data`."""
        sent = 0
        try:
            while sent < len(data):
                sent += self.pipe.write(data[sent:])
        except BrokenPipeError:
            self.close()
            raise PeerError("ffmpeg ended before all frames were written") from None

    def close(self) -> None:
        """Closes the pipe and waits; an error where ffmpeg had one."""
        self.look()
        self.pipe.close()
        while True:
            pid, status, usage = os.wait4(self.process.pid, os.WNOHANG)
            if pid:
                break
            self.look()
            time.sleep(0.002)
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.cpu_seconds = usage.ru_utime + usage.ru_stime
        if self.process.returncode:
            raise PeerError(f"ffmpeg ended with code {self.process.returncode}")


class Run:
    """One measured run: from the first read to the closed file."""

    def __init__(self, peer: str, ready_seconds: float):
        self.peer = peer
        self.start_seconds = ready_seconds
        self.first_mask_seconds = 0.0
        self.stages = Stages()
        self.children: list[Child] = []
        self.frames = 0
        self.began = time.perf_counter()
        self.cpu_began = self._own_cpu()

    @staticmethod
    def _own_cpu() -> float:
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return usage.ru_utime + usage.ru_stime

    def child(self, arguments: list[str], reading: bool = False) -> Child:
        """Starts an ffmpeg that is measured with this run."""
        made = Child(arguments, reading)
        self.children.append(made)
        return made

    def mask_done(self) -> None:
        """To be called when the mask of a frame is there."""
        if not self.frames:
            self.first_mask_seconds = self.start_seconds + time.perf_counter() - self.began

    def frame_done(self) -> None:
        """To be called when a frame has been handed to the encoder."""
        self.frames += 1
        if self.frames % RSS_EVERY == 1:
            for child in self.children:
                child.look()

    def report(self, output: str, details: dict[str, object]) -> dict[str, object]:
        """The figures as one JSON object. All children have been closed before."""
        if not self.frames:
            raise PeerError("no frame could be read")
        seconds = time.perf_counter() - self.began
        cpu = self._own_cpu() - self.cpu_began + sum(c.cpu_seconds for c in self.children)
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        children = sum(c.peak_rss for c in self.children)
        per_frame = {k: round(1e3 * v / self.frames, 3) for k, v in self.stages.seconds.items()}
        return {
            "peer": self.peer, "frames": self.frames, "seconds": seconds,
            "fps": self.frames / seconds, "cpu_seconds": cpu, "peak_rss": own + children,
            "peak_rss_python": own, "peak_rss_children": children,
            "start_seconds": self.start_seconds, "first_mask_seconds": self.first_mask_seconds,
            "output_bytes": os.path.getsize(output), "stage_ms": per_frame, **details,
        }
