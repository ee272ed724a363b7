"""Mask files of annotation tools, through the project's one reader of label images: ids of one channel, or colours."""

from pathlib import Path

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.project import Size
from zoo.images.photo import ImageError
from zoo.images.stored import Stored, read_stored


def open_stored(source: Path | bytes, name: str = "") -> Stored:
    """What a mask's file, or its content, holds; DatasetError naming it when it is no whole lossless image."""
    try:
        return read_stored(source)
    except FileNotFoundError:
        raise DatasetError(f"{name or source}: file is missing") from None
    except (ImageError, OSError) as error:
        raise DatasetError(f"{name or source}: {error}") from None


def stored_colours(path: Path) -> np.ndarray:
    """(H, W, 3) uint8 colours of a mask, those of the palette where it is indexed."""
    stored = open_stored(path)
    if stored.palette is not None:
        return stored.palette[stored.pixels]
    return stored.pixels if stored.pixels.ndim == 3 else np.repeat(stored.pixels[..., None], 3, 2)


def stored_ids(source: Path | bytes, name: str = "") -> np.ndarray:
    """(H, W) uint8 numbers of a mask, also from three equal channels; DatasetError where it holds colours."""
    stored = open_stored(source, name)
    ids = stored.levels if stored.pixels.ndim == 3 else stored.pixels
    if ids is None:
        raise DatasetError(f"{name or source}: holds colours where this format has ids; which export is it?")
    return ids


def codes(colours: np.ndarray) -> np.ndarray:
    """(H, W) numbers R + 256 G + 65536 B."""
    return colours.astype(np.int64) @ np.array([1, 256, 65536])


def table_ids(values: np.ndarray, table: dict[int, int], refusal) -> np.ndarray:
    """(H, W) uint8 ids of values (H, W); raises `refusal(value)` for the first value that the table lacks."""
    found, inverse = np.unique(values, return_inverse=True)
    for value in found.tolist():
        if value not in table:
            raise refusal(value)
    return np.array([table[value] for value in found.tolist()], np.uint8)[inverse].reshape(values.shape)


def colours_to_ids(path: Path, table: dict[tuple[int, int, int], int], remedy: str, size: Size) -> np.ndarray:
    """(H, W) uint8 ids of a colour mask; DatasetError naming the first colour that `table` lacks."""

    def refusal(code: int) -> DatasetError:
        colour = (code & 255, code >> 8 & 255, code >> 16)
        return DatasetError(f"{path}: colour {colour} is none of the classes' colours; {remedy}")

    by_code = {red + (green << 8) + (blue << 16): value for (red, green, blue), value in table.items()}
    return table_ids(codes(stored_colours(path)), by_code, refusal)


def values_to_ids(source: Path | bytes, table: dict[int, int], remedy: str, size: Size, name: str = "") -> np.ndarray:
    """(H, W) uint8 ids of a mask of numbers; DatasetError naming the first number that `table` lacks."""

    def refusal(value: int) -> DatasetError:
        return DatasetError(f"{name or source}: value {value} is none of the classes' values; {remedy}")

    return table_ids(stored_ids(source, name), table, refusal)
