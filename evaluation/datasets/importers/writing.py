"""Writes an imported project as an own-folder data set, whole or not at all: `train/ val/ test/` and `classes.txt`.

Photos are copied byte for byte; readers turn them upright by their EXIF orientation, as annotation tools do. Masks are
indexed PNGs of class ids, void 255, in the VOC colour map, so that a look at them shows something.
"""

import io
import os
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from evaluation.datasets.classes import check_names
from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.project import Project, Sample, Size
from evaluation.datasets.importers.splitting import split
from zoo.atomic import temporary_folder
from zoo.images.photo import EXIF_ORIENTATION, ROTATED_BY_90, ImageError, open_image
from zoo.labels import spread_palette

SPLITS = ("train", "val", "test")
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"), "MPO": (".jpg", ".jpeg"), "PNG": (".png",), "WEBP": (".webp",), "GIF": (".gif",),
    "BMP": (".bmp",), "TIFF": (".tif", ".tiff"), "AVIF": (".avif",),
}  # fmt: skip
TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip


@dataclass
class Written:
    """What was written: images per split, pixels (255 is void) and images per (split, class id), how it was split."""

    classes: tuple[str, ...]
    division: str
    images: Counter = field(default_factory=Counter)
    pixels: Counter = field(default_factory=Counter)
    holding: Counter = field(default_factory=Counter)


def write_project(
    project: Project,
    out: Path,
    *,
    how: str = "auto",
    seed: int = 0,
    group: str | None = None,
    drawn_on: str = "upright",
    each: Iterable[Sample] | None = None,
) -> Written:
    """Write train/, val/, test/ (images/ and masks/ in each) and classes.txt as the new folder `out`.

    how, seed, group: see `splitting.split`. drawn_on: 'upright' or 'stored', how the tool showed photos with an EXIF
    orientation. each: the samples again, from something that shows progress.

    Raises DatasetError, leaving nothing behind, when `out` exists or a photo, a mask or the classes cannot be used.
    """
    if os.path.lexists(out):
        raise DatasetError(f"{out}: is there already and is not overwritten; give a new folder")
    if not project.samples:
        raise DatasetError("the export holds no photo")
    check_classes(project.classes)
    names = [sample.name for sample in project.samples]
    splits, division = split(names, [sample.subset for sample in project.samples], how, seed, group)
    written = Written(project.classes, division)
    try:
        with temporary_folder(out) as temporary:
            fill(temporary, project, splits, drawn_on, written, each or project.samples)
            os.rename(temporary, out)
    except OSError as error:
        raise DatasetError(f"{out}: cannot be written ({error.strerror}); nothing of it was kept") from None
    return written


def check_classes(names: tuple[str, ...]) -> None:
    """DatasetError unless these names, one a line of classes.txt, are read back as they are, and are two at least."""
    if len(names) < 2:
        raise DatasetError(
            f"the only class is {names[0]!r}, and a segmentation tells at least two apart; label more, or leave pixels "
            "without a label as background"
        )
    for name in names:
        if name != name.strip() or not name or name.startswith("#") or re.search("[\ud800-\udfff]", name):
            raise DatasetError(f"classes: {name!r} cannot be a line of classes.txt; rename the label in the tool")
    check_names(Path("classes"), names)


def fill(
    folder: Path, project: Project, splits: list[str], drawn_on: str, written: Written, each: Iterable[Sample]
) -> None:
    """Write everything into an empty folder."""
    for name in sorted(set(splits)):
        for kind in ("images", "masks"):
            (folder / name / kind).mkdir(parents=True)
    (folder / "classes.txt").write_text("".join(f"{name}\n" for name in project.classes), encoding="utf-8")
    names = stems([sample.name for sample in project.samples])
    for sample, name, stem in zip(each, splits, names, strict=True):
        count(written, name, write_sample(sample, folder / name, stem, drawn_on))


def stems(names: list[str]) -> list[str]:
    """File names without ending, unique without regard to case: the photo's own, else with its folders or ending."""
    paths = [PurePosixPath(name) for name in names]
    candidates = (
        lambda path: path.stem,
        lambda path: "__".join([*path.parts[:-1], path.stem]),
        lambda path: "__".join([*path.parts[:-1], path.stem]) + path.suffix.replace(".", "_"),
    )
    for candidate in candidates:
        found = [candidate(path) for path in paths]
        if len({stem.casefold() for stem in found}) == len(found):
            break
    else:
        double = next(name for name, times in Counter(stem.casefold() for stem in found).items() if times > 1)
        raise DatasetError(f"two photos are called {double!r}; rename one of them in the tool and export again")
    for stem in found:
        if stem.startswith(".") or not stem.strip() or re.search(r'[\x00-\x1f/\\:*?"<>|]', stem):
            raise DatasetError(f"photo name {stem!r} is no file name on every system; rename it and export again")
    return found


def write_sample(sample: Sample, folder: Path, stem: str, drawn_on: str) -> np.ndarray:
    """Copy the photo, draw and write the mask; returns the mask."""
    content = read_photo(sample)
    kind, stored, orientation = read_header(content, sample)
    upright = stored[::-1] if orientation in ROTATED_BY_90 else stored
    shown = stored if drawn_on == "stored" else upright
    check_size(sample, stored, upright, shown)
    mask = sample.draw(shown)
    if mask.shape != shown[::-1]:
        raise disagreement(sample, mask.shape[::-1], stored, upright, shown)
    if drawn_on == "stored" and orientation in TRANSPOSE:
        mask = np.asarray(Image.fromarray(mask).transpose(TRANSPOSE[orientation]))
    suffix = PurePosixPath(sample.name).suffix
    suffix = suffix if suffix.lower() in SUFFIXES[kind] else SUFFIXES[kind][0]
    (folder / "images" / f"{stem}{suffix}").write_bytes(content)
    (folder / "masks" / f"{stem}.png").write_bytes(encode_ids(mask))
    return mask


def read_photo(sample: Sample) -> bytes:
    """The photo's bytes; DatasetError if it cannot be read."""
    if isinstance(sample.photo, bytes):
        return sample.photo
    try:
        return sample.photo.read_bytes() if isinstance(sample.photo, Path) else sample.photo()
    except OSError as error:
        raise DatasetError(f"{sample.source}: photo {sample.photo} cannot be read ({error.strerror})") from None


def read_header(content: bytes, sample: Sample) -> tuple[str, Size, int]:
    """Format, stored (width, height) and EXIF orientation of a photo."""
    try:
        image = open_image(content)
        return image.format, image.size, image.getexif().get(EXIF_ORIENTATION, 1)
    except ImageError as error:
        raise DatasetError(f"{sample.source}: its photo {sample.name!r}: {error}") from None


def check_size(sample: Sample, stored: Size, upright: Size, shown: Size) -> None:
    """DatasetError unless the annotated size, where the tool noted one, is the size it should have shown."""
    if sample.size is not None and sample.size != shown:
        raise disagreement(sample, sample.size, stored, upright, shown)


def disagreement(sample: Sample, size: Size, stored: Size, upright: Size, shown: Size) -> DatasetError:
    """The refusal of annotations whose size is not that of the photo."""
    said = f"{sample.source}: was annotated at {size[0]}x{size[1]}"
    if stored != upright and size in (stored, upright):
        now, other = ("upright", "stored") if shown == upright else ("stored", "upright")
        return DatasetError(
            f"{said}, but its photo {sample.name!r} is {shown[0]}x{shown[1]} {now} (EXIF orientation); if the tool "
            f"showed it {'as it is stored, lying' if other == 'stored' else 'upright'}, import with --drawn-on {other}"
        )
    return DatasetError(
        f"{said}, but its photo {sample.name!r} is {shown[0]}x{shown[1]}; import with the photo that was annotated"
    )


def encode_ids(mask: np.ndarray) -> bytes:
    """An (H, W) uint8 mask as indexed PNG in the VOC colour map."""
    image = Image.frombytes("P", mask.shape[::-1], np.ascontiguousarray(mask).tobytes())
    image.putpalette([value for colour in spread_palette(256) for value in colour])
    with io.BytesIO() as buffer:
        image.save(buffer, "PNG", optimize=False)
        return buffer.getvalue()


def count(written: Written, folder: str, mask: np.ndarray) -> None:
    """Add a mask's pixels to the summary."""
    pixels = np.bincount(mask.ravel(), minlength=256)
    written.images[folder] += 1
    for value in np.flatnonzero(pixels).tolist():
        written.pixels[folder, value] += int(pixels[value])
        written.holding[folder, value] += 1
