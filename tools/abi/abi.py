#!/usr/bin/python3
"""The binary interface of the libraries, from their public headers.

    abi.py listing   sizes and offsets of structs, values of enums, functions; --check FILE compares
    abi.py map       linker version script of one library
    abi.py python    the ctypes declarations of the Python package

Exit status: 0 done, 1 the listing differs or the headers are not understood, 2 wrong usage.
"""

import argparse
import difflib
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from headers import LIBRARIES, Function, HeaderError, Headers, Type, read

# Symbols carry the first version that had them. While that is 0.1, which was not released, the
# listing may change; afterwards only by additions.
VERSION = "VRSEG_0.1"


def measured(include: Path, compiler: str, headers: dict[str, Headers]) -> list[str]:
    """Sizes and offsets as the compiler has them: a program prints them."""
    lines = []
    for part in headers.values():
        for name, members in part.structs.items():
            lines.append(f'printf("struct {name}: size %zu, alignment %zu\\n", sizeof({name}), '
                         f"_Alignof({name}));")
            lines += [f'printf("  %4zu %4zu {member}\\n", offsetof({name}, {member}), '
                      f"sizeof((({name} *)0)->{member}));" for member, _ in members]
    includes = "".join(f"#include <{header}>\n" for names in LIBRARIES.values()
                       for header in names)
    program = (f"{includes}#include <stdio.h>\nint main(void)\n{{\n" + "\n".join(lines) +
               "\nreturn 0;\n}\n")
    with tempfile.TemporaryDirectory(prefix="vrseg-abi-") as folder:
        source, binary = Path(folder) / "abi.c", Path(folder) / "abi"
        source.write_text(program, encoding="utf-8")
        done = subprocess.run([*shlex.split(compiler), "-std=c17", f"-I{include}", source, "-o",
                               binary], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise HeaderError(f"the program that measures the structs does not compile:\n"
                              f"{done.stderr}")
        return subprocess.run([binary], capture_output=True, text=True,
                              check=True).stdout.splitlines()


def listing(include: Path, compiler: str) -> list[str]:
    """The whole interface, a line a fact."""
    headers = read(include, compiler)
    lines = ["# The binary interface of libvrseg and libvrseg-media on x86-64, made from",
             "# include/vrseg by `make abi`. A struct's lines: offset, size, member."]
    lines += measured(include, compiler, headers)
    for part in headers.values():
        for name, values in part.enums.items():
            lines.append(f"enum {name}")
            lines += [f"  {value} {item}" for item, value in values.items()]
    for library, part in headers.items():
        lines += [f"{library}: {text}" for text in part.texts.values()]
    return lines


def version_script(include: Path, compiler: str, library: str) -> str:
    """Public functions under their version. What else begins with vrs_ is for the other library of
    the same build, and what does not is nobody's."""
    names = sorted(read(include, compiler)[library].functions)
    public = "".join(f"    {name};\n" for name in names)
    private = ("VRSEG_PRIVATE {\n  global:\n    vrs_*;\n  local:\n    *;\n};\n"
               if library == "vrseg" else "")
    hidden = "" if private else "  local:\n    *;\n"
    return f"{VERSION} {{\n  global:\n{public}{hidden}}};\n{private}"


# ---- Python ----

SIMPLE = {"void": "None", "char": "ctypes.c_char", "_Bool": "ctypes.c_bool", "int": "ctypes.c_int",
          "unsigned": "ctypes.c_uint", "float": "ctypes.c_float", "double": "ctypes.c_double",
          "size_t": "ctypes.c_size_t", "ptrdiff_t": "ctypes.c_ssize_t",
          **{f"{sign}int{bits}_t": f"ctypes.c_{sign}int{bits}"
             for sign in ("", "u") for bits in (8, 16, 32, 64)}}


class Writer:
    """Turns what was read into ctypes declarations."""

    def __init__(self, headers: dict[str, Headers]) -> None:
        self.headers = headers
        self.enums = {name for part in headers.values() for name in part.enums}
        self.structs = {name for part in headers.values() for name in part.structs}
        self.callbacks = {name for part in headers.values() for name in part.callbacks}
        self.opaque = {name for part in headers.values() for name in part.opaque}

    def base(self, name: str) -> str:
        """A type without stars."""
        if name in self.enums or name == "vrs_status":
            return "ctypes.c_int"
        if name in SIMPLE:
            return SIMPLE[name]
        if name in self.structs or name in self.callbacks:
            return name
        raise HeaderError(f"ctypes has nothing for the type {name}")

    def type(self, given: "Type | Function", argument: bool = False) -> str:
        """Any type; arrays of arguments are pointers."""
        if isinstance(given, Function):
            return self.function(given)
        pointers = given.pointers + (1 if argument and given.array else 0)
        text = self.pointer(given, pointers)
        for size in reversed(() if argument else given.array):
            text = f"{text} * {size}" if " " not in text else f"({text}) * {size}"
        return text

    def pointer(self, given: Type, pointers: int) -> str:
        """With `pointers` stars. Texts that are read are bytes, other pointers to nothing that is
        known are addresses."""
        if pointers == 0:
            return self.base(given.name)
        if given.name == "char" and given.const and pointers == 1:
            return "ctypes.c_char_p"
        if given.name in ("void", *self.opaque) or given.name.startswith("struct "):
            text = "ctypes.c_void_p"
        else:
            text = f"ctypes.POINTER({self.base(given.name)})"
        for _ in range(pointers - 1):
            text = f"ctypes.POINTER({text})"
        return text

    def function(self, given: Function) -> str:
        """A pointer to a function."""
        types = [self.type(given.result), *(self.type(t, True) for _, t in given.arguments)]
        return f"ctypes.CFUNCTYPE({', '.join(types)})"

    def text(self) -> str:
        """The module."""
        lines = ['"""Structs, enums and functions of vrseg\'s libraries, made from their headers',
                 'by tools/abi/abi.py."""', "", "import ctypes", ""]
        for part in self.headers.values():
            for values in part.enums.values():
                lines += [f"{item} = {value}" for item, value in values.items()]
        for name in sorted(self.structs):
            lines += ["", "", f"class {name}(ctypes.Structure):", "    pass"]
        lines += ["", ""]
        for part in self.headers.values():
            lines += [f"{name} = {self.function(function)}"
                      for name, function in part.callbacks.items()]
        # By value a struct must be complete: in the order of the headers it is.
        for part in self.headers.values():
            for name, members in part.structs.items():
                lines.append(f"{name}._fields_ = [")
                lines += [f'    ("{member}", {self.type(kind)}),' for member, kind in members]
                lines.append("]")
        lines.append("FUNCTIONS = {")
        for library, part in self.headers.items():
            lines.append(f'    "{library}": {{')
            for function in part.functions.values():
                if any(name == "..." for name, _ in function.arguments):
                    continue
                arguments = ", ".join(self.type(kind, True) for _, kind in function.arguments)
                lines.append(f'        "{function.name}": ({self.type(function.result)}, '
                             f"[{arguments}]),")
            lines.append("    },")
        return "\n".join([*lines, "}", ""])


def compared(path: Path, lines: list[str]) -> int:
    """Says how a listing differs from the checked-in one."""
    before = path.read_text(encoding="utf-8").splitlines()
    difference = list(difflib.unified_diff(before, lines, str(path), "the headers", lineterm="",
                                           n=1))
    print("\n".join(difference) if difference else f"{len(lines)} lines, as in {path}")
    if difference:
        print("\nThe binary interface has changed. Where that is meant, `make abi` records it; "
              "once a version is released only additions are allowed, and a struct that grows "
              "needs a new soversion.")
    return 1 if difference else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("listing", "map", "python"))
    parser.add_argument("--include", type=Path, required=True, help="folder that holds vrseg/")
    parser.add_argument("--cc", default="cc", help="C compiler; cc")
    parser.add_argument("--library", choices=tuple(LIBRARIES), default="vrseg", help="of map")
    parser.add_argument("--check", type=Path, metavar="FILE", help="compare, write nothing")
    parser.add_argument("--out", type=Path, metavar="FILE", help="by default standard output")
    args = parser.parse_args()
    include = args.include.resolve()
    try:
        if args.what == "listing":
            lines = listing(include, args.cc)
            if args.check:
                return compared(args.check, lines)
            text = "\n".join(lines) + "\n"
        elif args.what == "map":
            text = version_script(include, args.cc, args.library)
        else:
            text = Writer(read(include, args.cc)).text()
    except (HeaderError, OSError) as error:
        print(f"abi: {error}", file=sys.stderr)
        return 1
    if args.out:
        args.out.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
