"""RGB frames from standard input become masks on standard output, six lines of vrseg:

ffmpeg -i in.mp4 -pix_fmt rgb24 -f rawvideo - | python masks.py 1280 720 cpu > masks.gray
"""

import sys

import numpy as np
from vrseg import AsyncPipeline

width, height, device = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
read = iter(lambda: sys.stdin.buffer.read(width * height * 3), b"")
frames = (np.frombuffer(data, np.uint8).reshape(height, width, 3) for data in read)
with AsyncPipeline("selfie-landscape", {"mask": {"refine": "auto"}}, device) as pipeline:
    for result in pipeline.results(frames):
        sys.stdout.buffer.write(result.mask.tobytes())
