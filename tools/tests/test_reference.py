"""The reference of the C interface: what the filter shows to Doxygen, and that Doxygen finds
nothing wrong with the headers."""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SPEC = importlib.util.spec_from_file_location("reference_filter",
                                              ROOT / "tools" / "reference" / "filter.py")
reference = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(reference)


class FilterTest(unittest.TestCase):
    def assert_shown(self, header: str, expected: str) -> None:
        # What comes first in a header is of the file.
        self.assertEqual(reference.shown("/* a */\n" + header), "/** @file\n * a */\n" + expected)

    def test_comments(self) -> None:
        self.assert_shown("/* Does it. */\nint f(void);\n", "/** Does it. */\nint f(void);\n")
        self.assert_shown("    int a; /* ms */\n", "    int a; /**< ms */\n")
        self.assert_shown("/* ---- afterwards ---- */\n", "/* ---- afterwards ---- */\n")
        self.assert_shown('#define A "x" /* text */\n', '#define A "x" /* text */\n')
        self.assert_shown('char *s = "/* no */";\n', 'char *s = "/* no */";\n')

    def test_nothing_is_a_command(self) -> None:
        self.assert_shown("/* 100 % of <a> @b \\c #d, `e->f` */\n",
                          "/** 100 \\% of \\<a\\> \\@b \\\\c \\#d, `e->f` */\n")

    def test_examples(self) -> None:
        text = "/* Do:\n *\n *     f(&a, 5 % 3);\n *\n * a & b */\n"
        self.assert_shown(text, "/** Do:\n *\n *     f(&a, 5 % 3);\n *\n * a \\& b */\n")


@unittest.skipUnless(shutil.which("doxygen"), "doxygen is not installed")
class ReferenceTest(unittest.TestCase):
    def doxygen(self, root: Path, out: str) -> subprocess.CompletedProcess:
        env = os.environ | {"VRSEG_REFERENCE": out, "VRSEG_PYTHON": sys.executable}
        return subprocess.run(["doxygen", "docs/Doxyfile"], cwd=root, env=env, text=True,
                              capture_output=True, check=False, timeout=150)

    def test_headers(self) -> None:
        with tempfile.TemporaryDirectory() as out:
            done = self.doxygen(ROOT, out)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            pages = {path.name for path in Path(out).iterdir()}
            for header in (ROOT / "include" / "vrseg").glob("*.h"):
                self.assertIn(f"{header.stem.replace('_', '__')}_8h.html", pages)
            text = (Path(out) / "pipeline_8h.html").read_text(encoding="utf-8")
            self.assertIn("incomplete batches do not wait for more", text)

    def test_a_warning_is_an_error(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            root = Path(folder)
            for part in ("docs", "tools/reference", "include/vrseg"):
                (root / part).mkdir(parents=True)
            shutil.copy(ROOT / "docs" / "Doxyfile", root / "docs")
            shutil.copy(ROOT / "tools" / "reference" / "filter.py", root / "tools" / "reference")
            (root / "include" / "vrseg" / "a.h").write_text(
                "/* a */\nint f(int a);\n/* it has no end\n", encoding="utf-8")
            out = root / "out"
            out.mkdir()
            done = self.doxygen(root, str(out))
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("a.h", done.stderr)


if __name__ == "__main__":
    unittest.main()
