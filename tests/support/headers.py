#!/usr/bin/python3
"""Compiles each public header alone, as C17 and as C++17."""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

SKIP = 77


def compile_alone(command: list[str], header: Path, include: Path) -> bool:
    """Compiles a file that includes nothing but the header, twice (its guard)."""
    text = f'#include "vrseg/{header.name}"\n' * 2
    result = subprocess.run(
        [*command, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", f"-I{include}",
         "-"],
        input=text, text=True, capture_output=True, check=False)
    if result.returncode != 0:
        print(f"{header.name}: {' '.join(command)} refuses it alone:\n{result.stderr}")
    return result.returncode == 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=Path, required=True, help="folder that holds vrseg/")
    parser.add_argument("--cc", required=True, help="C compiler")
    parser.add_argument("--cxx", default="", help="C++ compiler; empty: there is none")
    args = parser.parse_args()

    headers = sorted((args.include / "vrseg").glob("*.h"))
    if not headers:
        print(f"{args.include}/vrseg: no headers")
        return 1
    commands = [[*shlex.split(args.cc), "-std=c17", "-x", "c"]]
    if args.cxx:
        commands.append([*shlex.split(args.cxx), "-std=c++17", "-x", "c++"])
    results = [compile_alone(command, header, args.include)
               for header in headers for command in commands]
    print(f"{len(headers)} headers, {sum(results)} of {len(results)} compilations passed")
    if not all(results):
        return 1
    if not args.cxx:
        print("skipped: no C++ compiler")
        return SKIP
    return 0


if __name__ == "__main__":
    sys.exit(main())
