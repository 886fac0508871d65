"""The documents say what is: options, manual page, commands, links."""

import os
import re
import shutil
import subprocess
import unittest

import support
from support import SOURCE, run

DOCUMENTS = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"] + \
    [f"docs/{path.name}" for path in sorted((SOURCE / "docs").glob("*.md"))]

def text_of(name: str) -> str:
    return (SOURCE / name).read_text(encoding="utf-8")


class Documents(support.CliTest):
    def test_options(self) -> None:
        done = run("docs", "options")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(text_of("docs/options.md"), done.stdout,
                         "run `make documents`")

    def test_schema(self) -> None:
        done = run("config", "--schema")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(text_of("configs/vrseg.schema.json"), done.stdout, "run `make documents`")

    def test_configurations(self) -> None:
        listed = re.findall(r"`([a-z][a-z0-9-]*)`(?=[^|\n]*\|)", text_of("docs/configuration.md"))
        names = [path.stem for path in (SOURCE / "configs").glob("*.yaml")]
        self.assertEqual(sorted(listed), sorted(names))

    def man_page(self, *command: str) -> str:
        """A page as man shows it, without a warning."""
        page = self.folder / "vrseg.1"
        done = run("docs", "man", *command)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        page.write_text(done.stdout, encoding="utf-8")
        env = os.environ | {"LC_ALL": "C.UTF-8", "MANWIDTH": "80", "MANROFFSEQ": ""}
        shown = subprocess.run(["man", "-l", "--warnings", str(page)], capture_output=True,
                               text=True, check=False, env=env, timeout=support.PATIENCE)
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        return " ".join(re.sub(r".\x08", "", shown.stdout).split())

    @unittest.skipUnless(shutil.which("man"), "man-db is not installed")
    def test_man_page(self) -> None:
        text = self.man_page()
        for part in ("NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "VRSEG_OPTION_NAME",
                     "vrseg models", "vrseg-run(1)", "-o", "130 interrupted"):
            self.assertIn(part, text)

    @unittest.skipUnless(shutil.which("man"), "man-db is not installed")
    def test_man_pages_of_commands(self) -> None:
        commands = re.findall(r"^  vrseg (\w+)", run("--help").stdout, re.M)
        self.assertIn("run", commands)
        listed = re.findall(r"'(\w+)'", text_of("docs/meson.build").partition("foreach")[2])
        for command in commands:
            self.assertIn(command, listed, "add it to docs/meson.build, so that it has a page")
            with self.subTest(command):
                text = self.man_page(command)
                for part in ("NAME", f"vrseg-{command} - ", f"vrseg {command}", "DESCRIPTION"):
                    self.assertIn(part, text)
        run_page = self.man_page("run")
        for part in ("--max-batch-size VALUE", "-o [KIND:]FILE", "--strict-targets",
                     "1 to 16 views", "targets", "130 interrupted"):
            self.assertIn(part, run_page)
        self.assert_refused(run("docs", "man", "rnu"), 2, "no such command")

    def test_make_commands(self) -> None:
        targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.M))
        self.assertLessEqual({"demo", "check", "install"}, targets)
        for name in DOCUMENTS:
            named = re.findall(r"(?:`|^ {4})make ([a-z-]+)", text_of(name), re.M)
            for target in named:
                with self.subTest(document=name, target=target):
                    self.assertIn(target, targets)
        self.assertIn("make demo", text_of("README.md"))
        self.assertIn("make check", text_of("README.md"))

    def test_container(self) -> None:
        """Images are built from sources alone; what their file copies and makes is there."""
        ignored = text_of(".dockerignore").split()
        for pattern in text_of(".gitignore").split():
            own = pattern.lstrip("/") if pattern.startswith("/") else f"**/{pattern}"
            self.assertIn(own, ignored)
        file = re.findall(r"```dockerfile\n(.*?)```", text_of("docs/guide.md"), re.DOTALL)
        self.assertEqual(len(file), 1)
        first, second = file[0].split("\nFROM ", 1)
        for made in re.findall(r"COPY --from=build (\S+)", second):
            self.assertIn(f"={made}", first)
        targets = set(re.findall(r"^([a-z][a-z-]*):", text_of("Makefile"), re.M))
        made = set(re.findall(r"make ([a-z-]+)", first)) - {"python"}
        self.assertTrue(made and made <= targets, made)

    def test_flags(self) -> None:
        known = set(re.findall(r"--[a-z][a-z0-9-]+", run("run", "--help").stdout))
        for name in ("README.md", "docs/architecture.md", "docs/decisions.md"):
            for line in re.findall(r".*vrseg run.*", text_of(name)):
                for flag in re.findall(r"--[a-z][a-z0-9-]+", line):
                    with self.subTest(document=name, flag=flag):
                        self.assertIn(flag, known)

    def test_calls_stand_in_examples(self) -> None:
        headers = "".join(path.read_text(encoding="utf-8")
                          for path in sorted((SOURCE / "include/vrseg").glob("*.h")))
        headers = re.sub(r"/\*.*?\*/", "", headers, flags=re.DOTALL)
        calls = set(re.findall(r"VRS_API\b[^;]*?\b(vrs_\w+)\(", headers))
        self.assertGreater(len(calls), 100)
        examples = "".join(path.read_text(encoding="utf-8")
                           for path in (SOURCE / "examples").rglob("*.c"))
        made = set(re.findall(r"\b(vrs_\w+)\(", examples))
        self.assertEqual(sorted(calls - made), [], "write an example of it")

    def test_options_and_commands_stand_in_examples(self) -> None:
        """Some option of each group, and each command, in a command line of the documents or in a
        configuration."""
        boxes = "\n".join(line for name in DOCUMENTS if name != "docs/options.md"
                          for line in re.findall(r"^.*\bvrseg [a-z].*$", text_of(name), re.M))
        keys = "".join(path.read_text(encoding="utf-8")
                       for path in (SOURCE / "configs").glob("*.yaml"))
        groups: dict[str, list[str]] = {}
        for heading, body in re.findall(r"^## (\w+)\n(.*?)(?=^## |\Z)", text_of("docs/options.md"),
                                        re.MULTILINE | re.DOTALL):
            groups.setdefault(heading, []).extend(re.findall(r"^\| `--([\w-]+)`", body, re.M))
        self.assertGreater(len(groups), 5)
        for group, options in groups.items():
            with self.subTest(group=group):
                self.assertTrue(any(re.search(rf"--{option}\b", boxes) or re.search(
                    rf"^ +{option.replace('-', '_')}:", keys, re.M) for option in options), options)
        for command in re.findall(r"^  vrseg (\w+)", run("--help").stdout, re.M):
            with self.subTest(command=command):
                self.assertTrue(re.search(rf"vrseg {command}\b", boxes))
        for flag in ("resume", "shard", "views", "layout", "live", "trace", "deep", "peers"):
            with self.subTest(flag=flag):
                self.assertTrue(re.search(rf"vrseg .*--{flag}\b", boxes))

    def test_links(self) -> None:
        for name in DOCUMENTS:
            for link in re.findall(r"\]\(([^)#]+)\)", text_of(name)):
                if "://" not in link:
                    with self.subTest(document=name, link=link):
                        self.assertTrue(((SOURCE / name).parent / link).exists())

    def test_picture(self) -> None:
        picture = SOURCE / "docs/images/preview.png"
        self.assertLess(picture.stat().st_size, 150_000)
        self.assertEqual(picture.read_bytes()[:8], b"\x89PNG\r\n\x1a\n")


if __name__ == "__main__":
    support.main(needs_engine=False)
