#!/usr/bin/env python3
"""Shows that every kernel of a library's embedded device code has code for compute capability 8.6
within that architecture's registers and shared memory.

Read are the fat binaries as nvcc writes them without compression: a header, then entries of PTX
(kind 1) and of ELF (kind 2). In the ELF of an architecture each kernel K is a section .text.K,
whose sh_info holds its registers in the upper byte; .nv.shared.K is as large as its shared memory,
and .nv.info.K holds its greatest number of threads where the source says one.
"""

import argparse
import os
import re
import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MAGIC = struct.pack("<I", 0xBA55ED50)
PTX, ELF = 1, 2
SKIP = 77
COMPRESSED = 0x2000 | 0x8000
WANTED = 86
# Of a multiprocessor of compute capability 8.6 (CUDA C++ Programming Guide, technical
# specifications): registers, and those of a thread; shared memory of a block that is not dynamic.
REGISTERS, THREAD_REGISTERS, STATIC_SHARED = 65536, 255, 48 << 10
# Kernels for compute capability 9.0 alone, and what does their work elsewhere.
HOPPER = "_sm90"
TWINS = {"vrs_conv_point": "vrs_conv_mma", "vrs_conv_taps": "vrs_conv_mma"}
MAX_THREADS = 0x05  # attribute of .nv.info.K: three numbers of 32 bits


@dataclass(frozen=True)
class Kernel:
    name: str
    registers: int
    shared: int
    threads: int  # of a block; 0: not said

    def problems(self) -> Iterator[str]:
        # Registers go to warps in portions of 256, 8 a thread.
        taken = -(-self.registers // 8) * 8 * self.threads
        if self.registers > THREAD_REGISTERS or taken > REGISTERS:
            yield f"{self.registers} registers for {self.threads} threads"
        if self.shared > STATIC_SHARED:
            yield f"{self.shared} bytes of shared memory"


def entries(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Kind, architecture and content of every entry of every fat binary in `data`."""
    start = data.find(MAGIC)
    while start >= 0:
        version, header, size = struct.unpack_from("<HHQ", data, start + 4)
        if version == 1 and header == 16 and start + header + size <= len(data):
            place, end = start + header, start + header + size
            while place < end:
                kind, _, skip, length = struct.unpack_from("<HHIQ", data, place)
                arch, = struct.unpack_from("<I", data, place + 28)
                flags, = struct.unpack_from("<Q", data, place + 40)
                if flags & COMPRESSED:
                    raise ValueError("the device code is compressed, and cannot be read here")
                yield kind, arch, data[place + skip:place + skip + length]
                place += skip + length
        start = data.find(MAGIC, start + 4)


def sections(elf: bytes) -> Iterator[tuple[str, int, bytes, int]]:
    """Name, sh_info, content and size of each section of a 64-bit ELF file."""
    offset, = struct.unpack_from("<Q", elf, 40)
    size, count, names = struct.unpack_from("<HHH", elf, 58)
    headers = [struct.unpack_from("<IIQQQQIIQQ", elf, offset + i * size) for i in range(count)]
    text = headers[names][4]
    for name, kind, _, _, place, length, _, info, _, _ in headers:
        begin = text + name
        content = b"" if kind == 8 else elf[place:place + length]  # 8: takes no room in the file
        yield elf[begin:elf.index(b"\0", begin)].decode(), info, content, length


def max_threads(info: bytes) -> int:
    """The greatest number of threads of a block that .nv.info.K names, 0 where it names none."""
    place = 0
    while place + 4 <= len(info):
        form, attribute, value = struct.unpack_from("<BBH", info, place)
        if form != 4:  # the value stands in these four bytes
            place += 4
            continue
        if attribute == MAX_THREADS:
            x, y, z = struct.unpack_from("<III", info, place + 4)
            return x * y * z
        place += 4 + value
    return 0


def kernels(elf: bytes) -> list[Kernel]:
    found = {name: (info, content, size) for name, info, content, size in sections(elf)}
    result = []
    for section, (info, _, _) in found.items():
        if section.startswith(".text."):
            name = section[len(".text."):]
            result.append(Kernel(name, info >> 24,
                                 found.get(".nv.shared." + name, (0, b"", 0))[2],
                                 max_threads(found.get(".nv.info." + name, (0, b"", 0))[1])))
    return result


def check(data: bytes) -> list[str]:
    """What is wrong, a sentence each; prints a line for each kernel of the wanted architecture."""
    every: set[str] = set()
    wanted: dict[str, Kernel] = {}
    for kind, arch, content in entries(data):
        if kind == PTX:
            every |= set(re.findall(r"\.entry\s+(\w+)", content.decode("ascii", "replace")))
        elif kind == ELF:
            found = kernels(content)
            every |= {kernel.name for kernel in found}
            if arch == WANTED:
                wanted |= {kernel.name: kernel for kernel in found}
    for kernel in sorted(wanted.values(), key=lambda k: k.name):
        print(f"{kernel.name}: {kernel.registers} registers, {kernel.shared} bytes of shared "
              f"memory, {kernel.threads or 'any number of'} threads")
    twins = {name: next((twin for start, twin in TWINS.items() if name.startswith(start)), name)
             if name.endswith(HOPPER) else name for name in every}
    wrong = [f"{name} has no code for sm_{WANTED}" for name in sorted(every)
             if twins[name] not in wanted]
    wrong += [f"{k.name}: {problem}" for k in wanted.values() for problem in k.problems()]
    return wrong if every else ["there is no device code in it"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("library", type=Path)
    library = parser.parse_args().library
    if not library.exists():
        print(f"{library.name} is not built: `meson compile -C BUILD cuda_release` makes it")
        return 1 if os.environ.get("VRSEG_REQUIRE_CUDA") else SKIP
    wrong = check(library.read_bytes())
    print("\n".join(wrong))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
