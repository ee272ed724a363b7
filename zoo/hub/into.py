"""Which folders a command may fill or replace: nobody's files are lost because their folder was named."""

import re
from pathlib import Path

from zoo.checkpoints.card import PICTURE_FILE, RESULTS_FOLDER
from zoo.checkpoints.folder import read_info
from zoo.checkpoints.information import CONFIG_FILE, INDEX_FILE, WEIGHTS_FILE, CheckpointError
from zoo.checkpoints.shards import SHARD_NAME
from zoo.hub.download import COMPANIONS

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


def check_configuration(folder: Path) -> None:
    """Raise CheckpointError for a folder that holds files, and among them no checkpoint's configuration."""
    try:
        read_info(folder)
    except CheckpointError:
        raise CheckpointError(
            f"{folder}: holds something other than a checkpoint; name a new or empty folder, or a checkpoint's"
        ) from None
