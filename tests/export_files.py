"""Exports of annotation tools as tests write them: one photo each, and whatever is to be in them."""

import base64
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from test_importers import boxes, run

PHOTO = Image.new("RGB", (48, 32), (90, 120, 30))


def photo(path: Path, image=PHOTO) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def grey(path: Path, mask: np.ndarray) -> Path:
    return photo(path, Image.fromarray(mask))


def refused(capsys, pattern: str, *arguments) -> None:
    """Asserts that an import is refused with one sentence of this pattern."""
    status, printed, error = run(capsys, *arguments)
    assert (status, printed, len(error.splitlines())) == (1, "", 1)
    with pytest.raises(AssertionError, match=pattern):
        raise AssertionError(error)


def make_cvat(root: Path, shapes: str, name="p.png") -> Path:
    photo(root / "images" / "p.png")
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("road", "car"))
    (root / "annotations.xml").write_text(
        f"<?xml version='1.0'?><annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
        f"<image id='0' name='{name}' width='48' height='32'>{shapes}</image></annotations>"
    )
    return root


def make_label_studio(root: Path, *results: dict, image="/data/local-files/?d=photos%2Fp.png", **fields) -> Path:
    photo(root / "photos" / "p.png")
    results = [
        {"id": f"r{number}", "original_width": 48, "original_height": 32, "image_rotation": 0} | result
        for number, result in enumerate(results)
    ]
    task = {"id": 5, "data": {"image": image}, "annotations": [{"id": 1, "result": results}]} | fields
    (root / "export.json").write_text(json.dumps([task]))
    return root


def polygon(points, label="car", **fields) -> dict:
    return {"type": "polygonlabels", "value": {"points": points, "polygonlabels": [label]}} | fields


BRUSH = {"type": "brushlabels", "value": {"format": "rle", "rle": [], "brushlabels": ["car"]}}


def make_coco(root: Path, annotation=None, **fields) -> Path:
    photo(root / "p.png")
    document = {
        "images": [{"id": 1, "file_name": "p.png", "width": 48, "height": 32}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"image_id": 1, "category_id": 1} | annotation] if annotation is not None else [],
    }
    (root / "instances_train.json").write_text(json.dumps(document | fields))
    return root


def make_supervisely(root: Path, item: dict) -> Path:
    photo(root / "ds" / "img" / "p.png")
    (root / "ds" / "ann").mkdir()
    (root / "meta.json").write_text(json.dumps({"classes": [{"title": "car", "shape": "any", "color": "#ff0000"}]}))
    document = {"size": {"width": 48, "height": 32}, "tags": [], "objects": [{"classTitle": "car"} | item]}
    (root / "ds" / "ann" / "p.png.json").write_text(json.dumps(document))
    return root


def bitmap(image: Image.Image, origin=(0, 0), packed=True) -> dict:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = zlib.compress(buffer.getvalue()) if packed else buffer.getvalue()
    return {"geometryType": "bitmap", "bitmap": {"data": base64.b64encode(data).decode(), "origin": list(origin)}}


BOMB = base64.b64encode(zlib.compress(bytes(70_000_000))).decode()  # 90 kB


def make_roboflow(root: Path, mask: np.ndarray, table="Pixel Value, Class\n0, background\n1, car\n") -> Path:
    for split in ("train", "valid"):
        for number in range(2):
            photo(root / split / f"{split}{number}_jpg.rf.0a{number}.jpg")
            grey(root / split / f"{split}{number}_jpg.rf.0a{number}_mask.png", mask)
        (root / split / "_classes.csv").write_text(table)
    return root


def make_ade20k(root: Path, mask: np.ndarray, names=("wall", "screen, door", "screen")) -> Path:
    for split in ("training", "validation"):
        photo(root / "images" / split / f"ADE_{split}_00000001.jpg")
        grey(root / "annotations" / split / f"ADE_{split}_00000001.png", mask)
    rows = "".join(f"{number + 1}\t0.1\t1\t1\t0\t{name}\n" for number, name in enumerate(names))
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tStuff\tName\n" + rows)
    return root


def make_voc(
    root: Path, mask: Image.Image, labelmap="# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:10,20,30::\n"
) -> Path:
    photo(root / "JPEGImages" / "p.jpg")
    photo(root / "SegmentationClass" / "p.png", mask)
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    (root / "ImageSets" / "Segmentation" / "default.txt").write_text("p\n")
    if labelmap is not None:
        (root / "labelmap.txt").write_text(labelmap)
    return root


def make_parquet(root: Path, rows=3, name="train.parquet", drawn=None, labels=("ground", "plant"), **columns) -> Path:
    def content(image):
        buffer = io.BytesIO()
        image.save(buffer, "PNG")
        return {"bytes": buffer.getvalue(), "path": None}

    root.mkdir(parents=True, exist_ok=True)
    drawn = boxes((1, 2, 2, 9, 9), (255, 20, 20, 30, 30)) if drawn is None else drawn
    table = {"image": [content(PHOTO)] * rows, "mask": [content(Image.fromarray(drawn))] * rows} | columns
    pyarrow.parquet.write_table(pyarrow.table(table), root / name)
    if labels:
        (root / "id2label.json").write_text(json.dumps(dict(enumerate(labels))))
    return root
