"""The last line of `make check` says what Meson's log says, and never more."""

import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import tools_path

SUMMARY = tools_path.TOOLS / "check" / "summary.py"


class SummaryTest(unittest.TestCase):
    def summary(self, results: list[str] | None, status: int = 0) -> tuple[str, int]:
        """The last line and exit status for a log of these results; None: no log."""
        with tempfile.TemporaryDirectory() as folder:
            log = Path(folder) / "testlog.json"
            if results is not None:
                log.write_text("".join(json.dumps({"name": f"t{number}", "result": result}) + "\n"
                                       for number, result in enumerate(results)))
            done = subprocess.run([sys.executable, SUMMARY, "--status", str(status), log],
                                  capture_output=True, text=True, check=False)
        return done.stdout.splitlines()[-1], done.returncode

    def test_all_pass(self) -> None:
        self.assertEqual(self.summary(["OK", "SKIP", "OK"]), ("2 passed, 0 failed, 1 skipped", 0))

    def test_each_bad_result_fails(self) -> None:
        for bad in ("FAIL", "TIMEOUT", "ERROR", "INTERRUPT", "UNEXPECTEDPASS", "something new"):
            with self.subTest(bad=bad):
                self.assertEqual(self.summary(["OK", bad], 1), ("1 passed, 1 failed, 0 skipped", 1))

    def test_no_test_fails(self) -> None:
        self.assertEqual(self.summary([]), ("0 passed, 0 failed, 0 skipped", 1))
        self.assertEqual(self.summary(None), ("0 passed, 0 failed, 0 skipped", 1))

    def test_all_skipped_fails(self) -> None:
        self.assertEqual(self.summary(["SKIP"]), ("0 passed, 0 failed, 1 skipped", 1))

    def test_runner_that_ended_badly_fails(self) -> None:
        self.assertEqual(self.summary(["OK"], 2), ("1 passed, 0 failed, 0 skipped", 1))


if __name__ == "__main__":
    unittest.main()
