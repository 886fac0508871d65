"""Reading bench/results/<device>/<bench>.json, with every field checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import benchlib
from benchlib import BenchError

_HEAD = {"device": str, "date": str, "commit": str, "versions": dict, "rows": list}


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _check_row(row: Any, where: str) -> None:
    if not isinstance(row, dict) or not isinstance(row.get("name"), str):
        raise BenchError(f"{where} is no row with a name")
    where = f'{where} ("{row["name"]}")'
    if not _number(row.get("value")):
        raise BenchError(f"{where} has no number as its value")
    if not isinstance(row.get("unit"), str):
        raise BenchError(f"{where} has no unit")
    if row.get("better") not in ("higher", "lower"):
        raise BenchError(f'{where}: better is to be "higher" or "lower"')
    for key in ("peer_value", "limit", "target"):
        if row.get(key) is not None and not _number(row[key]):
            raise BenchError(f"{where}: {key} is to be a number")


def read_file(path: Path) -> dict[str, Any]:
    """One file, checked."""
    try:
        data = benchlib.parse_json(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{path} cannot be read: {error}") from None
    for key, kind in _HEAD.items():
        if not isinstance(data.get(key), kind):
            raise BenchError(f'{path} has no "{key}"')
    for index, row in enumerate(data["rows"]):
        _check_row(row, f"{path}: row {index + 1}")
    return data


def read_results(folder: Path) -> list[tuple[Path, dict[str, Any]]]:
    """All files of all devices, by name; a sentence where there is none."""
    paths = sorted(folder.glob("*/*.json"))
    if not paths:
        raise BenchError(f"there are no results in {folder}")
    return [(path, read_file(path)) for path in paths]
