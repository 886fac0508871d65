"""The command line itself: help, names, values, tables; needs neither weights nor OpenVINO."""

import json
import os
import re
import subprocess

import support
from support import run

COMMANDS = ("run", "info", "preview", "config", "models", "compile", "cache", "tune", "doctor",
            "monitor", "report", "docs")


class Usage(support.CliTest):
    def test_help(self) -> None:
        done = run("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for command in COMMANDS:
            self.assertIn(f"vrseg {command}", done.stdout)
        for command in COMMANDS:
            with self.subTest(command):
                done = run(command, "--help")
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(f"vrseg {command}", done.stdout)

    def test_version(self) -> None:
        done = run("--version")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertRegex(done.stdout, r"^vrseg \d+\.\d+\.\d+\n$")

    def test_full_disk(self) -> None:
        """What a command says is its work: lost, it has failed."""
        for command in (("--version",), ("--help",), ("models",), ("config",), ("config", "--json"),
                        ("config", "--schema"), ("doctor", "--json"), ("docs", "options")):
            with self.subTest(command), open("/dev/full", "wb") as full:
                done = subprocess.run([support.PROGRAM, *command], stdout=full,
                                      stderr=subprocess.PIPE, text=True, check=False,
                                      timeout=support.PATIENCE)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stderr, "^vrseg: .* cannot be written[^\n]*\n$")

    def test_nothing(self) -> None:
        done = run()
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("Usage:", done.stderr)

    def test_unknown_command(self) -> None:
        self.assert_refused(run("rnu"), 2, "rnu: no such command, expected one of: run join info "
                            r'.*; did you mean "run"\?$')
        self.assert_refused(run("xyzzy"), 2,
                            "no such command, expected one of: run join info [^;]+$")

    def test_monitor(self) -> None:
        for args, complaint in ((["--interval", "0"], "--interval 0: expected 0.1 to 3600"),
                                (["--count", "1.5"], "--count 1.5: expected a whole number"),
                                (["--device", "-1"], "--device -1: expected the number of a GPU"),
                                (["now"], "now: no argument is expected")):
            with self.subTest(args=args):
                self.assert_refused(run("monitor", *args), 2, complaint)
        env = {**os.environ, "VRSEG_NVML_LIBRARY": "/nowhere/libnvidia-ml.so.1"}
        self.assert_refused(run("monitor", env=env), 1, "it comes with NVIDIA's driver")
        env["VRSEG_NVML_LIBRARY"] = os.environ["VRSEG_FAKE_NVML_LIBRARY"]
        done = run("monitor", "--count", "2", "--interval", "0.1", env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        first, second = (json.loads(line) for line in done.stdout.splitlines())
        self.assertEqual(first["sm_percent"], 75.5)
        self.assertEqual((second["sm_percent"], second["memory_used_bytes"], second["throttle"]),
                         (75.5, 3000000000, ["power", "temperature"]))
        self.assert_refused(run("monitor", "--device", "2", env=env), 2, "no GPU 2: NVML sees 2")
        done = run("monitor", "--count", "1", env=env | {"VRSEG_FAKE_NVML": "quoted"})
        self.assertEqual(json.loads(done.stdout)["name"], 'Fake "GPU" \\ 0')

    def test_unknown_flags(self) -> None:
        for flag, nearest in (("--smoth", "smooth"), ("--max-batch-sise=3", "max-batch-size"),
                              ("--tikets", "tickets"), ("--max_batch_size", "max-batch-size"),
                              ("--stict-targets", "strict-targets"), ("--jsno", "json"),
                              ("--confg=vr", "config")):
            with self.subTest(flag):
                self.assert_refused(run("run", "x.mp4", flag), 2, f'did you mean "{nearest}"')
        for command, flag, nearest in (("monitor", "--intervall", "interval"),
                                       ("report", "--chrom3", "chrome"),
                                       ("doctor", "--self-tset", "self-test"),
                                       ("compile", "--btach", "batch"),
                                       ("config", "--shcema", "schema")):
            self.assert_refused(run(command, flag), 2, f'did you mean "{nearest}"')
        # A value is no flag.
        done = run("run", "x.mp4", "-o", "--smoth", "--model", "--tikets")
        self.assert_refused(done, 2, r"vrseg: --smoth: no output format has this name")
        self.assert_refused(run("run", "x.mp4", "--zzzz"), 2, 'no option "zzzz"$')

    def test_unknown_words(self) -> None:
        for command, word, complaint in (
                ("models", "shwo", r'expected list, fetch, show or compare; did you mean "show"\?'),
                ("docs", "mann", r'expected options, man, bash, zsh or fish; did you mean "man"\?'),
                ("cache", "clera", r'expected list or clear; did you mean "clear"\?'),
                ("cache", "qqq", "expected list or clear$")):
            with self.subTest(command=command):
                self.assert_refused(run(command, word), 2, f"vrseg: {command} {word}: {complaint}")
        done = run("models", "show")  # the word is right, what it needs is missing
        self.assertEqual(done.returncode, 2)
        self.assertIn("Usage: vrseg models", done.stderr)

    def test_refused_before_the_work(self) -> None:
        """What only the end needs, and inputs, are looked at first."""
        self.assert_refused(run("run", "x.mp4", "-o", "null", "--trace", self.out), 2,
                            "the trace .*: is a folder; name a file in it")
        self.assert_refused(run("bench", self.out / "none.mp4"), 2, "none.mp4: cannot be opened")

    def test_wrong_values(self) -> None:
        for flag, value, complaint in (
                ("--refine-radius", "99", r'--refine-radius: "99" .* from 1 to 16'),
                ("--refine-radius", "2.5", "whole number"),
                ("--crf", "x", r'--crf: "x" .* from 0 to 63'),
                ("--smooth", "maybe", "--smooth: .* neither on nor off"),
                ("--codec", "mpeg2", r"--codec: .*auto\|h264\|hevc"),
                ("--tickets", "99999999999999999999", "from 2 to 256")):
            with self.subTest(flag=flag, value=value):
                done = run("run", "x.mp4", "-o", self.out / "o.mp4", flag, value)
                self.assert_refused(done, 2, complaint)
        self.assert_left()

    def test_wrong_arguments(self) -> None:
        for args in ([], ["-o", "o.mp4"], ["x.mp4"], ["x.mp4", "y.mp4"],
                     ["x.mp4", "-o", "mask:"], ["x.mp4", "-o", "o.mp4", "--output", "maks"],
                     ["x.mp4", "-o", "o.mp4", "--progress", "much"], ["x.mp4", "-o"],
                     ["x.mp4"] + 5 * ["-o", "null"]):
            with self.subTest(args=args):
                done = run("run", *args, cwd=self.out)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertRegex(done.stderr, "^vrseg run: .+\nTry `vrseg run --help'")
        self.assert_left()

    def test_config_file(self) -> None:
        config = self.folder / "c.yaml"
        config.write_text("pipeline:\n  tickets: 8\nmask:\n  refine_radios: 3\n")
        done = run("run", "x.mp4", "-o", "null", "--config", config)
        self.assert_refused(done, 2, r"c\.yaml.*4.*refine_radios.*refine_radius")
        done = run("run", "x.mp4", "-o", "null", "--config", self.folder / "none.yaml")
        self.assert_refused(done, 2, r"none\.yaml")

    def test_models(self) -> None:
        done = run("models")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        table, _, where = done.stdout.partition("\n\n")
        names = [line.split()[0] for line in table.splitlines()[1:]]
        self.assertEqual(names, sorted(names))
        self.assertIn(support.MODEL, names)
        self.assertRegex(where, r"^The ONNX file .* belongs in /.* as NAME\.onnx\.\n$")
        self.assertEqual(run("models", "list").stdout, done.stdout)
        files = {path.stem for path in (support.SOURCE / "models").glob("*.yaml")}
        self.assertLessEqual(files, set(names))
        for name in sorted(files):
            with self.subTest(name):
                shown = run("models", "show", name)
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                self.assertIn(f"name: {name}\n", shown.stdout)
                self.assertRegex(shown.stdout, r"\nlicence: \S")
                self.assertRegex(shown.stdout, r"\ninput: \d+x\d+\n")

    def test_models_refused(self) -> None:
        self.assert_refused(run("models", "show", "selfi"), 2, 'did you mean "selfie"')
        self.assert_refused(run("models", "fetch", "selfi"), 2, 'did you mean "selfie"')
        self.assert_refused(run("models", "fetch", "bodypix"), 2, "cannot be fetched")
        self.assertEqual(run("models", "steal").returncode, 2)

    def test_help_names_every_option(self) -> None:
        shown = set(re.findall(r"--([a-z][a-z0-9-]+)", run("run", "--help").stdout))
        table = set(re.findall(r"^\| `--([a-z0-9-]+)`", run("docs", "options").stdout, re.M))
        self.assertGreater(len(table), 20)
        self.assertLessEqual(table, shown)


if __name__ == "__main__":
    support.main(needs_engine=False)
