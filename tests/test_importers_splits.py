"""What all imports share: hidden files, the division into train and val, damage of all kinds."""

import json
import random
import shutil
from pathlib import Path

import pytest
from export_files import (
    make_parquet,
    make_roboflow,
    make_voc,
    refused,
)
from PIL import Image
from test_importers import DATA, boxes, make_labelme, run, square

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
