"""Supervisely projects: `meta.json`, and per dataset `img/` and `ann/` with a JSON a photo.

Later objects lie on top. Bitmaps are small PNGs, deflated and in base64; polygons hold whole pixels, their outline
belongs to them and their holes, outline and all, do not (as the SDK 6.74 draws them, but for a few pixels of slanted
edges, where OpenCV's lines and Pillow's differ).
"""

from functools import partial
from pathlib import Path

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import inclusive_polygon, inflate, paint, paste, small_png, unbase64
from evaluation.datasets.importers.project import (
    Options,
    PhotoFinder,
    Project,
    Sample,
    Size,
    files,
    list_classes,
    read_json,
    take,
)
from evaluation.datasets.importers.splitting import SUBSETS
from zoo.text import counted


def read_supervisely(source: str, options: Options) -> Project:
    """The project in a folder with `meta.json`; the name of a dataset, or a photo's tag, may say its split."""
    root = Path(source)
    if not root.is_dir():
        raise DatasetError(f"{root}: no such folder; unpack the project and give its folder")
    meta_path = root / "meta.json"
    entries = take(read_json(meta_path), "classes", list, str(meta_path))
    labels = [take(entry, "title", str, f"{meta_path}: classes[{number}]") for number, entry in enumerate(entries)]
    classes = list_classes(labels, options, order="classes in the order of meta.json")
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    finder = PhotoFinder(root, options)
    for path in (path for path in files(root, ".json") if path.parent.name == "ann"):
        document = read_json(path)
        sides = take(document, "size", dict, str(path))
        size = (take(sides, "width", int, f"{path}: size"), take(sides, "height", int, f"{path}: size"))
        layers = []
        for number, item in enumerate(take(document, "objects", list, str(path))):
            where = f"{path}: objects[{number}]"
            region = read_object(item, where)
            if region is None:
                project.skipped[f"{item['geometryType']} (has no area)"] += 1
            else:
                layers.append((classes.id(take(item, "classTitle", str, where), where), region))
        photo = finder.find(path.stem, str(path), near=[path.parent.parent / "img"])
        draw = partial(paint, layers, classes.unlabelled)
        project.samples.append(Sample(finder.name(photo), photo, draw, size, str(path), subset_of(path, document)))
    return project


def subset_of(path: Path, document: dict) -> str:
    """The split that the dataset's name or a tag of the photo tells."""
    tags = (
        [tag.get("name") for tag in document["tags"] if isinstance(tag, dict)]
        if isinstance(document.get("tags"), list)
        else []
    )
    names = [path.parent.parent.name, *(tag for tag in tags if isinstance(tag, str))]
    return next((name for name in names if name.casefold() in SUBSETS), "")


def read_object(item: dict, where: str):
    """The region of one object, None where it has no area."""
    kind = take(item, "geometryType", str, where)
    if kind == "bitmap":
        bitmap = take(item, "bitmap", dict, where)
        origin = take(bitmap, "origin", list, f"{where}: bitmap")
        if len(origin) != 2 or not all(isinstance(value, int) for value in origin):
            raise DatasetError(f"{where}: bitmap 'origin' is not two whole numbers; export it again")
        return partial(bitmap_region, take(bitmap, "data", str, f"{where}: bitmap"), origin, source=where)
    if kind not in ("polygon", "rectangle"):
        return None
    points = take(item, "points", dict, where)
    rings = [
        take(points, "exterior", list, where),
        *(take(points, "interior", list, where) if "interior" in points else []),
    ]
    for ring in rings:
        if not isinstance(ring, list) or not all(
            isinstance(p, list) and len(p) == 2 and all(isinstance(v, int | float) for v in p) for p in ring
        ):
            raise DatasetError(f"{where}: 'points' are not pairs of numbers; export it again")
    rings = [[tuple(point) for point in ring] for ring in rings]
    if kind == "rectangle" and len(rings[0]) == 2:
        (x0, y0), (x1, y1) = rings[0]
        rings[0] = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    if len(rings[0]) < 3:
        raise DatasetError(
            f"{where}: a polygon of {counted(len(rings[0]), 'point')}; correct it in the tool and export again"
        )
    return partial(polygon_region, rings, source=where)


def polygon_region(rings: list, size: Size, *, source: str) -> np.ndarray:
    """A polygon less its holes."""
    region = inclusive_polygon(rings[0], size, source, outline=True)
    for hole in rings[1:]:
        if len(hole) >= 3:
            region &= ~inclusive_polygon(hole, size, source, outline=True)
    return region


def bitmap_region(data: str, origin: list[int], size: Size, *, source: str) -> np.ndarray:
    """A bitmap: what is opaque where the PNG has transparency, else what is not black."""
    content = unbase64(data, f"{source}: bitmap")
    png = small_png(content if content.startswith(b"\x89PNG") else inflate(content, source), size, source)
    if png.mode in ("P", "1", "L") and "transparency" not in png.info:
        part = np.array(png).astype(bool)
    else:
        part = np.array(png.convert("RGBA"))[:, :, 3] > 0
    return paste(part, *origin, size, source)
