#!/bin/sh
# Runs the tests of tools/ in the tools' environment of the private folder $1; those of a folder $2
# beside this file in the environment $2-venv.
# Exit status: unittest's, or 77 (skipped) where that environment is missing.
set -eu

kind=${2:-}
python=$1/${kind:-tools}-venv/bin/python
if [ ! -x "$python" ]; then
	echo "skipped: $python is missing, run \`make ${kind:-setup}\`"
	exit 77
fi
exec "$python" -B -m unittest discover -s "$(dirname "$0")${kind:+/$kind}"
