"""PyTorch: modules as models, exported once; tensors as frames and masks as tensors, not copied."""

import gc
import os
import subprocess
import sys
import threading
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.utils.data import DataLoader

import support

support.use_package()

import vrseg  # noqa: E402
from vrseg import export, images  # noqa: E402
from vrseg.datasets import FrameDataset  # noqa: E402

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


class Datasets(unittest.TestCase):
    """Gray clips, a level for each frame: what comes in which order is seen."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.clips = [cls.make(f"{name}.y4m", levels) for name, levels in
                     (("a", [10, 20, 30, 40, 50]), ("b", [110, 120, 130]))]
        cls.masks = [cls.make("am.y4m", [235, 16, 235, 16, 235]), cls.make("bm.y4m", [16, 16, 235])]
        cls.spec = vrseg.TensorSpec(8, 6)

    @staticmethod
    def make(name: str, levels: list[int]) -> Path:
        """A Y4M file of 16x12."""
        path = support.FOLDER / name
        with open(path, "wb") as file:
            file.write(b"YUV4MPEG2 W16 H12 F25:1 C420jpeg\n")
            for level in levels:
                file.write(b"FRAME\n" + bytes([level]) * 192 + bytes([128]) * 96)
        return path

    def level(self, tensor: torch.Tensor) -> int:
        """The luma that a tensor was made of."""
        self.assertEqual((tensor.shape, tensor.dtype), ((3, 6, 8), torch.float32))
        return round(float(tensor.mean()) * 219 / 255 + 16)

    def test_order(self) -> None:
        data = FrameDataset(self.clips, self.spec)
        for _ in range(2):  # each time from the start
            self.assertEqual([self.level(t) for t in data], [16, 20, 30, 40, 50, 110, 120, 130])
        data = FrameDataset(self.clips, self.spec, every=2, ahead=1)
        self.assertEqual([self.level(t) for t in data], [16, 30, 50, 110, 130])

    def test_targets(self) -> None:
        data = FrameDataset(self.clips, self.spec, targets=self.masks)
        found = [(self.level(t), mask.unique().tolist(), tuple(mask.shape), mask.dtype)
                 for t, mask in data]
        self.assertEqual([(level, values) for level, values, *_ in found],
                         [(16, [1]), (20, [0]), (30, [1]), (40, [0]), (50, [1]), (110, [0]),
                          (120, [0]), (130, [1])])
        self.assertEqual(set(f[2:] for f in found), {((6, 8), torch.uint8)})
        with self.assertRaisesRegex(ValueError, "another number of frames"):
            list(FrameDataset(self.clips, self.spec, targets=self.masks[::-1]))
        with self.assertRaisesRegex(ValueError, "2 inputs have 1 targets"):
            FrameDataset(self.clips, self.spec, targets=self.masks[:1])

    def test_loader(self) -> None:
        """Batches, and workers that share the inputs: each frame once."""
        for workers in (0, 2):
            loader = DataLoader(FrameDataset(self.clips, self.spec), batch_size=3,
                                num_workers=workers)
            levels = sorted(self.level(t) for batch in loader for t in batch)
            self.assertEqual(levels, [16, 20, 30, 40, 50, 110, 120, 130])

    def test_training(self) -> None:
        """vrseg-train takes clips; without the package it says what to do."""
        data = support.FOLDER / "pairs"
        data.mkdir()
        for i in range(3):
            Image.new("RGB", (32, 32), (90 * i, 0, 0)).save(data / f"{i}.bmp")
            Image.new("L", (32, 32), i % 2).save(data / f"{i}.png")

        script = f"""
import sys
sys.path.insert(0, {str(support.SOURCE / "tools" / "pytorch")!r})
import train
from errors import UserError
common = [{str(data)!r}, "--size", "32x32", "--batch", "3", "--val-share", "0", "--device", "cpu",
          "--out", "nowhere", "--clip", {str(self.clips[0])!r}, {str(self.masks[0])!r}]
for more in (["--clip", {str(self.clips[1])!r}, {str(self.masks[1])!r}, "--clip-every", "2"],
             ["--clip", {str(self.clips[1])!r}, {str(self.masks[0])!r}],
             ["--clip", "no-such.mp4", {str(self.masks[0])!r}],
             ["--memory", "0.000003"]):
    try:
        plan = train.prepared(train.parser_of().parse_args(common + more))
        codes, masks = plan.train.batch([0, 4, 7])
        print(len(plan.train), tuple(codes.shape), tuple(masks.shape), int(codes[1].max()),
              masks.amax((1, 2)).tolist())
    except UserError as error:
        print(error)
"""
        for path, expected in (
                (":".join(sys.path),
                 [r"^8 \(3, 3, 32, 32\) \(3, 32, 32\) 16 \[0, 1, 1\]$", "another number of frames",
                  "no-such.mp4", "--clip-every"]),
                ("", 4 * ["make wheel"])):
            done = subprocess.run([sys.executable, "-B", "-c", script], capture_output=True,
                                  text=True, check=False, timeout=support.PATIENCE,
                                  env=os.environ | {"PYTHONPATH": path})
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            said = done.stdout.splitlines()
            self.assertEqual(len(said), 4, done.stdout)
            for line, pattern in zip(said, expected):
                self.assertRegex(line, pattern)

    def test_ends(self) -> None:
        """An iteration that is given up ends its thread; errors reach the one who iterates."""
        before = threading.active_count()
        iterator = iter(FrameDataset(self.clips, self.spec, ahead=1))
        next(iterator)
        iterator.close()
        self.assertEqual(threading.active_count(), before)
        with self.assertRaises(FileNotFoundError):
            list(FrameDataset(["no-such.mp4"], self.spec))
        with self.assertRaises(ZeroDivisionError):
            list(FrameDataset(self.clips, self.spec, transform=lambda t: 1 / 0))
        self.assertEqual(threading.active_count(), before)
        doubled = FrameDataset(self.clips[1:], self.spec, transform=lambda t: t * 2)
        self.assertGreater(float(next(iter(doubled)).mean()), 200)


if __name__ == "__main__":
    support.main()
