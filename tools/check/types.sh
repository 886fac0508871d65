#!/bin/sh
# Checks the types of the Python package as it is put together from python/ in the checkout $1, by
# mypy in the environment $2. What it knows of NumPy is kept in the folder $3.
# Exit status: mypy's, or 77 (skipped) where that environment is missing.
set -eu

if [ ! -x "$2/bin/python" ]; then
	echo "skipped: $2/bin/python is missing, run \`make check\` or \`make tidy\`"
	exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"${PYTHON:-/usr/bin/python3}" -B "$1/tools/python/build.py" --out "$folder/package" \
	--cc "${VRSEG_CC:-cc}"
cd "$folder/package"
"$2/bin/python" -B -m mypy --config-file "$1/python/pyproject.toml" --cache-dir "$3" vrseg
