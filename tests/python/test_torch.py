"""PyTorch: modules as models, exported once; tensors as frames and masks as tensors, not copied."""

import gc
import os
import sys
import unittest
from unittest import mock

import numpy as np
import torch
from torch import nn

import support

support.use_package()

import vrseg  # noqa: E402
from vrseg import export, images  # noqa: E402

REASON = support.runs_here()


class Tiny(nn.Module):
    """Scores of person: how much brighter a pixel is than a half."""

    def __init__(self, sign: float = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 1, 1)
        nn.init.constant_(self.conv.weight, 20 * sign)
        nn.init.constant_(self.conv.bias, -30 * sign)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


FEED = {"size": (32, 16), "classes": ("person",), "mean": (0, 0, 0), "std": (1, 1, 1)}


class Export(unittest.TestCase):
    def test_cached(self) -> None:
        first = export.export_module(Tiny(), **FEED)
        self.assertTrue(first.is_file() and first.with_suffix(".onnx").is_file())
        self.assertTrue(first.is_relative_to(os.environ["XDG_CACHE_HOME"]))
        with mock.patch.object(export, "_export", side_effect=AssertionError):
            self.assertEqual(export.export_module(Tiny(), **FEED), first)  # not again
        others = [export.export_module(Tiny(-1), **FEED),
                  export.export_module(Tiny(), **FEED | {"size": (64, 16)}),
                  export.export_module(Tiny(), **FEED | {"mean": (0.5, 0.5, 0.5)})]
        self.assertEqual(len({first, *others}), 4)

    def test_leaves_no_trace(self) -> None:
        """Neither in sys.path and sys.modules nor in the module."""
        module = Tiny().train()
        path = list(sys.path)
        export.export_module(module, **FEED | {"size": (48, 16)})
        self.assertTrue(module.training)
        self.assertEqual(sys.path, path)
        self.assertNotIn("graph", sys.modules)
        self.assertNotIn("export", sys.modules)

    def test_refused(self) -> None:
        class Flat(nn.Module):
            def forward(self, x: torch.Tensor) -> torch.Tensor:
                return x.flatten(1)

        with self.assertRaisesRegex(ValueError, "Flat"):
            export.export_module(Flat(), **FEED)
        with self.assertRaisesRegex(ValueError, "classes"):
            export.export_module(Tiny(), **FEED | {"classes": ("background", "person")})
        with self.assertRaisesRegex(TypeError, "not dict"):
            export.export_module({}, **FEED)


@unittest.skipIf(REASON, REASON)
class Tensors(unittest.TestCase):
    def test_module_as_model(self) -> None:
        frame = torch.zeros(16, 32, 3, dtype=torch.uint8)
        frame[:, 16:] = 255
        pipeline = vrseg.AsyncPipeline(Tiny(), {"mask": {"refine": "off"}}, device_id="cpu",
                                       export=FEED)
        pipeline.start()
        pipeline.submit_frame(frame, 7)
        result = pipeline.get_result()
        self.assertEqual((result.frame_id, result.error), (7, None))
        mask = torch.from_dlpack(result)
        self.assertEqual(tuple(mask.shape), (16, 32))
        self.assertEqual((int(mask[:, :15].max()), int(mask[:, 17:].min())), (0, 255))
        pipeline.close()

    def test_no_copy(self) -> None:
        frame = torch.zeros(16, 32, 3, dtype=torch.uint8)
        picture = images.picture_of(frame)
        self.assertEqual(picture.planes[0].ctypes.data, frame.data_ptr())
        with vrseg.AsyncPipeline(support.MODEL, None, "cpu") as pipeline:
            pipeline.submit_frame(frame)
            result = pipeline.get_result()
            tensor = torch.from_dlpack(result)
            self.assertEqual(tensor.data_ptr(), result.mask.ctypes.data)
            expected = result.mask.copy()
            del result
        gc.collect()
        self.assertTrue(np.array_equal(tensor.numpy(), expected))  # it keeps the result
        del tensor
        gc.collect()
        self.assertEqual(images.kept_count(), 0)


if __name__ == "__main__":
    support.main()
