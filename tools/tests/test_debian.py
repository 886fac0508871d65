"""A file of another Debian release comes by apt on folders of its own, or one sentence says why
not."""

import contextlib
import io
import os
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import tools_path  # puts the tools on the search path
import debian
import private
import setup

assert tools_path.TOOLS

# What apt-get is here: it notes how it was called and brings a package as a file.
APT_GET = """#!/bin/sh
echo "$@" >>"$CALLED"
cat "$APT_CONFIG" "$(dirname "$APT_CONFIG")/etc/sources.list" >>"$CALLED"
[ "$2" = update ] && [ -n "$FAILS" ] && { echo "E: $FAILS"; exit 100; }
[ "$2" = update ] || touch "$3_1_amd64.deb"
"""
APT_CONFIG = """#!/bin/sh
echo 'Acquire::http::Proxy "proxy";'
echo 'APT::Update::Post-Invoke "touch /";'
"""
DPKG_DEB = """#!/bin/sh
mkdir -p "$3/usr/include/onnxruntime" "$3/usr/share/doc/libonnxruntime-dev"
echo header >"$3/usr/include/onnxruntime/onnxruntime_c_api.h"
echo licence >"$3/usr/share/doc/libonnxruntime-dev/copyright"
"""


def codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    return text.split("VERSION_CODENAME=")[1].split("\n")[0]


class SourceTest(unittest.TestCase):
    def setUp(self) -> None:
        self.apt = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (self.apt / "sources.list.d").mkdir()

    def test_deb822(self) -> None:
        (self.apt / "sources.list.d" / "debian.sources").write_text(
            "Types: deb\nURIs: http://other\nSuites: other\nComponents: main\n\n"
            f"# a comment\nTypes: deb deb-src\nURIs: http://mirror/debian\n"
            f"Suites: {codename()} {codename()}-updates\nComponents: main\nSigned-By:\n"
            " /usr/share/keyrings/key.gpg\n")
        source = debian.own_source(self.apt)
        self.assertEqual(source["uris"], "http://mirror/debian")
        self.assertEqual(source["signed-by"].strip(), "/usr/share/keyrings/key.gpg")

    def test_one_line(self) -> None:
        (self.apt / "sources.list").write_text(
            "# deb http://comment x main\ndeb-src http://source x main\ndeb broken\n"
            f"deb [arch=amd64 signed-by=/key.gpg] http://mirror/debian {codename()} main contrib\n")
        source = debian.own_source(self.apt)
        self.assertEqual(source["uris"], "http://mirror/debian")
        self.assertEqual(source["signed-by"], "/key.gpg")

    def test_none(self) -> None:
        with self.assertRaisesRegex(private.SetupError, "no source of Debian's main archive"):
            debian.own_source(self.apt)


class HeaderTest(unittest.TestCase):
    def setUp(self) -> None:
        self.root = Path(self.enterContext(tempfile.TemporaryDirectory()))
        programs = self.root / "bin"
        programs.mkdir()
        for name, text in (("apt-get", APT_GET), ("apt-config", APT_CONFIG),
                           ("dpkg-deb", DPKG_DEB)):
            (programs / name).write_text(text)
            (programs / name).chmod(0o755)
        self.called = self.root / "called"
        self.target = self.root / "local" / "tmp" / "new"
        (self.target / "licenses").mkdir(parents=True)
        self.enterContext(mock.patch.dict(os.environ, PATH=f"{programs}:/usr/bin:/bin", FAILS="",
                                          CALLED=str(self.called)))
        source = {"uris": "http://mirror/debian", "signed-by": "/key.gpg"}
        self.enterContext(mock.patch.object(debian, "own_source", return_value=source))
        self.said = io.StringIO()
        self.enterContext(contextlib.redirect_stderr(self.said))

    def test_brings_the_header(self) -> None:
        setup.build_header(self.target)
        self.assertEqual(self.said.getvalue(), "")
        self.assertEqual((self.target / "include" / setup.HEADER).read_text(), "header\n")
        self.assertEqual((self.target / "licenses" / "header").read_text(), "licence\n")
        self.assertEqual(sorted(path.name for path in self.target.iterdir()),
                         ["include", "licenses"])

    def test_leaves_the_systems_apt_alone(self) -> None:
        setup.build_header(self.target)
        called = self.called.read_text()
        self.assertIn("deb [signed-by=/key.gpg] http://mirror/debian trixie main\n", called)
        self.assertIn('Acquire::http::Proxy "proxy";', called)
        self.assertNotIn("Post-Invoke", called)
        self.assertRegex(called, 'Dir::Etc "/tmp/[^"]*";')
        self.assertRegex(called, 'Dir::State "/tmp/[^"]*";')
        self.assertRegex(called, 'Dir::Cache "/tmp/[^"]*";')

    def test_goes_on_without(self) -> None:
        for fails in ("The repository 'http://mirror trixie Release' does not have a Release file.",
                      "no network"):
            os.environ["FAILS"] = fails
            setup.build_header(self.target)
            self.assertIn("vrseg is built without that engine: apt-get said: E: " + fails,
                          self.said.getvalue())
            self.assertIn("delete " + str(self.root / "local" / "onnxruntime"),
                          self.said.getvalue())
            self.assertEqual([path.name for path in self.target.iterdir()], ["licenses"])

    def test_no_apt(self) -> None:
        os.environ["PATH"] = str(self.root)
        setup.build_header(self.target)
        self.assertIn("there is no apt-config", self.said.getvalue())


if __name__ == "__main__":
    unittest.main()
