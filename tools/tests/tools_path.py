"""Lets the tests import the tools, each of whose folders stands alone."""

import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[1]
ROOT = TOOLS.parent
for folder in ("setup", "models", "sample", "check"):
    sys.path.insert(0, str(TOOLS / folder))
