"""The scripts that run what needs PyTorch: without it, one sentence with what to do; with another
Python, that one, with the arguments as they are."""

import os
import stat
import subprocess
import tempfile
import unittest
from pathlib import Path

from tools_path import TOOLS

NAMES = ("export", "quantize", "train")


def run(name: str, environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess:
    """One of the scripts, from another folder."""
    return subprocess.run([TOOLS / f"vrseg-{name}", *arguments], cwd="/", text=True, check=False,
                          env={**os.environ, **environment}, capture_output=True)


class WrappersTest(unittest.TestCase):
    def test_without_pytorch(self) -> None:
        for name in NAMES:
            done = run(name, {"VRSEG_LOCAL_DIR": "/absent", "VRSEG_TORCH_PYTHON": ""})
            self.assertEqual(done.returncode, 1)
            self.assertEqual(done.stderr, f"vrseg-{name}: /absent/torch-venv/bin/python is "
                             "missing; run `make torch`\n")

    def test_with_a_python(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            python = Path(folder) / "python"
            python.write_text('#!/bin/sh\nprintf "%s|" "$@"\n', encoding="ascii")
            python.chmod(python.stat().st_mode | stat.S_IXUSR)
            for name in NAMES:
                done = run(name, {"VRSEG_TORCH_PYTHON": str(python)}, "a b", "--c")
                self.assertEqual(done.returncode, 0)
                self.assertEqual(done.stdout, f"-B|{TOOLS}/pytorch/{name}.py|a b|--c|")
                self.assertTrue((TOOLS / "pytorch" / f"{name}.py").is_file())


if __name__ == "__main__":
    unittest.main()
