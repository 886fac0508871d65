"""Private folders are made whole or not at all, once, and again when their recipe changes."""

import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import tools_path
import private
import setup


class SetupTest(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.root / "requirements").mkdir()
        (self.root / "requirements" / "thing.txt").write_text("thing==1\n")
        self.local = self.root / "private"
        self.enterContext(mock.patch.dict(os.environ, VRSEG_LOCAL_DIR=str(self.local)))
        self.enterContext(contextlib.redirect_stderr(io.StringIO()))
        self.builds = 0
        self.recipes = {"thing": setup.Recipe("thing", "thing.txt", self.build)}

    def build(self, requirements: Path, local: Path, target: Path) -> None:
        self.assertEqual(local, self.local)
        self.builds += 1
        (target / "made").write_text(requirements.read_text())

    def build_half(self, _requirements: Path, _local: Path, target: Path) -> None:
        (target / "made").write_text("half")
        raise private.SetupError("interrupted")

    def ensure(self) -> None:
        setup.ensure(["thing"], self.root, self.recipes)

    def left_over(self) -> list[str]:
        return sorted(path.name for path in self.local.iterdir())

    def test_second_run_does_nothing(self) -> None:
        self.ensure()
        self.ensure()
        self.assertEqual(self.builds, 1)
        self.assertEqual((self.local / "thing" / "made").read_text(), "thing==1\n")
        self.assertEqual(self.left_over(), [".lock", "thing"])

    def test_second_run_does_not_even_write(self) -> None:
        self.ensure()
        with mock.patch.object(private, "locked", side_effect=AssertionError):
            self.ensure()

    def test_changed_requirements_make_it_again(self) -> None:
        self.ensure()
        (self.root / "requirements" / "thing.txt").write_text("thing==2\n")
        self.ensure()
        self.assertEqual((self.local / "thing" / "made").read_text(), "thing==2\n")
        self.assertEqual(self.left_over(), [".lock", "thing"])

    def test_changed_recipe_makes_it_again(self) -> None:
        self.ensure()
        self.recipes["thing"] = setup.Recipe("thing", "thing.txt", self.build, version=2)
        self.ensure()
        self.assertEqual(self.builds, 2)

    def test_failure_leaves_nothing(self) -> None:
        self.recipes["thing"] = setup.Recipe("thing", "thing.txt", self.build_half)
        with self.assertRaises(private.SetupError):
            self.ensure()
        self.assertEqual(self.left_over(), [".lock"])

    def test_failure_leaves_the_old_one(self) -> None:
        self.ensure()
        (self.root / "requirements" / "thing.txt").write_text("thing==2\n")
        self.recipes["thing"] = setup.Recipe("thing", "thing.txt", self.build_half)
        with self.assertRaises(private.SetupError):
            self.ensure()
        self.assertEqual((self.local / "thing" / "made").read_text(), "thing==1\n")
        self.assertEqual(self.left_over(), [".lock", "thing"])

    def test_what_a_killed_run_left_is_cleared(self) -> None:
        left = self.local / "tmp-killed" / "new"
        left.mkdir(parents=True)
        (left / "made").write_text("half")
        self.ensure()
        self.assertEqual(self.left_over(), [".lock", "thing"])

    def test_damaged_stamp_makes_it_again(self) -> None:
        self.ensure()
        (self.local / "thing" / private.STAMP).write_bytes(b"\xff")
        self.ensure()
        self.assertEqual(self.builds, 2)

    def test_two_folders_wait_for_each_other(self) -> None:
        self.local.mkdir()
        program = (f"import sys; sys.path.insert(0, {str(tools_path.TOOLS / 'setup')!r})\n"
                   "import private, pathlib\n"
                   f"with private.locked(pathlib.Path({str(self.local)!r})): print('in')\n")
        with private.locked(self.local):
            other = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
            with self.assertRaises(subprocess.TimeoutExpired):
                other.wait(timeout=0.3)
        self.assertEqual(other.communicate(timeout=60)[0], b"in\n")

    def test_pip_without_the_wheel_is_one_sentence(self) -> None:
        requirements = self.root / "requirements" / "thing.txt"
        requirements.write_text("thing==1 --hash=sha256:" + "0" * 64 + "\n")
        with mock.patch.dict(os.environ, PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.root)), \
                self.assertRaisesRegex(private.SetupError, "pip could not get what thing.txt"):
            setup.build_venv(requirements, self.local, self.root / "venv")

    def test_unwritable_place_is_one_sentence(self) -> None:
        self.local.write_text("a file where the folder belongs")
        with self.assertRaisesRegex(private.SetupError, "cannot write to .*VRSEG_LOCAL_DIR"):
            self.ensure()


class RequirementsTest(unittest.TestCase):
    def test_every_wheel_is_pinned_by_hash(self) -> None:
        files = sorted((tools_path.ROOT / "requirements").glob("*.txt"))
        self.assertEqual([file.name for file in files],
                         sorted(recipe.requirements for recipe in setup.RECIPES.values()))
        pinned = re.compile(r"[a-zA-Z0-9_-]+==[0-9.]+ --hash=sha256:[0-9a-f]{64}")
        for file in files:
            for line in file.read_text().splitlines():
                if line and not line.startswith("#"):
                    self.assertRegex(line, f"^{pinned.pattern}$", file.name)


class PackagesTest(unittest.TestCase):
    SCRIPT = tools_path.TOOLS / "setup" / "packages.sh"

    def run_script(self, *sections: str, installed: str, user: int) -> subprocess.CompletedProcess:
        """Runs the script with stand-ins for dpkg-query, id and apt-get."""
        with tempfile.TemporaryDirectory() as folder:
            programs = {"dpkg-query": f"printf '%s\\n' {installed}", "id": f"echo {user}",
                        "apt-get": f"echo apt-get \"$@\" >>'{folder}/called'"}
            for name, body in programs.items():
                path = Path(folder) / name
                path.write_text(f"#!/bin/sh\n{body}\n")
                path.chmod(0o755)
            done = subprocess.run([self.SCRIPT, *sections], capture_output=True, text=True,
                                  env={"PATH": f"{folder}:/usr/bin:/bin"}, check=False)
            called = Path(folder) / "called"
            done.called = called.read_text() if called.exists() else ""
            return done

    def test_not_root_prints_the_one_command(self) -> None:
        done = self.run_script("base", installed="'installed meson'", user=1000)
        self.assertEqual(done.returncode, 1)
        command = done.stderr.splitlines()[-1]
        self.assertRegex(command, r"^sudo sh -c 'apt-get update && apt-get .* ninja-build.*'$")
        self.assertNotIn(" meson", command)
        self.assertEqual(done.called, "")

    def test_root_installs_what_is_missing(self) -> None:
        done = self.run_script("base", "check", installed="'installed meson'", user=0)
        self.assertEqual(done.returncode, 0, done.stderr)
        update, install = done.called.splitlines()
        self.assertEqual(update, "apt-get update")
        self.assertIn(" ninja-build ", install)
        self.assertIn(" valgrind", install)
        self.assertNotIn(" meson", install)

    def test_removed_package_counts_as_missing(self) -> None:
        done = self.run_script("base", installed="'config-files meson'", user=1000)
        self.assertIn(" meson", done.stderr)

    def test_unknown_section(self) -> None:
        done = self.run_script("bsae", installed="''", user=1000)
        self.assertEqual(done.returncode, 2)
        self.assertIn("no section [bsae]", done.stderr)


if __name__ == "__main__":
    unittest.main()
