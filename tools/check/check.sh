#!/bin/sh
# Runs the tests of a build and ends with their sum, from Meson's logs, on a line of its own.
#
# Usage: check.sh BUILD [ARGUMENTS OF meson test...]
#
# Without further arguments it also compiles with gcc's and clang's warnings as errors and runs the
# C tests under sanitizers, in builds of their own below BUILD, with the GPU kernels of BUILD; their
# tests are in the sum:
#   strict  gcc, release, warnings are errors; compiled only
#   asan    gcc, address and undefined behaviour: all tests in C, and the program's that tell most
#   fuzz    clang, as asan: the fuzzers, for a fixed number of runs
#   tsan    clang, threads, warnings are errors: the tests with threads in them
# Exit status: 0 when at least one test passed, none failed and everything was built.
set -u

build=$1
shift
here=$(dirname "$0")
root=$here/../..
meson=${MESON:-/usr/bin/meson}
python=${PYTHON:-/usr/bin/python3}
status=0
logs=

# Runs the tests of build $1 with the other arguments.
run_tests() {
	folder=$1
	shift
	log=$folder/meson-logs/testlog.json
	rm -f "$log"
	logs="$logs $log"
	"$meson" test -C "$folder" --no-rebuild --print-errorlogs "$@" </dev/null || status=$?
}

# Sets up build $1 with the other arguments, unless it is there, and compiles it: all of it, or the
# $targets that are set.
compile() {
	folder=$1
	shift
	echo "=== $folder"
	if [ ! -f "$folder/build.ninja" ]; then
		"$meson" setup "$folder" "$root" "$@" >"$build/setup.log" 2>&1 || {
			cat "$build/setup.log"
			status=1
			return 1
		}
	fi
	# shellcheck disable=SC2086 # the list is split on purpose
	"$meson" compile -C "$folder" ${targets:-} >"$build/compile.log" 2>&1 || {
		cat "$build/compile.log"
		echo "check.sh: $folder does not compile"
		status=1
		return 1
	}
}

# Runs the tests of build $1 whose names begin like one of the others; the sanitizers make them
# several times as slow.
run_named() {
	folder=$1
	shift
	names=$("$python" "$here/names.py" "$folder" "$@") || {
		status=1
		return
	}
	# shellcheck disable=SC2086 # names have no spaces
	run_tests "$folder" --timeout-multiplier 6 $names
}

run_tests "$build" "$@"
if [ $# -eq 0 ]; then
	image=$(find "$(realpath "$build")/src/kernels/cuda" -name 'cuda_image_*.S' | sort | head -n 1)
	compile "$build/strict" -Dwerror=true "-Dgpu_image=$image"
	compile "$build/asan" --buildtype=debugoptimized -Db_sanitize=address,undefined \
		-Db_lundef=false -Dc_args=-fno-sanitize-recover=undefined "-Dgpu_image=$image" &&
		run_named "$build/asan" base/ batch/ stress/ image/ kernels/ model/ graph/arena graph/graph \
			graph/hostile graph/operators engine/ media/ cli/usage cli/stop cli/examples \
			pipeline outputs golden live
	targets=fuzz
	CC=clang compile "$build/fuzz" --buildtype=debugoptimized -Dfuzz=true -Dcuda=disabled \
		-Db_sanitize=address,undefined -Db_lundef=false \
		"-Dc_args=-fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined" &&
		run_named "$build/fuzz" fuzz/
	targets=
	CC=clang compile "$build/tsan" --buildtype=debugoptimized -Db_sanitize=thread \
		-Db_lundef=false -Dwerror=true "-Dgpu_image=$image" &&
		run_named "$build/tsan" base/ batch/ stress/ engine/engine engine/inject \
			engine/onnxruntime-engine engine/onnxruntime-inject engine/onnxruntime-device media/ \
			pipeline outputs golden live
fi
# shellcheck disable=SC2086 # the list is split on purpose
"$python" "$here/summary.py" --status "$status" $logs
