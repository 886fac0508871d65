#!/bin/sh
# Runs clang-tidy, as .clang-tidy in folder $1 says, on its src/ with the commands of build $2. Its
# analyzer's paths are short ones, unless $VRSEG_ANALYZER is `deep`: that takes seven times as long.
# Exit status: 0 nothing found, 1 something is, 77 (skipped) where clang-tidy is missing.
set -eu

root=$1
if ! command -v run-clang-tidy >/dev/null 2>&1; then
	echo "skipped: clang-tidy is missing, run \`make check\` to have it installed"
	exit 77
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
run-clang-tidy -quiet -p "$2" -extra-arg=-Xclang -extra-arg=-analyzer-config -extra-arg=-Xclang \
	"-extra-arg=mode=${VRSEG_ANALYZER:-shallow}" "^$root/src/" >"$log" 2>/dev/null || status=1
# Its progress is a line a file; what it found is between them.
sed -e 's/\x1b\[[0-9;]*m//g' -e '/^clang-tidy/d' -e '/^$/d' "$log"
grep -q '^clang-tidy' "$log" || status=1
exit "$status"
