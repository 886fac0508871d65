"""vrseg config: layers and origins, configurations by name, the schema, completion, the pages."""

import json
import os
import re
import shutil
import subprocess
import unittest

import support
from support import SOURCE, run

CONFIGS = SOURCE / "configs"
GOALS = ("vr", "balanced", "throughput", "int8", "quality")
MACHINES = ("laptop-gpu", "rtx3090-threadripper-24gb", "rtx3090-threadripper-48gb", "h100", "h200",
            "cpu")


def settings(*args: object, **more) -> dict[str, dict]:
    """What `vrseg config --json` says, by name."""
    done = run("config", "--json", *args, **more)
    if done.returncode != 0 or done.stderr:
        raise AssertionError(done.stderr)
    return {option["name"]: option for option in json.loads(done.stdout)["options"]}


def values(*args: object) -> dict[str, object]:
    return {name: option["value"] for name, option in settings(*args).items()}


class Layers(support.CliTest):
    def test_origins(self) -> None:
        base = self.folder / "base.yaml"
        base.write_text("output:\n  crf: 31\n  preset: slow\nmask:\n  feather: 2\n")
        file = self.folder / "c.yaml"
        file.write_text("base: base.yaml\n\nmask:\n  refine_radius: 3\n  feather: 4\n")
        env = os.environ | {"VRSEG_OPTION_CRF": "32", "VRSEG_OPTION_CODEC": "ffv1"}
        for args in (["--codec", "vp9", "--config", file], ["--config", file, "--codec", "vp9"]):
            found = settings(*args, env=env)
            origins = {name: (o["value"], o["layer"], o["origin"]) for name, o in found.items()
                       if o["layer"] != "default"}
            self.assertEqual(origins, {
                "codec": ("vp9", "flag", "--codec"),
                "crf": (32, "environment", "VRSEG_OPTION_CRF"),
                "preset": ("slow", "file", f"{base}:3"),
                "feather": (4, "file", f"{file}:5"),
                "refine_radius": (3, "file", f"{file}:4")})
            self.assertEqual(found["smooth"], {"section": "mask", "name": "smooth", "value": False,
                                               "layer": "default", "origin": "default"})

    def test_shown_is_a_configuration(self) -> None:
        """What is printed says the same when it is read again."""
        args = ("--raw-format", 'a"b\\c: #d', "--smooth", "on", "--gpu-memory", "8GB", "--crf", "1")
        done = run("config", *args)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("\n  smooth: on  # --smooth\n", done.stdout)
        self.assertIn("\n  tickets: auto  # default\n", "\n" + done.stdout)
        file = self.folder / "shown.yaml"
        file.write_text(done.stdout, encoding="utf-8")
        self.assertEqual(values("--config", file), values(*args))
        done = run("config", "--changed", *args)
        self.assertEqual(len(re.findall(r"^  \w+: .*# --", done.stdout, re.M)), 4)
        self.assertNotIn("default", done.stdout)
        self.assertEqual(run("config", "--changed").stdout, "# every option has its default\n")

    def test_later_file_first(self) -> None:
        found = values("--config", "rtx3090-threadripper-24gb", "--config", "vr")
        self.assertEqual((found["lanes"], found["max_batch_size"], found["layout"]), (4, 2, "sbs"))

    def test_run_takes_them(self) -> None:
        """The layers are those of a run: a wrong value in any of them is its refusal."""
        file = self.folder / "c.yaml"
        file.write_text("mask:\n  feather: 65\n")
        done = run("run", "x.mp4", "-o", "null", "--config", file)
        self.assert_refused(done, 2, rf"{file}:2: feather: \"65\" is not .* from 0 to 64")
        for command in (["run", "x.mp4", "-o", "null"], ["config"], ["compile", "selfie"]):
            done = run(*command, env=os.environ | {"VRSEG_OPTION_FEATHER": "65"})
            self.assert_refused(done, 2, r"VRSEG_OPTION_FEATHER: feather: \"65\"")
            done = run(*command, env=os.environ | {"VRSEG_OPTION_FETHER": "6"})
            self.assert_refused(done, 2, "did you mean VRSEG_OPTION_FEATHER")

    def test_refused(self) -> None:
        for args, complaint in ((["--config", "vrr"], 'no configuration "vrr"; did you mean "vr"'),
                                (["--config", self.folder / "no.yaml"], "no.yaml"),
                                (["--codec", "h265"], 'none of .*did you mean "h264"'),
                                (["--smoth", "on"], 'did you mean "smooth"')):
            self.assert_refused(run("config", *args), 2, complaint)
        for args in (["vr"], ["--list", "--schema"]):
            done = run("config", *args)
            self.assertEqual((done.returncode, done.stdout), (2, ""))

    def test_hostile_files(self) -> None:
        """Each is refused by one sentence, and soon."""
        bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{c}: &{c} [{','.join(['*' + p] * 9)}]\n" for p, c in zip("abcdefgh", "bcdefghi"))
        for name, text, complaint in (
                ("bomb", bomb, "aliases"),
                ("deep", "[" * 100_000, "nested too deeply"),
                ("deep_maps", "\n".join(" " * i + "a:" for i in range(200)), "nested too deeply"),
                ("huge", "# " + "x" * (1 << 20), "large|bytes"),
                ("many", "mask:\n" + "".join(f"  k{i}: 1\n" for i in range(50_000)), "no option"),
                ("twice", "mask:\n  feather: 1\n  feather: 2\n", "given twice"),
                ("long", f"output:\n  model: {'x' * 5000}\n", "longer than 4096"),
                ("zero", "output:\n  model: \"a\\0b\"\n", "zero byte"),
                ("second", "mask:\n---\nmask:\n", "second document"),
                ("bytes", "mask: \xff\xfe\n", "yaml:1"),
                ("tab", "mask:\n\tfeather: 1\n", "yaml:2"),
                ("list", "- mask\n", "sections with options")):
            with self.subTest(name):
                file = self.folder / f"{name}.yaml"
                file.write_text(text, encoding="latin-1")
                self.assert_refused(run("config", "--config", file, timeout=60), 2, complaint)
        os.mkfifo(self.folder / "pipe.yaml")
        self.assert_refused(run("config", "--config", self.folder / "pipe.yaml", timeout=60), 2,
                            "pipe.yaml")


class Installed(support.CliTest):
    """The files in configs/."""

    def test_list(self) -> None:
        done = run("config", "--list", env=os.environ | {"XDG_CONFIG_HOME": str(self.out)})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        titles = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
        self.assertLessEqual({path.stem for path in CONFIGS.glob("*.yaml")}, set(titles))
        for name in GOALS + MACHINES:
            self.assertRegex(titles[name], "^Goal: " if name in GOALS else "^Machine: ")
        listed = json.loads(run("config", "--list", "--json").stdout)
        self.assertLessEqual({str((CONFIGS / f"{name}.yaml").resolve())
                              for name in GOALS + MACHINES}, {entry["path"] for entry in listed})

    def test_user_folder(self) -> None:
        (self.out / "vrseg").mkdir()
        (self.out / "vrseg" / "mine.yaml").write_text("base: vr\nmask:\n  feather: 3\n")
        env = os.environ | {"XDG_CONFIG_HOME": str(self.out)}
        found = settings("--config", "mine", env=env)
        self.assertEqual((found["feather"]["value"], found["layout"]["value"]), (3, "sbs"))
        self.assertIn("mine", run("config", "--list", env=env).stdout.split())

    def test_each_is_read(self) -> None:
        for name in GOALS + MACHINES:
            with self.subTest(name):
                found = settings("--config", name)
                set_here = [o for o in found.values() if o["layer"] == "file"]
                self.assertGreater(len(set_here), 2)
                for option in set_here:
                    path, _, line = option["origin"].rpartition(":")
                    text = (SOURCE / path).read_text(encoding="utf-8").splitlines()
                    self.assertRegex(text[int(line) - 1], rf"^  {option['name']}: ")

    def test_heads(self) -> None:
        """Each begins with what editors read and what it is for, and says why its values are."""
        for path in CONFIGS.glob("*.yaml"):
            text = path.read_text(encoding="utf-8")
            self.assertTrue(text.startswith("# yaml-language-server: $schema=vrseg.schema.json\n"))
            self.assertRegex(text.splitlines()[1], r"^# (Goal|Machine): .+\.$")
            self.assertRegex(text, r"\n  # .+\n|\nbase: ", path)

    def test_targets_of_vr(self) -> None:
        found = values("--config", "vr")
        self.assertEqual((found["min_fps"], found["max_p99_ms"]), (60, 50))
        self.assertEqual((found["layout"], found["max_batch_size"]), ("sbs", 2))
        self.assertEqual(found["latency_target_us"], 1000 * found["max_p99_ms"])

    def test_reference_machine(self) -> None:
        """The reference layout, value by value."""
        for name, memory in (("24gb", "24GB"), ("48gb", "48GB")):
            found = values("--config", f"rtx3090-threadripper-{name}")
            self.assertEqual(
                {key: found[key] for key in (
                    "device", "engine", "precision", "decoder_threads", "lanes", "max_batch_size",
                    "postprocess_threads", "encoder_threads", "gpu_memory")},
                {"device": "cuda", "engine": "cuda", "precision": "f16", "decoder_threads": 8,
                 "lanes": 4, "max_batch_size": 8, "postprocess_threads": 16,
                 "encoder_threads": 8, "gpu_memory": memory})

    def test_other_machines(self) -> None:
        expected = {
            "laptop-gpu": {"device": "cuda", "precision": "f16", "lanes": 2, "max_batch_size": 4,
                           "tickets": 16, "gpu_reserve": "1GB", "pinned_memory": "1GB"},
            "h100": {"device": "cuda", "engine": "cuda", "precision": "f16", "lanes": 4,
                     "max_batch_size": 16, "encoder": "cpu"},
            "h200": {"device": "cuda", "engine": "cuda", "precision": "f16", "lanes": 4,
                     "max_batch_size": 16, "encoder": "cpu"},
            "cpu": {"device": "cpu", "engine": "openvino", "decoder": "cpu", "encoder": "cpu",
                    "max_batch_size": 1, "precision": "f32"}}
        for name, wanted in expected.items():
            found = values("--config", name)
            self.assertEqual({key: found[key] for key in wanted}, wanted, name)


class Schema(support.CliTest):
    def setUp(self) -> None:
        super().setUp()
        try:
            import jsonschema
            import yaml
        except ImportError as error:
            self.skipTest(f"{error}: install python3-jsonschema and python3-yaml")
        done = run("config", "--schema")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        schema = json.loads(done.stdout)
        jsonschema.Draft7Validator.check_schema(schema)
        self.validator = jsonschema.Draft7Validator(schema)
        self.read = yaml.safe_load

    def test_configs(self) -> None:
        for path in CONFIGS.glob("*.yaml"):
            with self.subTest(path.name):
                document = self.read(path.read_text(encoding="utf-8"))
                self.assertEqual([e.message for e in self.validator.iter_errors(document)], [])

    def test_shown(self) -> None:
        for args in ([], ["--config", "vr"], ["--refine", "off", "--tickets", "4"]):
            document = self.read(run("config", *args).stdout)
            self.assertEqual([e.message for e in self.validator.iter_errors(document)], [])

    def test_judges_as_the_program_does(self) -> None:
        for text, good in (("", True), ("base: vr\n", True), ("mask:\n", True),
                           ("mask:\n  smooth: on\n", True), ("mask:\n  smooth: 'off'\n", True),
                           ("mask:\n  refine: auto\n", True), ("mask:\n  refine: off\n", True),
                           ("pipeline:\n  tickets: auto\n", True),
                           ("pipeline:\n  tickets: 4\n", True), ("output:\n  crf: 20.5\n", True),
                           ("device:\n  gpu_memory: 8\n", True),
                           ("targets:\n  min_fps: 60\n", True),
                           ("pipeline:\n  tickets: 1\n", False),
                           ("pipeline:\n  tickets: 2.5\n", False),
                           ("pipeline:\n  tickets: four\n", False),
                           ("batch:\n  max_queue_delay_us: auto\n", False),
                           ("output:\n  crf: 64\n", False), ("mask:\n  smooth: maybe\n", False),
                           ("mask:\n  refine: often\n", False), ("mask:\n  crf: 3\n", False),
                           ("maks:\n  feather: 3\n", False), ("mask: 3\n", False),
                           ("mask:\n  feather: [3]\n", False), ("base: [a]\n", False),
                           ("- mask\n", False)):
            with self.subTest(text):
                file = self.folder / "c.yaml"
                file.write_text(text)
                self.assertEqual(self.validator.is_valid(self.read(text)), good)
                self.assertEqual(run("config", "--config", file).returncode, 0 if good else 2)


class Completion(support.CliTest):
    def complete(self, *words: str) -> list[str]:
        """What bash's function offers for the last word."""
        script = self.folder / "vrseg.bash"
        if not script.exists():
            done = run("docs", "bash")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            script.write_text(done.stdout, encoding="utf-8")
        lines = [f". {script}", f"COMP_WORDS=({' '.join(map(repr, words))})",
                 f"COMP_CWORD={len(words) - 1}", "_vrseg",
                 'printf "%s\\n" "${COMPREPLY[@]}"']
        done = subprocess.run(["bash", "-u", "-c", "\n".join(lines)], capture_output=True,
                              text=True, check=False, cwd=self.out, timeout=support.PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return sorted(done.stdout.split())

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_bash(self) -> None:
        program = support.PROGRAM
        (self.out / "in.mp4").touch()
        commands = re.findall(r"^  vrseg (\w+)", run("--help").stdout, re.M)
        self.assertLessEqual(set(commands), set(self.complete(program, "")))
        self.assertEqual(self.complete(program, "mod"), ["models"])
        self.assertEqual(self.complete(program, "run", "--smooth", ""), ["off", "on"])
        self.assertEqual(self.complete(program, "run", "--codec", "h"), ["h264", "hevc"])
        self.assertEqual(self.complete(program, "run", "--codec", "=", "h"), ["h264", "hevc"])
        self.assertEqual(self.complete(program, "run", "--codec", "="),
                         ["auto", "ffv1", "h264", "hevc", "png", "prores", "raw", "vp9"])
        self.assertEqual(self.complete(program, "run", "--progress", ""), ["auto", "json", "none"])
        self.assertEqual(self.complete(program, "run", "--prog"), ["--progress"])
        self.assertEqual(self.complete(program, "run", "--max-queue-delay-us", ""), [])
        self.assertEqual(self.complete(program, "run", "i"), ["in.mp4"])
        self.assertIn("in.mp4", self.complete(program, "run", "-o", ""))
        self.assertEqual(self.complete(program, "models", "f"), ["fetch"])
        self.assertEqual(self.complete(program, "cache", "c"), ["clear"])
        self.assertEqual(self.complete(program, "run", "--config", "rtx"),
                         ["rtx3090-threadripper-24gb", "rtx3090-threadripper-48gb"])
        self.assertIn("in.mp4", self.complete(program, "run", "--config", ""))
        self.assertEqual(self.complete(program, "run", "--model", "selfie-l"), ["selfie-landscape"])
        self.assertNotIn("The", self.complete(program, "run", "--model", ""))

    @unittest.skipUnless(shutil.which("bash"), "bash is not installed")
    def test_bash_has_every_flag(self) -> None:
        for command in ("run", "info", "preview", "config", "compile", "doctor", "monitor"):
            shown = set(re.findall(r"^ {2,8}(?:-\w, )?(--[a-z][a-z0-9-]+)",
                                   run(command, "--help").stdout, re.M))
            self.assertGreater(len(shown), 3)
            offered = set(self.complete(support.PROGRAM, command, "-"))
            self.assertEqual(shown - offered, {"--usage"}, command)

    def syntax(self, shell: str, *args: str) -> None:
        done = run("docs", shell)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for flag in ("max-batch-size", "progress", "schema", "interval"):
            self.assertIn(flag, done.stdout)
        if shutil.which(shell) is None:
            self.skipTest(f"{shell} is not installed")
        script = self.folder / f"script.{shell}"
        script.write_text(done.stdout, encoding="utf-8")
        checked = subprocess.run([shell, *args, str(script)], capture_output=True, text=True,
                                 check=False, timeout=support.PATIENCE)
        self.assertEqual((checked.returncode, checked.stderr), (0, ""))

    def test_syntax_of_bash(self) -> None:
        self.syntax("bash", "-n")

    def test_syntax_of_zsh(self) -> None:
        self.syntax("zsh", "-n")

    def test_syntax_of_fish(self) -> None:
        self.syntax("fish", "--no-execute")


if __name__ == "__main__":
    support.main(needs_engine=False)
