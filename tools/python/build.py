"""Puts the Python package together: its sources, the declarations made from the headers, and with
--libraries what a wheel carries beside them: libraries, descriptors, configurations, the exporter.
--wheel FOLDER also builds the wheel there, without a network."""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = ("libvrseg.so.0", "libvrseg-media.so.0")


def assemble(out: Path, include: Path, compiler: str, libraries: Path | None) -> None:
    """Makes the folder `out` anew."""
    package = out / "vrseg"
    shutil.rmtree(out, ignore_errors=True)
    shutil.copytree(ROOT / "python", out,
                    ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    subprocess.run([sys.executable, "-B", ROOT / "tools" / "abi" / "abi.py", "python", "--include",
                    include, "--cc", compiler, "--out", package / "_abi.py"], check=True)
    shutil.copytree(ROOT / "tools" / "pytorch", package / "exporter",
                    ignore=shutil.ignore_patterns("__pycache__", "README.md"))
    for folder in ("models", "configs"):
        (package / folder).mkdir()
        for path in (ROOT / folder).glob("*.yaml"):
            shutil.copy(path, package / folder)
    for name in ("LICENSE", "NOTICE"):
        shutil.copy(ROOT / name, package)
    if libraries:
        (package / "lib").mkdir()
        for name in LIBRARIES:
            shutil.copy((libraries / name).resolve(), package / "lib" / name)


def wheel(source: Path, folder: Path) -> None:
    """Builds the wheel of an assembled package by pip and Debian's setuptools."""
    done = subprocess.run([sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-index",
                           "--no-build-isolation", "--disable-pip-version-check", "--quiet",
                           "--wheel-dir", folder, source], check=False, text=True,
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(f"build: pip cannot make the wheel of {source}:\n{done.stdout}{done.stderr}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help="folder that is made anew")
    parser.add_argument("--include", type=Path, default=ROOT / "include")
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--libraries", type=Path, metavar="FOLDER", help="that holds the libraries")
    parser.add_argument("--wheel", type=Path, metavar="FOLDER", help="where the wheel goes")
    args = parser.parse_args()
    assemble(args.out, args.include, args.cc, args.libraries)
    if args.wheel:
        wheel(args.out, args.wheel)
        print(*sorted(args.wheel.glob("vrseg-*.whl")), sep="\n")


if __name__ == "__main__":
    main()
