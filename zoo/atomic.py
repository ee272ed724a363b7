"""Files and folders that are either the old or the new, never half of one, whatever happens while they are written.

One file: write a temporary one beside it, then rename. Several files that belong together (`together`), or a folder
that replaces another (`whole_folder`): what is new is complete under one pending name before anything old is touched.
A kill after that moment loses nothing either: `settle`, which readers call first, finishes what was begun.
`durable` also waits for the disk, so that a power cut is survived as a kill is.
"""

import contextlib
import errno
import os
import shutil
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

PART, PENDING, PENDING_FILES = ".part", ".pending", ".pending-files"
STALE_SECONDS = 86_400.0  # a temporary file older than this belongs to a process that was killed
# What a disk refuses; any other error of the work is the worker's own and passes unchanged.
_OF_THE_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM}


class WriteError(OSError):
    """A file that could not be written, in one sentence. `strerror` is the system's reason."""

    def __init__(self, path: Path, error: OSError):
        super().__init__(error.errno, error.strerror, str(path))

    def __str__(self) -> str:
        return f"{self.filename}: cannot be written ({self.strerror}); what was there before is unchanged"


@contextlib.contextmanager
def replacing(path: str | Path, *, durable: bool = False) -> Iterator[Path]:
    """Give the temporary path to write to; it replaces `path` when the block ends, and disappears if it fails.

    Raises WriteError where the disk is full or may not be written.
    """
    path = Path(os.path.realpath(path))  # a link stays one
    temporary = _temporary(path)
    try:
        with _explained(path, temporary):
            _remove_stale(path)
            yield temporary
            if durable:
                _sync(temporary)
            os.replace(temporary, path)
            if durable:
                _sync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_bytes(path: str | Path, content: bytes | memoryview, *, durable: bool = False) -> None:
    """Replace a file's content in one step. Raises WriteError, and the old content is still there."""
    with replacing(path, durable=durable) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, text: str, *, durable: bool = False) -> None:
    """Replace a file's text, as UTF-8, in one step. Raises WriteError, and the old text is still there."""
    write_bytes(path, text.encode(), durable=durable)


@contextlib.contextmanager
def whole_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder to fill; it becomes `path` when the block ends, in place of what is there.

    Raises WriteError. Leftovers of a replacement that was killed are completed or removed first.
    """
    path = Path(os.path.realpath(path))
    with temporary_folder(path) as staging, _explained(path, staging):
        settle(path)
        yield staging
        replace_folder(staging, path)


@contextlib.contextmanager
def temporary_folder(path: str | Path) -> Iterator[Path]:
    """Give a new folder beside `path`; it is deleted when the block ends, unless `replace_folder` has moved it."""
    path = Path(path)
    staging = _temporary(path)
    try:
        with _explained(path, staging):
            path.parent.mkdir(parents=True, exist_ok=True)
            _remove_stale(path)
            staging.mkdir()
        yield staging
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def replace_folder(staging: Path, path: Path) -> None:
    """Make `staging`, a folder on the same disk, become `path` in place of what is there. Raises WriteError."""
    with _explained(path, staging):
        with _alone(path.parent):
            old = _finish_folder(path)
            os.replace(staging, path.with_name(f".{path.name}{PENDING}") if path.is_dir() else path)
            old += _finish_folder(path)
        _remove(*old)


@contextlib.contextmanager
def together(folder: str | Path, group: str) -> Iterator[Path]:
    """Give a new folder to fill; its files replace those of the same name in `folder` as one, on disk for good.

    Other files of `folder` stay. `group` names what belongs together, so that two groups in one folder never meet.
    Raises WriteError.
    """
    folder = Path(os.path.realpath(folder))
    staging, created = _temporary(folder / group), not folder.is_dir()
    try:
        with _explained(folder, staging):
            folder.mkdir(parents=True, exist_ok=True)
            settle(folder)
            _remove_stale(folder / group)
            staging.mkdir()
            yield staging
            for path in (*staging.iterdir(), staging):
                _sync(path)
            with _alone(folder):
                settle(folder)
                os.replace(staging, folder / f".{group}{PENDING_FILES}")
                _sync(folder)
                settle(folder)
            _sync(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if created:
            with contextlib.suppress(OSError):  # not empty: it was filled
                folder.rmdir()


def settle(path: str | Path) -> None:
    """Finish the replacement of `path`, or of files in it, that a killed process had begun.

    Several processes may do so at once. Raises WriteError where there is one to finish and the disk lets nobody.
    """
    path = Path(os.path.realpath(path))
    with _explained(path):
        if path.name and path.with_name(f".{path.name}{PENDING}").is_dir():
            with _alone(path.parent):
                old = _finish_folder(path)
            _remove(*old)
        for pending in path.glob(f".*{PENDING_FILES}"):
            _move_files(pending, path)


def _move_files(pending: Path, folder: Path) -> None:
    """Put the files that wait to replace those of `folder` there, together with whoever does the same now."""
    try:
        names = os.listdir(pending)
    except FileNotFoundError:  # another process was faster
        return
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            os.replace(pending / name, folder / name)
    with contextlib.suppress(OSError):
        pending.rmdir()


def remove_leftovers(folder: Path, older_than: float = STALE_SECONDS) -> list[Path]:
    """Delete temporary files and folders of killed processes directly in `folder`; returns what went."""
    stale = [path for path in folder.glob(f".*{PART}") if _age(path) > older_than]
    for path in stale:
        _remove(path)
    return stale


def _finish_folder(path: Path) -> list[Path]:
    """Put the folder that waits to replace `path` there; returns where the one before it lies now."""
    pending, old = path.with_name(f".{path.name}{PENDING}"), _temporary(path)
    if not pending.is_dir():
        return []
    with contextlib.suppress(FileNotFoundError):
        os.replace(path, old)
    os.replace(pending, path)
    return [old]


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out of the block, where the system and the file system have locks."""
    if fcntl is None:
        yield
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems have none
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}{PART}")


def _remove_stale(path: Path) -> None:
    for other in path.parent.glob(f".{_literal(path.name)}.*{PART}"):
        if _age(other) > STALE_SECONDS:
            _remove(other)


def _literal(name: str) -> str:
    return "".join(f"[{character}]" if character in "*?[" else character for character in name)


def _age(path: Path) -> float:
    """Seconds since a file was written last; 0 if it is gone or comes from the future."""
    try:
        return max(0.0, time.time() - path.lstat().st_mtime)
    except OSError:
        return 0.0


def _remove(*paths: Path) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Wait until a file's content, or the names in a folder, are on the disk."""
    if path.is_dir() and os.name != "posix":
        return  # only there can a folder be opened
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _explained(path: Path, staging: Path | None = None) -> Iterator[None]:
    try:
        yield
    except WriteError:
        raise
    except OSError as error:
        if error.errno not in _OF_THE_DISK or not _concerns(error, path, staging or path):
            raise
        raise WriteError(path, error) from None


def _concerns(error: OSError, path: Path, staging: Path) -> bool:
    """Whether an error is about what is written to `path`, not about something that the work reads elsewhere."""
    if not isinstance(error.filename, str):
        return True  # a full disk names no file
    named = Path(error.filename)
    return path.is_relative_to(named) or named.is_relative_to(path) or named.is_relative_to(staging)
