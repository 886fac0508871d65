"""What the machine is and has, from Python: as the program says it."""

import json
import os
import subprocess
import unittest

import support

support.use_package()

import vrseg  # noqa: E402


class System(unittest.TestCase):
    def test_version(self) -> None:
        self.assertRegex(vrseg.version(), r"^\d+\.\d+\.\d+$")
        self.assertEqual(set(vrseg.__all__) - set(dir(vrseg)), set())

    def test_as_the_doctor(self) -> None:
        done = subprocess.run([os.environ["VRSEG_PROGRAM"], "doctor", "--json"],
                              capture_output=True, text=True, check=False,
                              timeout=support.PATIENCE)
        doctor = json.loads(done.stdout)
        info = vrseg.system_info()
        self.assertEqual((info["cpu_name"], info["cpus_usable"], info["version"]),
                         (doctor["system"]["cpu"], doctor["system"]["cpus_usable"],
                          doctor["version"]))
        self.assertEqual(len(info["numa"]), len(doctor["system"]["numa"]))
        self.assertEqual(len(vrseg.gpus()), len(doctor["gpus"]))
        checks = {c.name: c.state for c in vrseg.requirements()}
        for check in doctor["requirements"]:
            if not check["name"].endswith("tools"):  # of the checkout, which the library knows not
                self.assertEqual(checks[check["name"]], check["state"], check)

    def test_models(self) -> None:
        names = [model.name for model in vrseg.models()]
        self.assertEqual(names, sorted(names))
        self.assertIn(support.MODEL, names)
        info = vrseg.Model(support.MODEL).info
        self.assertEqual((info.name, info.width, info.height), (support.MODEL, 256, 144))

    def test_deploy(self) -> None:
        checks = {c.name: c for c in vrseg.deploy_check(device_id="cpu", output=support.FOLDER,
                                                        output_bytes=1, run=False)}
        self.assertEqual(checks["output folder"].state, "ok")
        self.assertEqual(checks["trial frame"].state, "skipped")
        with self.assertRaises(vrseg.InvalidError):
            vrseg.deploy_check(width=99999)

    def test_self_test(self) -> None:
        checks = vrseg.self_test()
        self.assertGreater(len(checks), 3)
        self.assertEqual([c for c in checks if c.state == "failed"], [])

    def test_no_library(self) -> None:
        """Says where it was looked for and what to do."""
        environment = os.environ | {"PYTHONPATH": str(support.FOLDER / "package"),
                                    "VRSEG_LIBRARY_DIR": "/nowhere"}
        environment.pop("LD_LIBRARY_PATH", None)  # Meson's, with the build's libraries
        done = subprocess.run(["/usr/bin/python3", "-c",
                               "import sys; sys.modules['numpy'] = None\nimport vrseg"],
                              capture_output=True, text=True, check=False, env=environment)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("VRSEG_LIBRARY_DIR", done.stderr)


if __name__ == "__main__":
    support.main()
