"""The one reader of zips of photos and masks: entry by entry, never unpacked to disk, within limits.

What an entry claims of itself is checked and not trusted; an unsafe zip is refused before it costs anything.
"""

import stat
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from zoo.images.photo import ImageError
from zoo.text import Message

ENTRY_BYTES = 1000  # that an entry may take in the list, long names included
ZIP_END_BYTES = 22 + 65_535  # where the end of a zip says how long that list is
LOCATOR = struct.Struct("<4sIQI")  # before the end of a zip64: where its record lies
RECORD = struct.Struct("<4sQ2H2I4Q")  # of a zip64; its last four: entries here and in all, length and place of the list
MAXIMUM_RATIO = 200  # of an entry above 1 MB; photos and masks stay far below
PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".heic", ".heif")


class ArchiveError(ImageError):
    """A zip that cannot be used; the message is for the person who sent it."""


@dataclass(frozen=True)
class Limits:
    """Of a zip: entries, with folders and what is no picture; bytes of one entry and of all pictures, unpacked."""

    entries: int = 500
    entry_bytes: int = 30_000_000
    total_bytes: int = 300_000_000


PAGE = Limits()


def zip_entries(path: str | Path, limits: Limits = PAGE) -> dict[str, Callable[[], bytes]]:
    """The photos and masks in a zip, each with a function that reads it; raises ArchiveError for an unsafe zip."""
    try:
        check_directory(path, limits)
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
    except ArchiveError:
        raise
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise ArchiveError(Message("error_zip_damaged", file=Path(path).name)) from None
    if len(entries) > limits.entries:
        raise ArchiveError(Message("error_zip_entries", number=len(entries), maximum=limits.entries))
    kept = [entry for entry in entries if is_wanted(entry)]
    for entry in kept:
        check_entry(entry, limits)
    if sum(entry.file_size for entry in kept) > limits.total_bytes:
        raise ArchiveError(Message("error_zip_total", maximum=limits.total_bytes // 1_000_000))
    return {entry.filename: lambda entry=entry: read_entry(path, entry) for entry in kept}


def check_directory(path: str | Path, limits: Limits) -> None:
    """Raise ArchiveError for a zip whose list of entries is too long to be read at all."""
    with open(path, "rb") as file:
        start = max(0, file.seek(0, 2) - ZIP_END_BYTES)
        file.seek(start)
        content = file.read()
        at = content.rfind(b"PK\5\6")
        if at < 0 or len(content) < at + 22:
            raise zipfile.BadZipFile
        sizes = [struct.unpack("<HI", content[at + 10 : at + 16]), *large_sizes(file, start + at)]
    length, entries = max((length, entries) for entries, length in sizes)
    if length > limits.entries * ENTRY_BYTES:
        raise ArchiveError(Message("error_zip_entries", number=entries, maximum=limits.entries))


def large_sizes(file: BinaryIO, end: int) -> list[tuple[int, int]]:
    """Entries and length of the list as a zip64 record gives them, which counts whatever the zip's end at `end` says.

    The record lies before its locator, or where that points: which of the two is believed depends on Python's version.
    """
    file.seek(max(0, end - LOCATOR.size))
    content = file.read(LOCATOR.size)
    if len(content) < LOCATOR.size or not content.startswith(b"PK\6\7"):
        return []
    _, _, offset, _ = LOCATOR.unpack(content)
    found = []
    for place in (end - LOCATOR.size - RECORD.size, offset):
        if 0 <= place < end:
            file.seek(place)
            record = file.read(RECORD.size)
            if len(record) == RECORD.size and record.startswith(b"PK\6\6"):
                found.append(RECORD.unpack(record)[7:9])
    return found


def is_wanted(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a photo or a mask by its name; folders and the hidden files of file managers are not."""
    parts = PurePosixPath(entry.filename).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return not entry.is_dir() and not hidden and PurePosixPath(entry.filename).suffix.lower() in PICTURES


def check_entry(entry: zipfile.ZipInfo, limits: Limits) -> None:
    """Raise ArchiveError for an entry that no honest zip of photos has: unsafe name, link, password, size or ratio."""
    name, parts = entry.filename, PurePosixPath(entry.filename).parts
    unsafe = name.startswith("/") or ".." in parts or any(letter in name for letter in "\\:\0") or len(name) > 300
    if unsafe or not name.isprintable() or stat.S_ISLNK(entry.external_attr >> 16):
        raise ArchiveError(Message("error_zip_name", name=name[:80]))
    if entry.flag_bits & 1:
        raise ArchiveError(Message("error_zip_password", name=name))
    ratio = entry.file_size / max(1, entry.compress_size)
    if entry.file_size > limits.entry_bytes or (entry.file_size > 1_000_000 and ratio > MAXIMUM_RATIO):
        raise ArchiveError(Message("error_zip_bomb", name=name, maximum=limits.entry_bytes // 1_000_000))


def read_entry(path: str | Path, entry: zipfile.ZipInfo) -> bytes:
    """The content of an entry, which may not be longer than it claims; raises ArchiveError for a damaged one."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(entry) as stream:
            content = stream.read(entry.file_size + 1)
    except Exception as error:  # a damaged stream can make a decompressor fail in many ways
        raise ArchiveError(Message("error_damaged")) from error
    if len(content) != entry.file_size:
        raise ArchiveError(Message("error_damaged"))
    return content
