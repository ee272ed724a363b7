"""Which mask belongs to which photo among the files that a visitor brings: by folder and name, never by a guess."""

from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from pathlib import PurePosixPath

from zoo.images.names import composed
from zoo.text import Message

MASK_FOLDERS = ("masks", "labels", "annotations", "annot", "truth", "gt", "segmentationclass")
PHOTO_FOLDERS = ("images", "image", "imgs", "img", "photos", "pictures", "rgb", "jpegimages", "leftimg8bit")
MASK_ENDINGS = (".label", "_label", ".mask", "_mask", "_gt", "_labelids")


def pair_masks(files: Mapping[str, tuple[int, str]]) -> dict[str, str | Message | None]:
    """{photo: its mask, None, or why none of the masks can be told to be its}; see `match`."""
    return match(files)[0]


def match(files: Mapping[str, tuple[int, str]]) -> tuple[dict[str, str | Message | None], list[str]]:
    """{photo: its mask, None, or why none of the masks can be told to be its}, and the masks that no photo asks for.

    files: {file: (which upload it comes from, its name there)}. The closest place that has one photo and one mask of a
    name counts: the same upload and folder, the same folder, any folder.
    """
    photos, masks = divide(files)

    def place(file: str, stem: str) -> Hashable:
        return place_of(files[file][1]), stem

    keys = (lambda file, stem: (files[file][0], place(file, stem)), place, lambda _, stem: stem)
    found: dict[str, str | Message | None] = {}
    used: set[str] = set()
    for key in keys:
        pair_level(photos, masks, key, found, used)
    # A name alone makes no mask: without its photo, carnival_mask.jpg is a photo of a mask.
    unused = [file for file in masks if file not in used]
    others = [file for file in unused if not lies_with_masks(files[file][1])]
    return {file: found.get(file) for file in [*photos, *others]}, sorted({*unused} - {*others})


def pair_level(
    photos: dict[str, str], masks: dict[str, str], key: Callable[[str, str], Hashable], found: dict, used: set[str]
) -> None:
    """Pair what is left and has one photo and one mask of a key, of all there are; add to `found` and `used`."""
    keys = {file: key(file, stem) for file, stem in (photos | masks).items()}
    counts = Counter(keys[file] for file in photos), Counter(keys[file] for file in masks)
    free: dict[Hashable, list[str]] = {}
    for file in masks:
        if file not in used:
            free.setdefault(keys[file], []).append(file)
    for photo in photos:
        if photo not in found and (left := free.get(keys[photo])):
            alone = [count[keys[photo]] for count in counts] == [1, 1]
            found[photo] = left[0] if alone else Message("error_batch_mask")
            used.update(left)


def divide(files: Mapping[str, tuple[int, str]]) -> tuple[dict[str, str], dict[str, str]]:
    """{file: stem} of the photos, and of the masks {file: stem of the photo that is meant}."""
    names = {file: name for file, (_, name) in files.items()}
    photos = {file: plain(stem_of(name)) for file, name in names.items() if mask_of(name) is None}
    masks: dict[str, str] = {}
    loose = [file for file, name in names.items() if file not in photos and not lies_with_masks(name)]
    for file in sorted(loose, key=lambda file: len(stem_of(names[file]))):  # a_mask before a_mask_mask
        meant = plain(mask_of(names[file]) or "")
        if meant in photos.values():
            masks[file] = meant
        else:
            photos[file] = plain(stem_of(names[file]))
    stems = set(photos.values())
    for file, name in names.items():
        if lies_with_masks(name):
            whole = plain(stem_of(name))
            masks[file] = whole if whole in stems else plain(mask_of(name) or "")
    return photos, masks


def mask_of(name: str) -> str | None:
    """The stem, in lower case, of the photo whose mask a file may be; None for a photo."""
    stem = stem_of(name)
    short = next((stem.removesuffix(ending) for ending in MASK_ENDINGS if stem.endswith(ending)), None)
    return short or (stem if lies_with_masks(name) else None)


def lies_with_masks(name: str) -> bool:
    """Whether a file lies in a folder of masks."""
    return any(part in MASK_FOLDERS or part.endswith("annot") for part in folders(name))


def place_of(name: str) -> tuple[str, ...]:
    """What a mask's folders have in common with its photo's: train/masks and train/images, trainannot and train."""
    parts = [part.removesuffix("annot") for part in folders(name) if part not in MASK_FOLDERS + PHOTO_FOLDERS]
    return tuple(part for part in parts if part)


def folders(name: str) -> tuple[str, ...]:
    """A file's folders, in lower case."""
    return PurePosixPath(composed(name).lower()).parts[:-1]


def stem_of(name: str) -> str:
    """A file's name without folders and ending, in lower case."""
    return PurePosixPath(composed(name)).stem.lower()


def plain(stem: str) -> str:
    """A stem without what Cityscapes adds to those of its photos and masks."""
    return stem.removesuffix("_leftimg8bit").removesuffix("_gtfine")
