"""Folders that are made whole or not at all, and pip kept out of the system's Python.

A folder that stands holds a stamp: a hash of all that it was made from. While the stamp matches,
nothing is done and no network is needed. A new folder is made beside its place and renamed into
it, so an interrupted run leaves the old one or none.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

STAMP = ".stamp"
TEMPORARY = "tmp-"


class SetupError(Exception):
    """A sentence for the user: what was tried, on what, and what to do."""


def user_folder() -> Path:
    """The user's data folder for vrseg; as the XDG rules say, a relative one is ignored."""
    data = os.environ.get("XDG_DATA_HOME", "")
    folder = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return folder / "vrseg"


def local_folder(root: Path) -> Path:
    """Where the private folders are: the checkout's .local, or the user's data folder where
    `root` is an installed copy. $VRSEG_LOCAL_DIR overrides both."""
    override = os.environ.get("VRSEG_LOCAL_DIR")
    if override:
        return Path(override).absolute()
    if (root / "meson.build").is_file():
        return root / ".local"
    return user_folder()


def digest(*parts: bytes) -> str:
    """The SHA-256 of the parts, each with its length, so that no two lists hash alike."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def file_digest(path: Path) -> str:
    """The SHA-256 of a file's bytes."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def is_current(folder: Path, stamp: str) -> bool:
    """Whether the folder was made from exactly what `stamp` is the hash of."""
    try:
        return (folder / STAMP).read_text(encoding="ascii") == stamp
    except (OSError, UnicodeDecodeError):
        return False


@contextlib.contextmanager
def locked(local: Path) -> Iterator[None]:
    """Holds the only right to change `local`, and clears what interrupted runs left there."""
    try:
        local.mkdir(parents=True, exist_ok=True)
        lock = open(local / ".lock", "w", encoding="ascii")
    except OSError as error:
        raise SetupError(f"cannot write to {local}: {error.strerror}; set VRSEG_LOCAL_DIR to a "
                         "folder that you may write to") from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in local.glob(TEMPORARY + "*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def make_folder(folder: Path, stamp: str, build: Callable[[Path], None]) -> None:
    """Has `build` fill a new folder and puts it, stamped, in the place of `folder`.

    The caller holds locked(folder.parent). Whatever `build` raises leaves `folder` as it was.
    """
    scratch = Path(tempfile.mkdtemp(prefix=TEMPORARY, dir=folder.parent))
    try:
        fresh = scratch / "new"
        fresh.mkdir()
        build(fresh)
        (fresh / STAMP).write_text(stamp, encoding="ascii")
        if folder.exists():
            folder.rename(scratch / "old")
        fresh.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def publish_file(source: Path, target: Path) -> None:
    """Puts a finished file of the same file system in its place: on disk first, then renamed."""
    with open(source, "rb") as stream:
        os.fsync(stream.fileno())
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def pip(arguments: list[str], what: str, python: Path | None = None) -> None:
    """Runs the pip of this Python, as configured on the machine, for itself or for `python`."""
    command = [sys.executable, "-m", "pip"]
    if python:
        command += ["--python", str(python)]
    command += arguments + ["--quiet", "--no-input", "--disable-pip-version-check"]
    # These two settings of a user's contradict installing into a folder of our own.
    environment = dict(os.environ, PIP_USER="no", PIP_REQUIRE_VIRTUALENV="no")
    done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode != 0:
        said = "\n".join("  " + line for line in done.stdout.strip().splitlines()[-6:])
        raise SetupError(f"pip could not get {what}; check the network and run this again. "
                         f"Its last words:\n{said}")
