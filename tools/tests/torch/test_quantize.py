"""vrseg-quantize on a small network: the file is QDQ with symmetric bytes, the table is there, what
is sensitive stays in floating point, the program runs it in INT8, mistakes are one sentence."""

import logging
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from PIL import Image
from torch import nn

from pytorch_path import VRSEG, run
import descriptor
import graph
import quantize
from descriptor import Descriptor

WIDTH, HEIGHT = 48, 32


class Bright(nn.Module):
    """A person is what is bright: exact but for rounding. With `wild`, one layer has a channel of
    a thousand times the others' size that a later one takes away again, which 8 bits a tensor
    cannot hold."""

    def __init__(self, wild: bool = False) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 4, 1),
                                     nn.Conv2d(4, 2, 1)])
        with torch.no_grad():
            for layer in self.layers:
                layer.weight.zero_()
                layer.bias.zero_()
            self.layers[0].weight[0, :, 0, 0] = 1 / 3
            self.layers[0].weight[1, 0, 0, 0] = 4000.0 if wild else 1.0
            self.layers[0].bias[1] = 1.0
            for layer in self.layers[1:3]:
                layer.weight[:, :, 0, 0] = torch.eye(4)
            self.layers[2].weight[1, 1] = 0
            self.layers[3].weight[:, 0, 0, 0] = torch.tensor([-20.0, 20.0])
            self.layers[3].bias.copy_(torch.tensor([9.0, -9.0]))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


def draw(folder: Path, count: int) -> None:
    """images/ and masks/: a bright rectangle on dark noise."""
    random = np.random.default_rng(2)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        top, left = random.integers(0, 16, 2)
        mask[top:top + 12, left:left + 20] = 1
        codes = random.integers(0, 70, (HEIGHT, WIDTH, 3)) + mask[..., np.newaxis] * 150
        Image.fromarray(codes.astype(np.uint8)).save(folder / "images" / f"{number}.png")
        Image.fromarray(mask).save(folder / "masks" / f"{number}.png")


class QuantizeTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.addCleanup(logging.getLogger().setLevel, logging.getLogger().level)
        self.folder = Path(folder.name)
        draw(self.folder / "pairs", 6)

    def make(self, name: str, wild: bool = False, half: bool = False) -> Path:
        """A model of that name; with `half` its weights are FP16 behind a Cast."""
        model = graph.export(Bright(wild), HEIGHT, WIDTH)
        if half:
            for entry in list(model.graph.initializer):
                values = numpy_helper.to_array(entry).astype(np.float16)
                stored = numpy_helper.from_array(values, entry.name + "_f16")
                model.graph.initializer.append(stored)
                model.graph.node.insert(0, helper.make_node("Cast", [stored.name], [entry.name],
                                                            to=TensorProto.FLOAT))
                model.graph.initializer.remove(entry)
        d = Descriptor(title="bright", licence="MIT", source="bring your own: drawn", width=WIDTH,
                       height=HEIGHT, classes=("background", "person"), person=(1,),
                       activation="softmax", divisors=(255.0,) * 3, input=graph.INPUT,
                       output=graph.OUTPUT, output_width=WIDTH, output_height=HEIGHT,
                       test_only=True)
        onnx.save(model, self.folder / f"{name}.onnx")
        path = self.folder / f"{name}.yaml"
        path.write_text(descriptor.text_of(d), encoding="utf-8")
        return path

    def quantize(self, model: Path, *arguments: object) -> tuple[int, str, str]:
        """vrseg-quantize with what most of these tests give."""
        return run(quantize.main, model, "--pictures", self.folder / "pairs", "--frames", 4,
                   "--threads", 1, *arguments)

    def assert_refused(self, words: str, model: object, *arguments: object) -> None:
        """One sentence with these words, and no file."""
        status, _, said = self.quantize(model, *arguments)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertFalse(list(self.folder.glob("*-int8.*")))

    def test_all_layers(self) -> None:
        for half in (False, True):
            path = self.make("bright", half=half)
            status, said, error = self.quantize(path, "--check", self.folder / "pairs")
            self.assertEqual((status, error), (0, ""))
            self.assertIn("one set of layers in INT8, 6 pictures", said)
            self.assertRegex(said, r"100\.0% +\d+\.\d +-?0\.00\d+ +[01]\.\d+  none")
            self.assertIn("pairs, all 6: IoU", said)
            model = onnx.load(self.folder / "bright-int8.onnx")
            self.check_qdq(model, layers=4)
            d = descriptor.read(self.folder / "bright-int8.yaml")
            self.assertEqual((d.title, d.test_only), ("bright, INT8", True))
            x = np.random.default_rng(1).random((3, 3, HEIGHT, WIDTH), np.float32) * 0.8
            exact, found = (onnxruntime.InferenceSession(str(self.folder / f"{name}.onnx"),
                                                         providers=["CPUExecutionProvider"])
                            .run(None, {graph.INPUT: x})[0] for name in ("bright", "bright-int8"))
            self.assertEqual(found.shape, exact.shape)
            off = np.abs(found - exact).max()
            self.assertTrue(0 < off < 0.05 * np.ptp(exact), off)

    def check_qdq(self, model: onnx.ModelProto, layers: int) -> None:
        """Every layer's input and weights come out of a DequantizeLinear of symmetric bytes."""
        makers = {node.output[0]: node for node in model.graph.node}
        constants = {entry.name: numpy_helper.to_array(entry)
                     for entry in model.graph.initializer}
        quantised = 0
        for node in model.graph.node:
            if node.op_type != "Conv":
                continue
            into = [makers.get(name) for name in node.input[:2]]
            if not all(maker is not None and maker.op_type == "DequantizeLinear" for maker in into):
                continue
            quantised += 1
            self.assertEqual(constants[into[1].input[0]].dtype, np.int8)
            for maker in into:
                zero = constants[maker.input[2]]
                self.assertEqual(zero.dtype, np.int8)
                self.assertFalse(zero.any())
        self.assertEqual(quantised, layers)

    def test_what_is_sensitive_stays(self) -> None:
        path = self.make("wild", wild=True)
        status, said, error = self.quantize(path, "--check", self.folder / "pairs", "--max-loss",
                                            0.02)
        self.assertEqual((status, error), (0, ""), said)
        self.assertIn("in floating point", said)
        model = onnx.load(self.folder / "wild-int8.onnx")
        kept = sum(node.op_type == "Conv" and "DequantizeLinear" not in node.input[1]
                   for node in model.graph.node)
        self.assertTrue(1 <= kept <= 3, said)
        self.assert_still_right(said)

    def assert_still_right(self, said: str) -> None:
        """The loss over all pairs is within what was asked for."""
        line = [line for line in said.splitlines() if "pairs, all 6" in line][-1]
        self.assertLessEqual(float(line.split("loss ")[1].split(";")[0]), 0.02)

    def test_without_masks_it_compares_with_fp32(self) -> None:
        status, said, _ = self.quantize(self.make("bright"), "--max-loss", 0.05, "--name", "x-int8")
        self.assertEqual(status, 0)
        self.assertIn("4 pictures", said)
        self.assertTrue((self.folder / "x-int8.onnx").is_file())

    def test_video(self) -> None:
        video = self.folder / "clip.mkv"
        subprocess.run(["ffmpeg", "-v", "error", "-f", "lavfi", "-i",
                        "testsrc=size=64x48:rate=10:duration=2", "-c:v", "ffv1", video], check=True)
        status, said, error = run(quantize.main, self.make("bright"), "--video", video, "--frames",
                                  5, "--max-loss", 0.3, "--threads", 1)
        self.assertEqual((status, error), (0, ""))
        self.assertIn("ranges by 5 pictures", said)
        self.assert_video_refused("no such video", self.folder / "absent.mkv")
        self.assert_video_refused("no video that FFmpeg reads", self.folder / "bright.yaml")

    def assert_video_refused(self, words: str, video: Path) -> None:
        """One sentence about the video."""
        status, _, said = run(quantize.main, self.folder / "bright.yaml", "--video", video)
        self.assertEqual(status, 1)
        self.assertIn(words, said)
        self.assertEqual(said.count("\n"), 1, said)

    def test_refusals(self) -> None:
        path = self.make("bright")
        weights = path.with_suffix(".onnx")
        self.assert_refused("at a loss of 0.001;", self.make("wild", wild=True), "--max-loss",
                            0.001, "--sets", 1)
        self.assert_refused("no such descriptor", self.folder / "absent.yaml")
        self.assert_refused("from 0 to less than 1", path, "--max-loss", 2)
        self.assert_refused("are at least 1", path, "--sets", 0)
        self.assert_refused("no such folder", path, "--check", self.folder / "absent")
        status, _, said = run(quantize.main, path)
        self.assertEqual(status, 1)
        self.assertIn("give --video", said)
        good = weights.read_bytes()
        weights.write_bytes(good[:len(good) // 2])
        self.assert_refused("cannot be read as an ONNX file", path)
        weights.write_bytes(good)
        self.assertEqual(self.quantize(path)[0], 0)
        again = self.folder / "again.yaml"
        (self.folder / "bright-int8.yaml").rename(again)
        (self.folder / "bright-int8.onnx").rename(again.with_suffix(".onnx"))
        self.assert_refused("is quantised already", again)

    def test_sets(self) -> None:
        layers = [(str(number), 1) for number in range(20)]
        for count in (1, 2, 3, 8, 20, 30):
            found = quantize.sets_of(layers, count)
            self.assertEqual([name for entry in found for name in entry.nodes],
                             [name for name, _ in layers])
            self.assertEqual(len(found), min(count, 20))
            if count > 2:
                self.assertEqual((found[0].nodes, found[-1].nodes), (("0",), ("19",)))
        self.assertEqual(quantize.sets_of(layers[:1], 8)[0].nodes, ("0",))

    def test_evenly(self) -> None:
        self.assertEqual(quantize.evenly([1, 2], 5), [1, 2])
        self.assertEqual(quantize.evenly(list(range(11)), 3), [0, 5, 10])

    @unittest.skipUnless(VRSEG, "the program is known when Meson runs the tests")
    def test_the_program_runs_it_in_int8(self) -> None:
        self.assertEqual(self.quantize(self.make("bright"))[0], 0)
        environment = dict(os.environ, XDG_CACHE_HOME=str(self.folder / "cache"))
        picture = self.folder / "pairs" / "images" / "0.png"
        done = subprocess.run([VRSEG, "run", picture, "-o", self.folder / "mask.png", "--model",
                               self.folder / "bright-int8.yaml", "--precision", "int8"],
                              env=environment, text=True, check=False, capture_output=True)
        if done.returncode != 0 and ("OpenVINO" in done.stderr or "this CPU" in done.stderr):
            self.skipTest(done.stderr.strip())
        self.assertEqual(done.returncode, 0, done.stderr)
        with Image.open(self.folder / "mask.png") as mask, \
                Image.open(self.folder / "pairs" / "masks" / "0.png") as truth:
            found, wanted = np.asarray(mask.convert("L")) > 127, np.asarray(truth) != 0
        self.assertGreater((found & wanted).sum() / (found | wanted).sum(), 0.95)


if __name__ == "__main__":
    unittest.main()
