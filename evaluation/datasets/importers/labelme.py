"""labelme's JSON files, one a photo: shapes in drawing order, labels free text.

One list of classes over all files (`labelme_json_to_dataset` of old numbered them anew in each file). Shapes are drawn
as `labelme.utils.shapes_to_label` (6.3.1) does: outlines belong to them, lines are 10 pixels wide, points have a radius
of 5, later shapes lie on top. labelme shows photos upright.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import check_points, inclusive_polygon, paint, paste, small_png, unbase64
from evaluation.datasets.importers.project import (
    Options,
    PhotoFinder,
    Project,
    Sample,
    Size,
    files,
    list_classes,
    read_json,
    subset_of,
    take,
)
from zoo.text import word_for

LINE_WIDTH = 10
POINT_RADIUS = 5
POINTS = {"circle": 2, "rectangle": 2, "line": 2, "point": 1, "mask": 2, "oriented_rectangle": 4}


def read_labelme(source: str, options: Options) -> Project:
    """The project in a folder of JSON files (`labels.txt` beside them lists the classes in order, if it is there)."""
    root = Path(source)
    documents = {}
    for path in files(root, ".json"):
        document = read_json(path)
        if isinstance(document, dict) and "shapes" in document and "imagePath" in document:
            # Megabytes a photo; read again where it is needed.
            documents[path] = document | {"imageData": isinstance(document.get("imageData"), str)}
    if not documents:
        raise DatasetError(f"{root}: holds no JSON file of labelme (with 'shapes' and 'imagePath')")
    shapes = {path: take(document, "shapes", list, str(path)) for path, document in documents.items()}
    labels = {take(shape, "label", str, str(path)) for path, found in shapes.items() for shape in found}
    if options.classes is None and (root / "labels.txt").is_file():
        options = replace(options, classes=root / "labels.txt")
    classes = list_classes(sorted(labels), options, order="labels of all files in alphabetical order")
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    finder = PhotoFinder(root, options)
    for path, document in documents.items():
        layers = []
        for number, shape in enumerate(shapes[path]):
            where = f"{path}: shapes[{number}]"
            if (shape.get("shape_type") or "polygon") == "polygon" and len(take(shape, "points", list, where)) < 3:
                project.skipped["polygon of fewer than three points"] += 1
                continue
            layers.append((classes.id(shape["label"], where), read_shape(shape, where)))
        size = (take(document, "imageWidth", int, str(path)), take(document, "imageHeight", int, str(path)))
        photo, name = find_photo(document, path, finder, root)
        draw = partial(paint, layers, classes.unlabelled)
        project.samples.append(Sample(name, photo, draw, size, str(path), subset_of(path, root)))
    return project


def find_photo(document: dict, path: Path, finder: PhotoFinder, root: Path) -> tuple[Path | Callable[[], bytes], str]:
    """The photo's file, or what reads its content where only the JSON holds it, and its name."""
    named = take(document, "imagePath", str, str(path))
    try:
        photo = finder.find(named, str(path), near=[path.parent])
        return photo, finder.name(photo)
    except DatasetError:
        if not document["imageData"]:
            raise
    return partial(embedded_photo, path), path.relative_to(root).as_posix()


def embedded_photo(path: Path) -> bytes:
    """The photo inside a JSON file."""
    return unbase64(take(read_json(path), "imageData", str, str(path)), f"{path}: imageData")


def read_shape(shape: dict, source: str):
    """The region of one shape; DatasetError for a kind or number of points that labelme does not write."""
    kind = shape.get("shape_type") or "polygon"
    points = take(shape, "points", list, source)
    pairs = [tuple(point) for point in points if isinstance(point, list) and len(point) == 2]
    if len(pairs) != len(points) or not all(isinstance(value, int | float) for pair in pairs for value in pair):
        raise DatasetError(f"{source}: 'points' are not pairs of numbers")
    if kind not in (*POINTS, "polygon", "linestrip", "points"):
        raise DatasetError(f"{source}: shape_type {kind!r} is unknown; draw it as a polygon")
    least = {"linestrip": 2, "points": 1}.get(kind)
    if len(pairs) != POINTS.get(kind, len(pairs)) or (least and len(pairs) < least):
        expected = POINTS.get(kind) or f"at least {least}"
        raise DatasetError(
            f"{source}: a {kind} has {expected} {word_for(least or expected, 'point', 'points')}, here {len(pairs)}"
        )
    if kind == "mask":
        return partial(mask_region, take(shape, "mask", str, source), pairs, source=source)
    return partial(shape_region, kind, pairs, source=source)


def mask_region(encoded: str, points: list, size: Size, *, source: str) -> np.ndarray:
    """A brush mask: a small PNG at its upper left point."""
    png = small_png(unbase64(encoded, f"{source}: mask"), size, source)
    (left, top), _ = points
    return paste(np.array(png).astype(bool), int(left), int(top), size, source)


def shape_region(kind: str, points: list, size: Size, *, source: str) -> np.ndarray:
    """A drawn shape with its outline."""
    check_points(points, size, source)
    if kind in ("polygon", "oriented_rectangle"):
        return inclusive_polygon(points, size, source)
    canvas = Image.new("1", size)
    pencil = ImageDraw.Draw(canvas)
    if kind == "rectangle":
        (x0, y0), (x1, y1) = points
        pencil.rectangle((min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)), fill=1, outline=1)
    elif kind in ("line", "linestrip"):
        pencil.line(points, fill=1, width=LINE_WIDTH)
    else:
        radius = math.dist(*points) if kind == "circle" else POINT_RADIUS
        for x, y in points[:1] if kind == "circle" else points:
            pencil.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1, outline=1)
    return np.array(canvas)
