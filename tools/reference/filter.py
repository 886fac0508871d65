#!/usr/bin/env python3
"""Shows a header to Doxygen: plain comments as documentation, the first as the file's, those behind
a declaration as that one's; characters that mean something to Doxygen as themselves.

Doxygen calls it with the header's path, and reads what it prints.
"""

import argparse
import re
import sys
from pathlib import Path

SPECIAL = re.compile(r"([\\@&$#<>%])")
TOKEN = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|/\*.*?\*/', re.DOTALL)
# A line that only parts a header: /* ---- afterwards ---- */
RULE = re.compile(r"/\* ----.*---- \*/", re.DOTALL)


def plain(line: str) -> str:
    """A line in which nothing is a command; what stands between backticks is that by itself."""
    parts = line.split("`")
    parts[::2] = [SPECIAL.sub(r"\\\1", part) for part in parts[::2]]
    return "`".join(parts)


def escaped(body: str) -> str:
    """The text of a comment as Doxygen takes it; indented examples stay as they are."""
    lines = []
    for line in body.split("\n"):
        example = re.match(r"\s*\*? {5,}\S", line) is not None
        head = re.match(r"\s*\*?\s?", line)[0] if lines else ""
        lines.append(line if example else head + plain(line[len(head):]))
    return "\n".join(lines)


def shown(text: str) -> str:
    """The header as Doxygen is to see it."""
    parts, end, first = [], 0, True
    for token in TOKEN.finditer(text):
        parts.append(text[end:token.start()])
        end = token.end()
        comment = token[0]
        if not comment.startswith("/*") or RULE.fullmatch(comment):
            parts.append(comment)
            continue
        line = text[text.rfind("\n", 0, token.start()) + 1:token.start()]
        behind = bool(line.strip()) and not line.lstrip().startswith("#")
        opening = "/** @file\n * " if first else "/**< " if behind else "/** "
        first = False
        if line.lstrip().startswith("#"):
            parts.append(comment)  # of a preprocessor's line
            continue
        parts.append(opening + escaped(comment[2:-2]).lstrip() + "*/")
    return "".join(parts) + text[end:]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("header", type=Path)
    sys.stdout.write(shown(parser.parse_args().header.read_text(encoding="utf-8")))
    return 0


if __name__ == "__main__":
    sys.exit(main())
