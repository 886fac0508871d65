"""Reads the public headers: enums, structs, types of callbacks, functions.

The headers keep to few forms (CONTRIBUTING.md), so that a preprocessor and a few patterns are
enough; what is not understood is an error, never left out.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

# What is read, by library.
LIBRARIES = {"vrseg": ("vrseg/vrseg.h",), "vrseg-media": ("vrseg/job.h", "vrseg/input.h")}


class HeaderError(Exception):
    """A sentence: what in the headers is not understood."""


@dataclass(frozen=True)
class Type:
    """A C type: its base name, how many stars stand behind it, and the sizes of its array."""

    name: str
    pointers: int = 0
    const: bool = False
    array: tuple[int, ...] = ()


@dataclass(frozen=True)
class Function:
    """A function, or with `callback` a pointer to one."""

    name: str
    result: Type
    arguments: tuple[tuple[str, "Type | Function"], ...]
    callback: bool = False


@dataclass
class Headers:
    """Everything that was read, in the order of the headers."""

    enums: dict[str, dict[str, int]] = field(default_factory=dict)
    structs: dict[str, list[tuple[str, "Type | Function"]]] = field(default_factory=dict)
    opaque: list[str] = field(default_factory=list)
    callbacks: dict[str, Function] = field(default_factory=dict)
    functions: dict[str, Function] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)  # declaration of each function
    aliases: dict[str, str] = field(default_factory=dict)


def preprocessed(include: Path, headers: tuple[str, ...], compiler: str) -> str:
    """Headers with their own project's lines alone, without attributes and line breaks."""
    done = subprocess.run(
        [*shlex.split(compiler), "-std=c17", "-E", "-x", "c", f"-I{include}", "-"],
        input="".join(f'#include "{header}"\n' for header in headers), text=True,
        capture_output=True, check=False)
    if done.returncode != 0:
        raise HeaderError(f"{' '.join(headers)}: {compiler} refuses it:\n{done.stderr}")
    kept, ours = [], False
    for line in done.stdout.splitlines():
        mark = re.match(r'# \d+ "([^"]*)"', line)
        if mark:
            ours = str(include) in mark[1]
        elif ours:
            kept.append(line)
    text = " ".join(kept)
    # Attributes have at most three pairs of parentheses inside of each other.
    inner = r"\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)"
    return re.sub(r"\s+", " ", re.sub(rf"__attribute__ ?{inner}", " ", text))


def statements(text: str) -> Iterator[str]:
    """What stands between semicolons outside of braces."""
    depth, start = 0, 0
    for i, c in enumerate(text):
        depth += (c == "{") - (c == "}")
        if c == ";" and depth == 0:
            yield text[start:i].strip()
            start = i + 1
    if text[start:].strip():
        raise HeaderError(f"no semicolon ends {text[start:].strip()[:60]!r}")


class Reader:
    """Puts one header after the other into `headers`; what was there is known already."""

    def __init__(self) -> None:
        self.headers = Headers()

    def constant(self, text: str) -> int:
        """A whole number, or a name of an enum, or arithmetic of both."""
        known = {name: value for values in self.headers.enums.values()
                 for name, value in values.items()}
        if not re.fullmatch(r"[\w\s()+*<|-]+", text):
            raise HeaderError(f"{text!r} is no constant")
        try:
            return int(eval(text, {"__builtins__": {}}, known))  # the checkout's own headers
        except (NameError, SyntaxError, TypeError, ValueError) as error:
            raise HeaderError(f"{text!r} is no constant") from error

    def enum(self, name: str, body: str) -> None:
        """The values of an enum."""
        values: dict[str, int] = {}
        self.headers.enums[name] = values
        following = 0
        for part in filter(None, map(str.strip, body.split(","))):
            item, equals, text = map(str.strip, part.partition("="))
            values[item] = self.constant(text) if equals else following
            following = values[item] + 1

    def declarator(self, base: str, text: str) -> tuple[str, "Type | Function"]:
        """One name with its type: "*planes[4]" behind "uint8_t"."""
        found = re.fullmatch(r"((?:\* ?(?:const )?)*)(\w*)((?: ?\[[^\]]*\])*)", text.strip())
        if not found:
            raise HeaderError(f"{base} {text!r} is no declaration")
        sizes = tuple(self.constant(size) for size in re.findall(r"\[([^\]]*)\]", found[3]))
        words = base.split()
        names = [word for word in words if word not in ("const", "struct", "enum")]
        return found[2], Type(" ".join(names), found[1].count("*"), "const" in words, sizes)

    def arguments(self, text: str) -> tuple[tuple[str, "Type | Function"], ...]:
        """What a function takes."""
        if text.strip() in ("", "void"):
            return ()
        parts, depth, start = [], 0, 0
        for i, c in enumerate(text + ","):
            depth += (c == "(") - (c == ")")
            if c == "," and depth == 0:
                parts.append(text[start:i])
                start = i + 1
        return tuple(self.declaration(part)[0] for part in parts)

    def declaration(self, text: str) -> list[tuple[str, "Type | Function"]]:
        """A member, several of one type, or an argument."""
        text = text.strip()
        if text == "...":
            return [("...", Type("..."))]
        pointer = re.fullmatch(r"(.*?)\( ?\* ?(\w+) ?\) ?\((.*)\)", text)
        if pointer:
            result = self.declarator(*split_base(pointer[1] + " x"))[1]
            return [(pointer[2], Function(pointer[2], result, self.arguments(pointer[3]), True))]
        base, rest = split_base(text)
        return [self.declarator(base, part) for part in rest.split(",")]

    def statement(self, text: str) -> None:
        """One statement of a header."""
        text = re.sub(r'^extern "C" \{ ?', "", text)
        if not text or text.startswith("}"):
            return
        named = re.fullmatch(r"typedef (enum|struct) (\w+) \{(.*)\} (\w+)", text)
        if named and named[1] == "enum":
            self.enum(named[4], named[3])
        elif named:
            self.headers.structs[named[4]] = [
                member for line in statements(named[3]) for member in self.declaration(line)]
        elif re.fullmatch(r"typedef struct \w+ \w+", text):
            self.headers.opaque.append(text.split()[-1])
        elif re.fullmatch(r"typedef .*\( ?\* ?\w+ ?\) ?\(.*\)", text):
            (name, function), = self.declaration(text.removeprefix("typedef "))
            self.headers.callbacks[name] = function
        elif re.fullmatch(r"typedef [\w ]+", text):
            self.headers.aliases[text.split()[-1]] = " ".join(text.split()[1:-1])
        elif re.fullmatch(r"enum \{.*\}", text):
            self.enum(f"anonymous {len(self.headers.enums)}", text[6:-1])
        else:
            self.function(text)

    def function(self, text: str) -> None:
        """The declaration of a function."""
        found = re.fullmatch(r"(.*?[ *])(vrs_\w+) ?\((.*)\)", text.removeprefix("extern ").strip())
        if not found:
            raise HeaderError(f"{text[:80]!r} is not understood")
        result = self.declarator(*split_base(found[1] + "x"))[1]
        self.headers.functions[found[2]] = Function(found[2], result, self.arguments(found[3]))
        self.headers.texts[found[2]] = re.sub(r" ?([,()*]) ?", r"\1", text).replace(",", ", ")


def split_base(text: str) -> tuple[str, str]:
    """The words of a type, and the declarators behind it."""
    found = re.match(r"((?:const |struct |enum |unsigned |signed |long |short )*\w+(?: const)?)"
                     r" ?(.*)", text.strip())
    if not found:
        raise HeaderError(f"{text!r} has no type")
    return found[1], found[2]


def read(include: Path, compiler: str) -> dict[str, Headers]:
    """All headers, by library: what a library's headers add to those of the ones before it."""
    result, before = {}, Headers()
    for library, names in LIBRARIES.items():
        reader = Reader()
        for text in statements(preprocessed(include, names, compiler)):
            reader.statement(text)
        whole = reader.headers
        result[library] = Headers(
            *({key: value for key, value in getattr(whole, part).items()
               if key not in getattr(before, part)} if part != "opaque" else
              [name for name in whole.opaque if name not in before.opaque]
              for part in ("enums", "structs", "opaque", "callbacks", "functions", "texts",
                           "aliases")))
        before = whole
    return result
