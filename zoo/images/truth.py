"""The one reader of masks: a label image of class ids or of palette colours, read into a mask of ids.

Used for ground truth that a visitor brings and for the masks of every data set. What can be read in two ways is
refused with what to do about it, never guessed: an index against its palette, a mask of black and white.
"""

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path

import numpy as np
from PIL import Image

from zoo.images.photo import Decoded, ImageError
from zoo.images.stored import Stored, read_stored
from zoo.labels import LABEL_SETS, VOID_COLOURS, LabelSet, class_palette, is_background, spread_palette
from zoo.text import Message, dataset_named

UNLABELLED = 255  # in files, whatever the label set's own void
STRIP = 1 << 18  # pixels whose colours are looked up at once
SMOOTH = 10  # so many values that are no class come from smoothing or JPEG, not from an annotation


class Reading(StrEnum):
    """What a data set's masks mean by their numbers.

    IDS: class ids, 255 is void. BINARY: 0 and 255 for the ids 0 and 1. COLOURS: the data set gives a colour to each
    class, and colour images, or grey ones where all those colours are grey, hold these.
    """

    IDS = "ids"
    BINARY = "binary"
    COLOURS = "colours"


def decode_truth(
    source: bytes | str | Path, labels: LabelSet, decoded: Decoded, reading: Reading | None = None
) -> np.ndarray:
    """Read a label image for `decoded` into an (H, W) uint8 mask of class ids and void, as large as it is displayed.

    It must have the photo's original size; it is reduced with it, by nearest neighbour. For the rest see `to_ids`.
    Raises ImageError.
    """
    stored = read_stored(source)
    if stored.size != decoded.original_size:
        (width, height), (photo_width, photo_height) = stored.size, decoded.original_size
        raise ImageError(
            Message("error_truth_size", width=width, height=height, photo_width=photo_width, photo_height=photo_height)
        )
    mask = to_ids(stored, labels, reading)
    if decoded.display.size != stored.size:
        mask = np.asarray(Image.fromarray(mask).resize(decoded.display.size, Image.Resampling.NEAREST))
    return mask


def to_ids(stored: Stored, labels: LabelSet, reading: Reading | None = None) -> np.ndarray:
    """(H, W) uint8 class ids and void of a label image.

    Indexed and grey images hold ids (255 is void in every data set), also as three equal channels. Colour images hold
    the colours of `labels` and those that its data set leaves unlabelled; black is void where no class is black.
    `reading` is that of the data set; None decides from this image alone. Raises ImageError for a value or colour that
    is no class, and for what can be read in two ways.
    """
    values, levels = stored.pixels, stored.levels
    if values.ndim == 3 and (levels is None or reading is Reading.COLOURS):
        return ids_from_colours(values, labels)
    if reading is Reading.COLOURS and stored.palette is None and all_grey(labels):
        return ids_from_colours(np.repeat(values[..., None], 3, 2), labels)
    if levels is not None:
        if grey_is_colour(levels, labels) and (reading is None or labels.name in LABEL_SETS):
            mask = ids_from_colours(stored.pixels, labels)
            if reading is None or np.array_equal(mask, levels):
                return mask
            raise ImageError(
                Message("error_truth_grey", level=int(levels.flat[0]), dataset=dataset_named(labels.title))
            )
        values = levels
    if stored.palette is not None:
        check_palette(values, stored.palette, labels)
    if reading is None and is_black_and_white(stored) and len(labels.classes) > 2:
        raise ImageError(Message("error_truth_white", first=labels.classes[0], dataset=dataset_named(labels.title)))
    if (reading or binary_reading([stored], labels)) is Reading.BINARY:
        values = np.where(values == UNLABELLED, 1, values)
    return ids_from_indices(values, labels)


def is_black_and_white(stored: Stored) -> bool:
    """Whether a label image without a palette holds nothing but 0 and 255, as of one object drawn in white."""
    return stored.palette is None and np.unique(stored.pixels).tolist() == [0, UNLABELLED]


def all_grey(labels: LabelSet) -> bool:
    """Whether a label set's colours are greys, such as black and white."""
    return all(red == green == blue for red, green, blue in labels.palette)


def grey_is_colour(levels: np.ndarray, labels: LabelSet) -> bool:
    """Whether every level of a grey image in three channels is a colour of the label set, as of sky alone."""
    known = {level for level, *others in colour_ids(labels) if others == [level, level]}
    return set(np.unique(levels).tolist()) <= known


def binary_reading(found: Iterable[Stored], labels: LabelSet) -> Reading:
    """How the masks of one data set are read: IDS or BINARY. Looks at no more of them than it has to.

    Masks of two classes with nothing but 0 and 255 come from a tool that draws the object in white. Where the first
    class is the background that is beyond doubt; otherwise ImageError says what to do. 255 alone stays void.
    """
    if len(labels.classes) > 2 or labels.void != UNLABELLED:
        return Reading.IDS
    seen: set[int] = set()
    for stored in found:
        if stored.pixels.ndim == 3 and stored.levels is None:
            return Reading.IDS
        seen |= set(np.unique(stored.pixels).tolist())
        named = stored.palette is not None and stored.palette[UNLABELLED].tolist() != [UNLABELLED] * 3
        if seen - {0, UNLABELLED} or (named and UNLABELLED in seen):  # the VOC colour map's 255 is its border
            return Reading.IDS
    if seen != {0, UNLABELLED}:
        return Reading.IDS
    first, second = labels.classes[0], labels.classes[-1]
    if len(labels.classes) == 1 or not is_background(first) or is_background(second):
        raise ImageError(Message("error_truth_binary", first=first, second=second))
    return Reading.BINARY


def check_palette(indices: np.ndarray, palette: np.ndarray, labels: LabelSet) -> None:
    """Raise ImageError where the palette says otherwise than the indices (H, W), read as class ids.

    Any palette may be put under ids, and most tools use the VOC colour map. One that draws an index in the colour of
    another class, in that of another data set, or the background in other than black speaks against them.
    """
    used = np.unique(indices)
    used = used[used != UNLABELLED]
    colours = [tuple(colour) for colour in palette[used].tolist()]
    voc = spread_palette(UNLABELLED + 1)
    if labels.palette == class_palette(labels.classes) and colours == [voc[index] for index in used.tolist()]:
        return  # the colours of one's own classes are made up here, and from the 17th on they are VOC's too
    classes, own = len(labels.classes), {colour: index for index, colour in enumerate(labels.palette)}
    for index, colour in zip(used.tolist(), colours, strict=True):
        if own.get(colour, index) != index and (index >= classes or labels.palette[index] != colour):
            says = labels.classes[own[colour]]
            raise ImageError(palette_message(index, colour, labels, says))
    known = LABEL_SETS.get(labels.name)
    for other in LABEL_SETS.values():
        foreign = known is not None and other.classes != known.classes and len(colours) > 1
        if foreign and all(
            index < len(other.classes) and other.palette[index] == colour
            for index, colour in zip(used.tolist(), colours, strict=True)
        ):
            raise ImageError(Message("error_truth_foreign", other=other.title, dataset=dataset_named(labels.title)))
    check_greys(used, palette, labels)


def check_greys(used: np.ndarray, palette: np.ndarray, labels: LabelSet) -> None:
    """Raise ImageError where black stands at another place than 0, or where a palette of greys holds other ids.

    Programs that shrink PNGs turn grey ids into such palettes, in any order.
    """
    colours, classes = palette[used].tolist(), len(labels.classes)
    levels = [colour[0] for colour in colours]
    grey = all(colour == [colour[0]] * 3 for colour in colours)
    first_is_black = is_background(labels.classes[0]) or grey
    drawn = {0, UNLABELLED}.issuperset(levels)
    for index, colour, level in zip(used.tolist(), colours, levels, strict=True):
        black_elsewhere = first_is_black and index and not any(colour) and used[0] == 0 and any(colours[0])
        other_id = grey and 0 < level < classes and level != index
        white_in_doubt = grey and drawn and level == UNLABELLED and 2 < classes != index + 1
        if black_elsewhere or other_id or white_in_doubt:
            says = labels.classes[level] if level < classes else "void"
            raise ImageError(palette_message(index, tuple(colour), labels, says))


def palette_message(index: int, colour: tuple, labels: LabelSet, says: str) -> Message:
    """The refusal of an index whose palette colour stands for something else."""
    reads = labels.classes[index] if index < len(labels.classes) else "-"
    return Message("error_truth_palette", index=index, colour=hexadecimal(colour), reads=reads, says=says)


def hexadecimal(colour: Iterable[int]) -> str:
    """'#rrggbb'."""
    return "#{:02x}{:02x}{:02x}".format(*colour)


def ids_from_indices(pixels: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(H, W) ids checked against the label set; 255 becomes its void. Raises ImageError for any other value."""
    mask = np.where(pixels == UNLABELLED, labels.void, pixels).astype(np.uint8)
    present = np.flatnonzero(np.bincount(mask.ravel(), minlength=256))
    unknown = present[(present >= len(labels.classes)) & (present != labels.void)]
    if unknown.size:
        raise ImageError(unknown_values(present, unknown, labels))
    return mask


def unknown_values(present: np.ndarray, unknown: np.ndarray, labels: LabelSet) -> Message:
    """The refusal of values that are no class, with the likeliest cause where one stands out."""
    last = len(labels.classes) - 1
    facts = {"value": int(unknown[0]), "dataset": dataset_named(labels.title), "last": last, "values": len(present)}
    if unknown.size > SMOOTH:
        return Message("error_truth_smooth", **facts)
    if unknown.tolist() == [last + 1]:
        return Message("error_truth_from_one", **facts)
    return Message("error_truth_id", **facts)


def colour_ids(labels: LabelSet) -> dict[tuple, int]:
    """{(R, G, B): id} of a label set, with the colours that stand for void."""
    codes = {tuple(colour): index for index, colour in enumerate(labels.palette)}
    known = LABEL_SETS.get(labels.name)
    declared = VOID_COLOURS.get(labels.name, ()) if known and known.palette == labels.palette else ()
    for colour in ((0, 0, 0), *declared):
        codes.setdefault(colour, labels.void)
    return codes


def ids_from_colours(pixels: np.ndarray, labels: LabelSet) -> np.ndarray:
    """(H, W, 3) palette colours to (H, W) ids. Raises ImageError for a colour that the label set lacks."""
    ids = np.zeros(1 << 24, np.uint8)
    known, found = np.zeros(1 << 24, bool), np.zeros(1 << 24, bool)
    for (red, green, blue), index in colour_ids(labels).items():
        colour = red << 16 | green << 8 | blue
        ids[colour], known[colour] = index, True
    colours = pixels.reshape(-1, 3)
    mask = np.empty(len(colours), np.uint8)
    for start in range(0, len(mask), STRIP):  # numbers of four bytes for a whole large image are too much at once
        numbers = code(colours[start : start + STRIP])
        found[numbers] = True
        mask[start : start + STRIP] = ids[numbers]
    values = np.flatnonzero(found)
    unknown = values[~known[values]]
    if len(unknown) > SMOOTH:
        raise ImageError(Message("error_truth_smooth", dataset=dataset_named(labels.title), values=len(values)))
    if unknown.size:
        raise ImageError(
            Message("error_truth_colour", colour=f"#{unknown[0]:06x}", dataset=dataset_named(labels.title))
        )
    return mask.reshape(pixels.shape[:2])


def code(colours: np.ndarray) -> np.ndarray:
    """Colours (..., 3) as whole numbers 0xRRGGBB."""
    red, green, blue = np.moveaxis(colours.astype(np.uint32), -1, 0)
    return red << 16 | green << 8 | blue
