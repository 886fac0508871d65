#!/usr/bin/env python3
"""The job of `vrseg run` as a script on ONNX Runtime and OpenCV; prints its figures as JSON."""

from __future__ import annotations

import json
import sys

from peer_io import PeerError, Run, fail, output_arguments, parser, probe, process_age

try:
    import cv2
    import numpy as np
    import onnxruntime
except ImportError as error:
    fail(f"{error}: run it with the python of the peers' environment (`make peers`)")

from onnx_models import OnnxModel, find  # noqa: E402
from onnx_network import Network  # noqa: E402
from peer_frames import frames_of, result_file, work  # noqa: E402


def segmenter(network: Network, resize: str):
    """The middle of the loop for this network."""
    height, width = network.model.size

    def segment(frames, stages, since):
        rgb = frames.rgb((width, height), resize)
        since = stages.add("to network", since)
        mask = network.run(rgb)
        return mask, stages.add("network", since)

    return segment


def main() -> None:
    """Parses the command line, runs, prints."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--model", required=True, metavar="FILE", help="an ONNX file")
    options.add_argument("--threads", type=int, default=0,
                         help="intra_op_num_threads of ONNX Runtime (0: its default)")
    options.add_argument("--pixels", choices=("bgr", "i420"), default="bgr",
                         help="frames by cv2.VideoCapture, or by an ffmpeg pipe as planes")
    options.add_argument("--blend", choices=("u8", "linear"), default="u8",
                         help="BGR composite by 8-bit products or cv2.blendLinear")
    options.add_argument("--resize", choices=("linear", "area"), default="linear",
                         help="how the frame is brought to the network's size")
    arguments = options.parse_args()
    model: OnnxModel | None = find(arguments.model)
    try:
        if model is None:
            raise PeerError(f"{arguments.model} is none of the networks in onnx_models.py")
        video = probe(arguments.video)
        network = Network(model, arguments.model, arguments.threads)
        frames = frames_of(video, arguments.pixels, arguments.blend)
        _, suffix = output_arguments(arguments.encoder)
        with result_file(arguments.to, suffix) as path:
            run = Run("onnxruntime+opencv", process_age())
            work(run, frames, segmenter(network, arguments.resize), arguments, path)
            report = run.report(path, {
                "model": model.name, "output": arguments.output, "encoder": arguments.encoder,
                "threads": arguments.threads, "pixels": arguments.pixels,
                "blend": arguments.blend, "resize": arguments.resize,
                "versions": {"onnxruntime": onnxruntime.__version__, "opencv": cv2.__version__,
                             "numpy": np.__version__, "python": sys.version.split()[0]}})
    except PeerError as error:
        fail(str(error))
    print(json.dumps(report))


if __name__ == "__main__":
    main()
