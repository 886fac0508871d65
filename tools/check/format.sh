#!/bin/sh
# Checks that clang-format leaves the C files of the project in folder $1 as they are.
# Exit status: 0 it does, 1 it does not, 77 (skipped) where clang-format is missing.
set -eu

cd "$1"
if ! command -v clang-format >/dev/null 2>&1; then
	echo "skipped: clang-format is missing, run \`make check\` to have it installed"
	exit 77
fi
find include src examples tests bench -name '*.[ch]' -print0 |
	xargs -0 -r clang-format --dry-run -Werror --ferror-limit=1
