"""onnxruntime-web, the engine that runs exported files in browsers: which release, and how its files come here.

It is fetched by npm, checked against the hash below, and kept; nothing of it is in this repository.
"""

import argparse
import base64
import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

from zoo.atomic import write_bytes
from zoo.checkpoints.information import CheckpointError

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
INTEGRITY = "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="
SCRIPT, MODULE, WASM = BUNDLE = (  # the engine for processors alone: the others are twice as large and slower here
    "ort.wasm.min.js",
    "ort-wasm-simd-threaded.mjs",
    "ort-wasm-simd-threaded.wasm",
)
SECONDS = 600  # for a download of some 30 MB


def cache_folder() -> Path:
    """Where the engine's files are kept, in the user's cache."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fcn-zoo" / f"{PACKAGE}-{VERSION}"


def is_complete(folder: Path) -> bool:
    """Whether a folder holds the engine's files."""
    return all((folder / name).is_file() for name in BUNDLE)


def runtime_folder(given: str | Path | None = None) -> Path:
    """The folder of the engine's files: the one that is `given` (`dist` of the npm package), else the kept one.

    Fetches it where it is not kept yet. Raises CheckpointError where that fails, and says what to do.
    """
    if given:
        if missing := [name for name in BUNDLE if not (Path(given) / name).is_file()]:
            raise CheckpointError(f"{given}: has no {missing[0]}; name the folder dist of the npm package {PACKAGE}")
        return Path(given)
    if not is_complete(cache_folder()):
        fetch(cache_folder())
    return cache_folder()


def fetch(folder: Path) -> None:
    """Put the engine's files into `folder`, from the registry that npm is set up for. Raises CheckpointError."""
    npm = shutil.which("npm")
    by_hand = f"or unpack {PACKAGE} {VERSION} yourself and name its folder dist with --runtime"
    if not npm:
        raise CheckpointError(f"npm is needed to fetch {PACKAGE} and is not installed; install Node.js, {by_hand}")
    with tempfile.TemporaryDirectory() as place:
        command = [npm, "pack", "--silent", f"{PACKAGE}@{VERSION}"]
        try:
            subprocess.run(command, cwd=place, capture_output=True, text=True, check=True, timeout=SECONDS)
        except subprocess.TimeoutExpired:
            reason = f"npm has not answered for {SECONDS} s"
            raise CheckpointError(
                f"{PACKAGE} {VERSION} could not be fetched ({reason}); try again, {by_hand}"
            ) from None
        except subprocess.CalledProcessError as error:
            reason = (error.stderr or error.stdout).strip().split("\n", 1)[0] or f"npm ended with {error.returncode}"
            raise CheckpointError(
                f"{PACKAGE} {VERSION} could not be fetched ({reason}); try again, {by_hand}"
            ) from None
        unpack(next(Path(place).glob("*.tgz")), folder)


def unpack(archive: Path, folder: Path, integrity: str = INTEGRITY) -> None:
    """The engine's files out of npm's archive, which must be the one that `integrity` names. Raises CheckpointError."""
    kind, expected = integrity.split("-", 1)
    found = base64.b64encode(hashlib.new(kind, archive.read_bytes()).digest()).decode()
    if found != expected:
        raise CheckpointError(f"{archive.name}: is not {PACKAGE} {VERSION}, its {kind} differs; nothing is kept of it")
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(archive) as files:
        for name in BUNDLE:
            content = files.extractfile(f"package/dist/{name}")
            if content is None:
                raise CheckpointError(f"{archive.name}: package/dist/{name} is no file")
            write_bytes(folder / name, content.read())


def main(arguments: list[str] | None = None) -> int:
    """Fetch the engine where it is not kept yet; the exit status, 1 with a message on standard error."""
    text = f"Fetch {PACKAGE} {VERSION} by npm, unless it is kept already, and print where its files are."
    argparse.ArgumentParser(prog="python -m zoo.checkpoints.web_runtime", description=text).parse_args(arguments)
    try:
        print(runtime_folder())
    except CheckpointError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
