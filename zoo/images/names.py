"""File names in one form: an accented letter is stored as one character (NFC) or, by macOS, as two (NFD)."""

import unicodedata
from pathlib import Path


def composed(name: str) -> str:
    """The name in NFC, the form in which names are compared."""
    return unicodedata.normalize("NFC", name)


def spelled(path: Path) -> Path:
    """The file or folder that `path` names, in the form that the disk has; `path` itself where there is neither."""
    try:
        if str(path).isascii() or path.exists() or path == path.parent:
            return path
        folder = spelled(path.parent)
        return next((one for one in folder.iterdir() if composed(one.name) == composed(path.name)), path)
    except OSError:  # no such folder, or none that may be read: whoever reads the file says so
        return path
