"""`ranges.json` of a checkpoint folder: the ranges with which its network works in 8 bits, see `zoo.models.ranges`."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from pydantic import Field

from zoo.atomic import write_text
from zoo.checkpoints.information import CheckpointError
from zoo.models.ranges import Ranges
from zoo.records import Line, Record
from zoo.text import Message

RANGES_FILE = "ranges.json"
MAXIMUM_RANGES_BYTES = 100_000


class RangesRecord(Record):
    """What the file holds."""

    limits: dict[str, Annotated[float, Field(ge=0, lt=1e30)]]
    photos: Annotated[int, Field(ge=1)]
    weights: Line


def read_ranges(folder: str | Path) -> Ranges | None:
    """The ranges of a folder, None where it has none. Raises CheckpointError for a file that is none of ranges."""
    path = Path(folder) / RANGES_FILE
    if not path.is_file():
        return None
    try:
        if (size := path.stat().st_size) > MAXIMUM_RANGES_BYTES:
            raise ValueError(f"{size} bytes are more than ranges have")
        record = RangesRecord.read(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        reason = Message("checkpoint_unreadable", reason=str(error))
        raise CheckpointError(Message("checkpoint_at", place=str(path), reason=reason)) from None
    return Ranges(record.limits, record.photos, record.weights)


def write_ranges(folder: str | Path, ranges: Ranges) -> Path:
    """Put ranges into a checkpoint folder; returns the file."""
    path = Path(folder) / RANGES_FILE
    write_text(path, json.dumps(asdict(ranges), indent=2) + "\n")
    return path
