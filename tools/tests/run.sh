#!/bin/sh
# Runs the tests of tools/ in the tools' environment of the private folder $1.
# Exit status: unittest's, or 77 (skipped) where that environment is missing.
set -eu

python=$1/tools-venv/bin/python
if [ ! -x "$python" ]; then
	echo "skipped: $python is missing, run \`make setup\`"
	exit 77
fi
exec "$python" -B -m unittest discover -s "$(dirname "$0")"
