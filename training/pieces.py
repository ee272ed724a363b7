"""Data and weights in pieces of bounded size, for a machine behind a thin line: zips of the files as they are.

Every piece is a zip by itself, so each can be sent and unpacked alone. The first names all files with their sha256, so
that `missing` tells what has not arrived or not whole.
"""

import hashlib
import json
import zipfile
from collections.abc import Sequence
from pathlib import Path

from training import TrainingError
from zoo.atomic import replacing

LIST = "pieces.json"
PIECE_BYTES = 60 * 2**20


def pack(folders: dict[str, Path], out: Path, piece_bytes: int = PIECE_BYTES) -> list[Path]:
    """Write the files below `folders` (name there: folder here) to zips `piece-00.zip`, ... in `out`; returns them.

    Hidden files are left out. Raises TrainingError for a folder that is not there and a file that no piece can hold.
    """
    files = dict(found for name, folder in folders.items() for found in listed(name, folder))
    sizes = {name: path.stat().st_size for name, path in files.items()}
    document = json.dumps({name: digest(path) for name, path in files.items()}, indent=1).encode()
    room, pieces = piece_bytes - len(document), [[]]
    for name, size in sizes.items():
        size += 2 * len(name) + 200  # headers and directory entry
        if size > piece_bytes:
            raise TrainingError(f"{files[name]}: has {size:,} bytes, more than a piece of {piece_bytes:,} holds")
        if size > room:
            pieces.append([])
            room = piece_bytes
        pieces[-1].append(name)
        room -= size
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / f"piece-{number:02}.zip" for number in range(len(pieces))]
    for number, (path, names) in enumerate(zip(paths, pieces, strict=True)):
        with replacing(path) as staging, zipfile.ZipFile(staging, "w") as archive:
            if number == 0:
                archive.writestr(LIST, document)
            for name in names:
                archive.write(files[name], name)
    return paths


def listed(name: str, folder: Path) -> list[tuple[str, Path]]:
    """(name in a piece, path) of every file below a folder, in the order of names."""
    if not folder.is_dir():
        raise TrainingError(f"{folder}: no such folder, and {name} is to be packed")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    inside = [(path.relative_to(folder), path) for path in paths]
    return [(f"{name}/{short.as_posix()}", path) for short, path in inside if not short.name.startswith(".")]


def digest(path: Path) -> str:
    """Hex SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(pieces: Sequence[Path], into: Path) -> None:
    """Lay the files of some pieces below `into`; TrainingError for a piece that is not whole."""
    for path in pieces:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(into)
        except (OSError, zipfile.BadZipFile) as error:
            raise TrainingError(f"{path}: cannot be unpacked ({error}); send it again") from None


def missing(root: Path) -> list[str]:
    """Names of the files that the pieces' list has and `root` has not as they were; nothing without such a list."""
    if not (root / LIST).is_file():
        return []
    expected = json.loads((root / LIST).read_text(encoding="utf-8"))
    return [name for name, sha256 in expected.items() if not (root / name).is_file() or digest(root / name) != sha256]
