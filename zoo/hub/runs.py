"""Checkpoint folders of one's own that the page shows beside the bundled ones, as `python -m training` leaves them."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from zoo.checkpoints.folder import read_info
from zoo.checkpoints.information import CONFIG_FILE, CheckpointError, CheckpointInfo
from zoo.checkpoints.record import NAME_LENGTH

DEPTH = 2  # runs/NAME, and runs/NAME/fcn8s of staged training


def scan_runs(root: Path, taken: set[str]) -> tuple[list[CheckpointInfo], list[str]]:
    """The finished checkpoints at and below `root`, by folder, and one message per broken one or unreadable folder.

    A name that is `taken`, or that two of them share, gets the beginning of the weights' hash behind it.
    """
    found, problems, taken = [], [], set(taken)
    try:
        if not root.is_dir():
            return [], [f"{root}: no such folder; FCN_ZOO_CHECKPOINTS or --checkpoints names it"]
    except OSError as error:
        return [], [unreadable(root, error)]
    for folder in checkpoint_folders(root, DEPTH, problems):
        try:
            info = read_info(folder)
            if not info.file_bytes:
                raise CheckpointError("model.safetensors is missing")
        except (CheckpointError, OSError) as error:
            problems.append(f"Checkpoint {folder} is left out: {error}")
            continue
        if info.sha256 in {other.sha256 for other in found}:
            continue  # one run, copied
        if info.name in taken:
            mark = f"-{info.sha256[:8]}"
            info = replace(info, name=info.name[: NAME_LENGTH - len(mark)] + mark)
        taken.add(info.name)
        found.append(info)
    return found, problems


def checkpoint_folders(root: Path, depth: int, problems: list[str]) -> Iterator[Path]:
    """Folders with a configuration, at most so many levels below `root`; a run that goes on has none yet.

    What cannot be looked into is passed over, and a message on it goes to `problems`.
    """
    try:
        if not root.is_dir():
            return
        finished = (root / CONFIG_FILE).is_file()
        inside = [] if finished or not depth else sorted(root.iterdir())
    except OSError as error:
        problems.append(unreadable(root, error))
        return
    if finished:
        yield root
    for path in inside:
        if not path.name.startswith((".", "__")):
            yield from checkpoint_folders(path, depth - 1, problems)


def unreadable(folder: Path, error: OSError) -> str:
    """The message on a folder that the system keeps closed."""
    return f"Folder {folder} is left out: {error.strerror or error}"
