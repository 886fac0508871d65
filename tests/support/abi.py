"""The tool of the binary interface: changes of each kind are found, forms that it does not know are
errors, and the libraries show exactly what the headers name."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

TOOL = os.environ["VRSEG_ABI_TOOL"]
INCLUDE = Path(os.environ["VRSEG_INCLUDE"])


def tool(*args: object) -> subprocess.CompletedProcess:
    """Runs the tool."""
    return subprocess.run([sys.executable, "-B", TOOL, *map(str, args), "--cc",
                           os.environ["VRSEG_CC"]], capture_output=True, text=True, check=False)


class Listing(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vrseg-abi-")
        self.addCleanup(folder.cleanup)
        self.include = Path(folder.name) / "include"
        shutil.copytree(INCLUDE, self.include)
        self.listing = Path(folder.name) / "listing"
        done = tool("listing", "--include", self.include, "--out", self.listing)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def change(self, header: str, before: str, after: str) -> subprocess.CompletedProcess:
        """Changes a header and compares."""
        path = self.include / "vrseg" / header
        text = path.read_text(encoding="utf-8")
        self.assertIn(before, text)
        path.write_text(text.replace(before, after, 1), encoding="utf-8")
        return tool("listing", "--include", self.include, "--check", self.listing)

    def test_same(self) -> None:
        done = tool("listing", "--include", self.include, "--check", self.listing)
        self.assertEqual(done.returncode, 0, done.stdout)

    def test_changes(self) -> None:
        for header, before, after, line in (
                ("image.h", "    int32_t x, y, width, height;", "    int64_t x, y, width, height;",
                 "+struct vrs_rect: size 32, alignment 8"),
                ("image.h", "    int32_t x, y, width, height;", "    int32_t y, x, width, height;",
                 "+     0    4 y"),
                ("status.h", "X(5, END,", "X(99, END,", "+  99 VRS_END"),
                ("image.h", "VRS_FORMAT_NV12 = 2", "VRS_FORMAT_NV12 = 77", "+  77 VRS_FORMAT_NV12"),
                ("system.h", "int64_t vrs_now_ns(void)", "int32_t vrs_now_ns(void)",
                 "+vrseg: int32_t vrs_now_ns(void)"),
                ("job.h", "bool now);", "int now);", "+vrseg-media: void vrs_job_stop("),
                ("system.h", "VRS_API const char *vrs_cpu_isa(void);", "",
                 "-vrseg: const char*vrs_cpu_isa(void)")):
            with self.subTest(line):
                shutil.copytree(INCLUDE, self.include, dirs_exist_ok=True)
                done = self.change(header, before, after)
                self.assertEqual(done.returncode, 1, done.stdout)
                self.assertIn(f"\n{line}", done.stdout)
                self.assertIn("`make abi`", done.stdout)

    def test_unknown_form(self) -> None:
        done = self.change("image.h", "typedef struct vrs_rect {", "typedef struct {")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("abi: ", done.stderr)

    def test_python(self) -> None:
        """ctypes lays out every struct as the compiler does."""
        module: dict = {}
        exec(tool("python", "--include", INCLUDE).stdout, module)
        import ctypes
        structs, current = 0, None
        for line in self.listing.read_text(encoding="utf-8").splitlines():
            head = re.match(r"struct (\w+): size (\d+), alignment (\d+)", line)
            if head:
                structs += 1
                current = module[head[1]]
                self.assertEqual((ctypes.sizeof(current), ctypes.alignment(current)),
                                 (int(head[2]), int(head[3])), head[1])
            member = re.match(r"  +(\d+) +(\d+) (\w+)$", line)
            if member:
                field = getattr(current, member[3])
                self.assertEqual((field.offset, field.size), (int(member[1]), int(member[2])),
                                 f"{current.__name__}.{member[3]}")
        self.assertGreater(structs, 20)


class Symbols(unittest.TestCase):
    def exported(self, variable: str) -> dict[str, str]:
        """Versions of the symbols that a library defines."""
        done = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions",
                               os.environ[variable]], capture_output=True, text=True, check=True)
        found = {}
        for line in done.stdout.splitlines():
            name, _, version = line.split()[-1].partition("@@")
            if line.split()[-2] != "A":
                found[name] = version
        return found

    def check(self, library: str, variable: str) -> dict[str, str]:
        exported = self.exported(variable)
        script = tool("map", "--include", INCLUDE, "--library", library).stdout
        public = set(re.findall(r"^    (vrs_\w+);$", script, re.M))
        self.assertGreater(len(public), 5)
        self.assertEqual({name for name, version in exported.items() if version == "VRSEG_0.1"},
                         public)
        return {name: version for name, version in exported.items() if name not in public}

    def test_core(self) -> None:
        others = self.check("vrseg", "VRSEG_LIBRARY")
        self.assertEqual(set(others.values()), {"VRSEG_PRIVATE"})

    def test_media(self) -> None:
        self.assertEqual(self.check("vrseg-media", "VRSEG_MEDIA_LIBRARY"), {})


if __name__ == "__main__":
    unittest.main(verbosity=2)
