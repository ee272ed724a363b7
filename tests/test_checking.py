"""The linter of data sets: every seeded fault is found, and nothing is said of data that are right."""

import io
import shutil
from pathlib import Path

import numpy as np
import pytest
from own_data import save, scene, write
from PIL import Image
from test_datasets import write_cityscapes, write_sbd, write_voc

from evaluation.datasets.__main__ import main
from evaluation.datasets.checking.findings import check_files
from evaluation.datasets.checking.leaks import leak_findings
from evaluation.datasets.checking.suspects import contradicted, suspect_findings

SIZE = (96, 128)


def dataset(root: Path, train: int = 16, val: int = 4) -> Path:
    """A sound data set of two classes, each image of its own noise."""
    for split, images in (("train", train), ("val", val)):
        for index in range(images):
            image, mask = scene(1000 * len(split) + index, size=SIZE)
            for kind, content in (("images", image), ("masks", mask)):
                (root / split / kind).mkdir(parents=True, exist_ok=True)
                save(content, root / split / kind / f"p{index:02d}.png")
    (root / "classes.txt").write_text("background\nsquare\n")
    return root


def check(root, name="folder"):
    found = check_files(name, root)
    found.findings += leak_findings(found)
    return found


def test_sound_data_give_no_finding(tmp_path):
    assert check(dataset(tmp_path / "mine")).findings == []


def jpeg(image, quality=70, size=None):
    with io.BytesIO() as buffer:
        picture = Image.fromarray(image)
        (picture.resize(size) if size else picture).save(buffer, "JPEG", quality=quality)
        return buffer.getvalue()


def seed_faults(root: Path) -> dict[tuple[str, str], str]:
    """Twenty faults in one data set: {(level, kind): a file or word that the finding must name}."""
    images, masks = root / "train" / "images", root / "train" / "masks"
    mask = np.asarray(Image.open(masks / "p00.png"))
    (images / "p00.png").write_bytes(b"no image")
    (masks / "p01.png").write_bytes((masks / "p01.png").read_bytes()[:100])
    save(mask[:-1], masks / "p02.png")
    save(mask + 5, masks / "p03.png")
    (masks / "p04.png").write_bytes(jpeg(mask * 255))
    save(np.asarray(Image.open(io.BytesIO(jpeg(mask * 255)))), masks / "p05.png")
    save(np.full_like(mask, 255), masks / "p06.png")
    save(np.dstack([mask, mask, mask, mask * 255]), masks / "p07.png")
    save(np.array([(0, 0, 0), (90, 9, 9)], np.uint8)[mask], masks / "p08.png")
    (masks / "p09.png").rename(masks / "p09_mask.png")
    shutil.copy(images / "p10.png", images / "p10.bmp")
    (images / "p11.heic").write_bytes(b"x")
    save(mask, masks / "nobody.png")
    photo = np.asarray(Image.open(images / "p12.png"))
    (root / "val" / "images" / "copy.jpg").write_bytes(jpeg(photo, quality=90))
    save(mask[::-1], root / "val" / "masks" / "copy.png")
    shutil.copy(images / "p12.png", images / "again.png")
    save(mask.T.copy()[:96, :96].repeat(2, 1)[:, :128], masks / "again.png")
    (images / "tiny.jpg").write_bytes(jpeg(photo[:16, :40]))
    save(mask[:16, :40], masks / "tiny.png")
    save(np.where(mask == 1, 255, 0).astype(np.uint8), masks / "p13.png")
    (root / "classes.txt").write_text("background\nsquare\n")
    return {
        ("error", "broken file"): "p00.png", ("error", "sizes"): "p02.png", ("error", "values"): "value 5",
        ("error", "lossy"): "p04.png", ("error", "smoothed"): "p05.png", ("warning", "void"): "p06.png",
        ("error", "transparent"): "p07.png", ("error", "colours"): "p08.png", ("error", "names"): "p09_mask.png",
        ("warning", "passed over"): ".heic", ("warning", "leak"): "copy.jpg", ("error", "labels differ"): "again.png",
        ("warning", "small images"): "tiny.jpg", ("warning", "0 and 255"): "p13.png",
        ("note", "sizes differ"): "40x16 to 128x96",
    }  # fmt: skip


def test_every_seeded_fault_is_found_at_once(tmp_path, capsys):
    root = dataset(tmp_path / "mine")
    wanted = seed_faults(root)
    found = check(root)
    for (level, kind), word in wanted.items():
        told = [one.text for one in found.findings if (one.level, one.kind) == (level, kind)]
        assert any(word in text for text in told), (kind, told, [one.kind for one in found.findings])
    told = " ".join(finding.text for finding in found.findings)
    for word in ("p01.png", "p10.bmp", "nobody.png"):
        assert word in told, word
    page = tmp_path / "report" / "check.html"
    assert main(["check", "folder", "--data", str(root), "--report", str(page)]) == 1
    said = capsys.readouterr().out
    assert "error: train: " in said and "(void, of all)" in said and str(page) in said
    content = page.read_text(encoding="utf-8")
    assert content.count('src="data:image/png') >= 8 and "copy.jpg" in content and "http" not in content


@pytest.mark.parametrize(
    ("change", "level", "kind", "words"),
    [
        (
            lambda image, mask: (image, mask * 0),
            "error",
            "one class",
            "every labelled pixel of the masks is background",
        ),
        (lambda image, mask: (image, mask * 0 + 255), "error", "void", "all 3 masks are void all over"),
        (lambda image, mask: (image, mask * 255), "note", "0 and 255", "255 is read as square"),
        (lambda image, mask: (image, scene(7)[1]), "warning", "equal masks", "3 masks are the same to the pixel"),
    ],
)
def test_what_a_whole_split_holds(tmp_path, change, level, kind, words):
    found = [one for one in check(write(tmp_path / "mine", change)).findings if one.split == "train"]
    assert any((one.level, one.kind) == (level, kind) and words in one.text for one in found), found


def test_absent_rare_and_unlearnt_classes(tmp_path):
    def change(image, mask):
        mask = mask * 0
        mask[0, :2] = 1
        return image, mask

    root = write(tmp_path / "mine", change, classes="background\nsquare\nunicorn\ncloud\n")
    mask = np.asarray(Image.open(root / "val" / "masks" / "photo0.png")).copy()
    mask[5] = 2
    save(mask, root / "val" / "masks" / "photo0.png")
    told = {(one.level, one.kind, one.split): one.text for one in check(root).findings if one.kind != "equal masks"}
    assert "no mask holds unicorn, cloud" in told["warning", "absent class", "train"]
    assert "square 0.231 %" in told["note", "imbalance", "train"]
    assert "holds unicorn, which no mask of train holds" in told["warning", "absent class", "val"]


def test_colours_renumbered_in_every_file_are_noticed(tmp_path):
    """As `Image.quantize` does: the places of the palette go by frequency."""
    colours = np.array([(200, 0, 0), (0, 200, 0), (0, 0, 200)], np.uint8)

    def change(image, mask):
        mask = np.roll(mask, 1, axis=1) if mask[0, 0] else mask
        picture = Image.fromarray(colours[mask[::-1] if mask.sum() % 2 else mask])
        return image, picture.convert("P", palette=Image.Palette.ADAPTIVE, colors=3)

    root = write(tmp_path / "mine", change, classes="a\nb\nc\n", count=3, splits={"train": 6})
    numbered = {tuple(Image.open(path).getpalette()[:3]) for path in (root / "train" / "masks").iterdir()}
    if len(numbered) == 1:  # the same in all of them: give one file another order
        path = root / "train" / "masks" / "photo0.png"
        image = Image.open(path)
        image.remap_palette([2, 1, 0]).save(path)
    errors = [one for one in check(root).findings if one.level == "error"]
    assert [one.kind for one in errors] == ["palettes"] and "labelmap.txt" in errors[0].text


def test_camvid_tells_of_its_video_once(camvid):
    findings = check(camvid, "camvid").findings
    leaks = [one for one in findings if one.kind == "leak"]
    assert len(leaks) == 1 and "2 video sequences, 0001TP, 0016E5 in train and in val" in leaks[0].text
    assert not [one for one in findings if one.level == "error"]


def test_the_big_data_sets_can_be_checked(tmp_path, capsys):
    write_voc(tmp_path)
    write_sbd(tmp_path / "SBD")
    write_cityscapes(tmp_path)
    for name, splits in (("voc", "train and val"), ("sbd", "train"), ("cityscapes", "train")):
        found = check(tmp_path, name)
        assert set(found.splits) >= {splits.split()[0]} and all(all(one.looks) for one in found.splits.values())
    assert main(["check", "voc", "--data", str(tmp_path / "nowhere")]) == 1
    assert main(["check", "voc", "--data", str(tmp_path / "SBD")]) == 1
    assert "PASCAL VOC 2012 is not there" in capsys.readouterr().out


def test_a_video_recorded_twice_is_no_copy_but_a_copy_is(tmp_path):
    root = dataset(tmp_path / "mine", train=4)
    image, mask = scene(77, size=SIZE)
    brighter = (image * 0.8 + 20).astype(np.uint8)
    for name, picture in (("a", image), ("b", brighter)):
        save(picture, root / "train" / "images" / f"{name}.png")
        save(mask, root / "train" / "masks" / f"{name}.png")
    findings = check(root).findings
    assert [(one.level, one.kind) for one in findings] == [("warning", "copies")], findings
    assert "nearly the same image twice, 1 time (a.png and b.png)" in findings[0].text


def test_labels_that_sure_checkpoints_contradict(tmp_path):
    void, sure = 255, np.full((2, 3), 0.95)
    mask, answer = np.array([[0, 1, 255], [0, 0, 1]]), np.array([[1, 1, 1], [0, 1, 0]])
    unsure = np.array([[0.95, 0.95, 0.95], [0.95, 0.5, 0.95]])
    both = contradicted(mask, [(answer, sure), (answer, unsure)], void)
    assert both.tolist() == [[True, False, False], [False, False, True]]
    other = np.array([[2, 1, 1], [0, 1, 0]])
    assert contradicted(mask, [(answer, sure), (other, sure)], void)[0].tolist() == [False] * 3
    root = dataset(tmp_path / "mine", train=6)
    path = root / "train" / "masks" / "p03.png"
    save(1 - np.asarray(Image.open(path)), path)
    found = check_files("folder", root)

    def red(image):
        return (image[..., 0] > 120).astype(np.uint8), np.ones(image.shape[:2])

    (finding,) = suspect_findings(found, {"one": red, "two": red})
    assert finding.split == "train" and finding.files == (path,) and finding.pictures == (3,)
    assert (
        "1 mask may be wrong: 2 checkpoints agree against up to 100 % of its pixels, the usual is 0 % (p03.png)"
        in finding.text
    )


@pytest.mark.parametrize(
    ("device", "words"), [("cuda", "no CUDA GPU here; use --device cpu"), ("tpu", "'tpu' is not one of cpu, cuda")]
)
def test_a_device_that_is_not_there_is_one_sentence(tmp_path, capsys, monkeypatch, device, words):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    root = dataset(tmp_path / "mine", train=2)
    checkpoints = ["--checkpoints", "fcn8s-vgg16bn-w25-ce-camvid"]
    assert main(["check", "folder", "--data", str(root), *checkpoints, "--device", device]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: device: ") and words in error and len(error.splitlines()) == 1


def test_exit_status_and_bad_arguments(tmp_path, capsys):
    root = write(tmp_path / "mine", classes="background\nsquare\nunicorn\n")
    arguments = ["check", "folder", "--data", str(root)]
    assert main(arguments) == 0 and main([*arguments, "--strict"]) == 1
    assert main(["check", "folder", "--data", str(tmp_path / "nowhere")]) == 1
    assert "no such folder" in capsys.readouterr().err
    (root / "classes.txt").unlink()
    assert main(arguments) == 1 and "classes.txt: file is missing" in capsys.readouterr().out
