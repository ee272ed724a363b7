"""What drawings in the exports of annotation tools mean, and what in them is refused: CVAT to Supervisely."""

import json
import shutil

import numpy as np
import pytest
from export_files import (
    BOMB,
    BRUSH,
    bitmap,
    grey,
    make_coco,
    make_cvat,
    make_label_studio,
    make_supervisely,
    photo,
    polygon,
    refused,
)
from PIL import Image
from test_importers import DATA, boxes, masks, run

from evaluation.datasets.importers.drawing import coco_counts

# CVAT


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
