"""Adds up Meson's test logs and prints `N passed, N failed, N skipped` as its last line.

Before it stand the failed tests, each with what it said of its failure.

Exit status: 0 when at least one test passed, none failed and the runner ended well.
"""

import argparse
import json
import re
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

# Every result that Meson writes. Whatever is not named here counts as failed.
PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}

# What a failed test's lines have in them: cmocka's, the sanitizers' and Python's.
TELLING = re.compile(r"\bERROR\b|\bLINE\b|\bFAILED\b|error:|Error\b|Sanitizer")
MOST_LINES = 12


@dataclass
class Test:
    """One entry of a log."""

    name: str
    result: str
    output: str

    def said(self) -> list[str]:
        """The lines that tell why it failed, or its last ones."""
        lines = [line.rstrip() for line in self.output.splitlines() if line.strip()]
        telling = [line for line in lines if TELLING.search(line)]
        return telling[:MOST_LINES] or lines[-MOST_LINES:]


class SummaryError(Exception):
    """A sentence for the user."""


def read_log(path: Path) -> list[Test]:
    """The tests of one log, which has a JSON object a line for each."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Test(entry["name"], entry["result"],
                     f"{entry.get('stdout', '')}\n{entry.get('stderr', '')}")
                for entry in map(json.loads, lines)]
    except FileNotFoundError:
        raise SummaryError(f"{path} is missing: Meson ran no test") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SummaryError(f"{path} is not a test log of Meson's: {error}") from error


def kind_of(result: str) -> str:
    """Which of the three numbers a test's result counts for."""
    if result in PASSED:
        return "passed"
    return "skipped" if result in SKIPPED else "failed"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("log", nargs="+", type=Path, help="meson-logs/testlog.json")
    parser.add_argument("--status", type=int, default=0, help="what `meson test` ended with")
    arguments = parser.parse_args()
    good = arguments.status == 0
    tests = []
    for path in arguments.log:
        try:
            tests += read_log(path)
        except SummaryError as error:
            print(f"summary.py: {error}", file=sys.stderr)
            good = False
    count = Counter(kind_of(test.result) for test in tests)
    for test in tests:
        if kind_of(test.result) == "failed":
            print(f"failed: {test.name} ({test.result})")
            print("".join(f"    {line}\n" for line in test.said()), end="")
    if arguments.status != 0 and count["failed"] == 0:
        print(f"summary.py: meson test ended with status {arguments.status}", file=sys.stderr)
    sys.stderr.flush()
    print(f"{count['passed']} passed, {count['failed']} failed, {count['skipped']} skipped")
    return 0 if good and count["passed"] > 0 and count["failed"] == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
