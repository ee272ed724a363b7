"""Which folders a command may fill or replace: nobody's files are lost because their folder was named."""

import filecmp
import re
from pathlib import Path

from zoo.checkpoints.card import CARD_FILE, PICTURE_FILE, RESULTS_FOLDER
from zoo.checkpoints.folder import read_info
from zoo.checkpoints.information import CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE, CheckpointError
from zoo.checkpoints.shards import SHARD_NAME
from zoo.hub.download import COMMIT, COMPANIONS

OURS = re.compile(
    "|".join([*map(re.escape, (CONFIG_FILE, WEIGHTS_FILE, INDEX_FILE, PICTURE_FILE)), SHARD_NAME.pattern])
    + f"|{COMPANIONS.pattern}",
    re.ASCII,
)


def check_replaceable(target: Path) -> None:
    """Raise CheckpointError unless `target` is not there, is empty, or is a checkpoint folder and nothing more."""
    if not target.exists():
        return
    if not target.is_dir():
        raise CheckpointError(f"{target}: is a file; name a folder")
    if not any(target.iterdir()):
        return
    check_configuration(target)
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target).as_posix()
        folder = path.is_dir() and not path.is_symlink()
        if name != RESULTS_FOLDER if folder else not OURS.fullmatch(name):
            raise CheckpointError(
                f"{target}: holds {name} beside a checkpoint, which would be lost; move it away or name another folder"
            )


def check_copy(target: Path, downloaded: Path) -> None:
    """Raise CheckpointError where `target`, which `check_replaceable` lets pass, is no copy of what was downloaded.

    `downloaded`: the folder of a commit in the cache, beside those of other commits of the repository. Weights,
    configuration and records of a training that are in none of them are in this folder alone; a card is written again.
    """
    known = [folder for folder in downloaded.parent.iterdir() if COMMIT.fullmatch(folder.name)]
    for path in sorted(target.iterdir()) if target.is_dir() else []:
        if path.name in (CARD_FILE, PICTURE_FILE, RESULTS_FOLDER):
            continue
        copies = [folder / path.name for folder in known if (folder / path.name).is_file()]
        if not any(filecmp.cmp(path, copy, shallow=False) for copy in copies):
            raise CheckpointError(
                f"{target}: its {path.name} was not downloaded from there and would be lost; move the folder away or "
                "name another"
            )


def check_converted(folder: Path) -> None:
    """Raise CheckpointError for a folder whose weights were trained, or are otherwise not those of a conversion."""
    check_configuration(folder)
    if "converted_from" not in read_info(folder).training:
        raise CheckpointError(
            f"{folder}: holds a checkpoint that was not converted, which would be lost; name another folder"
        )


def check_configuration(folder: Path) -> None:
    """Raise CheckpointError for a folder that holds files, and among them no checkpoint's configuration."""
    try:
        read_info(folder)
    except CheckpointError:
        raise CheckpointError(
            f"{folder}: holds something other than a checkpoint; name a new or empty folder, or a checkpoint's"
        ) from None
