"""The doctor: what it finds and misses, its JSON, the checklist, the self-test, exit statuses."""

import json
import os
import re

import support
from support import run

CHECK = {"name", "state", "required", "found", "wanted", "gives", "remedy"}
STATES = {"ok", "warning", "failed", "skipped"}


class Doctor(support.CliTest):
    def test_lines(self) -> None:
        done = run("doctor")
        self.assertEqual(done.stderr, "")
        for line in (r"^vrseg +\d", r"\nsystem +\S", r"\nprocessor +.+ kernels for \S",
                     r"\nmemory +[\d.]+ GB", r"\nGPU +\S", r"\nlibav +libavcodec \d+\.",
                     r"\nmodels +\d+ of \d+ installed in /", r"\ndisk +[\d.]+ GB free",
                     r"\n\nrequirements\n", r"\n(ok|warn|missing) +OpenVINO +\S",
                     r"\nok +encoders +\S"):
            self.assertRegex(done.stdout, line)
        good = "\nEverything that a run needs is here.\n" in done.stdout
        self.assertEqual(done.returncode, 0 if good else 1)

    def test_json(self) -> None:
        found = json.loads(run("doctor", "--json").stdout)
        self.assertEqual((found["schema"], found["schema_version"]), ("vrseg-doctor", 1))
        self.assertEqual(run("--version").stdout, f"vrseg {found['version']}\n")
        self.assertNotIn("deployment", found)
        self.assertNotIn("self_test", found)
        self.assertGreater(found["system"]["memory_total_bytes"], 1e8)
        self.assertGreaterEqual(found["system"]["cpus_usable"], 1)
        self.assertGreater(found["disk"]["total_bytes"], 0)
        self.assertIn("h264", found["media"]["decoders"].split())
        for check in found["requirements"]:
            self.assertEqual(set(check), CHECK)
            self.assertIn(check["state"], STATES)
            self.assertEqual(bool(check["remedy"]), check["state"] in ("warning", "failed"), check)
        failed = [c for c in found["requirements"] if c["required"] and c["state"] == "failed"]
        self.assertEqual(found["can_run"], not failed)

    def test_documented(self) -> None:
        """Every member of the JSON stands in docs/doctor.md."""
        text = (support.SOURCE / "docs" / "doctor.md").read_text(encoding="utf-8")
        words = set(re.findall(r"\w+", text))
        found = json.loads(run("doctor", "--json", "--self-test", "--deploy", self.config()).stdout)

        def members(value: object) -> set[str]:
            if isinstance(value, list):
                return set().union(*map(members, value))
            if isinstance(value, dict):
                return set(value).union(*map(members, value.values()))
            return set()

        self.assertLessEqual(members(found), words)

    def config(self, text: str = "device:\n  device: cpu\n") -> object:
        path = self.folder / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    def test_missing(self) -> None:
        env = os.environ | {"VRSEG_MODELS_DIR": str(self.out), "VRSEG_OPENVINO_DIR": str(self.out),
                            "VRSEG_CUDA_LIBRARY": "/nowhere/libcuda.so.1"}
        done = run("doctor", env=env)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\nmissing +OpenVINO +.*VRSEG_OPENVINO_DIR")
        self.assertRegex(done.stdout, r"\nmodels +0 of \d+ installed")
        self.assertRegex(done.stdout, r"\nmissing +model .*\n +wanted: .*\n +for: .*\n +do: +vrseg "
                                      r"models fetch selfie-landscape\n")
        self.assertIn("\n2 things that a run needs are missing or wrong.\n", done.stdout)

    def test_settings_decide(self) -> None:
        """What is required follows from the options: a GPU that is named must be there."""
        env = os.environ | {"VRSEG_CUDA_LIBRARY": "/nowhere/libcuda.so.1"}
        driver = support.doctor(env=env)["requirements"]["NVIDIA driver"]
        self.assertEqual((driver["state"], driver["required"]), ("skipped", False))
        found = support.doctor("--device", "cuda", env=env)
        driver = found["requirements"]["NVIDIA driver"]
        self.assertEqual((driver["state"], driver["required"]), ("failed", True))
        self.assertIn("580", driver["remedy"])
        self.assertFalse(found["can_run"])
        self.assertEqual(run("doctor", "--device", "cuda", env=env).returncode, 1)
        config = self.config("device:\n  device: cuda\n")
        found = support.doctor("--config", config, env=env)
        self.assertFalse(found["can_run"])
        self.assertEqual(found["requirements"]["configuration"]["found"], str(config))
        env["VRSEG_ONNXRUNTIME_DIR"] = "/nowhere"
        done = run("doctor", "--device", "cpu", "--engine", "onnxruntime", env=env)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\nmissing +ONNX Runtime ")

    def test_deploy(self) -> None:
        reason = support.engine_missing()
        if reason:
            self.skipTest(reason)
        done = run("doctor", "--deploy", self.config(), "--output-folder", self.out, "--frame",
                   "320x180", "--room", "0", "--json")
        self.assertEqual(done.returncode, 0, done.stdout)
        checks = {check["name"]: check for check in json.loads(done.stdout)["deployment"]}
        self.assertLessEqual({"output folder", "disk room", "disk speed", "cache folder",
                              "processors", "clock source", "open files", "device", "memory",
                              "trial frame"}, set(checks))
        self.assertEqual(checks["trial frame"]["state"], "ok")
        self.assertIn("320x180 by openvino", checks["trial frame"]["found"])
        self.assert_left()
        done = run("doctor", "--deploy", self.config(), "--output-folder", self.out, "--frame",
                   "320x180", "--room", "1000000")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"\nfailed +disk room +.* free, 1000000 GB wanted\n")
        missing = self.out / "not" / "there"
        done = run("doctor", "--deploy", self.config(), "--output-folder", missing, "--frame",
                   "320x180", "--room", "0", "--json")
        self.assertEqual(done.returncode, 1)
        checks = {check["name"]: check for check in json.loads(done.stdout)["deployment"]}
        self.assertEqual(checks["output folder"]["state"], "failed")
        self.assertEqual(checks["output folder"]["found"], "there is no such folder")
        self.assertIn("mkdir -p", checks["output folder"]["remedy"])
        self.assertEqual(checks["disk room"]["state"], "ok")

    def test_self_test(self) -> None:
        found = support.doctor("--self-test")
        self.assertEqual(found["self_test"]["plain C network"]["state"], "ok")
        wrong = [c for c in found["self_test"].values() if c["state"] == "failed"]
        self.assertEqual(wrong, [])
        if found["system"]["isa"] == "AVX-512":
            self.assertEqual(found["self_test"]["avx512 preprocess"]["state"], "ok")

    def test_stand_in(self) -> None:
        """A GPU, its driver's stand-in: it is described, named and its memory looked at."""
        driver = os.environ.get("VRSEG_FAKE_DRIVER")
        if not driver:
            self.skipTest("the stand-in driver was not built")
        env = os.environ | {"VRSEG_CUDA_LIBRARY": driver, "VRSEG_CUDNN_LIBRARY": "none",
                            "VRSEG_CUDA_IMAGE": str(support.SOURCE / "README.md")}
        found = support.doctor("--device", "cuda:0", env=env)
        gpu = found["gpus"][0]
        self.assertTrue(gpu["usable"], gpu)
        self.assertEqual(found["requirements"]["GPU cuda:0"]["state"], "ok")
        self.assertTrue(found["requirements"]["GPU cuda:0"]["required"])
        self.assertEqual(found["no_gpu"], "")
        old = support.doctor("--device", "cuda:0", env=env | {"VRSEG_FAKE_CUDA_DRIVER": "12080"})
        self.assertIn("it has CUDA 12.8", old["requirements"]["NVIDIA driver"]["found"])
        self.assertFalse(old["can_run"])

    def test_refused(self) -> None:
        for args, complaint in ((["--room", "much"], "expected gigabytes"),
                                (["--frame", "640"], "expected WIDTHxHEIGHT"),
                                (["--frame", "0x5"], "expected WIDTHxHEIGHT"),
                                (["--room", "1"], "go with --deploy"),
                                (["--frame", "64x48"], "go with --deploy"),
                                (["--output-folder", "x"], "go with --deploy"),
                                (["now"], "no argument is expected")):
            with self.subTest(args=args):
                done = run("doctor", *args)
                self.assertEqual((done.returncode, done.stdout), (2, ""))
                self.assertIn(complaint, done.stderr)
        self.assert_refused(run("doctor", "--jsn"), 2, "jsn")
        self.assert_refused(run("doctor", "--deploy", self.folder / "none.yaml"), 2, "none.yaml")
        self.assert_refused(run("doctor", "--config", self.config("mask:\n  refine_radios: 3\n")),
                            2, "refine_radius")


if __name__ == "__main__":
    support.main(needs_engine=False)
