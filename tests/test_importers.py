"""Imports of what annotation tools export: files that the tools themselves wrote, and what they draw of them.

`data/importers/` says which version of which tool made each file. Where a tool draws masks, its own drawing is the
answer; elsewhere the answer is written down as boxes here.
"""

import json
import os
import re
import shlex
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from labelme_project import write_project
from PIL import Image

from evaluation.datasets import open_dataset
from evaluation.datasets.__main__ import main
from evaluation.datasets.importers import IMPORTERS
from evaluation.datasets.importers.command import arguments_parser

DATA = Path(__file__).parent / "data" / "importers"


def run(capsys, *arguments) -> tuple[int, str, str]:
    """Exit status, standard output and the error line of an import."""
    status = main(["import", *(str(argument) for argument in arguments)])
    printed = capsys.readouterr()
    return status, printed.out, "\n".join(line for line in printed.err.splitlines() if line.startswith("error"))


def masks(out: Path) -> dict[str, np.ndarray]:
    """{stem: mask} over all splits of an imported folder, as stored."""
    found = {}
    for path in out.glob("*/masks/*.png"):
        with Image.open(path) as image:
            assert image.mode in ("P", "L")
            found[path.stem] = np.array(image)
    return found


def picture(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.array(image)


def boxes(*layers, fill=0) -> np.ndarray:
    """A 32x48 mask of (id, left, top, right, bottom), later ones on top."""
    mask = np.full((32, 48), fill, np.uint8)
    for value, left, top, right, bottom in layers:
        mask[top:bottom, left:right] = value
    return mask


TOOL_DRAWN = {
    "labelme": ("labelme", "labelme", ["background", "car", "road"]),
    "coco": ("pycocotools", "pycocotools", ["background", "car", "road"]),
    "label-studio": ("label_studio", "label_studio/brush.json", ["background", "car", "wet road"]),
    "label-studio-png": ("label_studio", "label_studio", ["background", "car", "wet road"]),
    "supervisely": ("supervisely", "supervisely/project", ["background", "car", "road"]),
    "cityscapes": ("cityscapesscripts", "cityscapesscripts/data", None),
    "huggingface": ("datasets", "datasets/data", ["ground", "plant"]),
}


@pytest.mark.parametrize("name", TOOL_DRAWN)
def test_masks_are_those_that_the_tool_draws(name, tmp_path, capsys):
    folder, source, classes = TOOL_DRAWN[name]
    images = ["--images", DATA / folder / "images"] if (DATA / folder / "images").is_dir() else []
    status, _, error = run(capsys, name, DATA / source, tmp_path / "out", *images)
    assert (status, error) == (0, "")
    expected = {path.stem.removeprefix("photo_"): picture(path) for path in (DATA / folder / "expected").glob("*.png")}
    found = {stem.removeprefix("0a1b2c3d-photo_"): mask for stem, mask in masks(tmp_path / "out").items()}
    if name == "huggingface":
        assert len(found) == len(expected)
        found = {
            key: next(mask for mask in found.values() if np.array_equal(mask, value)) for key, value in expected.items()
        }
    empty = {stem for stem in found if stem not in expected}  # photos without shapes
    assert expected and expected.keys() <= found.keys()
    for stem, mask in expected.items():
        differs = np.count_nonzero(found[stem] != mask)
        assert differs <= (2 if name == "supervisely" else 0), stem  # a slanted edge of OpenCV against Pillow
    assert all(not found[stem].any() for stem in empty)
    if classes:
        assert (tmp_path / "out" / "classes.txt").read_text(encoding="utf-8").split("\n") == [*classes, ""]


CAR, ROAD = (10, 8, 30, 20), (20, 12, 40, 24)  # what data/importers/datumaro/make.py draws, the road on top


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("voc", "voc_segmentation_mask"),
        ("cvat-masks", "voc_segmentation_mask"),
        ("camvid", "camvid_mask"),
        ("cityscapes", "cityscapes_mask"),
        ("coco", "coco_instances_mask"),
        ("coco", "coco_instances_polygon"),
        ("coco-panoptic", "coco_panoptic_mask"),
        ("cvat", "cvat_polygon"),
    ],
)
def test_what_was_drawn_later_lies_on_top_in_every_export_of_datumaro(name, folder, tmp_path, capsys):
    status, printed, error = run(capsys, name, DATA / "datumaro" / folder, tmp_path / "out")
    assert (status, error) == (0, "")
    expected = boxes((1, *CAR), (2, *ROAD), fill=255 if name == "coco-panoptic" else 0)
    found = masks(tmp_path / "out")
    assert sorted(stem.split("_leftImg8bit")[0] for stem in found) == ["a_001", "b_002", "c_001"]
    for mask in found.values():
        np.testing.assert_array_equal(mask, expected)
    assert "3 photos: 2 train, 1 val; by the subsets of the export" in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "background\ncar\nroad\n"
    assert len(open_dataset("folder", tmp_path / "out", "train")) == 2


def test_formats_are_named_as_people_write_them(tmp_path, capsys):
    for number, name in enumerate(("LabelMe", "COCO", "label_studio", "LabelStudio", "coco_panoptic")):
        source = {"COCO": "pycocotools", "LabelMe": "labelme"}.get(name, "label_studio")
        source = "datumaro/coco_panoptic_mask" if "panoptic" in name else source
        assert run(capsys, name, DATA / source, tmp_path / str(number))[0] == 0, name
    (tmp_path / "export.zip").write_bytes(b"PK")
    _, _, error = run(capsys, "coco", tmp_path / "export.zip", tmp_path / "out")
    assert "export.zip: is an archive; unpack it and give the folder" in error


def test_the_command_to_check_with_survives_a_shell(tmp_path, capsys):
    out = tmp_path / "my plants; echo (2)"
    printed = run(capsys, "cvat", DATA / "datumaro" / "cvat_polygon", out)[1]
    assert shlex.split(printed.splitlines()[-1])[-2:] == ["--data", str(out)]


def test_photos_are_copied_byte_for_byte(tmp_path, capsys):
    assert run(capsys, "labelme", DATA / "labelme", tmp_path / "out")[0] == 0
    copies = {path.name: path.read_bytes() for path in tmp_path.glob("out/*/images/*")}
    assert copies == {name: (DATA / "labelme" / name).read_bytes() for name in ("a_001.png", "a_002.png", "b_001.jpg")}
    assert masks(tmp_path / "out")["b_001"].shape == (48, 32), "drawn on the upright photo, which is stored lying"


def test_the_summary_tells_classes_shares_void_and_what_is_not_in_the_masks(tmp_path, capsys):
    _, printed, _ = run(capsys, "labelme", DATA / "labelme", tmp_path / "out", "--split", "0")
    lines = printed.splitlines()
    assert lines[0] == "3 photos: 3 train; all in train (--split 0)"
    assert "classes: labels of all files in alphabetical order" in lines
    drawn = np.concatenate([picture(path).ravel() for path in (DATA / "labelme" / "expected").glob("*.png")])
    for value, name in ((0, "background"), (1, "car"), (2, "road"), (255, "void")):
        share = f"{100 * (drawn == value).mean():.2f} %"
        assert any(line.split()[:2] == [str(value), name] and share in line for line in lines), (name, share)
    assert "void: pixels labelled __ignore__" in lines
    _, printed, _ = run(capsys, "supervisely", DATA / "supervisely" / "project", tmp_path / "two")
    assert "not in the masks: 1 x line (has no area)" in printed and "no pixel in val of road" in printed
    _, printed, _ = run(capsys, "label-studio", DATA / "label_studio", tmp_path / "three", "--split", "0")
    assert "not in the masks: 1 x task nobody labelled (its photo is left out)" in printed


def test_labels_can_be_ordered_and_made_void(tmp_path, capsys):
    listing = tmp_path / "classes.txt"
    listing.write_bytes("\ufeffroad\r\n_background_\r\n".encode())
    arguments = ["--classes", listing, "--void", "car", "--split", "0"]
    status, printed, error = run(capsys, "labelme", DATA / "labelme", tmp_path / "out", *arguments)
    assert (status, error) == (0, "") and "void: pixels labelled" not in printed
    assert (tmp_path / "out" / "classes.txt").read_text() == "road\nbackground\n"
    table = np.zeros(256, np.uint8)
    table[[0, 1, 2, 255]] = [1, 255, 0, 255]
    for stem, mask in masks(tmp_path / "out").items():
        np.testing.assert_array_equal(mask, table[picture(DATA / "labelme" / "expected" / f"{stem}.png")])
    listing.write_text("roads\ncar\n")
    _, _, error = run(capsys, "labelme", DATA / "labelme", tmp_path / "other", "--classes", listing)
    assert "a_001.json: shapes[0]: label 'road' is not in the list of classes; did you mean 'roads'?" in error
    _, _, error = run(capsys, "labelme", DATA / "labelme", tmp_path / "other", "--void", "cat")
    assert "--void cat: no such label; there are __ignore__, _background_, car, road" in error
    assert not (tmp_path / "other").exists()


def test_unlabelled_pixels_can_be_void(tmp_path, capsys):
    arguments = ["--unlabelled", "void", "--split", "0"]
    assert run(capsys, "coco", DATA / "pycocotools", tmp_path / "out", *arguments)[0] == 0
    assert (tmp_path / "out" / "classes.txt").read_text() == "car\nroad\n"
    expected = picture(DATA / "pycocotools" / "expected" / "p_001.png")
    np.testing.assert_array_equal(masks(tmp_path / "out")["p_001"], expected - 1)  # 0 - 1 is 255
    _, _, error = run(capsys, "cityscapes", DATA / "datumaro" / "cityscapes_mask", tmp_path / "no", *arguments)
    assert "--unlabelled: every pixel of this export has a label" in error


def make_labelme(root: Path, *, photo="p.png", image=None, shapes=(), size=(48, 32), **fields) -> Path:
    """A labelme folder of one photo."""
    root.mkdir(parents=True, exist_ok=True)
    (image or Image.new("RGB", (48, 32))).save(root / "p.png")
    document = {
        "version": "6.3.1",
        "shapes": shapes if isinstance(shapes, dict) else list(shapes),
        "imagePath": photo,
        "imageData": None,
    }
    document |= {"imageWidth": size[0], "imageHeight": size[1]} | fields
    (root / "p.json").write_text(json.dumps(document))
    return root


def square(kind="polygon", points=((4, 4), (20, 4), (20, 12), (4, 12)), label="car", **fields) -> dict:
    return {"label": label, "points": [list(point) for point in points], "shape_type": kind} | fields


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"photo": "../../p.png"}, r"p\.json: its photo '../../p\.png' lies outside of .*--images"),
        ({"photo": "/etc/p.png"}, r"lies outside of"),
        ({"photo": "C:\\Users\\p.png"}, r"lies outside of"),
        ({"photo": "q.png"}, r"its photo 'q\.png' is not in"),
        ({"photo": ""}, r"names no photo"),
        ({"photo": 3}, r"field 'imagePath' is int"),
        (
            {"size": (32, 48), "shapes": [square()]},
            r"was annotated at 32x48, but its photo 'p\.png' is 48x32; import with the photo",
        ),
        ({"size": ("48", 32)}, r"field 'imageWidth' is str"),
        ({"shapes": [square("brush")]}, r"shapes\[0\]: shape_type 'brush' is unknown; draw it as a polygon"),
        ({"shapes": [square("rectangle")]}, r"shapes\[0\]: a rectangle has 2 points, here 4"),
        ({"shapes": [square(points=((1, 1), (2, float("nan")), (3, 3)))]}, r"shapes\[0\]: a point is \(2, nan\)"),
        ({"shapes": [square(points=((1, 1), (1e9, 1), (3, 3)))]}, r"point \(1e\+09, 1\) lies far outside of its 48x32"),
        ({"shapes": [square(points=(("a", 1), (2, 2), (3, 3)))]}, r"shapes\[0\]: 'points' are not pairs of numbers"),
        ({"shapes": [square("mask", ((1, 1), (9, 9)), mask="???")]}, r"shapes\[0\]: mask: is not base64"),
        ({"shapes": [square("mask", ((1, 1), (9, 9)), mask="AAAA")]}, r"its mask is not a whole PNG"),
        ({"shapes": [{"label": 3}]}, r"field 'label' is int"),
        ({"shapes": {}}, r"field 'shapes' is dict"),
    ],
)
def test_labelme_refuses_in_one_sentence_and_leaves_nothing(tmp_path, capsys, fields, message):
    make_labelme(tmp_path / "project", **fields)
    status, printed, error = run(capsys, "labelme", tmp_path / "project", tmp_path / "out", "--split", "0")
    assert status == 1 and printed == "" and len(error.splitlines()) == 1
    with pytest.raises(AssertionError, match=message):
        raise AssertionError(error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


def test_labelme_keeps_the_photo_that_only_the_json_holds(tmp_path, capsys):
    project = tmp_path / "project"
    project.mkdir()
    document = json.loads((DATA / "labelme" / "a_002.json").read_text())
    (project / "a_002.json").write_text(json.dumps(document))
    assert run(capsys, "labelme", project, tmp_path / "out", "--split", "0")[0] == 0
    (photo,) = (tmp_path / "out" / "train" / "images").iterdir()
    assert photo.name == "a_002.png" and photo.read_bytes() == (DATA / "labelme" / "a_002.png").read_bytes()


@pytest.mark.parametrize(("tool", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_is_the_same_letter_however_it_is_stored(tool, disk, tmp_path, capsys):
    project = write_project(tmp_path / "labelme", photos=3)
    for number, place in enumerate(("praça/á.png", "praça/é.png", "rua/é.png")):
        photo, listing = project / unicodedata.normalize(disk, place), project / f"beach_{number:02d}.json"
        photo.parent.mkdir(exist_ok=True)
        listing.with_suffix(".png").rename(photo)
        text = listing.read_text(encoding="utf-8").replace(
            f"beach_{number:02d}.png", unicodedata.normalize(tool, place)
        )
        listing.write_text(text, encoding="utf-8")
    status, _, error = run(capsys, "labelme", project, tmp_path / "out", "--split", "0")
    assert status == 0, error
    names = sorted(path.stem for path in (tmp_path / "out" / "train" / "images").iterdir())
    assert names == ["praça__á", "praça__é", "rua__é"]  # in NFC, whatever the disk has


@pytest.mark.parametrize(("lists", "disk"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_an_accent_in_the_lists_of_voc_is_the_same_letter(lists, disk, tmp_path, capsys):
    project = shutil.copytree(DATA / "datumaro" / "voc_segmentation_mask", tmp_path / "voc")
    for path in [path for path in project.rglob("*.png") if path.stem == "a_001"]:
        path.rename(path.with_stem(unicodedata.normalize(disk, "praça_1")))
    for path in project.rglob("*.txt"):
        name = unicodedata.normalize(lists, "praça_1")
        path.write_text(path.read_text(encoding="utf-8").replace("a_001", name), encoding="utf-8")
    status, _, error = run(capsys, "voc", project, tmp_path / "out", "--split", "0")
    assert status == 0, error
    assert "praça_1.png" in {path.name for path in (tmp_path / "out").rglob("*.png")}


def test_labelme_reads_labels_txt_beside_the_files(tmp_path, capsys):
    make_labelme(tmp_path / "project", shapes=[square()])
    (tmp_path / "project" / "labels.txt").write_text("__ignore__\n_background_\nvan\ncar\n")
    _, printed, _ = run(capsys, "labelme", tmp_path / "project", tmp_path / "out", "--split", "0")
    assert "labels.txt" in printed and (tmp_path / "out" / "classes.txt").read_text() == "background\nvan\ncar\n"
    np.testing.assert_array_equal(masks(tmp_path / "out")["p"], boxes((2, 4, 4, 21, 13)))


def test_a_photo_that_the_tool_showed_lying_is_named_and_can_be_imported_so(tmp_path, capsys):
    exif = Image.Exif()
    exif[0x0112] = 6
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3)).astype(np.uint8)
    project = make_labelme(tmp_path / "project", photo="l.jpg", shapes=[square("rectangle", ((0, 0), (9, 4)))])
    Image.fromarray(noise).save(project / "l.jpg", exif=exif)
    _, _, error = run(capsys, "labelme", project, tmp_path / "out", "--split", "0")
    assert "was annotated at 48x32, but its photo 'l.jpg' is 32x48 upright (EXIF orientation)" in error
    assert "import with --drawn-on stored" in error
    arguments = ["--split", "0", "--drawn-on", "stored"]
    assert run(capsys, "labelme", project, tmp_path / "out", *arguments)[0] == 0
    # Orientation 6: the stored left upper corner is the upright right upper one.
    expected = np.zeros((48, 32), np.uint8)
    expected[:10, -5:] = 1
    np.testing.assert_array_equal(masks(tmp_path / "out")["l"], expected)


def test_one_class_is_not_enough(tmp_path, capsys):
    _, _, error = run(capsys, "labelme", make_labelme(tmp_path / "project"), tmp_path / "out", "--split", "0")
    assert "the only class is 'background', and a segmentation tells at least two apart" in error


def test_an_existing_folder_is_never_touched(tmp_path, capsys):
    out = tmp_path / "out"
    out.mkdir()
    status, _, error = run(capsys, "labelme", DATA / "labelme", out)
    assert status == 1 and "out: is there already and is not overwritten; give a new folder" in error
    assert list(out.iterdir()) == []
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    assert run(capsys, "labelme", DATA / "labelme", tmp_path / "link")[0] == 1


def test_a_fault_in_the_last_photo_leaves_nothing(tmp_path, capsys):
    project = make_labelme(tmp_path / "project", shapes=[square()])
    broken = json.loads((project / "p.json").read_text()) | {"imagePath": "z.png"}
    (project / "z.json").write_text(json.dumps(broken))
    (project / "z.png").write_bytes(b"no photo")
    status, _, error = run(capsys, "labelme", project, tmp_path / "out")
    assert status == 1 and "z.json: its photo 'z.png'" in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


def test_an_interrupt_leaves_nothing(tmp_path, capsys, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluation.datasets.importers.writing.encode_ids", interrupt)
    assert run(capsys, "labelme", DATA / "labelme", tmp_path / "out")[0] == 130
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    status, _, error = run(capsys, "labelme", DATA / "labelme", tmp_path / "file" / "out")
    assert status == 1 and "out: cannot be written" in error


@pytest.mark.parametrize("name", IMPORTERS)
def test_what_is_not_an_export_is_refused_by_every_format(name, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "list.zip").write_bytes(b"PK")
    for source in ("empty", "list.zip", "nowhere", ""):
        status, _, error = run(capsys, name, tmp_path / source if source else "", tmp_path / "out")
        assert status == 1 and error.startswith("error: ") and len(error.splitlines()) == 1
    for content in (
        b"",
        b"{",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"<a",
        b"[1]",
        b'{"images": [1], "annotations": [], "categories": []}',
    ):
        folder = tmp_path / f"folder{len(os.listdir(tmp_path))}"
        folder.mkdir()
        for file in ("a.json", "meta.json", "a.xml", "labelmap.txt", "label_colors.txt", "_classes.csv", "a.parquet"):
            (folder / file).write_bytes(content)
        status, _, error = run(capsys, name, folder, tmp_path / "out")
        assert status == 1 and len(error.splitlines()) == 1, content
    assert not (tmp_path / "out").exists()


def test_today_s_command_still_reads_a_data_set(camvid, capsys):
    assert main(["camvid", "--data", str(camvid), "--split", "val"]) == 0
    assert "all readable" in capsys.readouterr().out


@pytest.mark.parametrize("page", ["annotation-tools.md", "ferramentas-de-anotacao.md"])
def test_the_documentation_names_every_format_and_option(page):
    text = (Path(__file__).parent.parent / "docs" / page).read_text(encoding="utf-8")
    rows = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert rows == set(IMPORTERS)
    options = {option for action in arguments_parser()._actions for option in action.option_strings} - {"-h", "--help"}
    assert {option for option in options if option not in text} <= {"--revision"}
    links = re.findall(r"\]\(([^)]+)\)", text)
    assert links and all((Path(__file__).parent.parent / "docs" / link).is_file() for link in links)
