"""Exports whose masks are files already: VOC and CVAT's segmentation masks, camvid, Roboflow, Cityscapes, ADE20K.

Each reads the export's own table of classes; values or colours that it does not list are refused.
"""

import csv
import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.pictures import colours_to_ids, open_stored, values_to_ids
from evaluation.datasets.importers.project import (
    VOID,
    ClassList,
    Options,
    PhotoFinder,
    Project,
    Sample,
    Size,
    files,
    list_classes,
    read_bytes,
    read_names,
    visible,
)
from zoo.images.names import composed, spelled
from zoo.labels import CITYSCAPES, PASCAL_VOC, spread_palette

Colour = tuple[int, int, int]
VOC_BORDER = (224, 224, 192)


def read_voc(source: str, options: Options) -> Project:
    """JPEGImages/, SegmentationClass/, ImageSets/Segmentation/*.txt, and labelmap.txt unless the classes are VOC's.

    What CVAT calls 'Segmentation mask 1.1' and datumaro 'voc_segmentation'. Masks hold the classes' colours, or ids.
    """
    root = Path(source)
    if not (root / "SegmentationClass").is_dir():
        raise DatasetError(f"{root / 'SegmentationClass'}: no such folder; give the folder that holds it")
    listing = root / "labelmap.txt"
    if listing.is_file():
        colours, order = read_labelmap(listing), f"as in {listing.name}"
    else:
        colours, order = (
            dict(zip(PASCAL_VOC.classes, PASCAL_VOC.palette, strict=True)),
            "PASCAL VOC's (no labelmap.txt)",
        )
    project, classes = colour_project(colours, order, options)
    table = colour_table(colours, classes, listing) | {VOC_BORDER: VOID}
    project.void.append(f"VOC's border colour {VOC_BORDER} and the id {VOID}")
    ids = {number: classes.id(name, str(listing)) for number, name in enumerate(colours)} | {VOID: VOID}
    finder = PhotoFinder(root, options, without=("Segmentation",))
    for stem, subset in voc_lists(root):
        mask = within(root, "SegmentationClass", f"{stem}.png")
        photo = photo_of(finder, stem, root / "JPEGImages", str(mask))
        draw = partial(colours_or_ids, mask, table, ids, listing.name)
        project.samples.append(Sample(finder.name(photo), photo, draw, None, str(mask), subset))
    return project


def read_camvid(source: str, options: Options) -> Project:
    """datumaro's 'camvid': label_colors.txt and, per split, a list of photos and masks; masks hold colours, or ids."""
    root = Path(source)
    listing = root / "label_colors.txt"
    colours = read_label_colors(listing)
    void = [name for name in colours if name.casefold() == "void"]
    project, classes = colour_project(colours, f"as in {listing.name}", options, void)
    table = colour_table(colours, classes, listing)
    ids = {number: classes.id(name, str(listing)) for number, name in enumerate(colours)} | {VOID: VOID}
    finder = PhotoFinder(root, options)
    for path in visible(root.glob("*.txt")):
        lines = [] if path == listing else read_bytes(path).decode("utf-8-sig", "replace").splitlines()
        for number, line in enumerate(lines):
            where = f"{path}: line {number + 1}"
            found = re.fullmatch(r"(.+\.\w+)\s+(\S*annot/.+)", line.strip())
            if not found:
                raise DatasetError(f"{where}: is not a photo and a mask ({line[:60]!r})")
            photo = finder.find(found[1].lstrip("/"), where)
            mask = within(root, found[2].lstrip("/"))
            draw = partial(colours_or_ids, mask, table, ids, listing.name)
            project.samples.append(Sample(finder.name(photo), photo, draw, None, str(mask), path.stem))
    return project


def read_roboflow(source: str, options: Options) -> Project:
    """Roboflow's 'Semantic Segmentation Masks': per split photos, NAME_mask.png and _classes.csv (value, class)."""
    root = Path(source)
    tables = files(root, ".csv")
    tables = [path for path in tables if path.name == "_classes.csv"]
    if not tables:
        raise DatasetError(f"{root}: holds no _classes.csv; export as 'Semantic Segmentation Masks'")
    values = {path: read_classes_csv(path) for path in tables}
    first = values[tables[0]]
    for path, found in values.items():
        if found != first:
            raise DatasetError(f"{path}: lists other classes than {tables[0]}; export all splits together")
    classes = list_classes(first.values(), options, order="as in _classes.csv", unlabelled=None)
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    finder = PhotoFinder(root, options)
    for path in tables:
        subset = path.parent.name if path.parent != root else ""
        for mask in visible(path.parent.glob("*_mask.png")):
            table = {value: classes.id(name, str(path)) for value, name in first.items()}
            photo = photo_of(finder, mask.stem.removesuffix("_mask"), path.parent, str(mask))
            draw = partial(values_to_ids, mask, table, f"see {path.name}")
            project.samples.append(Sample(finder.name(photo), photo, draw, None, str(mask), subset))
    return project


def read_cityscapes(source: str, options: Options) -> Project:
    """leftImg8bit/ and gtFine/ with labelIds (else labelTrainIds) PNGs.

    Without label_colors.txt the ids are those of Cityscapes: the 19 classes of its benchmark are kept, others are void.
    CVAT's and datumaro's exports of other classes bring label_colors.txt, whose lines are the ids.
    """
    root = Path(source)
    listing = root / "label_colors.txt"
    masks = files(root / "gtFine", ".png")
    kind = "labelIds" if any(path.stem.endswith("_gtFine_labelIds") for path in masks) else "labelTrainIds"
    masks = [path for path in masks if path.stem.endswith(f"_gtFine_{kind}")]
    if listing.is_file():
        colours = read_label_colors(listing)
        classes = list_classes(colours, options, order=f"as in {listing.name}", unlabelled=None)
        table = {number: classes.id(name, str(listing)) for number, name in enumerate(colours)} | {VOID: VOID}
        void = list(classes.void)
    else:
        classes = list_classes(CITYSCAPES.classes, options, order="Cityscapes' 19 train ids", unlabelled=None)
        table, void = cityscapes_table(kind, classes), [*classes.void, "Cityscapes' labels outside of its 19 classes"]
    project = Project(classes.names, classes.order, [], void=void)
    finder = PhotoFinder(root, options, without=("gtFine",))
    for mask in masks:
        inside = mask.relative_to(root / "gtFine")
        if inside.parts[0] == "test" and not listing.is_file():
            project.skipped["photo of test, whose masks Cityscapes keeps back"] += 1
            continue
        stem = mask.stem.removesuffix(f"_gtFine_{kind}")
        photo = photo_of(finder, f"{stem}_leftImg8bit", root / "leftImg8bit" / inside.parent, str(mask))
        draw = partial(values_to_ids, mask, table, f"expected {kind}")
        name = f"{inside.parent.name}/{photo.name}" if len(inside.parts) > 2 else photo.name
        project.samples.append(Sample(name, photo, draw, None, str(mask), inside.parts[0]))
    return project


def cityscapes_table(kind: str, classes: ClassList) -> dict[int, int]:
    """{stored value: id}: Cityscapes' label ids as torchvision lists them, or its train ids."""
    if kind == "labelTrainIds":
        return {index: classes.ids[name] for index, name in enumerate(CITYSCAPES.classes)} | {VOID: VOID}
    from torchvision.datasets import Cityscapes

    # An entry's train_id is the place of its class in CITYSCAPES.classes, -1 or 255 outside of the benchmark.
    kept = {entry.id: CITYSCAPES.classes[entry.train_id] for entry in Cityscapes.classes if 0 <= entry.train_id < 19}
    return {entry.id: classes.ids[kept[entry.id]] if entry.id in kept else VOID
            for entry in Cityscapes.classes if entry.id >= 0}  # fmt: skip


def read_ade20k(source: str, options: Options) -> Project:
    """ADEChallengeData2016: images/ and annotations/ of training and validation; 0 is void, class i is stored as i + 1.

    Names come from objectInfo150.txt, or from the file named with --classes.
    """
    root = Path(source)
    listing = root / "objectInfo150.txt"
    if options.classes is None and not listing.is_file():
        raise DatasetError(f"{listing}: file is missing; give the names of the classes with --classes FILE")
    labels = read_names(options.classes) if options.classes is not None else read_object_info(listing)
    classes = list_classes(labels, options, order=f"as in {listing.name}", unlabelled="void")
    table = {0: classes.unlabelled} | {index + 1: classes.id(name, str(listing)) for index, name in enumerate(labels)}
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    project.notes.append("value 0 is ADE20K's 'other', without a label; class i is stored as i + 1")
    finder = PhotoFinder(root, options, without=("annotations",))
    for mask in files(root / "annotations", ".png"):
        inside = mask.relative_to(root / "annotations")
        photo = photo_of(finder, mask.stem, root / "images" / inside.parent, str(mask))
        draw = partial(values_to_ids, mask, table, f"there are {len(labels)} classes")
        subset = inside.parts[0] if len(inside.parts) > 1 else ""
        project.samples.append(Sample(photo.name, photo, draw, None, str(mask), subset))
    return project


def colour_project(colours: dict, order: str, options: Options, void: Iterable[str] = ()) -> tuple[Project, ClassList]:
    """Classes of a table of colours; black is what nobody labelled where no class is black."""
    classes = list_classes(
        colours, options, order=order, void=void, unlabelled=None if (0, 0, 0) in colours.values() else "background"
    )
    return Project(classes.names, classes.order, [], void=list(classes.void)), classes


def colour_table(colours: dict[str, Colour], classes: ClassList, source: Path) -> dict[Colour, int]:
    """{colour: id}; DatasetError where two classes have one colour."""
    table: dict[Colour, int] = {}
    for name, colour in colours.items():
        if colour in table:
            raise DatasetError(f"{source}: class {name!r} has the colour {colour} of another; give it one of its own")
        table[colour] = classes.id(name, str(source))
    return {(0, 0, 0): classes.unlabelled} | table  # black that is no class is unlabelled


def colours_or_ids(path: Path, table: dict[Colour, int], ids: dict[int, int], listing: str, size: Size):
    """Ids of a mask that holds colours, or grey values that are ids themselves (as datumaro writes on request)."""
    stored = open_stored(path)
    if stored.pixels.ndim == 2 and stored.palette is None:
        return values_to_ids(path, ids, f"see {listing}", size)
    return colours_to_ids(path, table, f"see {listing}", size)


def voc_lists(root: Path) -> list[tuple[str, str]]:
    """(stem, subset) of every photo: by the lists of ImageSets/Segmentation, else one for each mask."""
    lists = visible((root / "ImageSets" / "Segmentation").glob("*.txt"))
    if len(lists) > 1:
        lists = [path for path in lists if path.stem.casefold() != "trainval"]
    found: dict[str, str] = {}
    for path in lists:
        for line in read_bytes(path).decode("utf-8-sig", "replace").splitlines():
            stem = line.strip().strip('"')
            if stem and found.setdefault(stem, path.stem) != path.stem:
                raise DatasetError(f"{path}: {stem!r} is in {found[stem]}.txt too; a photo belongs to one split")
    if found:
        return list(found.items())
    masks = files(root / "SegmentationClass", ".png")
    return [(path.relative_to(root / "SegmentationClass").with_suffix("").as_posix(), "") for path in masks]


def within(root: Path, *parts: str) -> Path:
    """The file at a place that a list names; DatasetError where it is missing or outside of the root."""
    path = spelled(root.joinpath(*parts))
    if "\x00" in str(path) or not path.resolve().is_relative_to(root.resolve()):
        raise DatasetError(f"{root}: its lists name {'/'.join(parts)!r}, which lies outside; export it again")
    if not path.is_file():
        raise DatasetError(f"{path}: mask is missing; export it again")
    return path


def photo_of(finder: PhotoFinder, stem: str, folder: Path, source: str) -> Path:
    """The photo called `stem`, of any format, in `folder` or, where its name is the only one, elsewhere."""
    place = folder / stem
    found = finder.by_stem.get(composed(place.name), [])
    found = [path for path in found if path.parent == spelled(place.parent)] or found
    if len(found) != 1:
        problem = f"could be of {found[0]} or {found[1]}; keep one" if found else f"has no photo called {place.name!r}"
        raise DatasetError(f"{source}: {problem}, or give the folder of the photos with --images")
    return finder.find(finder.name(found[0]), source)


def read_labelmap(path: Path) -> dict[str, Colour]:
    """{class: colour} of a labelmap.txt, `name:r,g,b:parts:actions` a line; no colour means VOC's for that place."""
    colours: dict[str, Colour] = {}
    for number, line in enumerate(read_bytes(path).decode("utf-8-sig", "replace").splitlines()):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.strip().split(":")
        name = ":".join(fields[:-3]) if len(fields) > 3 else fields[0]
        numbers = fields[-3] if len(fields) > 3 else (fields[1] if len(fields) > 1 else "")
        add_colour(colours, name, numbers.split(",") if numbers else [], f"{path}: line {number + 1}")
    if not colours:
        raise DatasetError(f"{path}: lists no class")
    return colours


def read_label_colors(path: Path) -> dict[str, Colour]:
    """{class: colour} of a label_colors.txt, `r g b name` a line; no colour means VOC's for that place."""
    colours: dict[str, Colour] = {}
    for number, line in enumerate(read_bytes(path).decode("utf-8-sig", "replace").splitlines()):
        found = re.fullmatch(r"\s*(?:(\d+)\s+(\d+)\s+(\d+)\s+)?(\S.*?)\s*", line)
        if found:
            numbers = [value for value in found.groups()[:3] if value is not None]
            add_colour(colours, found[4], numbers, f"{path}: line {number + 1}")
    if not colours:
        raise DatasetError(f"{path}: lists no class")
    return colours


def add_colour(colours: dict[str, Colour], name: str, numbers: list[str], where: str) -> None:
    """Add a line of a table; DatasetError for a class that is there twice or what is no colour."""
    values = [int(value) for value in numbers if value.strip().isdecimal()]
    if len(values) != len(numbers) or len(values) not in (0, 3) or any(value > 255 for value in values):
        raise DatasetError(f"{where}: {','.join(numbers)!r} is not a colour of three numbers from 0 to 255")
    if name in colours or not name:
        raise DatasetError(f"{where}: class {name!r} is {'listed twice' if name else 'without a name'}")
    if not values and len(colours) > 255:
        raise DatasetError(f"{where}: more than 255 classes")
    colours[name] = tuple(values) if values else spread_palette(len(colours) + 1)[-1]


def read_classes_csv(path: Path) -> dict[int, str]:
    """{pixel value: class} of Roboflow's _classes.csv."""
    rows = list(csv.reader(read_bytes(path).decode("utf-8-sig", "replace").splitlines(), skipinitialspace=True))
    values: dict[int, str] = {}
    for number, row in enumerate(rows[1:]):
        where = f"{path}: line {number + 2}"
        if len(row) != 2 or not row[0].strip().isdecimal() or int(row[0]) > 255 or int(row[0]) in values:
            raise DatasetError(f"{where}: is not a pixel value of its own and a class ({','.join(row)[:60]!r})")
        values[int(row[0])] = row[1].strip()
    if not values:
        raise DatasetError(f"{path}: lists no class")
    return dict(sorted(values.items()))


def read_object_info(path: Path) -> list[str]:
    """The names in ADE20K's objectInfo150.txt: the first synonym of each, or all of them where that is not unique."""
    rows = [
        line.split("\t") for line in read_bytes(path).decode("utf-8-sig", "replace").splitlines()[1:] if line.strip()
    ]
    whole = [row[-1].strip() for row in rows]
    short = [name.split(",")[0].strip() for name in whole]
    if not whole or len(set(whole)) < len(whole):
        raise DatasetError(f"{path}: is not ADE20K's table of classes (its last column must name each once)")
    return [first if short.count(first) == 1 else name for first, name in zip(short, whole, strict=True)]
