#!/usr/bin/env python3
"""The job of `vrseg run` as a script on MediaPipe's selfie segmentation; prints figures as JSON."""

from __future__ import annotations

import json
import sys

from peer_io import PeerError, Run, fail, output_arguments, parser, probe, process_age

try:
    import cv2
    import mediapipe
    import numpy as np
except ImportError as error:
    fail(f"{error}: run it with the python of the peers' environment (`make peers`)")

from peer_frames import frames_of, result_file, work  # noqa: E402

# Width and height of the networks' inputs, by MediaPipe's number of the model.
SIZES = {0: (256, 256), 1: (256, 144)}
NAMES = {0: "general", 1: "landscape"}


def segmenter(solution, feed: str, model: int):
    """The middle of the loop. MediaPipe gives the mask at the size of the picture it got."""
    size = SIZES[model] if feed == "small" else None

    def segment(frames, stages, since):
        rgb = frames.rgb(size, "linear")
        rgb.flags.writeable = False  # MediaPipe then takes it without a copy
        since = stages.add("to network", since)
        mask = solution.process(rgb).segmentation_mask
        return mask, stages.add("network", since)

    return segment


def main() -> None:
    """Parses the command line, runs, prints."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--model", type=int, choices=(0, 1), default=1,
                         help="0: general 256x256, 1: landscape 144x256 (default)")
    options.add_argument("--threads", type=int, default=0,
                         help="threads of OpenCV; MediaPipe has no such setting (0: default)")
    options.add_argument("--pixels", choices=("bgr", "i420"), default="bgr",
                         help="frames by cv2.VideoCapture, or by an ffmpeg pipe as planes")
    options.add_argument("--blend", choices=("u8", "linear"), default="u8",
                         help="BGR composite by 8-bit products or cv2.blendLinear")
    options.add_argument("--feed", choices=("full", "small"), default="full",
                         help="give MediaPipe the whole frame (as its guide does), or one of the "
                         "network's size")
    arguments = options.parse_args()
    if arguments.threads:
        cv2.setNumThreads(arguments.threads)
    try:
        video = probe(arguments.video)
        frames = frames_of(video, arguments.pixels, arguments.blend)
        _, suffix = output_arguments(arguments.encoder)
        solution = mediapipe.solutions.selfie_segmentation.SelfieSegmentation(
            model_selection=arguments.model)
        with solution, result_file(arguments.to, suffix) as path:
            run = Run("mediapipe", process_age())
            segment = segmenter(solution, arguments.feed, arguments.model)
            work(run, frames, segment, arguments, path)
            report = run.report(path, {
                "model": NAMES[arguments.model],
                "output": arguments.output, "encoder": arguments.encoder,
                "threads": arguments.threads, "pixels": arguments.pixels,
                "blend": arguments.blend, "feed": arguments.feed,
                "versions": {"mediapipe": mediapipe.__version__, "opencv": cv2.__version__,
                             "numpy": np.__version__, "python": sys.version.split()[0]}})
    except PeerError as error:
        fail(str(error))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
