"""Every rule of tidy.py finds what it is for, where it is, and nothing else."""

import contextlib
import io
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import tools_path  # noqa: F401
import tidy


def found(path: str, text: str) -> list[str]:
    return tidy.findings(tidy.Source(path, text))


def function(lines: int, comment: str = "") -> str:
    return "int f(void)\n{\n" + comment + "    g();\n" * lines + "}\n"


class TidyTest(unittest.TestCase):
    def assert_one(self, path: str, text: str, line: int, words: str) -> None:
        results = found(path, text)
        self.assertEqual(len(results), 1, results)
        self.assertRegex(results[0], f"^{path}:{line}: .*{words}")

    def test_clean_file(self) -> None:
        self.assertEqual(found("src/image/a.c", '#include "base/alloc.h"\n' + function(3)), [])

    def test_line_length(self) -> None:
        self.assertEqual(found("tools/a.py", "x" * 100 + "\n"), [])
        self.assert_one("tools/a.py", "\n" + "x" * 101 + "\n", 2, "101 columns")

    def test_white_space(self) -> None:
        self.assert_one("src/cli/a.c", "int a; \n", 1, "spaces at the end")
        self.assert_one("src/cli/a.c", "\tint a;\n", 1, "a tab")
        self.assertEqual(found("tools/a.sh", "\techo\n"), [])

    def test_a_table_keeps_its_rows(self) -> None:
        self.assertEqual(found("src/cli/options.def", "x" * 101 + "\n"), [])

    def test_function_length_counts_code_alone(self) -> None:
        comment = "    /* why\n     * so */\n\n    // and more\n" * 30
        self.assertEqual(found("src/image/a.c", function(70, comment)), [])
        self.assert_one("src/image/a.c", function(71), 2, "71 lines of code")

    def test_two_functions_are_two(self) -> None:
        self.assertEqual(found("src/image/a.c", function(50) + "\n" + function(50)), [])

    def test_banned_calls_by_folder(self) -> None:
        for call, folder in (("malloc", "base"), ("free", "base"), ("strdup", "base"),
                             ("clock_gettime", "base"), ("time", "base"), ("strerror", "base")):
            body = f"int f(void)\n{{\n    x = {call}(1);\n}}\n"
            with self.subTest(call=call):
                self.assert_one("src/image/a.c", body, 3, f"{call}\\(\\) is not for here: use ")
                self.assertEqual(found(f"src/{folder}/a.c", body), [])

    def test_banned_everywhere(self) -> None:
        for path in ("src/base/a.c", "tests/a.c", "src/device/cuda/a.c"):
            self.assert_one(path, "void f(void)\n{\n    cuCtxSynchronize();\n}\n", 3, "event")

    def test_names_that_only_look_alike(self) -> None:
        text = ("void f(void)\n{\n    vrs_free(a);\n    pool->free(a);\n    pool.free(a);\n"
                '    /* malloc(1) */ log("malloc(1) \\" free(2)"); // free(x)\n'
                "    my_time(1);\n}\n")
        self.assertEqual(found("src/image/a.c", text), [])

    def test_includes_go_down_the_list(self) -> None:
        self.assertEqual(found("src/pipeline/a.c", '#include "kernels/kernels.h"\n'), [])
        self.assert_one("src/kernels/x86/a.c", '\n#include "pipeline/internal.h"\n', 2,
                        "kernels/ may not include pipeline/")
        self.assert_one("src/cli/a.c", '#include "base/alloc.h"\n', 1, "only vrseg/")
        public = '#include "vrseg/job.h"\n#include "cli/a.h"\n'
        self.assertEqual(found("src/cli/a.c", public), [])
        self.assert_one("include/vrseg/a.h", '#include "base/alloc.h"\n', 1, "private")
        self.assertEqual(found("tests/a.c", '#include "pipeline/internal.h"\n'), [])

    def test_includes_within_a_folder(self) -> None:
        text = '#include "media/source/source.h"\n'
        for path in ("src/media/source/a.c", "src/media/job/a.c", "src/media/a.c", "src/tune/a.c"):
            self.assertEqual(found(path, text), [])
        self.assert_one("src/media/file/a.c", text, 1,
                        "media/file/ may not include media/source/, which stands below it")

    def test_conditions_in_bodies(self) -> None:
        outside = "#ifdef A\nint a;\n#endif\n"
        self.assertEqual(found("src/image/a.c", outside + function(1)), [])
        for condition in ("#ifdef A", "#if A", "  # ifndef A", "#elif A"):
            with self.subTest(condition=condition):
                self.assert_one("src/image/a.c", f"void f(void)\n{{\n{condition}\n}}\n", 3,
                                "preprocessor")

    def test_left_undone(self) -> None:
        for word in ("TO" "DO", "FIX" "ME"):
            self.assert_one("tools/a.py", f"# {word}: later\n", 1, "left undone")
        self.assertEqual(found("tools/a.py", "# TODOS of a user, method\n".replace("DOS", "days")),
                         [])

    def test_whole_run(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder) / "src" / "image"
            place.mkdir(parents=True)
            (place / "good.c").write_text(function(1))
            self.assertEqual(self.run_on(folder), (0, "1 files, 0 findings"))
            (place / "bad.c").write_text(function(71))
            self.assertEqual(self.run_on(folder), (1, "2 files, 1 findings"))

    def test_nothing_to_check_fails(self) -> None:
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
            self.assertEqual(self.run_on(folder), (1, "0 files, 0 findings"))

    def run_on(self, folder: str) -> tuple[int, str]:
        output = io.StringIO()
        with mock.patch("sys.argv", ["tidy.py", folder]), contextlib.redirect_stdout(output):
            status = tidy.main()
        return status, output.getvalue().splitlines()[-1]


if __name__ == "__main__":
    unittest.main()
