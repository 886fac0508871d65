"""What the programs of this folder share: measured child processes, medians, result files.

Standard library only: these programs run with Debian's own python3.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "bench" / "results"
PEERS = ROOT / "bench" / "peers"
LANDSCAPE_FILE = "mediapipe_selfie_landscape_144x256_nchw.onnx"


class BenchError(Exception):
    """A reason the user can act on; printed as one sentence."""


def fail(text: str) -> NoReturn:
    """Ends the program with one sentence and the exit code for wrong usage or input."""
    print(f"{os.path.basename(sys.argv[0])}: {text}", file=sys.stderr)
    sys.exit(2)


def note(text: str) -> None:
    """Progress, on stderr, so that stdout stays JSON."""
    print(text, file=sys.stderr, flush=True)


@dataclass
class Measured:
    """One finished child: wall, CPU of it and its children, and its own peak memory."""

    seconds: float
    cpu_seconds: float
    peak_rss: int
    stdout: str
    stderr: str


def run_measured(command: Sequence[str], allowed: tuple[int, ...] = (0,),
                 env: dict[str, str] | None = None) -> Measured:
    """Runs `command` to its end.

    The peak is the kernel's ru_maxrss, which starts from the memory of the process that forked:
    some 20 MB here, below any program that is measured.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        began = time.perf_counter()
        try:
            child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                                     env={**os.environ, **(env or {})})
        except FileNotFoundError:
            raise BenchError(f"there is no program {command[0]}") from None
        except PermissionError:
            raise BenchError(f"{command[0]} cannot be run: permission denied") from None
        _, status, usage = os.wait4(child.pid, 0)
        seconds = time.perf_counter() - began
        child.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        err.seek(0)
        measured = Measured(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024,
                            out.read(), err.read())
    if child.returncode not in allowed:
        last = (measured.stderr.strip() or "it printed nothing").splitlines()[-1]
        raise BenchError(f"{shlex.join(command)} ended with code {child.returncode}: {last}")
    return measured


def parse_json(text: str, whose: str) -> dict[str, Any]:
    """The JSON object in `text`, or a sentence that names whose it was to be."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        raise BenchError(f"{whose} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise BenchError(f"{whose} is JSON, but not an object")
    return value


def number(data: dict[str, Any], key: str, whose: str) -> float:
    """The number at a dotted key; a sentence where it is missing or no number."""
    value: Any = data
    for part in key.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise BenchError(f'{whose} has no number "{key}"')
    return float(value)


def median(values: Sequence[float]) -> float:
    """The median; of an even count the mean of the middle two."""
    return statistics.median(values)


@dataclass
class Row:
    """One figure. `target` is what `value` must reach, `limit` what physics allows."""

    name: str
    value: float
    unit: str
    better: str
    peer: str | None = None
    peer_value: float | None = None
    limit: float | None = None
    target: float | None = None
    runs: list[float] = field(default_factory=list)
    note: str | None = None

    def stored(self) -> dict[str, Any]:
        """The row as it stands in a file; a note only where there is one."""
        row = significant(asdict(self))
        if row["note"] is None:
            del row["note"]
        return row

    def misses(self) -> bool:
        """Whether the row has a target and does not meet it."""
        return row_misses(asdict(self))


def row_misses(row: dict[str, Any]) -> bool:
    """Whether a row, as it stands in a file, has a target and does not meet it."""
    if row.get("target") is None:
        return False
    if row["better"] == "higher":
        return row["value"] < row["target"]
    return row["value"] > row["target"]


def significant(value: Any) -> Any:
    """Numbers with five significant digits: more would only be noise in a diff."""
    if isinstance(value, float):
        return float(f"{value:.5g}")
    if isinstance(value, list):
        return [significant(item) for item in value]
    if isinstance(value, dict):
        return {key: significant(item) for key, item in value.items()}
    return value


def first_line(command: Sequence[str]) -> str:
    """The first line that a program prints, for the list of versions."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return (done.stdout.strip() or "unknown").splitlines()[0]


def commit() -> str:
    """The commit that was measured; "-dirty" where files under src/ or include/ differ from it."""
    git = ["git", "-C", str(ROOT)]
    found = first_line([*git, "rev-parse", "--short=12", "HEAD"])
    changed = first_line([*git, "status", "--porcelain", "--", "src", "include", "meson.build"])
    return found if changed == "unknown" else found + "-dirty"


def cpu_name() -> str:
    """The processor's name, from /proc/cpuinfo."""
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def use_cores(count: int) -> str:
    """Binds this process and all it starts to `count` cores; returns the device's name."""
    have = sorted(os.sched_getaffinity(0))
    if len(have) < count:
        raise BenchError(f"this machine gives {len(have)} cores, {count} were asked for")
    os.sched_setaffinity(0, have[:count])
    return f"cpu{count}"


def write_results(device: str, bench: str, versions: dict[str, str], rows: Sequence[Row]) -> Path:
    """Writes bench/results/<device>/<bench>.json through a temporary file."""
    folder = RESULTS / device
    folder.mkdir(parents=True, exist_ok=True)
    versions = {"cpu": cpu_name(), "kernel": platform.release(), **versions}
    data = {"device": device, "date": datetime.date.today().isoformat(), "commit": commit(),
            "versions": versions, "rows": [row.stored() for row in rows]}
    path = folder / f"{bench}.json"
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)
    return path


def print_rows(rows: Sequence[Row]) -> None:
    """A table of the rows on stderr, with what misses its target marked."""
    for row in rows:
        peer = "" if row.peer_value is None else f"  {row.peer}: {row.peer_value:.4g}"
        target = "" if row.target is None else f"  target {row.target:.4g}"
        missed = "  MISSED" if row.misses() else ""
        note(f"{row.name}: {row.value:.4g} {row.unit}{peer}{target}{missed}")


def shared_folder() -> Path:
    """Where models and media for developing lie: $VRSEG_SHARED_DIR, or beside the project."""
    return Path(os.environ.get("VRSEG_SHARED_DIR", ROOT.parent / "shared"))


def quality_options(doc: str) -> argparse.ArgumentParser:
    """What the programs that judge masks take alike; `doc`'s first line says what for."""
    shared = shared_folder()
    options = argparse.ArgumentParser(description=doc.splitlines()[0])
    options.add_argument("--media", type=Path, default=shared / "media")
    options.add_argument("--models-dir", type=Path, default=shared / "models")
    options.add_argument("--vrseg", default=str(ROOT / "build/vrseg"))
    options.add_argument("--cores", type=int, default=2)
    return options


def quality_versions(program: str, opencv: ModuleType, numpy: ModuleType) -> dict[str, str]:
    """What their figures depend on; the two modules are those of the caller's environment."""
    return {"opencv": opencv.__version__, "numpy": numpy.__version__,
            "python": sys.version.split()[0], "vrseg": first_line([program, "--version"])}


def peers_python(given: str | None) -> str:
    """The python of the peers' environment: as given, $VRSEG_PEERS_PYTHON, or `make peers`'s."""
    local = Path(os.environ.get("VRSEG_LOCAL_DIR") or ROOT / ".local")
    made = str(local / "peers-venv/bin/python")
    path = given or os.environ.get("VRSEG_PEERS_PYTHON") or made
    if not os.path.exists(path):
        raise BenchError(f"there is no {path}: run `make peers`, or name one by --peers-python")
    return path


def need_file(path: Path, what: str) -> Path:
    """The path where it is a file; a sentence otherwise."""
    if not path.is_file():
        raise BenchError(f"{what} {path} is missing")
    return path
