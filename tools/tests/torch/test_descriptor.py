"""Descriptors: what is written says what was meant, and is read back as that; what is no descriptor
is refused with a sentence."""

import tempfile
import unittest
from dataclasses import replace
from pathlib import Path

import numpy as np

import pytorch_path
import descriptor
from descriptor import Descriptor
from errors import UserError

PLAIN = Descriptor(title="a title", licence="MIT", source="bring your own: x", width=64, height=48,
                   classes=("background", "person"), person=(1,), activation="softmax",
                   mean=(123.675, 116.28, 103.53), divisors=(58.395, 57.12, 57.375),
                   input="input", output="scores", output_width=64, output_height=48)


class WriteTest(unittest.TestCase):
    def test_round_trip(self) -> None:
        for d in (PLAIN, replace(PLAIN, title='with "quotes": and \\', order="bgr",
                                 resize="bilinear", fixed_batch=True, sha256="0" * 64,
                                 output_width=16, output_height=12),
                  replace(PLAIN, classes=("person",), person=(0,), activation="sigmoid"),
                  replace(PLAIN, classes=("no", "1.5", "a: b", "# c"), person=(0, 2))):
            found = descriptor.parse(descriptor.text_of(d))
            np.testing.assert_allclose(found.divisors, d.divisors)
            self.assertEqual(replace(found, divisors=d.divisors), d)

    def test_every_shipped_descriptor_is_read(self) -> None:
        found = sorted((pytorch_path.ROOT / "models").glob("*.yaml"))
        self.assertTrue(found)
        for path in found:
            d = descriptor.parse(path.read_text(encoding="utf-8"))
            self.assertGreater(d.width, 0)
            self.assertTrue(all(0 <= index < len(d.classes) for index in d.person))


class MeaningTest(unittest.TestCase):
    def test_normalised(self) -> None:
        codes = np.zeros((1, 1, 2, 3), np.uint8)
        codes[0, 0, 1] = (255, 0, 10)
        found = PLAIN.normalised(codes)
        self.assertEqual(found.shape, (1, 3, 1, 2))
        np.testing.assert_allclose(found[0, 0, 0], [-123.675 / 58.395, (255 - 123.675) / 58.395],
                                   rtol=1e-6)
        swapped = replace(PLAIN, order="bgr", mean=(0, 0, 0), divisors=(1, 1, 1))
        np.testing.assert_array_equal(swapped.normalised(codes)[0, :, 0, 1], [10, 0, 255])

    def test_person_mask(self) -> None:
        scores = np.array([0.0, 1.0, 3.0], np.float32).reshape(1, 3, 1, 1)
        three = replace(PLAIN, classes=("a", "b", "c"), person=(1, 2))
        powers = np.exp(scores.ravel())
        self.assertAlmostEqual(three.person_mask(scores).item(),
                               float(powers[1:].sum() / powers.sum()), places=6)
        self.assertEqual(replace(three, activation="none").person_mask(scores).item(), 4)
        self.assertEqual(replace(three, activation="argmax").person_mask(scores).item(), 1)
        best = replace(three, activation="argmax", person=(1,))
        self.assertEqual(best.person_mask(scores).item(), 0)
        sigmoid = replace(three, activation="sigmoid", person=(0,))
        self.assertEqual(sigmoid.person_mask(scores).item(), 0.5)


class RefuseTest(unittest.TestCase):
    def test_what_is_no_descriptor(self) -> None:
        good = descriptor.text_of(PLAIN)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.yaml"
            for text in ("", "[", "a: 1", "- 1", good.replace("width: 64", "width: wide"),
                         good.replace("softmax", "softmin"), good.replace("1/58.395", "1/0")):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(UserError, "x.yaml"):
                    descriptor.read(path)

    def test_what_the_tools_do_not_take(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.yaml"
            text = descriptor.text_of(PLAIN).replace("input:\n", "input:\n  fit: letterbox\n")
            path.write_text(text, encoding="utf-8")
            with self.assertRaisesRegex(UserError, "letterboxed"):
                descriptor.read(path)

    def test_person(self) -> None:
        self.assertEqual(descriptor.person_classes(("a", "person"), ["person", "0", "person"]),
                         (1, 0))
        with self.assertRaisesRegex(UserError, "nobody"):
            descriptor.person_classes(("a", "b"), ["nobody"])

    def test_find(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.yaml"
            with self.assertRaisesRegex(UserError, "no such descriptor"):
                descriptor.find(str(path))
            path.write_text(descriptor.text_of(PLAIN), encoding="utf-8")
            with self.assertRaisesRegex(UserError, "weights of net are missing"):
                descriptor.find(str(path))
            weights = path.with_suffix(".onnx")
            weights.write_bytes(b"")
            self.assertEqual(descriptor.find(str(weights)), (path, weights))
            self.assertEqual(descriptor.find(str(path)), (path, weights))
        with self.assertRaisesRegex(UserError, "no model nothing"):
            descriptor.find("nothing")


if __name__ == "__main__":
    unittest.main()
