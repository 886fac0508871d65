"""vrseg-train with a tiny network on drawn pictures: it learns, goes on after a stop to the same
bits, leaves whole files alone, and ends in a model. Augmentation moves masks with pictures."""

import io
import json
import os
import signal
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
import onnx
import torch
from PIL import Image

from pytorch_path import run
import augment
import curves
import dataset
import export
import train
from errors import UserError
from pictures import Pair

SIZE = 64


def draw(folder: Path, count: int) -> None:
    """Pairs: a bright disc somewhere on dark noise, and its mask."""
    random = np.random.default_rng(4)
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    for number in range(count):
        centre, radius = random.uniform(16, 48, 2), random.uniform(8, 16)
        disc = (x - centre[0]) ** 2 + (y - centre[1]) ** 2 < radius ** 2
        codes = random.integers(0, 90, (SIZE, SIZE, 3)) + 150 * disc[..., np.newaxis]
        Image.fromarray(codes.astype(np.uint8)).save(folder / f"{number:03}.bmp")
        Image.fromarray(disc.astype(np.uint8)).save(folder / f"{number:03}.png")


class StopAt:
    """In place of train.Stop: stops after so many questions."""

    def __init__(self, steps: int) -> None:
        self.left, self.signal = steps, signal.SIGTERM

    def __call__(self, _seconds: float | None) -> "StopAt":
        return self

    def __bool__(self) -> bool:
        self.left -= 1
        return self.left < 0


class Drawn(unittest.TestCase):
    """A folder of drawn pairs, and vrseg-train on it."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        self.data = self.folder / "data"
        self.data.mkdir()
        draw(self.data, 20)
        for number in (signal.SIGINT, signal.SIGTERM):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.addCleanup(torch.use_deterministic_algorithms, False)

    def train(self, out: str, *arguments: object) -> tuple[int, str, str]:
        """vrseg-train with what all these tests give."""
        return run(train.main, self.data, "--network", "deeplabv3plus-tiny", "--size",
                   f"{SIZE}x{SIZE}", "--batch", 6, "--device", "cpu", "--out", self.folder / out,
                   *arguments)

    def state(self, out: str) -> dict:
        """What a run's checkpoint holds."""
        return torch.load(self.folder / out / "checkpoint.pt", weights_only=True)


class TrainTest(Drawn):
    def test_learns_and_exports(self) -> None:
        status, said, error = self.train("run", "--epochs", 14, "--rate", 0.01, "--val-share", 0.2)
        self.assertEqual((status, error), (0, ""))
        lines = (self.folder / "run" / "log.jsonl").read_text(encoding="utf-8").splitlines()
        history = [json.loads(line) for line in lines]
        self.assertEqual([entry["epoch"] for entry in history], list(range(1, 15)))
        self.assertLess(history[-1]["loss"], history[0]["loss"] / 2)
        self.assertGreater(history[-1]["iou"], 0.7)
        self.assertIn("16 pairs to train on, 4 to check with", said)
        model = onnx.load(self.folder / "run" / "deeplabv3plus-tiny.onnx")
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0].dim_param, "batch")
        with Image.open(self.folder / "run" / "curves.png") as picture:
            self.assertGreater(picture.size[0], 500)
        status, _, error = run(export.main, "deeplabv3plus-tiny", "--checkpoint",
                               self.folder / "run" / "checkpoint.pt", "--size", f"{SIZE}x{SIZE}",
                               "--out", self.folder / "again")
        self.assertEqual((status, error), (0, ""))
        again = onnx.load(self.folder / "again" / "deeplabv3plus-tiny.onnx")
        self.assertEqual([entry.raw_data for entry in model.graph.initializer],
                         [entry.raw_data for entry in again.graph.initializer])

    def test_goes_on_to_the_same_bits(self) -> None:
        options = ("--epochs", 4, "--precision", "bf16", "--seed", 7)
        self.assertEqual(self.train("straight", *options)[0], 0)
        for steps in (4, 3):  # within the second epoch, and at the end of the next
            with mock.patch.object(train, "Stop", StopAt(steps)):
                resume = ("--resume",) if (self.folder / "stopped").exists() else ()
                status, said, _ = self.train("stopped", *options, *resume)
            self.assertEqual(status, 128 + signal.SIGTERM)
            self.assertIn("--resume goes on", said)
            self.assertFalse(list((self.folder / "stopped").glob("*.onnx")))
        self.assertEqual(self.state("stopped")["step"], 7)
        self.assertEqual(self.train("stopped", *options, "--resume")[0], 0)
        for name in ("deeplabv3plus-tiny.onnx", "log.jsonl"):
            self.assertEqual((self.folder / "straight" / name).read_bytes(),
                             (self.folder / "stopped" / name).read_bytes(), name)
        straight, stopped = self.state("straight"), self.state("stopped")
        for key, value in straight["network"].items():
            self.assertTrue(torch.equal(value, stopped["network"][key]), key)
        status, _, _ = self.train("other", *options[:-1], 8)
        self.assertEqual(status, 0)
        self.assertNotEqual((self.folder / "straight" / "deeplabv3plus-tiny.onnx").read_bytes(),
                            (self.folder / "other" / "deeplabv3plus-tiny.onnx").read_bytes())

    def test_a_failed_save_leaves_the_old_one(self) -> None:
        with mock.patch.object(train, "Stop", StopAt(3)):
            self.train("run", "--epochs", 2)
        before = (self.folder / "run" / "checkpoint.pt").read_bytes()

        def half(_state: dict, stream: io.IOBase) -> None:
            stream.write(before[:100])
            raise OSError(28, "No space left on device")

        with mock.patch.object(torch, "save", half):
            status, _, said = self.train("run", "--epochs", 2, "--resume")
        self.assertEqual(status, 1)
        self.assertIn("No space left", said)
        self.assertEqual((self.folder / "run" / "checkpoint.pt").read_bytes(), before)
        self.assertFalse(list((self.folder / "run").glob(".*")))

    def test_init(self) -> None:
        with mock.patch.object(train, "Stop", StopAt(3)):
            self.train("first", "--epochs", 2)
        state = self.state("first")["network"]
        state["head.weight"] = torch.zeros(21, 32, 1, 1)
        torch.save(state, self.folder / "init.pt")
        with mock.patch.object(train, "Stop", StopAt(0)):
            _, said, _ = self.train("second", "--init", self.folder / "init.pt")
        self.assertIn("no fitting weights for 1 tensors, from head.weight on", said)
        found = self.state("second")["network"]
        self.assertTrue(torch.equal(found["stem.0.weight"], state["stem.0.weight"]))
        torch.save({"a": torch.zeros(1)}, self.folder / "init.pt")
        status, _, said = self.train("third", "--init", self.folder / "init.pt")
        self.assertEqual(status, 1)
        self.assertIn("of another network", said)


class RefuseTest(Drawn):
    def assert_refused(self, words: str, *arguments: object, out: str = "run") -> None:
        """One sentence with these words and exit status 1."""
        status, _, said = self.train(out, *arguments)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)
        self.assertEqual(said.count("\n"), 1, said)

    def test_arguments(self) -> None:
        self.assert_refused("--batch is at least 2", "--batch", 1)
        self.assert_refused("a smaller --batch", "--batch", 19)
        self.assert_refused("--val-share is a part", "--val-share", 0.9)
        self.assert_refused("too few to keep", "--val-share", 0.01)
        self.assert_refused("needs a GPU", "--precision", "fp16")
        self.assert_refused("--device nowhere", "--device", "nowhere")
        self.assert_refused("multiples of 16", "--size", "60x64")
        self.assert_refused("no network", "--network", "resnet")
        self.assert_refused("no name of a model", "--name", "a/b")
        self.assert_refused("no checkpoint to go on with", "--resume")

    def test_data(self) -> None:
        (self.data / "001.png").unlink()
        self.assert_refused("has no mask")
        Image.fromarray(np.zeros((5, 6), np.uint8)).save(self.data / "001.png")
        self.assert_refused("is 6x5 and its picture 64x64", "--val-share", 0)
        (self.data / "001.png").write_bytes(b"no picture")
        self.assert_refused("cannot be read as a picture", "--val-share", 0, out="second")

    def test_checkpoints(self) -> None:
        with mock.patch.object(train, "Stop", StopAt(2)):
            self.train("run", "--epochs", 2)
        self.assert_refused("--resume goes on with it", "--epochs", 2)
        self.assert_refused("--epochs 2, and this has 3", "--epochs", 3, "--resume")
        (self.data / "000.bmp").unlink()
        self.assert_refused("other pictures than those", "--epochs", 2, "--resume")
        draw(self.data, 1)
        path = self.folder / "run" / "checkpoint.pt"
        state = self.state("run")
        torch.save({**state, "version": 99}, path)
        self.assert_refused("another version", "--epochs", 2, "--resume")
        torch.save([1], path)
        self.assert_refused("is no checkpoint", "--epochs", 2, "--resume")
        path.write_bytes(path.read_bytes()[:50])
        self.assert_refused("is no checkpoint", "--epochs", 2, "--resume")

    def test_a_loss_that_is_no_number(self) -> None:
        self.assert_refused("smaller --rate", "--rate", 1e30, "--epochs", 3)


class PartsTest(unittest.TestCase):
    def test_augmentation_moves_the_mask_with_the_picture(self) -> None:
        y, x = np.mgrid[0:SIZE, 0:SIZE]
        disc = ((x - 20) ** 2 + (y - 40) ** 2 < 150).astype(np.uint8)
        masks = torch.from_numpy(np.stack([disc] * 8))
        codes = (masks * 255).unsqueeze(1).expand(-1, 3, -1, -1)
        with mock.patch.object(augment, "recoloured", lambda pictures, _random: pictures):
            moved, found = augment.augmented(codes, masks, torch.Generator().manual_seed(1))
        self.assertTrue(torch.equal((moved[:, 0] > 0.5).float(), found))
        self.assertEqual(len({tuple(mask.flatten().tolist()) for mask in found}), 8)

    def test_augmentation_goes_by_the_seed(self) -> None:
        codes = torch.randint(0, 256, (3, 3, 32, 48), dtype=torch.uint8)
        masks = torch.randint(0, 2, (3, 32, 48), dtype=torch.uint8)
        one, same, other = (augment.augmented(codes, masks, torch.Generator().manual_seed(seed))
                            for seed in (1, 1, 2))
        self.assertTrue(torch.equal(one[0], same[0]) and torch.equal(one[1], same[1]))
        self.assertFalse(torch.equal(one[0], other[0]))
        self.assertGreaterEqual(one[0].min(), 0)
        self.assertLessEqual(one[0].max(), 1)

    def test_rate(self) -> None:
        rates = [train.rate_at(step, 100, 2.0) for step in range(100)]
        self.assertAlmostEqual(max(rates), 2.0)
        self.assertEqual(rates.index(max(rates)), 4)
        self.assertTrue(all(a >= b for a, b in zip(rates[5:], rates[6:])))
        self.assertGreater(rates[-1], 0)

    def test_loss(self) -> None:
        masks = torch.tensor([[[0.0, 1.0]]])
        right = torch.tensor([[[[9.0, -9.0]], [[-9.0, 9.0]]]])
        self.assertLess(train.loss_of(right, masks).item(), 1e-4)
        even = train.loss_of(torch.zeros(1, 2, 1, 2), masks).item()
        self.assertAlmostEqual(even, np.log(2) + 1 - (2 * 0.5 + 1) / (1 + 1 + 1), places=5)

    def test_signals(self) -> None:
        before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            stop = train.Stop(None)
            self.assertFalse(stop)
            os.kill(os.getpid(), signal.SIGTERM)
            self.assertTrue(stop)
            self.assertEqual(stop.signal, signal.SIGTERM)
            with self.assertRaises(KeyboardInterrupt):
                os.kill(os.getpid(), signal.SIGINT)
            self.assertTrue(train.Stop(0))
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def test_memory_does_not_change_batches(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            draw(folder, 5)
            pairs = [Pair(path, path.with_suffix(".png")) for path in sorted(folder.glob("*.bmp"))]
            none, some = (dataset.PairSet(pairs, 24, 32, budget) for budget in (0, 3 * 24 * 32 * 4))
            for indices in ([0, 1, 2], [4, 3, 0], [0, 1, 2]):
                for first, second in zip(none.batch(indices), some.ahead(indices).result()):
                    self.assertTrue(torch.equal(first, second))
            self.assertEqual(none.batch([1])[0].shape, (1, 3, 32, 24))

    def test_split(self) -> None:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            draw(folder, 10)
            trained, checked = dataset.split(folder, 0.2)
            self.assertEqual([pair.picture.stem for pair in checked], ["004", "009"])
            self.assertEqual(len(trained), 8)
            self.assertEqual(len(dataset.split(folder, 0)[0]), 10)
            with self.assertRaises(UserError):
                dataset.split(folder / "absent", 0)

    def test_curves(self) -> None:
        history = [{"epoch": 1, "loss": 2.0}, {"epoch": 2, "loss": 1.0, "iou": 0.5}]
        with Image.open(io.BytesIO(curves.drawn(history, "a title"))) as picture:
            codes = np.asarray(picture.convert("RGB")).reshape(-1, 3).astype(int)
        red = (codes[:, 0] > 180) & (codes[:, 1] < 80)
        blue = (codes[:, 2] > 150) & (codes[:, 0] < 80)
        self.assertGreater(red.sum(), 100)
        self.assertGreater(blue.sum(), 10)


if __name__ == "__main__":
    unittest.main()
