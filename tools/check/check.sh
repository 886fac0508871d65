#!/bin/sh
# Runs the tests of a build and ends with their sum, from Meson's log, on a line of its own.
#
# Usage: check.sh BUILD [ARGUMENTS OF meson test...]
# Exit status: 0 when at least one test passed and none failed.
set -u

build=$1
shift
log=$build/meson-logs/testlog.json
rm -f "$log"
status=0
"${MESON:-/usr/bin/meson}" test -C "$build" --no-rebuild --print-errorlogs "$@" </dev/null ||
	status=$?
"${PYTHON:-/usr/bin/python3}" "$(dirname "$0")/summary.py" --status "$status" "$log"
