#!/usr/bin/python3
"""Records what ONNX Runtime makes of a photograph with each of the shared models, as the
numbers that the engine's tests compare with: person probabilities at 8 x 8 places.

How each network is fed stands here a second time, apart from its descriptor: a wrong descriptor
then shows as wrong numbers. It needs numpy and onnxruntime, so it runs in the environment of the
peers.
"""

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import onnxruntime

HERE = Path(__file__).resolve().parent

GRID = 8
RECURRENT_FRAMES = 3


class Network(NamedTuple):
    """A model's file and how it is fed and read."""
    name: str
    file: str
    width: int
    height: int
    mean: list
    std: list
    activation: str = "none"
    person: tuple = (0,)
    output: str | None = None
    bgr: bool = False
    nhwc: bool = False
    states: tuple = ()


NETWORKS = [
    Network("selfie", "mediapipe_selfie_256_nchw.onnx", 256, 256, [0, 0, 0], [255, 255, 255]),
    Network("selfie-landscape", "mediapipe_selfie_landscape_144x256_nchw.onnx", 256, 144,
            [0, 0, 0], [255, 255, 255]),
    Network("selfie-multiclass", "mediapipe_selfie_multiclass_256_nchw.onnx", 256, 256,
            [127.5] * 3, [127.5] * 3, "softmax", (1, 2, 3, 4, 5)),
    Network("deeplabv3-mnv2", "deeplabv3_mnv2_dm10_voc21_513_dequant_nchw.onnx", 513, 513,
            [128] * 3, [128] * 3, "softmax", (15,)),
    Network("pphumanseg-lite", "pphumanseg_lite_portrait_398x224_softmax.onnx", 398, 224,
            [127.5] * 3, [127.5] * 3, "none", (1,)),
    Network("bodypix", "bodypix_mnv1_050_stride16.onnx", 513, 513, [127.5] * 3, [127.5] * 3,
            "sigmoid", (0,), "segments", nhwc=True),
    Network("sinet-portrait", "sinet_softmax_simple_320.onnx", 320, 320,
            [102.89, 111.25, 126.91], [62.93 * 255, 62.82 * 255, 66.36 * 255], "none", (1,),
            bgr=True),
    Network("deeplabv3plus-r50-person", "deeplabv3plus_r50_person_512.onnx", 512, 512,
            [0.485 * 255, 0.456 * 255, 0.406 * 255], [0.229 * 255, 0.224 * 255, 0.225 * 255],
            "softmax", (1,)),
    Network("rvm-mobilenetv3", "rvm_mobilenetv3_dequant_ratio1_dyn.onnx", 256, 256, [0, 0, 0],
            [255, 255, 255], output="pha",
            states=(("r1i", "r1o", 16, 2), ("r2i", "r2o", 20, 4), ("r3i", "r3o", 40, 8),
                    ("r4i", "r4o", 64, 16))),
]


def read_ppm(path: Path) -> np.ndarray:
    """A binary PPM as OpenCV writes it: three lines, then the pixels."""
    kind, size, peak, pixels = path.read_bytes().split(b"\n", maxsplit=3)
    if (kind, peak) != (b"P6", b"255"):
        raise SystemExit(f"{path}: is not a binary PPM of 8 bits")
    width, height = map(int, size.split())
    return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)


def person(width: int, height: int, shift: int) -> np.ndarray:
    """The picture of person.ppm at any size, bilinear in whole numbers (every division rounds
    down), its columns rotated by `shift`. tests/engine/person.h makes the same."""
    small = read_ppm(HERE / "person.ppm").astype(np.int64)

    def taps(size: int, small_size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        place = np.arange(size) * 256 * (small_size - 1) // max(size - 1, 1)
        first = place // 256
        return first, np.minimum(first + 1, small_size - 1), place % 256

    top, bottom, down = taps(height, small.shape[0])
    left, right, along = taps(width, small.shape[1])
    along = along[np.newaxis, :, np.newaxis]
    down = down[:, np.newaxis, np.newaxis]
    rows = small[:, left] * (256 - along) + small[:, right] * along
    picture = (rows[top] * (256 - down) + rows[bottom] * down) // 65536
    return np.roll(picture, shift, axis=1)


def activate(scores: np.ndarray, kind: str) -> np.ndarray:
    """Probabilities from a network's output; the class axis is the first."""
    if kind == "sigmoid":
        return 1 / (1 + np.exp(-scores))
    if kind == "softmax":
        powers = np.exp(scores - scores.max(axis=0, keepdims=True))
        return powers / powers.sum(axis=0, keepdims=True)
    return scores


def run(network: Network, folder: Path) -> np.ndarray:
    """The person probabilities of the last frame at the grid's places."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(folder / network.file), options)
    states = {name: np.zeros((1, channels, network.height // divisor, network.width // divisor),
                             np.float32) for name, _, channels, divisor in network.states}
    outputs = [network.output or session.get_outputs()[0].name]
    outputs += [name for _, name, _, _ in network.states]
    for frame in range(RECURRENT_FRAMES if network.states else 1):
        picture = person(network.width, network.height, 4 * frame).astype(np.float64)
        if network.bgr:
            picture = picture[..., ::-1]
        fed = ((picture - network.mean) / network.std).astype(np.float32)
        fed = fed if network.nhwc else fed.transpose(2, 0, 1)
        results = session.run(outputs, {session.get_inputs()[0].name: fed[np.newaxis], **states})
        states = {names[0]: state for names, state in zip(network.states, results[1:])}
    scores = results[0][0].astype(np.float64)
    scores = scores.transpose(2, 0, 1) if network.nhwc else scores
    share = activate(scores, network.activation)[list(network.person)].sum(axis=0)
    rows, columns = (((2 * np.arange(GRID) + 1) * size) // (2 * GRID) for size in share.shape)
    return share[np.ix_(rows, columns)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("models", type=Path, help="the folder of the shared models")
    parser.add_argument("--out", type=Path, default=HERE / "models.txt",
                        help="the file to write (default: models.txt beside this script)")
    arguments = parser.parse_args()
    lines = []
    for network in NETWORKS:
        grid = run(network, arguments.models)
        frames = RECURRENT_FRAMES if network.states else 1
        lines.append(f"{network.name} {network.file} {frames}")
        lines += [" ".join(f"{number:.5f}" for number in row) for row in grid]
    arguments.out.write_text("\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    main()
