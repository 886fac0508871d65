#!/usr/bin/env python3
"""Keeps what programs of this folder printed as results/<device>/<bench>.json.

A program's JSON has "versions" and "rows"; date, commit and processor are added here. Of several
files, as those of measurements that ran beside each other, the rows follow one another, and of two
with the same name the later one counts. Run it on the machine that was measured, or name that
machine's processor and system by --cpu and --kernel.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError, Row


def join(texts: list[tuple[str, str]]) -> dict[str, Any]:
    """Versions and rows of several outputs, each with the name of its file."""
    versions: dict[str, Any] = {}
    rows: dict[str, Any] = {}
    for name, text in texts:
        data = benchlib.parse_json(text, name)
        versions |= data.get("versions", {})
        for row in rows_of(data):
            rows[row.name] = asdict(row)
    return {"versions": versions, "rows": list(rows.values())}


def rows_of(data: dict[str, Any]) -> list[Row]:
    """The rows, checked for what a Row knows."""
    rows = data.get("rows")
    if not isinstance(rows, list) or not rows:
        raise BenchError('the input has no "rows"')
    try:
        return [Row(**row) for row in rows]
    except TypeError as error:
        raise BenchError(f"a row is none: {error}") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("device", help="folder of the results, e.g. h200")
    parser.add_argument("bench", help="name of the file without .json, e.g. memory")
    parser.add_argument("files", nargs="*", type=Path, help="the outputs (standard input)")
    parser.add_argument("--cpu", help="processor of the machine that was measured")
    parser.add_argument("--kernel", help="its system, as `uname -r` says")
    args = parser.parse_args()
    try:
        texts = [(str(path), benchlib.need_file(path, "the output").read_text(encoding="utf-8"))
                 for path in args.files] or [("the input", sys.stdin.read())]
        data = join(texts)
        versions = {key: str(value) for key, value in data.get("versions", {}).items()}
        for key in ("cpu", "kernel"):
            if getattr(args, key):
                versions[key] = getattr(args, key)
        rows = rows_of(data)
        path = benchlib.write_results(args.device, args.bench, versions, rows)
    except (BenchError, json.JSONDecodeError) as error:
        benchlib.fail(str(error))
    benchlib.print_rows(rows)
    benchlib.note(f"written to {path}")


if __name__ == "__main__":
    main()
