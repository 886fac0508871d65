"""Lets the tests import what is in tools/pytorch, and run its programs as a user does."""

import contextlib
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

ROOT = Path(__file__).resolve().parents[3]
DATA = ROOT / "tests" / "data"
sys.path.insert(0, str(ROOT / "tools" / "pytorch"))

# The tests run beside others; sizes here are too small to gain by more.
torch.set_num_threads(1)

from errors import report  # noqa: E402

# The built program, where Meson runs the tests.
VRSEG = os.environ.get("VRSEG_PROGRAM", "")


def run(main: Callable[[], int], *arguments: object) -> tuple[int, str, str]:
    """Exit status, standard output and error of a tool with these arguments."""
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.object(sys, "argv", ["tool", *map(str, arguments)]), \
            contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = report("tool", main)
        except SystemExit as error:
            status = int(error.code or 0)
    return status, out.getvalue(), err.getvalue()
