#!/usr/bin/env python3
"""Writes an assembly file that holds fat binaries behind the table of device/cuda/image.h.

Another prefix makes a table of the same form for a program's own kernels.
"""

import argparse
from pathlib import Path

# The zero byte after each image ends PTX, which the driver reads as text.
IMAGE = """\
    .balign 64
image_{number}:
    .incbin "{path}"
image_end_{number}:
    .byte 0
"""
ENTRY = "    .quad image_{number}, image_end_{number} - image_{number}\n"
# The table holds addresses, which the loader writes: it cannot lie among the constants.
TABLE = """\
    .section .data.rel.ro, "aw"
    .balign 8
    .globl {prefix}_images
{prefix}_images:
{entries}    .quad 0, 0
    .section .rodata
    .balign 8
    .globl {prefix}_image_count
{prefix}_image_count:
    .quad {count}
    .globl {prefix}_image_archs
{prefix}_image_archs:
    .asciz "{words}"
    .section .note.GNU-stack, "", %progbits
"""


def quoted(text: str) -> str:
    """The text as the assembler reads it between quotes."""
    return text.replace("\\", "\\\\").replace('"', '\\"')


def assembly(prefix: str, words: str, images: list[Path]) -> str:
    """The whole file."""
    numbers = range(len(images))
    parts = ["    .section .rodata\n"]
    parts += [IMAGE.format(number=i, path=quoted(str(images[i].resolve()))) for i in numbers]
    entries = "".join(ENTRY.format(number=i) for i in numbers)
    parts.append(TABLE.format(prefix=prefix, entries=entries, count=len(images),
                              words=quoted(words)))
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prefix", default="vrs_cuda", help="of the table's symbols")
    parser.add_argument("output", type=Path)
    parser.add_argument("words", help="the architectures, for the user")
    parser.add_argument("images", type=Path, nargs="*")
    args = parser.parse_args()
    args.output.write_text(assembly(args.prefix, args.words, args.images), encoding="utf-8")


if __name__ == "__main__":
    main()
