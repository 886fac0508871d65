"""A fetched model appears only when every check holds."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import tools_path
import fetch
import private
import setup

LOCAL = tools_path.ROOT / ".local"
KNOWN = json.loads((tools_path.TOOLS / "models" / "known.json").read_text())


class FetchTest(unittest.TestCase):
    def setUp(self) -> None:
        self.out = Path(self.enterContext(tempfile.TemporaryDirectory()))
        sources = [LOCAL / "data" / entry["source"] for entry in KNOWN.values()]
        if not all(source.is_file() for source in sources):
            self.skipTest("the weights are not here: run `make setup`")
        self.enterContext(mock.patch.dict(os.environ, VRSEG_LOCAL_DIR=str(LOCAL)))
        self.enterContext(mock.patch.object(setup, "ensure", return_value=LOCAL))

    def refused(self, change: dict, sentence: str) -> None:
        with self.assertRaisesRegex(private.SetupError, sentence):
            fetch.fetch("selfie", self.out, {**KNOWN["selfie"], **change})
        self.assertEqual(list(self.out.iterdir()), [])

    def test_each_model_has_its_hash(self) -> None:
        for name, entry in KNOWN.items():
            target = fetch.fetch(name, self.out, entry)
            self.assertEqual(private.file_digest(target), entry["onnx_sha256"])
        self.assertEqual(sorted(path.name for path in self.out.iterdir()),
                         sorted(f"{name}.onnx" for name in KNOWN))

    def test_descriptors_name_the_same_file(self) -> None:
        for name, entry in KNOWN.items():
            descriptor = tools_path.ROOT / "models" / f"{name}.yaml"
            self.assertIn(f"sha256: {entry['onnx_sha256']}\n", descriptor.read_text(), name)

    def test_goes_where_the_program_looks(self) -> None:
        home, xdg, own = str(self.out / "home"), str(self.out / "xdg"), str(self.out / "own")
        for environment, expected in (
                ({"HOME": home}, f"{home}/.local/share/vrseg/models"),
                ({"HOME": home, "XDG_DATA_HOME": "relative"}, f"{home}/.local/share/vrseg/models"),
                ({"HOME": home, "XDG_DATA_HOME": xdg}, f"{xdg}/vrseg/models"),
                ({"HOME": home, "XDG_DATA_HOME": xdg, "VRSEG_MODELS_DIR": own}, own)):
            with mock.patch.dict(os.environ, environment, clear=True):
                self.assertEqual(str(fetch.models_folder()), expected)

    def test_wrong_source_is_refused(self) -> None:
        self.refused({"source_sha256": "0" * 64}, "selfie_segmentation.tflite has SHA-256")

    def test_wrong_result_is_refused(self) -> None:
        self.refused({"onnx_sha256": "0" * 64}, "converted from .* has SHA-256")

    def test_wrong_output_is_refused(self) -> None:
        grid = [row[:] for row in KNOWN["selfie"]["drawn_person"]]
        grid[3][4] += 0.01
        self.refused({"drawn_person": grid}, "off by 0.0")

    def test_good_file_is_left_alone(self) -> None:
        target = fetch.fetch("selfie", self.out, KNOWN["selfie"])
        before = target.stat()
        with mock.patch.object(setup, "ensure", side_effect=AssertionError("no set-up needed")):
            fetch.fetch("selfie", self.out, KNOWN["selfie"])
        self.assertEqual(target.stat().st_ino, before.st_ino)

    def test_damaged_file_is_replaced(self) -> None:
        target = self.out / "selfie.onnx"
        target.write_bytes(b"damaged")
        fetch.fetch("selfie", self.out, KNOWN["selfie"])
        self.assertEqual(private.file_digest(target), KNOWN["selfie"]["onnx_sha256"])

    def test_unwritable_folder_is_one_sentence(self) -> None:
        place = self.out / "file"
        place.write_text("a file where the folder belongs")
        errors = io.StringIO()
        with mock.patch("sys.argv", ["fetch.py", "selfie", "--out", str(place)]), \
                contextlib.redirect_stderr(errors):
            self.assertEqual(fetch.main(), 1)
        self.assertRegex(errors.getvalue(), r"\Afetch.py: selfie: cannot write .*file: .*\n\Z")


if __name__ == "__main__":
    unittest.main()
