"""Prints the names of a build's tests that begin like one of the given words, one a line.

A word that no test begins with is an error: a list of tests to run must not shrink unseen.
"""

import argparse
import json
import os
import subprocess
import sys


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("build", help="Meson's build folder")
    parser.add_argument("begins", nargs="+", help="how the names begin")
    arguments = parser.parse_args()
    command = [os.environ.get("MESON", "/usr/bin/meson"), "introspect", "--tests",
               arguments.build]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        print(f"names.py: {arguments.build} is not a build folder: {result.stderr.strip()}",
              file=sys.stderr)
        return 1
    names = [test["name"] for test in json.loads(result.stdout)]
    missing = [word for word in arguments.begins
               if not any(name.startswith(word) for name in names)]
    if missing:
        print(f"names.py: no test's name begins with {', '.join(missing)}", file=sys.stderr)
        return 1
    print("\n".join(name for name in names if name.startswith(tuple(arguments.begins))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
