"""CVAT's XML for images (1.1): polygons, boxes, ellipses and brush masks, drawn by z_order, then as listed.

Boxes and ellipses are areas, as in CVAT's own export of segmentation masks; lines, points and skeletons have none. Its
run lengths start with unmasked pixels and go along the rows of the mask's box.
"""

from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import box_corners, coco_polygon, ellipse, paint, paste, runs
from evaluation.datasets.importers.project import (
    Options,
    PhotoFinder,
    Project,
    Sample,
    Size,
    files,
    list_classes,
    read_bytes,
)
from evaluation.datasets.importers.splitting import SUBSETS

WITHOUT_AREA = ("polyline", "points", "skeleton", "cuboid", "tag")


def read_cvat(source: str, options: Options) -> Project:
    """The project in an XML file, or a folder with one or more (`annotations.xml` beside `images/`)."""
    root = Path(source)
    documents = {path: read_xml(path) for path in ([root] if root.is_file() else files(root, ".xml"))}
    documents = {path: document for path, document in documents.items() if document.tag == "annotations"}
    if not documents:
        raise DatasetError(f"{root}: holds no XML file of CVAT (<annotations>)")
    labels = [name for document in documents.values() for name in read_labels(document)]
    classes = list_classes(labels, options, order="labels in the order of the CVAT project")
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    finder = PhotoFinder(root, options)
    for path, document in documents.items():
        if document.find("track") is not None:
            raise DatasetError(f"{path}: holds tracks of a video; export the task as 'CVAT for images 1.1'")
        for image in document.iter("image"):
            where = f"{path}: image {image.get('name')!r}"
            shapes = []
            for number, shape in enumerate(image):
                if shape.tag in WITHOUT_AREA:
                    project.skipped[f"{shape.tag} (has no area)"] += 1
                    continue
                region = read_shape(shape, f"{where}, {shape.tag} {number + 1}")
                value = classes.id(shape.get("label", ""), f"{where}, {shape.tag} {number + 1}")
                shapes.append((integer(shape, "z_order", where, "0"), value, region))
            layers = [shape[1:] for shape in sorted(shapes, key=lambda shape: shape[0])]
            size = (integer(image, "width", where), integer(image, "height", where))
            subset = image.get("subset", "")
            told = subset or (path.stem if path.stem.casefold() in SUBSETS else "")  # datumaro: a file for each subset
            near = [path.parent / "images" / subset, path.parent / "images", path.parent]
            photo = finder.find(image.get("name", ""), where, near=near)
            draw = partial(paint, layers, classes.unlabelled)
            project.samples.append(Sample(finder.name(photo), photo, draw, size, where, told))
    return project


def read_xml(path: Path) -> ElementTree.Element:
    """The root element; DatasetError for what is no XML, or declares entities, which no CVAT export does."""
    content = read_bytes(path)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DatasetError(f"{path}: declares a document type, which CVAT does not; export it again")
    try:
        return ElementTree.fromstring(content)
    except ElementTree.ParseError as error:
        raise DatasetError(f"{path}: is not whole XML ({error}); export it again") from None


def read_labels(document: ElementTree.Element) -> list[str]:
    """The labels of the task or project, in order; those of skeletons' parts are left out."""
    found = document.find("./meta//labels")
    labels = [] if found is None else [label for label in found if label.find("parent") is None]
    return [label.findtext("name", "") for label in labels] or sorted(
        {shape.get("label", "") for image in document.iter("image") for shape in image}
    )


def read_shape(shape: ElementTree.Element, where: str):
    """The region of one shape."""
    if shape.tag == "polygon":
        return partial(coco_polygon, read_points(shape, where), source=where)
    if shape.tag == "box":
        left, top, right, bottom = (number(shape, name, where) for name in ("xtl", "ytl", "xbr", "ybr"))
        degrees = number(shape, "rotation", where, "0")
        corners = box_corners(left, top, right - left, bottom - top, degrees, ((left + right) / 2, (top + bottom) / 2))
        return partial(coco_polygon, corners, source=where)
    if shape.tag == "ellipse":
        center, radii = (tuple(number(shape, name, where) for name in pair) for pair in (("cx", "cy"), ("rx", "ry")))
        return partial(ellipse, center, radii, number(shape, "rotation", where, "0"))
    if shape.tag == "mask":
        left, top, width, height = (integer(shape, name, where) for name in ("left", "top", "width", "height"))
        return partial(mask_region, shape.get("rle", ""), (left, top, width, height), source=where)
    raise DatasetError(f"{where}: shapes of this kind are not known; draw polygons or masks")


def read_points(shape: ElementTree.Element, where: str) -> list[tuple[float, float]]:
    """The points of a polygon, 'x,y;x,y;...'."""
    try:
        points = [tuple(map(float, pair.split(","))) for pair in shape.get("points", "").split(";")]
        if len(points) >= 3 and all(len(point) == 2 for point in points):
            return points
    except ValueError:
        pass
    raise DatasetError(f"{where}: 'points' are not three or more pairs x,y;x,y;...; export it again")


def mask_region(rle: str, box: tuple[int, int, int, int], size: Size, *, source: str) -> np.ndarray:
    """A brush mask: run lengths of its box."""
    left, top, width, height = box
    if not (0 < width <= size[0] and 0 < height <= size[1]):
        raise DatasetError(f"{source}: its mask is {width}x{height}, its photo {size[0]}x{size[1]}; export it again")
    try:
        counts = [int(count) for count in rle.split(",")]
    except ValueError:
        raise DatasetError(f"{source}: 'rle' is not a list of whole numbers; export it again") from None
    return paste(runs(counts, height, width, source, order="C"), left, top, size, source)


def number(item: ElementTree.Element, name: str, where: str, default: str | None = None) -> float:
    """An attribute as a number."""
    try:
        return float(item.get(name, default))
    except (TypeError, ValueError):
        raise DatasetError(f"{where}: {name}={item.get(name)!r} is not a number; export it again") from None


def integer(item: ElementTree.Element, name: str, where: str, default: str | None = None) -> int:
    """An attribute as a whole number."""
    value = number(item, name, where, default)
    if value != value or abs(value) > 1e9 or value != int(value):
        raise DatasetError(f"{where}: {name}={item.get(name)!r} is not a whole number; export it again")
    return int(value)
