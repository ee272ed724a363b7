"""Hugging Face data sets in parquet, from a folder or the Hub: a column of photos and one of masks.

Only parquet files are read, so that no code of a repository runs; their size is known, and limited, before anything is
downloaded or unpacked. `id2label.json` beside them, or --classes, names the classes.
"""

import re
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import HINT
from evaluation.datasets.importers.hub_parquet import LABELS, hub_files
from evaluation.datasets.importers.pictures import values_to_ids
from evaluation.datasets.importers.project import (
    VOID,
    Options,
    Project,
    Sample,
    Size,
    list_classes,
    read_json,
    read_names,
    visible,
)
from evaluation.datasets.importers.splitting import SUBSETS

PHOTO_COLUMNS = ("image", "pixel_values", "img", "photo")
MASK_COLUMNS = ("label", "mask", "annotation", "labels", "segmentation", "semantic_mask", "seg_map", "labels_mask")
MAXIMUM_GROUP_BYTES = 2_000_000_000
MAXIMUM_CELL_BYTES = 100_000_000


def read_huggingface(source: str, options: Options) -> Project:
    """The data set in a folder of parquet files, or on the Hub: `OWNER/NAME`, or `OWNER/NAME/FOLDER` of several."""
    files, labels, where = local_files(Path(source)) if Path(source).exists() else hub_files(source, options)
    size = sum(path.stat().st_size for path in files)
    if size > options.megabytes * 1e6:
        raise DatasetError(f"{where}: holds {size / 1e6:.0f} MB; raise --megabytes ({options.megabytes:g}) to read it")
    if options.classes is None and labels is None:
        raise DatasetError(f"{where}: names no classes ({LABELS} is missing); give them with --classes FILE")
    names = [] if labels is None else read_labels(labels)
    classes = list_classes(names, options, order=f"as in {LABELS}", unlabelled=None)
    listed = names if options.classes is None else read_names(options.classes)
    table = {number: classes.id(name, where) for number, name in enumerate(listed)} | {VOID: VOID}
    void = [*classes.void, f"value {VOID} in the masks"]
    project = Project(classes.names, classes.order, [], void=void)
    for path in files:
        add_file(project, path, options, table)
    return project


def local_files(folder: Path) -> tuple[list[Path], Path | None, str]:
    """Parquet files of a folder (or the one file), the file of labels if there is one, and what to call them."""
    files = [folder] if folder.is_file() else visible(path for path in folder.rglob("*.parquet") if path.is_file())
    if not files:
        raise DatasetError(f"{folder}: holds no parquet file")
    base = folder.parent if folder.is_file() else folder
    labels = base / LABELS
    return files, labels if labels.is_file() else None, str(folder)


def read_labels(path: Path) -> list[str]:
    """Names in order of their ids from an id2label.json, whose ids must be 0, 1, 2 ..."""
    document = read_json(path)
    if not isinstance(document, dict) or not all(isinstance(name, str) for name in document.values()):
        raise DatasetError(f"{path}: is not an object of ids and names; give the classes with --classes FILE")
    found = {int(key): name for key, name in document.items() if key.isdecimal()}
    if sorted(found) != list(range(len(document))):
        raise DatasetError(f"{path}: its ids are not 0 to {len(document) - 1}; give the classes with --classes FILE")
    return [found[number] for number in range(len(found))]


def add_file(project: Project, path: Path, options: Options, table: dict[int, int]) -> None:
    """Add a sample for every row of a parquet file."""
    try:
        import pyarrow.parquet as parquet
        from pyarrow.lib import ArrowException
    except ImportError:
        raise DatasetError(f"parquet files are read with pyarrow: {HINT}") from None
    try:
        opened = parquet.ParquetFile(path)
    except (ArrowException, OSError) as error:
        raise DatasetError(f"{path}: is not a whole parquet file ({str(error).splitlines()[0]})") from None
    with opened:
        metadata = opened.metadata
        photo, mask = find_columns(opened.schema_arrow, path, options)
        groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    too_large = [number for number, group in enumerate(groups) if group.total_byte_size > MAXIMUM_GROUP_BYTES]
    if too_large:
        raise DatasetError(
            f"{path}: row group {too_large[0]} unpacks to more than {MAXIMUM_GROUP_BYTES / 1e9:g} GB; write it again "
            "with smaller row groups"
        )
    words = re.split(r"[^a-z]+", "/".join(path.parts[-2:]).casefold())
    subset = next((word for word in reversed(words) if word in SUBSETS), "")
    rows = lru_cache(maxsize=1)(partial(read_group, path, photo, mask))
    for number, group in enumerate(groups):
        for row in range(group.num_rows):
            where = f"{path}: row {row} of group {number}"
            cell = partial(read_cell, rows, number, row, where)
            name = f"{path.stem}-{number:04d}-{row:06d}"
            draw = partial(draw_mask, partial(cell, mask), table, where)
            project.samples.append(Sample(name, partial(cell, photo), draw, None, where, subset))


def find_columns(schema: Any, path: Path, options: Options) -> tuple[str, str]:
    """The columns of photos and masks: those named with --columns, else the images by their usual names."""
    import pyarrow

    def holds_images(name: str) -> bool:
        kind = schema.field(name).type
        return pyarrow.types.is_struct(kind) and {"bytes"} <= {kind.field(i).name for i in range(kind.num_fields)}

    images = [name for name in schema.names if holds_images(name)]
    if options.columns:
        missing = [name for name in options.columns if name not in images]
        if missing:
            raise DatasetError(f"{path}: has no column {missing[0]!r} of images; it has {', '.join(images) or 'none'}")
        return options.columns
    photo = next((name for name in PHOTO_COLUMNS if name in images), None)
    rest = [name for name in images if name != photo]
    mask = next((name for name in MASK_COLUMNS if name in rest), None)
    if photo is None or mask is None:
        raise DatasetError(
            f"{path}: its columns of images are {', '.join(images) or 'none'}; name photos and masks with --columns"
        )
    return photo, mask


def read_group(path: Path, photo: str, mask: str, number: int) -> dict[str, Any]:
    """The two columns of one row group."""
    import pyarrow.parquet as parquet
    from pyarrow.lib import ArrowException

    try:
        with parquet.ParquetFile(path) as opened:
            found = opened.read_row_group(number, columns=[photo, mask])
    except (ArrowException, OSError) as error:
        raise DatasetError(f"{path}: row group {number} is damaged ({str(error).splitlines()[0]})") from None
    return {name: found.column(name) for name in (photo, mask)}


def read_cell(rows: Callable, number: int, row: int, where: str, column: str) -> bytes:
    """The content of one image."""
    cell = rows(number)[column][row].as_py()
    content = cell.get("bytes") if isinstance(cell, dict) else None
    if not isinstance(content, bytes) or not content:
        raise DatasetError(
            f"{where}: column {column!r} holds no image, only perhaps its path; save the data set with "
            "Dataset.to_parquet, which puts the images into the files"
        )
    if len(content) > MAXIMUM_CELL_BYTES:
        raise DatasetError(f"{where}: column {column!r} holds {len(content) / 1e6:.0f} MB; the limit is 100")
    return content


def draw_mask(content: Callable[[], bytes], table: dict[int, int], where: str, size: Size) -> np.ndarray:
    """Ids of a mask in a cell."""
    return values_to_ids(content(), table, "see the list of classes", size, name=where)
