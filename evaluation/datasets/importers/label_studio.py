"""Label Studio: its JSON export (brushes, polygons, rectangles, ellipses), and its PNG export beside that JSON.

Regions lie in the order of the results. Of several annotations of a task the one marked as ground truth counts, else
the latest; tasks without one were not labelled and are left out. Brush strokes are RGBA run lengths whose alpha counts
from half of its maximum on, as their edges are smoothed.
"""

import re
from collections import defaultdict
from functools import partial
from pathlib import Path, PurePosixPath
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from evaluation.datasets.dataset import DatasetError
from evaluation.datasets.importers.drawing import box_corners, coco_polygon, ellipse, paint, small_png, unbase64
from evaluation.datasets.importers.pictures import stored_ids
from evaluation.datasets.importers.project import (
    PHOTO_SUFFIXES,
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

SHAPES = ("brush", "polygon", "rectangle", "ellipse", "bitmask")
PNG_NAME = re.compile(r"task-(\d+)-annotation-(\d+)-by-[^-]*-(.+)-(\d+)")


def read_label_studio(source: str, options: Options) -> Project:
    """The project in a JSON export, or a folder with some; photos lie beside it or in the folder given by --images."""
    tasks = read_tasks(Path(source))
    project = Project((), "", [])
    chosen = {where: choose_annotation(task, where, project) for where, task in tasks.items()}
    regions = {where: merge_results(found, where) for where, found in chosen.items() if found is not None}
    labels = {region["label"] for found in regions.values() for region in found if region["label"]}
    classes = list_classes(sorted(labels), options, order="labels in alphabetical order")
    project.classes, project.order, project.void = classes.names, classes.order, list(classes.void)
    finder = PhotoFinder(Path(source), options)
    for where, found in regions.items():
        layers, sizes = [], set()
        for region in found:
            if region["kind"] not in SHAPES or not region["label"]:
                reason = "region without a label" if region["kind"] in SHAPES else f"{region['kind']} (has no area)"
                project.skipped[reason] += 1
                continue
            layers.append((classes.id(region["label"], where), read_region(region, where)))
            sizes.add(region["size"])
        if len(sizes) > 1:
            raise DatasetError(f"{where}: its regions were drawn at {len(sizes)} sizes of the photo; label it again")
        photo = find_photo(tasks[where], where, finder)
        draw = partial(paint, layers, classes.unlabelled)
        project.samples.append(Sample(finder.name(photo), photo, draw, next(iter(sizes), None), where))
    return project


def read_tasks(source: Path) -> dict[str, dict]:
    """The tasks of all JSON files by where they stand; DatasetError for other exports."""
    tasks = {}
    for path in [source] if source.is_file() else files(source, ".json"):
        document = read_json(path)
        if not isinstance(document, list) or not all(isinstance(task, dict) for task in document):
            continue
        for number, task in enumerate(document):
            if "annotations" not in task or "data" not in task:
                raise DatasetError(
                    f"{path}: item {number} has no 'data' and 'annotations'; export as 'JSON', not as 'JSON-MIN'"
                )
            tasks[f"{path}: task {task.get('id', number)}"] = task
    if not tasks:
        raise DatasetError(f"{source}: holds no JSON export of Label Studio (a list of tasks)")
    return tasks


def choose_annotation(task: dict, where: str, project: Project) -> list | None:
    """The results of the annotation that counts, None where the task was not labelled."""
    found = [one for one in take(task, "annotations", list, where) if isinstance(one, dict)]
    found = [one for one in found if not one.get("was_cancelled")]
    if not found:
        project.skipped["task nobody labelled (its photo is left out)"] += 1
        return None
    if len(found) > 1:
        project.notes.append(f"{where}: has {len(found)} annotations; the ground truth, else the latest, was taken")
    # Dates are ISO 8601, so that their order as text is that in time.
    ranks = [(bool(one.get("ground_truth")), str(one.get("updated_at") or one.get("created_at"))) for one in found]
    return take(found[ranks.index(max(ranks))], "result", list, where)


def merge_results(results: list, where: str) -> list[dict]:
    """Regions {kind, label, value, size, source}; results of one id are one region (separate Brush and Labels tags)."""
    regions: dict[str, dict] = {}
    for number, result in enumerate(results):
        source = f"{where}: result[{number}]"
        kind = take(result, "type", str, source)
        if kind in ("relation", "choices", "textarea", "rating", "taxonomy"):
            continue
        value = take(result, "value", dict, source)
        if result.get("image_rotation"):
            raise DatasetError(f"{source}: was drawn on a photo turned by hand; turn the photo itself, label it again")
        region = regions.setdefault(
            str(result.get("id", number)), {"kind": "", "label": "", "value": {}, "source": source}
        )
        names = value.get(kind) if kind.endswith("labels") else None
        if names:
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise DatasetError(f"{source}: {kind!r} is not a list of labels")
            if len(names) > 1:
                raise DatasetError(f"{source}: has {len(names)} labels; a pixel has one class, keep one of them")
            region["label"] = names[0]
        if kind != "labels":
            region["kind"] = kind.removesuffix("labels")
        region["value"] |= value
        region["size"] = tuple(take(result, f"original_{side}", int, source) for side in ("width", "height"))
    return list(regions.values())


def find_photo(task: dict, where: str, finder: PhotoFinder) -> Path:
    """The photo of a task by the last part of its address, with or without the eight letters that an upload gets."""
    addresses = [value for value in take(task, "data", dict, where).values() if isinstance(value, str)]
    for address in addresses:
        parts = urlsplit(address)
        path = parse_qs(parts.query).get("d", [parts.path])[0]
        name = PurePosixPath(unquote(path).replace("\\", "/")).name
        if PurePosixPath(name).suffix.lower() in PHOTO_SUFFIXES:
            short = re.sub(r"^[0-9a-f]{8}-", "", name)
            return finder.find(short if name not in finder.by_name and short in finder.by_name else name, where)
    raise DatasetError(f"{where}: 'data' names no photo (a value that ends in .jpg or .png)")


def read_region(region: dict, where: str):
    """What draws a region."""
    value, source, (width, height) = region["value"], region["source"], region["size"]
    if region["kind"] == "brush":
        return partial(brush_region, take(value, "rle", list, source), source=source)
    if region["kind"] == "bitmask":
        return partial(bitmask_region, take(value, "imageDataURL", str, source), source=source)
    if region["kind"] == "polygon":
        points = take(value, "points", list, source)
        if len(points) < 3 or not all(
            isinstance(p, list) and len(p) == 2 and all(isinstance(v, int | float) for v in p) for p in points
        ):
            raise DatasetError(f"{source}: 'points' are not three or more pairs of numbers")
        return partial(coco_polygon, [(x * width / 100, y * height / 100) for x, y in points], source=source)
    names = ("width", "height") if region["kind"] == "rectangle" else ("radiusX", "radiusY")
    x, y, across, down = (take(value, name, (int, float), source) for name in ("x", "y", *names))
    x, y, across, down = x * width / 100, y * height / 100, across * width / 100, down * height / 100
    degrees = take(value, "rotation", (int, float), source) if "rotation" in value else 0
    if region["kind"] == "ellipse":
        return partial(ellipse, (x, y), (across, down), degrees)
    return partial(coco_polygon, box_corners(x, y, across, down, degrees, (x, y)), source=source)


def brush_region(rle: list, size: Size, *, source: str) -> np.ndarray:
    """A brush's run lengths; see `decode_brush`."""
    alpha = decode_brush(rle, size[0] * size[1] * 4, source)[3::4].reshape(size[::-1])
    return opaque(alpha)


def bitmask_region(address: str, size: Size, *, source: str) -> np.ndarray:
    """A bitmask's PNG in a data address: what is opaque and not black."""
    content = unbase64(address.partition("base64,")[2], f"{source}: imageDataURL")
    pixels = np.array(small_png(content, size, source).convert("RGBA"))
    if pixels.shape[:2] != size[::-1]:
        raise DatasetError(f"{source}: its mask is {pixels.shape[1]}x{pixels.shape[0]}, its photo {size[0]}x{size[1]}")
    return (pixels[:, :, 3] >= 128) & pixels[:, :, :3].any(axis=2)


def decode_brush(rle: list, length: int, source: str) -> np.ndarray:
    """The `length` bytes in Label Studio's run lengths (rle-pack of thi.ng/umbrella, a stream of bits).

    Header: 32 bits length, 5 bits word size - 1, four times 4 bits run size - 1. Then blocks: 1 bit (one value repeated
    or as many values), 2 bits that choose a run size, the run - 1, the values. DatasetError where it does not fit.
    """
    damaged = DatasetError(f"{source}: 'rle' is damaged or of another photo (its size is not {length // 4} pixels)")
    if not all(isinstance(value, int) and 0 <= value <= 255 for value in rle):
        raise damaged
    data = bytes(rle)
    position = 0

    def take_bits(count: int) -> int:
        nonlocal position
        end = position + count
        if end > 8 * len(data):
            raise damaged
        window = int.from_bytes(data[position // 8 : (end + 7) // 8])
        position = end
        return window >> (-end % 8) & ((1 << count) - 1)

    if take_bits(32) != length or take_bits(5) != 7:
        raise damaged
    sizes = [take_bits(4) + 1 for _ in range(4)]
    out, done = np.zeros(length, np.uint8), 0
    while done < length:
        repeated = take_bits(1)
        end = done + 1 + take_bits(sizes[take_bits(2)])
        if end > length:
            raise damaged
        if repeated:
            out[done:end] = take_bits(8)
        else:
            out[done:end] = np.frombuffer(take_bits(8 * (end - done)).to_bytes(end - done), np.uint8)
        done = end
    return out


def read_label_studio_png(source: str, options: Options) -> Project:
    """The project in a folder of PNGs (0 and 255, one a label and task) and the JSON export that names the photos.

    PNGs do not tell which region was drawn on top: where two labels overlap, the later in the list of classes wins.
    """
    root = Path(source)
    tasks = {str(task.get("id")): (where, task) for where, task in read_tasks(root).items()}
    results = [
        result
        for where, task in tasks.values()
        for one in take(task, "annotations", list, where)
        for result in (take(one, "result", list, where) if isinstance(one, dict) and "result" in one else [])
    ]
    tags = {str(result.get("from_name")) for result in results if isinstance(result, dict)}
    found: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    annotations: dict[str, set[str]] = defaultdict(set)
    for path in files(root, ".png"):
        match = PNG_NAME.fullmatch(path.stem)
        if not match:
            continue
        if match[1] not in tasks:
            raise DatasetError(f"{path}: is of task {match[1]}, which the JSON export does not list")
        tag = max((tag for tag in tags if match[3].startswith(f"{tag}-")), key=len, default="")
        found[match[1]].append((match[3].removeprefix(f"{tag}-"), path))
        annotations[match[1]].add(match[2])
    if not found:
        raise DatasetError(f"{root}: holds no PNG of Label Studio (task-1-annotation-2-by-3-tag-label-0.png)")
    several = [task for task, ids in annotations.items() if len(ids) > 1]
    if several:
        raise DatasetError(
            f"{root}: task {several[0]} has PNGs of {len(annotations[several[0]])} annotations; keep those of one"
        )
    labels = sorted({label for pngs in found.values() for label, _ in pngs})
    classes = list_classes(labels, options, order="labels in alphabetical order")
    project = Project(classes.names, classes.order, [], void=list(classes.void))
    project.notes.append("PNGs do not tell the drawing order; where labels overlap, the later class in the list wins")
    finder = PhotoFinder(root, options, without=())
    for task_id, pngs in found.items():
        where, task = tasks[task_id]
        layers = [(classes.id(label, str(path)), partial(png_region, path)) for label, path in pngs]
        layers.sort(key=lambda layer: layer[0] if layer[0] in range(len(classes.names)) else -1)
        photo = find_photo(task, where, finder)
        draw = partial(paint, layers, classes.unlabelled)
        project.samples.append(Sample(finder.name(photo), photo, draw, None, where))
    left = len(tasks) - len(found)
    if left:
        project.skipped["task without a PNG (its photo is left out)"] += left
    return project


def png_region(path: Path, size: Size) -> np.ndarray:
    """What is at least half white in a PNG of one label."""
    levels = stored_ids(path)
    if levels.shape != size[::-1]:
        raise DatasetError(
            f"{path}: is {levels.shape[1]}x{levels.shape[0]}, its photo {size[0]}x{size[1]}; export it again"
        )
    return opaque(levels)


def opaque(levels: np.ndarray) -> np.ndarray:
    """Where (H, W) uint8 levels reach half of their maximum: a brush's smoothed edge is in between."""
    return levels.astype(np.int16) * 2 >= max(int(levels.max()), 1)
