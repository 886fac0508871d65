#!/bin/sh
# Runs cppcheck on src/ of folder $1 with the commands of build folder $2.
# Exit status: 0 nothing found, 1 something is, 77 (skipped) where cppcheck is missing.
set -eu

root=$1
if ! command -v cppcheck >/dev/null 2>&1; then
	echo "skipped: cppcheck is missing, run \`make check\` to have it installed"
	exit 77
fi
# What others' generators write is not ours.
exec cppcheck --project="$2/compile_commands.json" --file-filter="$root/src/*" -j "$(nproc)" \
	--suppress='*:*/onnx.pb-c.h' \
	--enable=warning,performance,portability --inline-suppr --quiet --error-exitcode=1 \
	--template='{file}:{line}: {severity}: {message} [{id}]'
