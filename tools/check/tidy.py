"""Fails on what the project's style forbids and a compiler does not see.

Each finding is one line, FILE:LINE: what is wrong and what to do. Checked are: the length of lines
and of functions (lines of code; comments are free), calls that only one folder may make, includes
against the order of the folders, preprocessor conditions inside function bodies, words that mark
something left undone, tabs and spaces at line ends.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

FOLDERS = ("include", "src", "examples", "tests", "bench", "tools")
MAX_COLUMNS, MAX_FUNCTION = 100, 70

# Each folder of src/ may include what stands before it, itself, and the public headers.
ORDER = ("base", "image", "vr", "device", "kernels", "model", "graph", "engine", "batch",
         "pipeline", "doctor", "profile", "media", "tune", "cli")
# The same within a folder.
ORDER_WITHIN = {"media": ("libav", "file", "source", "encode", "sink", "job")}
# These are written on the public headers alone.
PUBLIC_ONLY = ("src/cli", "examples")
SHOWS_INSIDE = ("examples/tour",)

MEMORY = "vrs_alloc() and its neighbours, so that it is counted and can be made to fail"
CLOCK = "base/clock.h, so that tests can set the time"
SYNC = "an event: nothing synchronises a device or a context"
# Calls with what to use instead, and the folders that may make them. What is written on the public
# headers alone, tests and benchmarks use the C library's memory.
BANNED = (
    (("malloc", "calloc", "realloc", "free", "posix_memalign", "aligned_alloc", "strdup",
      "strndup", "asprintf"), MEMORY, ("src/base", "src/cli", "tests", "bench", "examples")),
    (("clock_gettime", "clock_nanosleep", "gettimeofday", "time", "nanosleep", "usleep", "sleep"),
     CLOCK, ("src/base", "bench")),
    (("strerror", "strerror_r", "perror"), "vrs_errno_text(), which is safe in threads",
     ("src/base", "tests")),
    (("cudaDeviceSynchronize", "cuCtxSynchronize", "cudaDeviceReset", "cuDevicePrimaryCtxReset"),
     SYNC, ()),
    (("sprintf", "vsprintf", "strcpy", "strcat", "gets"), "a call that knows the buffer's size",
     ()),
)
# Put together from halves, so that this file does not find itself.
LEFT_UNDONE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


@dataclass
class Source:
    """One file: its path from the root, its lines, and for C the lines without comments and with
    empty strings."""

    path: str
    text: str
    lines: list[str] = field(init=False)
    code: list[str] = field(init=False)

    def __post_init__(self) -> None:
        self.lines = self.text.split("\n")
        self.code = TOKEN.sub(blank, self.text).split("\n") if self.is_c else []

    @property
    def is_c(self) -> bool:
        return self.path.endswith((".c", ".h", ".cu", ".cuh"))


Finding = tuple[int, str]


def blank(token: re.Match) -> str:
    """What stands for a comment or a string: its line breaks, and the quotes of a string."""
    breaks = "\n" * token[0].count("\n")
    return breaks or (" " if token[0].startswith("/") else token[0][0] * 2)


def bodies(code: list[str]) -> Iterator[tuple[int, int]]:
    """First and last line, counted from 0, of each function body: the braces of both stand in the
    first column, as clang-format puts them."""
    start = None
    for number, line in enumerate(code):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start is not None:
            yield start, number
            start = None


def check_lines(source: Source) -> Iterator[Finding]:
    for number, line in enumerate(source.lines):
        # A .def is a table: a row stays on its line.
        if len(line) > MAX_COLUMNS and not source.path.endswith(".def"):
            yield number, f"{len(line)} columns: {MAX_COLUMNS} are the limit"
        if line != line.rstrip():
            yield number, "spaces at the end of the line"
        if "\t" in line and not source.path.endswith(".sh"):
            yield number, "a tab: indent by spaces"
        if LEFT_UNDONE.search(line):
            yield number, "a word that marks something left undone: do it, or say it is a limit"


def check_functions(source: Source) -> Iterator[Finding]:
    for first, last in bodies(source.code):
        length = sum(bool(line.strip()) for line in source.code[first + 1:last])
        if length > MAX_FUNCTION:
            yield first, f"a function of {length} lines of code: {MAX_FUNCTION} are the limit"
        for number in range(first, last):
            if re.match(r"\s*#\s*(el)?if", source.code[number]):
                yield number, ("a preprocessor condition in a function: put each variant into a "
                               "function or a file of its own")


def is_in(path: str, folders: tuple[str, ...]) -> bool:
    return any(path.startswith(folder + "/") for folder in folders)


def check_calls(source: Source) -> Iterator[Finding]:
    for names, instead, allowed in BANNED:
        if is_in(source.path, allowed):
            continue
        # Neither a member nor a part of a longer name.
        call = re.compile(r"(?<![\w.>])(" + "|".join(names) + r")\s*\(")
        for number, line in enumerate(source.code):
            for match in call.finditer(line):
                yield number, f"{match[1]}() is not for here: use {instead}"


def below(part: str, included: str | None, folder: str) -> bool:
    """Whether a part of a folder stands above another one, so that it may not include it."""
    order = ORDER_WITHIN.get(folder, ())
    return part in order and included in order and order.index(included) > order.index(part)


def check_includes(source: Source) -> Iterator[Finding]:
    parts = source.path.split("/")
    for number, line in enumerate(source.lines):
        match = re.match(r'\s*#\s*include\s+"(\w+)/(?:(\w+)/)?', line)
        if not match or match[1] == "vrseg":
            continue
        folder = match[1]
        if is_in(source.path, PUBLIC_ONLY) and not is_in(source.path, SHOWS_INSIDE):
            if source.path.startswith("src/") and folder == parts[1]:
                continue
            yield number, f"{folder}/ is private: only vrseg/ may be included here"
        elif parts[0] == "include":
            yield number, f"{folder}/ is private: a public header includes public ones alone"
        elif parts[0] == "src" and parts[1] in ORDER and folder in ORDER \
                and ORDER.index(folder) > ORDER.index(parts[1]):
            yield number, f"{parts[1]}/ may not include {folder}/, which stands below it"
        elif parts[0] == "src" and folder == parts[1] and below(parts[2], match[2], folder):
            yield number, (f"{folder}/{parts[2]}/ may not include {folder}/{match[2]}/, which "
                           "stands below it")


def findings(source: Source) -> list[str]:
    """All that is wrong with one file, by line."""
    checks = [check_lines]
    if source.is_c:
        checks += [check_functions, check_calls, check_includes]
    found = sorted(finding for check in checks for finding in check(source))
    return [f"{source.path}:{number + 1}: {what}" for number, what in found]


def sources(root: Path) -> Iterator[Source]:
    """The project's files below `root` that this reads."""
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix in (".c", ".h", ".cu", ".cuh", ".py", ".sh", ".def", ".build") \
                    and path.is_file():
                yield Source(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("root", type=Path, help="the project's folder")
    count = 0
    wrong = []
    for source in sources(parser.parse_args().root):
        count += 1
        wrong += findings(source)
    print("\n".join(wrong + [f"{count} files, {len(wrong)} findings"]))
    if count == 0:
        print("tidy.py: there is nothing to check here", file=sys.stderr)
    return 1 if wrong or count == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
