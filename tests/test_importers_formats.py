"""Formats of which no tool is at hand, made here by their published description, and damaged exports of all formats."""

import base64
import io
import json
import random
import shutil
import zlib
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image
from test_importers import DATA, boxes, make_labelme, masks, run, square

from evaluation.datasets import open_dataset
from evaluation.datasets.importers.drawing import coco_counts
from zoo.labels import CITYSCAPES

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


# CVAT


def make_cvat(root: Path, shapes: str, name="p.png") -> Path:
    photo(root / "images" / "p.png")
    labels = "".join(f"<label><name>{name}</name></label>" for name in ("road", "car"))
    (root / "annotations.xml").write_text(
        f"<?xml version='1.0'?><annotations><version>1.1</version><meta><task><labels>{labels}</labels></task></meta>"
        f"<image id='0' name='{name}' width='48' height='32'>{shapes}</image></annotations>"
    )
    return root


def test_cvat_draws_by_z_order_boxes_masks_and_ellipses(tmp_path, capsys):
    shapes = """
      <box label="car" xtl="10" ytl="8" xbr="30" ybr="20" z_order="1"/>
      <polygon label="road" points="0,0;48,0;48,16;0,16" z_order="0"/>
      <mask label="road" rle="2, 3, 1, 4" left="40" top="28" width="5" height="2" z_order="0"/>
      <ellipse label="road" cx="20" cy="26" rx="6" ry="3" z_order="2"/>
      <box label="car" xtl="4" ytl="22" xbr="8" ybr="30" rotation="90" z_order="3"/>
      <polyline label="car" points="0,0;9,9" z_order="0"/>
    """
    status, printed, error = run(capsys, "cvat", make_cvat(tmp_path / "cvat", shapes), tmp_path / "out", "--split", "0")
    assert (status, error) == (0, "") and "not in the masks: 1 x polyline (has no area)" in printed
    expected = boxes((1, 0, 0, 48, 16), (2, 10, 8, 30, 20), (2, 2, 24, 10, 28))
    expected[28, 42:45] = expected[29, 41:45] = 1  # 2 off, 3 on, 1 off, 4 on, along the rows of a 5x2 box
    found = masks(tmp_path / "out")["p"]
    y, x = np.indices((32, 48)) + 0.5
    inside = ((x - 20) / 6) ** 2 + ((y - 26) / 3) ** 2 <= 1
    expected[inside & (expected != 2)] = 1
    np.testing.assert_array_equal(found, expected)
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\nroad\ncar\n"


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ("<mask label='car' rle='1, 2' left='0' top='0' width='5' height='2'/>", r"add up to 3 pixels, 5x2 has 10"),
        (
            "<mask label='car' rle='1, x' left='0' top='0' width='5' height='2'/>",
            r"'rle' is not a list of whole numbers",
        ),
        ("<mask label='car' rle='-1, 11' left='0' top='0' width='5' height='2'/>", r"no whole number between 0 and 10"),
        ("<mask label='car' rle='9' left='0' top='0' width='99999' height='99999'/>", r"its mask is 99999x99999"),
        ("<mask label='car' rle='9' left='0' top='0' width='nan' height='3'/>", r"width='nan' is not a whole number"),
        ("<polygon label='car' points='1,1;2,2'/>", r"'points' are not three or more pairs"),
        ("<polygon label='car' points='1,1;2,2;1e12,3'/>", r"lies far outside"),
        (
            "<polygon label='cat' points='1,1;2,2;3,9'/>",
            r"polygon 1: label 'cat' is not in the list .*did you mean 'car'",
        ),
        ("<blob label='car'/>", r"shapes of this kind are not known"),
        (
            "</image><image name='../../../etc/p.png' width='48' height='32'>",
            r"'\.\./\.\./\.\./etc/p\.png' lies outside",
        ),
        ("</image><track id='0'></track><image name='p.png' width='48' height='32'>", r"tracks of a video"),
        ("<box label='car'", r"is not whole XML"),
    ],
)
def test_cvat_refuses(tmp_path, capsys, shapes, message):
    refused(capsys, message, "cvat", make_cvat(tmp_path / "cvat", shapes), tmp_path / "out", "--split", "0")


def test_cvat_s_xml_with_entities_is_not_expanded(tmp_path, capsys):
    make_cvat(tmp_path / "cvat", "")
    bomb = '<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><annotations>&b;</annotations>'
    (tmp_path / "cvat" / "annotations.xml").write_text(bomb)
    refused(capsys, "declares a document type", "cvat", tmp_path / "cvat", tmp_path / "out")


@pytest.mark.parametrize("name", ["my_task.xml", "annotations_2.xml", "annotations.xml"])
def test_cvat_s_file_may_have_any_name(tmp_path, capsys, name):
    root = make_cvat(tmp_path / "cvat", "<box label='car' xtl='1' ytl='1' xbr='9' ybr='9'/>")
    text = (root / "annotations.xml").read_text()
    (root / "annotations.xml").unlink()
    photo(root / "images" / "q.png")
    image = text[text.index("<image") : text.index("</annotations>")]
    (root / name).write_text(text.replace(image, image + image.replace("p.png", "q.png")))
    status, printed, error = run(capsys, "cvat", root / name, tmp_path / "out")
    assert (status, error) == (0, "") and "2 photos: 1 train, 1 val; 0.2 to val" in printed


def test_subsets_of_other_names_are_not_blamed_on_a_flag_that_nobody_gave(tmp_path, capsys):
    root = make_cvat(tmp_path / "cvat", "")
    path = root / "annotations.xml"
    path.write_text(path.read_text().replace("<image ", "<image subset='summer' "))
    wanted = "needs subsets called train and val; the export has 'summer'; give a fraction"
    refused(capsys, f"error: to divide photos as the export does {wanted}", "cvat", root, tmp_path / "out")
    refused(capsys, f"error: --split subsets {wanted}", "cvat", root, tmp_path / "out", "--split", "subsets")


# Label Studio


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


def test_label_studio_polygons_rectangles_and_ellipses_are_in_per_cent(tmp_path, capsys):
    root = make_label_studio(
        tmp_path / "ls",
        polygon([[0, 0], [50, 0], [50, 50], [0, 50]]),
        {
            "type": "rectanglelabels",
            "value": {"x": 25, "y": 25, "width": 50, "height": 25, "rectanglelabels": ["road"]},
        },
        {
            "type": "ellipselabels",
            "value": {"x": 75, "y": 75, "radiusX": 12.5, "radiusY": 12.5, "ellipselabels": ["car"]},
        },
        {"id": "split", "type": "polygon", "value": {"points": [[90, 0], [100, 0], [100, 25], [90, 25]]}},
        {"id": "split", "type": "labels", "value": {"labels": ["road"]}},
        {"type": "keypointlabels", "value": {"x": 1, "y": 1, "keypointlabels": ["car"]}},
        {"type": "polygon", "value": {"points": [[0, 0], [1, 0], [1, 1]]}},
    )
    status, printed, error = run(capsys, "label-studio", root, tmp_path / "out", "--split", "0")
    assert (status, error) == (0, "")
    assert "1 x keypoint (has no area)" in printed and "1 x region without a label" in printed
    y, x = np.indices((32, 48)) + 0.5
    expected = boxes((1, 0, 0, 24, 16), (2, 12, 8, 36, 16))
    expected[((x - 36) / 6) ** 2 + ((y - 24) / 4) ** 2 <= 1] = 1
    expected[0:8, 43:48] = 2  # 90 % of 48 is 43.2, whose pixel's centre lies inside
    np.testing.assert_array_equal(masks(tmp_path / "out")["p"], expected)


def test_label_studio_takes_the_ground_truth_else_the_latest_annotation(tmp_path, capsys):
    def annotation(label, date, **fields):
        result = polygon([[0, 0], [100, 0], [100, 100]], label) | {"original_width": 48, "original_height": 32}
        return {"result": [result], "updated_at": date} | fields

    old, new = annotation("old", "2026-01-01T00:00:00Z"), annotation("new", "2026-02-01T00:00:00Z")
    dropped = annotation("dropped", "2026-03-01T00:00:00Z", was_cancelled=True)
    for number, (found, label) in enumerate(
        (([new, old, dropped], "new"), ([old | {"ground_truth": True}, new], "old"))
    ):
        root = make_label_studio(tmp_path / f"ls{number}", annotations=found)
        _, printed, _ = run(capsys, "label-studio", root, tmp_path / f"out{number}", "--split", "0")
        assert (tmp_path / f"out{number}" / "classes.txt").read_text() == f"background\n{label}\n"
        assert "has 2 annotations" in printed


BRUSH = {"type": "brushlabels", "value": {"format": "rle", "rle": [], "brushlabels": ["car"]}}


@pytest.mark.parametrize(
    ("results", "fields", "message"),
    [
        ([BRUSH], {}, r"result\[0\]: 'rle' is damaged"),
        ([BRUSH | {"value": BRUSH["value"] | {"rle": [255] * 40}}], {}, r"'rle' is damaged"),
        ([BRUSH | {"value": BRUSH["value"] | {"rle": [0, 0, 24, 0, 56, 0, 0]}}], {}, r"'rle' is damaged"),
        ([BRUSH | {"value": BRUSH["value"] | {"rle": [-1, "a"]}}], {}, r"'rle' is damaged"),
        ([polygon([[0, 0], [9, 9]])], {}, r"'points' are not three or more"),
        ([polygon([[0, 0], [9, 9], [9, 0]], image_rotation=90)], {}, r"turned by hand"),
        ([polygon([[0, 0], [9, 9], [9, 0]], original_width=96)], {}, r"was annotated at 96x32, but its photo"),
        ([polygon([[0, 0], [9, 9], [9, 0]], value={"points": [], "polygonlabels": ["a", "b"]})], {}, r"has 2 labels"),
        ([], {"image": "/data/local-files/?d=../../../etc/passwd"}, r"names no photo"),
        ([], {"image": "../q.png"}, r"photo 'q\.png' is not in"),
        ([], {"annotations": {}}, r"field 'annotations' is dict"),
    ],
)
def test_label_studio_refuses(tmp_path, capsys, results, fields, message):
    root = make_label_studio(tmp_path / "ls", *results, **fields)
    refused(capsys, message, "label-studio", root, tmp_path / "out", "--split", "0")


def test_label_studio_min_json_is_named(tmp_path, capsys):
    (tmp_path / "export.json").write_text(json.dumps([{"image": "p.png", "tag": []}]))
    refused(capsys, "export as 'JSON', not as 'JSON-MIN'", "label-studio", tmp_path / "export.json", tmp_path / "out")


def test_label_studio_png_needs_one_annotation_a_task_and_the_right_size(tmp_path, capsys):
    shutil.copytree(DATA / "label_studio", tmp_path / "ls")
    wrong = tmp_path / "ls" / "png" / "task-1-annotation-99-by-2-tag-car-0.png"
    grey(wrong, np.zeros((32, 48), np.uint8))
    refused(capsys, "task 1 has PNGs of 2 annotations", "label-studio-png", tmp_path / "ls", tmp_path / "out")
    wrong.rename(wrong.with_name("task-1-annotation-11-by-1-tag-car-7.png"))
    grey(wrong.with_name("task-1-annotation-11-by-1-tag-car-7.png"), np.zeros((4, 4), np.uint8))
    refused(capsys, r"car-7\.png: is 4x4, its photo 48x32", "label-studio-png", tmp_path / "ls", tmp_path / "out")


# COCO


def make_coco(root: Path, annotation=None, **fields) -> Path:
    photo(root / "p.png")
    document = {
        "images": [{"id": 1, "file_name": "p.png", "width": 48, "height": 32}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [{"image_id": 1, "category_id": 1} | annotation] if annotation is not None else [],
    }
    (root / "instances_train.json").write_text(json.dumps(document | fields))
    return root


@pytest.mark.parametrize(
    ("annotation", "fields", "message"),
    [
        (
            {"segmentation": {"size": [32, 48], "counts": [9, 9]}},
            {},
            r"annotations\[0\]: run lengths add up to 18 pixels",
        ),
        ({"segmentation": {"size": [32, 48], "counts": [10**30]}}, {}, r"no whole number between 0 and 1536"),
        ({"segmentation": {"size": [10**9, 10**9], "counts": [10**18]}}, {}, r"run lengths are of size"),
        ({"segmentation": {"size": [32, 48], "counts": "PP"}}, {}, r"not COCO's compressed run lengths"),
        ({"segmentation": {"size": [32, 48], "counts": "\u00e9"}}, {}, r"not COCO's compressed run lengths"),
        ({"segmentation": [[1, 1, 2, 2, 3]]}, {}, r"not a list of x, y, x, y"),
        ({"segmentation": [1, 2, 3]}, {}, r"neither a list of polygons nor run lengths"),
        ({"segmentation": [[0, 0, 1e300, 0, 5, 5]]}, {}, r"lies far outside"),
        ({"image_id": 9}, {}, r"annotation of image_id 9, but 'images' lists no such id"),
        ({"category_id": 9}, {}, r"annotations\[0\]: category_id 9 is none of 'categories'"),
        (None, {"images": [{"id": 1, "file_name": "../p.png"}]}, r"'\.\./p\.png' lies outside"),
        (None, {"images": [{"id": 1, "file_name": "p.png", "width": 9, "height": 9}]}, r"was annotated at 9x9"),
        (None, {"images": [{"id": 1, "file_name": "p.png"}] * 2}, r"id 1 is there twice"),
        ({"segments_info": []}, {}, r"is of the other COCO kind; import it with coco-panoptic"),
        (None, {"categories": [{"id": 1, "name": "car"}, {"id": 2, "name": "car"}]}, r"'car' is the name of two"),
        (None, {"categories": [{"id": 1, "name": "a\nb"}]}, r"class 'a.+nb': use at most"),
    ],
)
def test_coco_refuses(tmp_path, capsys, annotation, fields, message):
    root = make_coco(tmp_path / "coco", annotation, **fields)
    refused(capsys, message, "coco", root, tmp_path / "out", "--split", "0")


def test_roboflow_s_root_category_is_no_class(tmp_path, capsys):
    categories = [
        {"id": 0, "name": "cracks", "supercategory": "none"},
        {"id": 1, "name": "crack", "supercategory": "cracks"},
    ]
    shape = {"segmentation": [[0, 0, 10, 0, 10, 10, 0, 10]]}
    _, printed, _ = run(
        capsys, "coco", make_coco(tmp_path / "coco", shape, categories=categories), tmp_path / "out", "--split", "0"
    )
    assert "category 'cracks' is the root of the others (Roboflow adds it) and no class" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\ncrack\n"
    np.testing.assert_array_equal(masks(tmp_path / "out")["p"], boxes((1, 0, 0, 10, 10)))


def test_coco_boxes_are_no_regions(tmp_path, capsys):
    root = make_coco(tmp_path / "coco", {"bbox": [1, 1, 5, 5], "segmentation": []})
    _, printed, _ = run(capsys, "coco", root, tmp_path / "out", "--split", "0")
    assert "not in the masks: 1 x annotation with a box and no region" in printed


def test_coco_strings_are_decoded_as_the_api_encodes_them():
    from pycocotools import mask as api

    noise = np.random.default_rng(0)
    for _ in range(50):
        region = np.asfortranarray(noise.random((noise.integers(1, 90), noise.integers(1, 90))) < noise.random())
        counts = coco_counts(api.encode(region.astype(np.uint8))["counts"].decode(), "x")
        assert sum(counts) == region.size
        np.testing.assert_array_equal(np.repeat(np.arange(len(counts)) % 2, counts), region.ravel(order="F"))


def test_panoptic_segments_are_all_listed(tmp_path, capsys):
    shutil.copytree(DATA / "datumaro" / "coco_panoptic_mask", tmp_path / "panoptic")
    path = tmp_path / "panoptic" / "annotations" / "panoptic_val.json"
    document = json.loads(path.read_text())
    document["annotations"][0]["segments_info"].pop()
    path.write_text(json.dumps(document))
    refused(
        capsys,
        r"c_001\.png: segment \d+ is not in its 'segments_info'",
        "coco-panoptic",
        tmp_path / "panoptic",
        tmp_path / "out",
    )
    document["annotations"][0]["file_name"] = "../../../p.png"
    path.write_text(json.dumps(document))
    refused(capsys, r"lies outside", "coco-panoptic", tmp_path / "panoptic", tmp_path / "out")


# Supervisely


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


def test_supervisely_bitmaps_packed_or_not_lie_at_their_origin(tmp_path, capsys):
    for number, packed in enumerate((True, False)):
        root = make_supervisely(tmp_path / f"s{number}", bitmap(Image.new("1", (9, 4), 1), (40, 3), packed))
        assert run(capsys, "supervisely", root, tmp_path / f"out{number}", "--split", "0")[0] == 0
        np.testing.assert_array_equal(masks(tmp_path / f"out{number}")["p"], boxes((1, 40, 3, 48, 7)))


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (bitmap(Image.new("1", (99, 4), 1)), r"its mask is 99x4, its photo 48x32"),
        (bitmap(Image.new("1", (4, 4), 1), (10**9, 0)), r"its mask starts at \(1000000000, 0\)"),
        (
            {"geometryType": "bitmap", "bitmap": {"data": BOMB, "origin": [0, 0]}},
            r"unpacks to more than 64 MB",
        ),
        ({"geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}}, r"damaged compressed data"),
        ({"geometryType": "bitmap", "bitmap": {"data": "%", "origin": [0, 0]}}, r"is not base64"),
        ({"geometryType": "polygon", "points": {"exterior": [[1, 1]], "interior": []}}, r"a polygon of 1 point;"),
        ({"geometryType": "polygon", "points": {"exterior": ["a"], "interior": []}}, r"not pairs of numbers"),
        ({"geometryType": "rectangle", "points": {"exterior": [[1, 1], [2, 2]]}, "classTitle": "cat"}, r"label 'cat'"),
    ],
)  # fmt: skip
def test_supervisely_refuses(tmp_path, capsys, item, message):
    root = make_supervisely(tmp_path / "s", item)
    refused(capsys, message, "supervisely", root, tmp_path / "out", "--split", "0")


# Masks that are files


def make_roboflow(root: Path, mask: np.ndarray, table="Pixel Value, Class\n0, background\n1, car\n") -> Path:
    for split in ("train", "valid"):
        for number in range(2):
            photo(root / split / f"{split}{number}_jpg.rf.0a{number}.jpg")
            grey(root / split / f"{split}{number}_jpg.rf.0a{number}_mask.png", mask)
        (root / split / "_classes.csv").write_text(table)
    return root


def test_the_name_of_the_folder_of_an_export_without_splits_is_no_subset(tmp_path, capsys):
    root = make_roboflow(tmp_path / "r", boxes((1, 3, 3, 20, 20)))
    shutil.move(root / "train", tmp_path / "my-export")
    status, printed, error = run(capsys, "roboflow", tmp_path / "my-export", tmp_path / "out")
    assert (status, error) == (0, "") and "2 photos: 1 train, 1 val; 0.2 to val" in printed


def test_roboflow_s_masks_and_classes(tmp_path, capsys):
    mask = boxes((1, 3, 3, 20, 20))
    status, printed, error = run(capsys, "roboflow", make_roboflow(tmp_path / "r", mask), tmp_path / "out")
    assert (status, error) == (0, "") and "4 photos: 2 train, 2 val; by the subsets" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\ncar\n"
    assert all(np.array_equal(found, mask) for found in masks(tmp_path / "out").values())
    refused(
        capsys,
        r"_mask\.png: value 7 is none of the classes' values; see _classes\.csv",
        "roboflow",
        make_roboflow(tmp_path / "s", boxes((7, 0, 0, 4, 4))),
        tmp_path / "o",
    )
    refused(
        capsys,
        r"_classes\.csv: line 2: is not a pixel value",
        "roboflow",
        make_roboflow(tmp_path / "t", mask, "x,y\na,b\n"),
        tmp_path / "o",
    )


def make_ade20k(root: Path, mask: np.ndarray, names=("wall", "screen, door", "screen")) -> Path:
    for split in ("training", "validation"):
        photo(root / "images" / split / f"ADE_{split}_00000001.jpg")
        grey(root / "annotations" / split / f"ADE_{split}_00000001.png", mask)
    rows = "".join(f"{number + 1}\t0.1\t1\t1\t0\t{name}\n" for number, name in enumerate(names))
    (root / "objectInfo150.txt").write_text("Idx\tRatio\tTrain\tVal\tStuff\tName\n" + rows)
    return root


def test_ade20k_s_zero_is_void_and_ids_move_down(tmp_path, capsys):
    stored = boxes((1, 0, 0, 9, 9), (3, 9, 9, 20, 20))
    status, printed, error = run(capsys, "ade20k", make_ade20k(tmp_path / "a", stored), tmp_path / "out")
    assert (status, error) == (0, "") and "1 train, 1 val" in printed and "'other'" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "wall\nscreen, door\nscreen\n"
    expected = boxes((0, 0, 0, 9, 9), (2, 9, 9, 20, 20), fill=255)
    assert all(np.array_equal(found, expected) for found in masks(tmp_path / "out").values())
    refused(
        capsys,
        r"value 9 is none of the classes' values; there are 3 classes",
        "ade20k",
        make_ade20k(tmp_path / "b", boxes((9, 0, 0, 4, 4))),
        tmp_path / "o",
    )


def test_cityscapes_train_ids_are_read_where_there_are_no_label_ids(tmp_path, capsys):
    for number, split in enumerate(("train", "val")):
        photo(tmp_path / "c" / "leftImg8bit" / split / "ulm" / f"ulm_{number}_0_leftImg8bit.png")
        grey(
            tmp_path / "c" / "gtFine" / split / "ulm" / f"ulm_{number}_0_gtFine_labelTrainIds.png",
            boxes((13, 0, 0, 9, 9), fill=255),
        )
    assert run(capsys, "cityscapes", tmp_path / "c", tmp_path / "out")[0] == 0
    dataset = open_dataset("folder", tmp_path / "out", "val")
    assert dataset.labels.classes == CITYSCAPES.classes
    np.testing.assert_array_equal(dataset.mask(0), boxes((13, 0, 0, 9, 9), fill=255))


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


def test_cvat_s_segmentation_masks_go_by_their_labelmap(tmp_path, capsys):
    colours = np.zeros((32, 48, 3), np.uint8)
    colours[4:9, 5:20], colours[20:25, 5:20] = (10, 20, 30), (224, 224, 192)
    expected = boxes((1, 5, 4, 20, 9), (255, 5, 20, 20, 25))
    indexed = Image.fromarray(colours).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
    ids = Image.fromarray(expected)
    for number, mask in enumerate((Image.fromarray(colours), indexed, ids)):
        root = make_voc(tmp_path / f"v{number}", mask)
        assert run(capsys, "cvat-masks", root, tmp_path / f"out{number}", "--split", "0")[0] == 0
        np.testing.assert_array_equal(masks(tmp_path / f"out{number}")["p"], expected)


def test_voc_without_labelmap_has_voc_s_classes(tmp_path, capsys):
    mask = Image.new("RGB", (48, 32), (192, 128, 128))
    assert run(capsys, "voc", make_voc(tmp_path / "v", mask, None), tmp_path / "out", "--split", "0")[0] == 0
    assert (masks(tmp_path / "out")["p"] == 15).all()  # person
    assert (tmp_path / "out" / "classes.txt").read_text().splitlines()[15] == "person"


@pytest.mark.parametrize(
    ("labelmap", "listed", "message"),
    [
        (
            "car:10,20,30::\nroad:10,20,30::\n",
            "p",
            r"labelmap\.txt: class 'road' has the colour \(10, 20, 30\) of another",
        ),
        ("car:10,20::\n", "p", r"labelmap\.txt: line 1: '10,20' is not a colour"),
        ("car:10,20,300::\n", "p", r"is not a colour"),
        ("car:1,1,1::\ncar:2,2,2::\n", "p", r"line 2: class 'car' is listed twice"),
        (
            "background:0,0,0::\ncar:9,9,9::\n",
            "p",
            r"colour \(1, 2, 3\) is none of the classes' colours; see labelmap\.txt",
        ),
        ("background:0,0,0::\ncar:9,9,9::\n", "../../../p", r"which lies outside"),
        ("background:0,0,0::\ncar:9,9,9::\n", "q", r"q\.png: mask is missing"),
    ],
)
def test_voc_refuses(tmp_path, capsys, labelmap, listed, message):
    root = make_voc(tmp_path / "v", Image.new("RGB", (48, 32), (1, 2, 3)), labelmap)
    (root / "ImageSets" / "Segmentation" / "default.txt").write_text(f"{listed}\n")
    refused(capsys, message, "voc", root, tmp_path / "out", "--split", "0")


def test_camvid_s_lists_stay_inside_and_void_is_void(tmp_path, capsys):
    shutil.copytree(DATA / "datumaro" / "camvid_mask", tmp_path / "c")
    (tmp_path / "c" / "label_colors.txt").write_text("0 0 0 Void\n128 0 0 red car\n0 128 0 road\n")
    assert run(capsys, "camvid", tmp_path / "c", tmp_path / "out")[0] == 0
    np.testing.assert_array_equal(
        masks(tmp_path / "out")["c_001"], boxes((0, 10, 8, 30, 20), (1, 20, 12, 40, 24), fill=255)
    )
    assert (tmp_path / "out" / "classes.txt").read_text() == "red car\nroad\n"
    (tmp_path / "c" / "val.txt").write_text("/val/c_001.png ../../../trainannot/x.png\n")
    refused(capsys, r"which lies outside", "camvid", tmp_path / "c", tmp_path / "o")
    (tmp_path / "c" / "val.txt").write_text("nonsense\n")
    refused(capsys, r"val\.txt: line 1: is not a photo and a mask", "camvid", tmp_path / "c", tmp_path / "o")


def test_a_mask_of_another_size_or_as_jpeg_is_refused(tmp_path, capsys):
    root = make_roboflow(tmp_path / "r", np.zeros((16, 24), np.uint8))
    refused(capsys, r"was annotated at 24x16, but its photo .* is 48x32", "roboflow", root, tmp_path / "out")
    root = make_voc(tmp_path / "v", Image.new("RGB", (48, 32)))
    Image.new("RGB", (48, 32)).save(root / "SegmentationClass" / "p.png", "JPEG")
    refused(
        capsys, r"p\.png: This is a JPEG file\..*Export the mask as PNG", "voc", root, tmp_path / "out", "--split", "0"
    )


# Parquet


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


def test_parquet_refuses_what_it_cannot_read(tmp_path, capsys):
    arguments = [tmp_path / "out", "--split", "0"]
    root = make_parquet(tmp_path / "a", labels=())
    refused(
        capsys,
        r"names no classes \(id2label\.json is missing\); give them with --classes",
        "huggingface",
        root,
        *arguments,
    )
    root = make_parquet(tmp_path / "b", drawn=boxes((5, 0, 0, 4, 4)))
    refused(capsys, r"row 0 of group 0: value 5 is none of the classes' values", "huggingface", root, *arguments)
    root = make_parquet(tmp_path / "c", image=["a"] * 3)
    refused(
        capsys, r"its columns of images are mask; name photos and masks with --columns", "huggingface", root, *arguments
    )
    refused(
        capsys, r"has no column 'x' of images; it has mask", "huggingface", root, *arguments, "--columns", "x", "mask"
    )
    root = make_parquet(tmp_path / "d", mask=[{"bytes": None, "path": "/etc/passwd"}] * 3)
    refused(capsys, r"column 'mask' holds no image", "huggingface", root, *arguments)
    root = make_parquet(tmp_path / "e")
    refused(
        capsys, r"holds 0 MB; raise --megabytes \(0\.0001\)", "huggingface", root, *arguments, "--megabytes", "0.0001"
    )
    (root / "train.parquet").write_bytes((root / "train.parquet").read_bytes()[:-9])
    refused(capsys, r"is not a whole parquet file", "huggingface", root, *arguments)


def test_classes_can_be_named_for_parquet(tmp_path, capsys):
    root = make_parquet(tmp_path / "a", labels=())
    (tmp_path / "names.txt").write_text("ground\nplant\nweed\n")
    arguments = ["--classes", tmp_path / "names.txt", "--void", "ground", "--split", "0.34"]
    assert run(capsys, "huggingface", root, tmp_path / "out", *arguments)[0] == 0
    assert (tmp_path / "out" / "classes.txt").read_text() == "plant\nweed\n"
    found = list(masks(tmp_path / "out").values())
    assert len(found) == 3
    assert all(np.array_equal(mask, boxes((0, 2, 2, 9, 9), fill=255)) for mask in found)


def test_a_data_set_on_the_hub_is_fetched_within_its_size(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    local = make_parquet(tmp_path / "local", 4)
    content = (local / "train.parquet").read_bytes()
    labels = (local / "id2label.json").read_bytes()
    files = {"data/train-00000-of-00001.parquet": content, "data/validation-00000-of-00001.parquet": content}
    hub.add("datasets/ana/plants", files | {"id2label.json": labels, "plants.py": b"raise SystemExit('ran')"})
    status, printed, error = run(capsys, "huggingface", "ana/plants", tmp_path / "out")
    assert (status, error) == (0, "") and "8 photos: 4 train, 4 val; by the subsets" in printed
    drawn = boxes((1, 2, 2, 9, 9), (255, 20, 20, 30, 30))
    assert all(np.array_equal(mask, drawn) for mask in masks(tmp_path / "out").values())
    assert not any("plants.py" in request for request in hub.requests)
    asked = len(hub.requests)
    assert run(capsys, "huggingface", "ana/plants", tmp_path / "again")[0] == 0
    assert len(hub.requests) == asked + 1, "files that are there are not asked for again"
    refused(
        capsys,
        r"ana/plants: is 0 MB; raise --megabytes \(0\.001\)",
        "huggingface",
        "ana/plants",
        tmp_path / "o",
        "--megabytes",
        "0.001",
    )
    hub.add("datasets/ana/many", {"a/train.parquet": content, "b/train.parquet": content})
    refused(capsys, r"import one of ana/many/a, ana/many/b", "huggingface", "ana/many", tmp_path / "o")
    assert run(capsys, "huggingface", "ana/many/b", tmp_path / "b", "--classes", local / "id2label.json")[0] == 1
    hub.add("datasets/ana/none", {"data.zip": b"PK"})
    refused(capsys, r"ana/none: there are no parquet files in it", "huggingface", "ana/none", tmp_path / "o")
    refused(capsys, r"ana/nowhere", "huggingface", "ana/nowhere", tmp_path / "o")


def test_a_hub_that_sends_more_than_it_said_is_not_believed(hub, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    local = make_parquet(tmp_path / "local")
    repository = hub.add("datasets/ana/plants", {path.name: path.read_bytes() for path in local.iterdir()})
    repository.claimed_sizes["train.parquet"] = 100
    refused(capsys, r"train\.parquet", "huggingface", "ana/plants", tmp_path / "out")
    assert not list((tmp_path / "cache").rglob("*.parquet"))


# Hidden files that macOS leaves beside others


def test_hidden_files_are_no_part_of_an_export(tmp_path, capsys):
    mask = boxes((1, 3, 3, 20, 20))
    exports = {
        "roboflow": (make_roboflow(tmp_path / "roboflow", mask), "train/._train0_jpg.rf.0a0_mask.png"),
        "voc": (make_voc(tmp_path / "voc", Image.fromarray(mask)), "ImageSets/Segmentation/._default.txt"),
        "huggingface": (make_parquet(tmp_path / "huggingface"), "._train.parquet"),
        "camvid": (Path(shutil.copytree(DATA / "datumaro" / "camvid_mask", tmp_path / "camvid")), "._train.txt"),
        "cvat": (Path(shutil.copytree(DATA / "datumaro" / "cvat_polygon", tmp_path / "cvat")), "._train.xml"),
    }
    for name, (root, hidden) in exports.items():
        (root / hidden).write_bytes(b"\0\5\x16\7 of macOS\n")
        division = ["--split", "0"] if name in ("voc", "huggingface") else []
        status, _, error = run(capsys, name, root, tmp_path / f"out-{name}", *division)
        assert (status, error) == (0, ""), name


# Splits


def split_of(tmp_path, capsys, names, *arguments) -> dict[str, set[str]]:
    root = tmp_path / "project"
    for name in names:
        make_labelme(root, shapes=[square()])
        shutil.move(root / "p.json", root / f"{name}.json")
        document = json.loads((root / f"{name}.json").read_text()) | {"imagePath": f"{name}.png"}
        (root / f"{name}.json").write_text(json.dumps(document))
        shutil.move(root / "p.png", root / f"{name}.png")
    out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
    assert run(capsys, "labelme", root, out, *arguments)[0] == 0
    return {part.name: {path.stem for path in (part / "images").iterdir()} for part in out.iterdir() if part.is_dir()}


def test_sequences_stay_together_and_the_seed_decides(tmp_path, capsys):
    names = [f"walk{sequence}_{frame:04d}" for sequence in "abcde" for frame in range(4)]
    first = split_of(tmp_path, capsys, names, "--split", "0.2", "--seed", "3")
    assert len(first["val"]) == 4 and len({name.split("_")[0] for name in first["val"]}) == 1
    assert first["val"] | first["train"] == set(names)
    assert split_of(tmp_path, capsys, [], "--split", "0.2", "--seed", "3") == first
    others = [split_of(tmp_path, capsys, [], "--split", "0.2", "--seed", str(seed))["val"] for seed in range(6)]
    assert len({frozenset(val) for val in others}) > 1
    grouped = split_of(tmp_path, capsys, [], "--split", "0.5", "--group", r"_(\d+)")
    assert {name.split("_")[1] for name in grouped["val"]} & {name.split("_")[1] for name in grouped["train"]} == set()


def test_frames_of_one_video_are_divided_at_one_place(tmp_path, capsys):
    names = [f"frame_{number}" for number in range(8, 13)]
    found = split_of(tmp_path, capsys, names, "--split", "0.4")
    assert found["val"] == {"frame_11", "frame_12"}


def test_copies_that_roboflow_augments_stay_with_their_photo(tmp_path, capsys):
    names = [f"{photo}_jpg.rf.{copy}" for photo in ("a", "b", "c") for copy in ("x1", "y2", "z3")]
    found = split_of(tmp_path, capsys, names, "--split", "0.34")
    assert {name[0] for name in found["val"]} & {name[0] for name in found["train"]} == set()
    assert len(found["val"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--split", "1"], r"--split 1: give a fraction for val"),
        (["--split", "nan"], r"--split nan"),
        (["--split", "subsets"], r"needs subsets called train and val; the export has ''"),
        (["--group", "("], r"--group '\('"),
        (["--group", "(p0)?"], r"--group '\(p0\)\?': its group finds nothing in the name 'a_001\.png'"),
        (["--group", "zzz"], r"--group 'zzz': does not match the name 'a_001\.png'"),
    ],
)
def test_splits_that_cannot_be_made_are_refused(tmp_path, capsys, arguments, message):
    refused(capsys, message, "labelme", DATA / "labelme", tmp_path / "out", *arguments)


def test_one_photo_cannot_be_divided(tmp_path, capsys):
    root = make_labelme(tmp_path / "project", shapes=[square()])
    refused(capsys, r"1 photo cannot be divided .*--split 0", "labelme", root, tmp_path / "out")


# Damage of all kinds

JUNK = [
    None,
    True,
    -1,
    0,
    10**30,
    1e308,
    float("nan"),
    "",
    "../../x",
    "\ud800",
    "a\nb",
    [],
    [1],
    [[]],
    {},
    {"a": 1},
    "%",
]
DAMAGED = [
    ("labelme", "labelme", "a_001.json"),
    ("coco", "pycocotools", "instances.json"),
    ("coco-panoptic", "datumaro/coco_panoptic_mask", "annotations/panoptic_train.json"),
    ("label-studio", "label_studio", "brush.json"),
    ("label-studio-png", "label_studio", "brush.json"),
    ("supervisely", "supervisely/project", "train/ann/s_001.png.json"),
    ("supervisely", "supervisely/project", "meta.json"),
]


def places(value, path=()):
    """The path of every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value[:40]) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


@pytest.mark.parametrize(("name", "source", "file"), DAMAGED)
def test_any_wrong_value_in_an_export_is_one_sentence_or_a_whole_import(name, source, file, tmp_path, capsys):
    chance = random.Random(0)
    shutil.copytree(DATA / source, tmp_path / "export")
    path = tmp_path / "export" / file
    whole = json.loads(path.read_text())
    for number in range(25):
        document = json.loads(json.dumps(whole))
        *above, key = chance.choice(list(places(document)))
        target = document
        for step in above:
            target = target[step]
        if chance.random() < 0.2:
            del target[key]
        else:
            target[key] = chance.choice(JUNK)
        path.write_text(json.dumps(document))
        out = tmp_path / f"out{number}"
        status, _, error = run(capsys, name, tmp_path / "export", out, "--split", "0")
        assert (status, len(error.splitlines()), out.exists()) in ((0, 0, True), (1, 1, False)), (above, key)
        assert {entry.name for entry in tmp_path.iterdir() if entry.name.startswith(".")} == set()
