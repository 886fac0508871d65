#!/bin/sh
# Segments the people of one video and says where the results are.
#
# Usage: demo.sh PROGRAM, with the video in $VIDEO (the sample clip where that is empty) and the
# folder for the results in $OUT.
# Exit status: the program's.
set -eu

program=$1
video=${VIDEO:-}
sample=.local/sample/sample.mp4
if [ -z "$video" ]; then
	video=$sample
	echo "The sample clip is made from one photograph, with a moving camera over it: NASA's portrait"
	echo "of Eileen Collins, in the public domain. Your own: make demo VIDEO=FILE"
fi

name=$(basename -- "$video")
results=${OUT:-out}/${name%.*}
mkdir -p -- "$results"
# 3: done, but some frames could not be read; the results are there and the program has said which.
status=0
"$program" run "$video" -o "mask:$results/mask.mp4" -o "green:$results/composite.mp4" \
	-o "preview:$results/preview.png" </dev/null || status=$?
if [ "$status" -ne 0 ] && [ "$status" -ne 3 ]; then
	rmdir -- "$results" 2>/dev/null || true
	exit "$status"
fi

echo
echo "Mask video:  $results/mask.mp4"
echo "Composite:   $results/composite.mp4"
echo "Preview:     $results/preview.png (source, mask and composite side by side)"
exit "$status"
