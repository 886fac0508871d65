#!/bin/sh
# Runs the test file $2 of this folder in the Python environment $1.
# Exit status: the test's, or 77 (skipped) where that environment is missing.
set -eu

if [ ! -x "$1/bin/python" ]; then
	echo "skipped: $1/bin/python is missing, run \`make setup\`, or \`make torch\` for PyTorch"
	exit 77
fi
exec "$1/bin/python" -B "$(dirname "$0")/$2" -v
