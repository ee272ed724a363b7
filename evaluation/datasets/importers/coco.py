"""COCO's JSON: instances (polygons, run lengths) and panoptic PNGs.

Later annotations of a photo lie on top of earlier ones. `iscrowd` says how a region is stored and scored, not that it
is unlabelled, so that crowds are drawn like the rest. Photos without annotations are background: COCO lists them on
purpose. In panoptic PNGs the id is R + 256 G + 65536 B and 0 is void.
"""

import re
from collections import Counter, defaultdict
from functools import partial
from pathlib import Path

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import coco_counts, coco_polygon, paint, runs
from evaluation.datasets.importers.pictures import codes, stored_colours, table_ids
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
    read_json,
    take,
)
from evaluation.datasets.importers.splitting import SUBSETS
from zoo.text import counted

LISTS = ("images", "annotations", "categories")


def read_coco(source: str, options: Options) -> Project:
    """The project in a JSON file of instances or a folder with one or more, one a split."""
    documents = read_documents(Path(source), "coco-panoptic", lambda item: "segments_info" not in item)
    categories = read_categories(documents)
    classes = list_classes(categories.values(), options, order="categories in the order of their ids")
    project = Project(classes.names, classes.order, [], void=list(classes.void), notes=unused_root(documents))
    finder = PhotoFinder(Path(source), options)
    for path, document in documents.items():
        by_image = defaultdict(list)
        for number, item in enumerate(document["annotations"]):
            by_image[take(item, "image_id", (int, str), f"{path}: annotations[{number}]")].append((number, item))
        images = read_images(document, path)
        for image_id in by_image.keys() - images.keys():
            raise DatasetError(f"{path}: annotation of image_id {image_id!r}, but 'images' lists no such id")
        for image_id, image in images.items():
            layers = []
            for number, item in by_image[image_id]:
                where = f"{path}: annotations[{number}]"
                layers += read_annotation(item, where, document["names"], classes, project)
            draw = partial(paint, layers, classes.unlabelled)
            project.samples.append(make_sample(image, path, finder, draw))
        bare = sum(not by_image[image_id] for image_id in images)
        if bare:
            alike = counted(bare, "photo without annotations is", "photos without annotations are")
            project.notes.append(f"{path.name}: {alike} all {unlabelled_name(classes)}")
    return project


def unlabelled_name(classes: ClassList) -> str:
    """What pixels without a label are."""
    return "void" if classes.unlabelled == VOID else classes.names[classes.unlabelled]


def read_documents(source: Path, other: str, belongs) -> dict[Path, dict]:
    """The COCO files at `source` by path; `names` of each is {category id: name}. DatasetError if there is none."""
    documents = {}
    for path in [source] if source.is_file() else files(source, ".json"):
        document = read_json(path)
        if not (isinstance(document, dict) and set(LISTS) <= document.keys()):
            continue
        if not all(
            isinstance(document[key], list) and all(isinstance(item, dict) for item in document[key]) for key in LISTS
        ):
            raise DatasetError(f"{path}: 'images', 'annotations' and 'categories' must be lists of objects")
        if not all(belongs(item) for item in document["annotations"]):
            raise DatasetError(f"{path}: is of the other COCO kind; import it with {other}")
        document["names"] = {}
        for number, category in enumerate(document["categories"]):
            where = f"{path}: categories[{number}]"
            document["names"][take(category, "id", (int, str), where)] = take(category, "name", str, where)
        documents[path] = document
    if not documents:
        raise DatasetError(f"{source}: holds no COCO file (JSON with 'images', 'annotations' and 'categories')")
    return documents


def read_categories(documents: dict[Path, dict]) -> dict:
    """{category id: name} over all files, by ascending id, less the root that Roboflow adds."""
    categories = {}
    for path, document in documents.items():
        for key, name in document["names"].items():
            if categories.setdefault(key, name) != name:
                raise DatasetError(f"{path}: category {key!r} is {name!r}, in another file {categories[key]!r}")
    roots = {root for document in documents.values() for root in roboflow_root(document)}
    kept = {key: categories[key] for key in sorted(categories, key=lambda key: (isinstance(key, str), key))}
    double = [name for name, times in Counter(kept.values()).items() if times > 1]
    if double:
        raise DatasetError(f"categories: {double[0]!r} is the name of two; rename one of them")
    return {key: name for key, name in kept.items() if key not in roots}


def roboflow_root(document: dict) -> list:
    """The id of the category without annotations that all others name as their supercategory, if there is one."""
    used = {repr(item.get("category_id")) for item in document["annotations"]}
    above = {str(item.get("supercategory")) for item in document["categories"]}
    return [
        item["id"]
        for item in document["categories"]
        if item.get("supercategory") == "none" and above == {"none", item["name"]} and repr(item["id"]) not in used
    ]


def unused_root(documents: dict[Path, dict]) -> list[str]:
    """A note where a category was left out."""
    names = {document["names"][key] for document in documents.values() for key in roboflow_root(document)}
    return [f"category {name!r} is the root of the others (Roboflow adds it) and no class" for name in sorted(names)]


def read_images(document: dict, path: Path) -> dict:
    """{image id: entry}, checked."""
    images = {}
    for number, image in enumerate(document["images"]):
        where = f"{path}: images[{number}]"
        take(image, "file_name", str, where)
        if images.setdefault(take(image, "id", (int, str), where), image) is not image:
            raise DatasetError(f"{where}: id {image['id']!r} is there twice")
    return images


def make_sample(image: dict, path: Path, finder: PhotoFinder, draw) -> Sample:
    """The sample of one entry of 'images'."""
    subset = subset_in(path)
    where = f"{path}: {image['file_name']}"
    spots = [part for name in (subset, path.stem.rpartition("_")[2]) if name for part in (f"images/{name}", name)]
    near = [path.parent, *(finder.root / spot for spot in (*spots, "images"))]
    photo = finder.find(image["file_name"], where, near=near)
    sides = image.get("width"), image.get("height")
    size = sides if all(isinstance(side, int) and side > 0 for side in sides) else None
    return Sample(finder.name(photo), photo, draw, size, where, subset)


def subset_in(path: Path) -> str:
    """The split that a file's name (`instances_train2017.json`) or folder (`valid/_annotations.coco.json`) tells."""
    for word in (*re.split(r"[^a-z]+", path.stem.casefold()), path.parent.name.casefold()):
        if word in SUBSETS:
            return word
    return ""


def read_annotation(item: dict, where: str, names: dict, classes: ClassList, project: Project) -> list:
    """The layers of one annotation, none where it has no region."""
    category = take(item, "category_id", (int, str), where)
    if category not in names:
        raise DatasetError(f"{where}: category_id {category!r} is none of 'categories'")
    value, segmentation = classes.id(names[category], where), item.get("segmentation")
    if isinstance(segmentation, dict):
        return [(value, partial(run_length_region, segmentation, source=where))]
    if not segmentation:
        project.skipped["annotation with a box and no region"] += 1
        return []
    if not isinstance(segmentation, list) or not all(isinstance(flat, list) for flat in segmentation):
        raise DatasetError(f"{where}: 'segmentation' is neither a list of polygons nor run lengths")
    layers = []
    for flat in segmentation:
        if len(flat) % 2 or not all(isinstance(value, int | float) for value in flat):
            raise DatasetError(f"{where}: a polygon of 'segmentation' is not a list of x, y, x, y ...")
        if len(flat) < 6:
            project.skipped["polygon of fewer than three points"] += 1
            continue
        points = list(zip(flat[::2], flat[1::2], strict=True))
        layers.append((value, partial(coco_polygon, points, source=where)))
    return layers


def run_length_region(segmentation: dict, size: Size, *, source: str) -> np.ndarray:
    """A region stored as run lengths by columns, packed into a string or as numbers."""
    sides = take(segmentation, "size", list, source)
    if sides != [size[1], size[0]]:
        raise DatasetError(f"{source}: run lengths are of size {sides} (height, width), its photo {[size[1], size[0]]}")
    counts = take(segmentation, "counts", (list, str), source)
    counts = coco_counts(counts, source) if isinstance(counts, str) else counts
    return runs(counts, size[1], size[0], source, order="F")


def read_coco_panoptic(source: str, options: Options) -> Project:
    """The project in a panoptic JSON file, or a folder of some, with the PNGs in a folder of the file's name."""
    documents = read_documents(Path(source), "coco", lambda item: "segments_info" in item)
    order = "categories in the order of their ids"
    classes = list_classes(read_categories(documents).values(), options, order=order, unlabelled="void")
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    finder = PhotoFinder(Path(source), options, without=("panoptic",))
    for path, document in documents.items():
        images, masks = read_images(document, path), PhotoFinder(path.with_suffix(""), Options())
        for number, item in enumerate(document["annotations"]):
            where = f"{path}: annotations[{number}]"
            image_id, png = take(item, "image_id", (int, str), where), take(item, "file_name", str, where)
            if image_id not in images:
                raise DatasetError(f"{where}: image_id {image_id!r}, but 'images' lists no such id")
            ids = {0: classes.unlabelled}
            for segment in take(item, "segments_info", list, where):
                category = take(segment, "category_id", (int, str), where)
                if category not in document["names"]:
                    raise DatasetError(f"{where}: category_id {category!r} is none of 'categories'")
                ids[take(segment, "id", int, where)] = classes.id(document["names"][category], where)
            draw = partial(segment_ids, masks.find(png, where), ids)
            project.samples.append(make_sample(images[image_id], path, finder, draw))
    return project


def segment_ids(path: Path, ids: dict[int, int], size: Size) -> np.ndarray:
    """The class ids of a panoptic PNG."""

    def refusal(segment: int) -> DatasetError:
        return DatasetError(f"{path}: segment {segment} is not in its 'segments_info'; export it again")

    return table_ids(codes(stored_colours(path)), ids, refusal)
