"""The boxes of docs/guide.md are run, and print what stands there; `...` stands for anything."""

import os
import re
import shlex
import shutil
import subprocess
import unittest
from pathlib import Path

import support
from support import SOURCE, clip

BOX = re.compile(r"^ *```console\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)


def boxes() -> list[list[tuple[str, list[str]]]]:
    """Each box as its commands, each with the lines that are expected of it."""
    text = (SOURCE / "docs/guide.md").read_text(encoding="utf-8")
    found: list[list[tuple[str, list[str]]]] = []
    for box in BOX.findall(text):
        commands: list[tuple[str, list[str]]] = []
        indent = len(box) - len(box.lstrip(" "))
        for line in box.splitlines():
            line = line[indent:]
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
        found.append(commands)
    return found


def pattern_of(lines: list[str]) -> str:
    """What the output must match: a line of `...` alone is any number of lines."""
    parts = ["(?:.*\n)*?" if line == "..." else re.escape(line).replace(r"\.\.\.", ".*") + "\n"
             for line in lines]
    return "".join(parts)


class Guide(support.CliTest):
    def test_boxes(self) -> None:
        source = clip(self.folder / "in.mp4", 30, size="160x120")
        self.assertTrue(source.is_file())
        tools = Path(support.PROGRAM).parent
        environment = os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"}
        found = boxes()
        self.assertGreater(len(found), 6)
        for command, lines in (entry for box in found for entry in box):
            with self.subTest(command):
                words = shlex.split(command)
                self.assertEqual(words[0], "vrseg")
                done = subprocess.run(words, cwd=self.folder, env=environment, text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                      check=False, timeout=support.PATIENCE)
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertRegex(done.stdout, rf"\A{pattern_of(lines)}(?:.*\n)*\Z")

    def unit(self) -> dict[str, list[str]]:
        """The unit of systemd: its keys with their values."""
        text = (SOURCE / "docs/guide.md").read_text(encoding="utf-8")
        found = re.search(r"^```ini\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        keys: dict[str, list[str]] = {}
        for line in found[1].splitlines():
            key, equal, value = line.partition("=")
            if equal:
                keys.setdefault(key, []).append(value)
        return keys

    def test_service(self) -> None:
        """The unit's commands do what they say, with a clip for the camera."""
        source, keys = clip(self.folder / "in.mp4", 10, size="160x120"), self.unit()
        for key, more in (("ExecStartPre", ["--frame", "320x180"]), ("ExecStart", [])):
            words = shlex.split(keys[key][0])
            self.assertEqual(words[0], "/usr/local/bin/vrseg")
            words = [word.replace("/var/lib/vrseg", str(self.out)).replace("/dev/video0",
                     str(source)) for word in words[1:]]
            words = ["127.0.0.1:0" if word == "9090" else word for word in words]
            done = support.run(*words, *more)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_left("mask.mkv")

    @unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd-analyze")
    def test_service_is_a_unit(self) -> None:
        text = (SOURCE / "docs/guide.md").read_text(encoding="utf-8")
        found = re.search(r"^```ini\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)
        unit = self.folder / "vrseg.service"
        unit.write_text(found[1].replace("/usr/local/bin/vrseg", support.PROGRAM),
                        encoding="utf-8")
        done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True,
                              text=True, check=False, timeout=support.PATIENCE)
        wrong = [line for line in done.stderr.splitlines() if "vrseg.service" in line]
        self.assertEqual(wrong, [])

    def test_sentences(self) -> None:
        """Each resource that a bottleneck can be has its line."""
        text = (SOURCE / "docs/guide.md").read_text(encoding="utf-8")
        code = (SOURCE / "src/pipeline/bottleneck.c").read_text(encoding="utf-8")
        starts = set(re.findall(r'"(the [^:"%]+): ', code)) | {"memory", "nothing for long"}
        self.assertGreater(len(starts), 7)
        for start in starts:
            self.assertIn(f"| {start} |", text)


if __name__ == "__main__":
    support.main(needs_engine=True)
