"""The networks in ../shared/models, and how each wants its picture and gives its person mask.

One row a network: what a user of ONNX Runtime has to know before he can run it. `name` is the one
that `vrseg models` lists. Formulas: network = (pixel - mean) / scale, on pixels of 0..255.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class OnnxModel:
    """Size is (height, width) of the input; person is the channel(s) of the output that count."""

    name: str
    file: str
    size: tuple[int, int]
    mean: tuple[float, float, float]
    scale: tuple[float, float, float]
    output: str  # probability, softmax, arg-max, heatmap (sigmoid), recurrent
    person: tuple[int, ...] = (0,)
    resize: str = "linear"  # how pictures are shrunk: linear (2 taps) or area
    bgr: bool = False
    nhwc: bool = False


_UNIT = ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0))
_SIGNED = ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5))
_IMAGENET = ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))

MODELS = (
    OnnxModel("selfie", "mediapipe_selfie_256_nchw.onnx", (256, 256), *_UNIT,
              "probability"),
    OnnxModel("selfie-landscape", "mediapipe_selfie_landscape_144x256_nchw.onnx", (144, 256),
              *_UNIT, "probability"),
    OnnxModel("selfie-multiclass", "mediapipe_selfie_multiclass_256_nchw.onnx", (256, 256),
              *_SIGNED, "softmax", (1, 2, 3, 4, 5)),
    OnnxModel("deeplabv3-mnv2", "deeplabv3_mnv2_dm10_voc21_513_dequant_nchw.onnx", (513, 513),
              (128.0, 128.0, 128.0), (128.0, 128.0, 128.0), "arg-max", (15,)),
    OnnxModel("pphumanseg-lite", "pphumanseg_lite_portrait_398x224_softmax.onnx", (224, 398),
              *_SIGNED, "probability", (1,)),
    OnnxModel("sinet-portrait", "sinet_softmax_simple_320.onnx", (320, 320),
              (102.89, 111.25, 126.91), (62.93 * 255, 62.82 * 255, 66.36 * 255), "probability",
              (1,), bgr=True),
    OnnxModel("bodypix", "bodypix_mnv1_050_stride16.onnx", (513, 513), *_SIGNED, "heatmap",
              nhwc=True),
    OnnxModel("deeplabv3plus-r50-person", "deeplabv3plus_r50_person_512.onnx", (512, 512),
              *_IMAGENET, "softmax", (1,), "area"),
    OnnxModel("rvm-mobilenetv3", "rvm_mobilenetv3_dequant_ratio1_dyn.onnx", (256, 256), *_UNIT,
              "recurrent"),
)


def find(wanted: str) -> OnnxModel | None:
    """The row of a network, by its name or by the name of its file."""
    for model in MODELS:
        if wanted == model.name or wanted.rsplit("/", 1)[-1] == model.file:
            return model
    return None
