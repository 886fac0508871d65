"""What `meson install` puts into a prefix works there: program, libraries, headers, manual page,
pkg-config files, descriptors, licences."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import support
from support import SOURCE

BUILD = os.environ.get("VRSEG_BUILD_DIR", "")
MESON = os.environ.get("VRSEG_MESON", "")


def call(*args: object, **more) -> subprocess.CompletedProcess:
    return subprocess.run([*map(str, args)], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=support.PATIENCE, **more)


class Installed(support.CliTest):
    """One installation into an empty folder for all of them."""

    prefix: Path
    clean: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        folder = tempfile.TemporaryDirectory(prefix="vrseg-install-")
        cls.addClassCleanup(folder.cleanup)
        done = call(MESON, "install", "-C", BUILD, "--no-rebuild", "--destdir", folder.name)
        if done.returncode != 0:
            raise AssertionError(done.stdout + done.stderr)
        cls.prefix = next(Path(folder.name).rglob("bin/vrseg")).parent.parent
        # Nothing of the build: the installed program finds its own.
        cls.clean = {name: value for name, value in os.environ.items()
                     if not name.startswith(("VRSEG_", "LD_"))} | {"HOME": folder.name}

    def vrseg(self, *args: object, **more) -> subprocess.CompletedProcess:
        return call(self.prefix / "bin/vrseg", *args, env=self.clean | more.pop("env", {}), **more)

    def test_program_finds_its_own(self) -> None:
        done = self.vrseg("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.vrseg("models")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn(support.MODEL, done.stdout)
        shown = self.vrseg("models", "show", support.MODEL).stdout
        descriptor = next(line for line in shown.splitlines() if line.startswith("descriptor:"))
        self.assertTrue(Path(descriptor.split()[1]).resolve().is_relative_to(self.prefix.resolve()))

    def test_program_finds_its_configurations(self) -> None:
        done = self.vrseg("config", "--list")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        wanted = {path.stem for path in (SOURCE / "configs").glob("*.yaml")}
        self.assertEqual(wanted, {line.split()[0] for line in done.stdout.splitlines()})
        shown = self.vrseg("config", "--config", "vr", "--changed")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        folder = (self.prefix / "share/vrseg/configs").resolve()
        self.assertIn(f"  # {folder}/vr.yaml:", shown.stdout)

    def test_program_runs(self) -> None:
        reason = support.engine_missing()
        if reason:
            self.skipTest(reason)
        source = support.clip(self.folder / "a.mp4", 5)
        weights = {"VRSEG_MODELS_DIR": os.environ["VRSEG_MODELS_DIR"]}
        done = self.vrseg("run", source, "-o", self.out / "o.mp4", env=weights)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(support.frames(self.out / "o.mp4"), 5)
        self.assertIn("lib/vrseg", self.vrseg("doctor", env=weights).stdout)

    def test_files(self) -> None:
        commands = re.findall(r"^  vrseg (\w+)", self.vrseg("--help").stdout, re.M)
        self.assertIn("run", commands)
        for name in (*(f"share/man/man1/vrseg-{command}.1" for command in commands),
                     "share/bash-completion/completions/vrseg", "share/zsh/site-functions/_vrseg",
                     "share/fish/vendor_completions.d/vrseg.fish",
                     "share/vrseg/configs/vrseg.schema.json", "share/man/man1/vrseg.1",
                     "share/doc/vrseg/LICENSE", "share/doc/vrseg/NOTICE",
                     "include/vrseg/vrseg.h", "include/vrseg/job.h"):
            with self.subTest(name):
                self.assertGreater((self.prefix / name).stat().st_size, 100)
        installed = {path.name for path in (self.prefix / "include/vrseg").iterdir()}
        self.assertEqual(installed, {p.name for p in (SOURCE / "include/vrseg").glob("*.h")})

    @unittest.skipUnless(shutil.which("pkg-config") and shutil.which("cc"), "no compiler here")
    def test_pkg_config(self) -> None:
        """The examples compile against the installed headers and libraries alone, and start."""
        files = list(self.prefix.rglob("vrseg.pc"))
        self.assertEqual(len(files), 1)
        env = self.clean | {"PKG_CONFIG_PATH": str(files[0].parent)}
        for example, package in (("masks", "vrseg"), ("job", "vrseg-media")):
            with self.subTest(example):
                flags = call("pkg-config", f"--define-variable=prefix={self.prefix}", "--cflags",
                             "--libs", package, env=env)
                self.assertEqual(flags.returncode, 0, flags.stderr)
                program = self.folder / example
                libraries = files[0].parent.parent
                done = call("cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-o", program,
                            SOURCE / f"examples/{example}.c", *flags.stdout.split(),
                            f"-Wl,-rpath,{libraries}")
                self.assertEqual(done.returncode, 0, done.stderr)
                done = call(program, env=self.clean)
                self.assertIn(done.returncode, (1, 2))
                self.assertRegex(done.stderr, "^(masks: |Usage: job)")


if __name__ == "__main__":
    if "-fsanitize" in Path(BUILD, "build.ninja").read_text(encoding="utf-8"):
        print("skipped: what is built with sanitizers is not for installing")
        sys.exit(support.SKIPPED)
    support.main(needs_engine=False)
