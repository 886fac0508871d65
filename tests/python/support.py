"""What the tests of the Python package share: the package put together, and when tests skip."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(os.environ["VRSEG_SOURCE_DIR"])
SHARED = Path(os.environ.get("VRSEG_SHARED_DIR", "/nowhere"))
BUILD = SOURCE / "tools" / "python" / "build.py"
MODEL = "selfie-landscape"
PATIENCE = 200
FOLDER = Path(tempfile.mkdtemp(prefix="vrseg-python-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)


def build(*args: object) -> subprocess.CompletedProcess:
    """Runs build.py with Debian's Python, which has pip and setuptools."""
    return subprocess.run(["/usr/bin/python3", "-B", BUILD, "--cc", os.environ["VRSEG_CC"],
                           *map(str, args)], capture_output=True, text=True, check=False,
                          timeout=PATIENCE)


def use_package() -> None:
    """Puts the package together, without libraries, and makes it what `import vrseg` finds."""
    done = build("--out", FOLDER / "package")
    if done.returncode != 0:
        sys.exit(done.stdout + done.stderr)
    os.environ["XDG_CACHE_HOME"] = str(FOLDER / "cache")  # the user's own stays as it is
    sys.path.insert(0, str(FOLDER / "package"))


def runs_here() -> str:
    """Why no pipeline can run here; empty if one can."""
    import vrseg
    failed = [c for c in vrseg.requirements({"model": MODEL}, "cpu")
              if c.required and c.state == "failed"]
    return "; ".join(f"{c.name}: {c.found}" for c in failed)


def main() -> None:
    """Runs the tests of the calling file."""
    unittest.main()
