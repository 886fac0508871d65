"""One file of a package of another Debian release, without touching the system's apt.

apt runs on folders of its own: the machine's mirror and keys, another suite. What it fetches is
checked against the release's signature as always; nothing is installed.
"""

import os
import subprocess
import tempfile
from pathlib import Path

from private import SetupError

# How long apt may take in all; an unreachable mirror must not hold up what can do without.
TIMEOUT = 90
APT = Path("/etc/apt")


def fields(text: str) -> list[dict[str, str]]:
    """The paragraphs of a file of deb822's form, names in lower case."""
    paragraphs: list[dict[str, str]] = [{}]
    name = ""
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        if not line.strip():
            paragraphs.append({})
        elif line[0] in " \t":
            paragraphs[-1][name] = paragraphs[-1].get(name, "") + " " + line.strip()
        elif ":" in line:
            name, value = line.split(":", 1)
            name = name.strip().lower()
            paragraphs[-1][name] = value.strip()
    return [paragraph for paragraph in paragraphs if paragraph]


def one_line(line: str) -> dict[str, str]:
    """A line of sources.list as the fields of deb822, or nothing."""
    words = line.split("#")[0].split()
    if not words or words[0] != "deb":
        return {}
    options = ""
    if len(words) > 1 and words[1].startswith("["):
        end = next((i for i, word in enumerate(words) if word.endswith("]")), 0)
        options = " ".join(words[1:end + 1]).strip("[]")
        words = [words[0], *words[end + 1:]]
    if len(words) < 4:
        return {}
    found = {"types": "deb", "uris": words[1], "suites": words[2],
             "components": " ".join(words[3:])}
    for option in options.split():
        if option.startswith("signed-by="):
            found["signed-by"] = option.split("=", 1)[1]
    return found


def own_source(apt: Path = APT) -> dict[str, str]:
    """The machine's own source of Debian's main archive: mirror and key."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    codename = next((line.split("=", 1)[1].strip('"') for line in release.splitlines()
                     if line.startswith("VERSION_CODENAME=")), "")
    sources: list[dict[str, str]] = []
    for file in sorted((apt / "sources.list.d").glob("*.sources")):
        sources += fields(file.read_text(encoding="utf-8"))
    lists = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*.list"))]
    for file in filter(Path.is_file, lists):
        sources += filter(None, map(one_line, file.read_text(encoding="utf-8").splitlines()))
    for source in sources:
        if codename and codename in source.get("suites", "").split() and \
                "main" in source.get("components", "").split() and \
                "deb" in source.get("types", "").split():
            return source
    raise SetupError(f"no source of Debian's main archive is named below {apt}")


def run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    """A program's output; its last words when it fails."""
    try:
        done = subprocess.run(command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False, timeout=TIMEOUT)
    except FileNotFoundError as error:
        raise SetupError(f"there is no {command[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise SetupError(f"{command[0]} was not done after {TIMEOUT} seconds") from error
    if done.returncode != 0:
        lines = done.stdout.splitlines() or ["nothing"]
        said = [line for line in lines if line.startswith("E:")] or lines
        raise SetupError(f"{command[0]} said: {said[-1]}")
    return done.stdout


def unpack(package: str, suite: str, target: Path, apt: Path = APT) -> None:
    """Unpacks a package of `suite` into the folder `target`. SetupError: why it cannot be had."""
    source = own_source(apt)
    with tempfile.TemporaryDirectory(prefix="vrseg-apt-") as name:
        folder = Path(name)
        for part in ("etc/apt.conf.d", "etc/preferences.d", "etc/sources.list.d",
                     "state/lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True)
        (folder / "state" / "status").touch()
        key = source.get("signed-by", "")
        # An inline key does not fit on a line; the keyring of Debian holds it, too.
        option = f"[signed-by={key}] " if key.startswith("/") else ""
        mirror = source["uris"].split()[0]
        (folder / "etc" / "sources.list").write_text(f"deb {option}{mirror} {suite} main\n",
                                                     encoding="utf-8")
        # How this machine reaches its mirror; none of its hooks, which would touch the system's
        # files: what APT_CONFIG names is read first and says where the rest lies.
        config = [line for line in run(["apt-config", "dump"], folder).splitlines()
                  if line.startswith("Acquire::http")]
        config += [f'Dir::Etc "{folder}/etc";', f'Dir::Etc::trustedparts "{apt}/trusted.gpg.d";',
                   f'Dir::State "{folder}/state";', f'Dir::State::status "{folder}/state/status";',
                   f'Dir::Cache "{folder}/cache";', 'Acquire::Languages "none";',
                   'Acquire::Retries "1";', 'Acquire::http::Timeout "20";',
                   'APT::Sandbox::User "root";']
        (folder / "apt.conf").write_text("\n".join(config) + "\n", encoding="utf-8")
        own = dict(os.environ, APT_CONFIG=str(folder / "apt.conf"))
        run(["apt-get", "-q", "update"], folder, own)
        run(["apt-get", "-q", "download", package], folder, own)
        found = sorted(folder.glob(f"{package}_*.deb"))
        if len(found) != 1:
            raise SetupError(f"apt-get brought no {package} of {suite}")
        target.mkdir(parents=True, exist_ok=True)
        run(["dpkg-deb", "-x", str(found[0]), str(target)], folder)
