"""The table of checkpoints on one split: against scikit-learn-style definitions, partial labels, seeds, a human row."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from torchmetrics.functional.classification import binary_average_precision

from evaluation.datasets import open_dataset
from tests.test_mixture import write_street
from training import compare
from zoo.checkpoints.folder import save
from zoo.labels import CAMVID, LabelSet


@pytest.fixture
def cracks(tmp_path):
    """Own data of two classes with a thin bright line in each photo; the folder and its label set."""
    root = tmp_path / "lines"
    (root / "val").mkdir(parents=True)
    (root / "classes.txt").write_text("ground\ncrack\n")
    for name in ("images", "masks", "other"):
        (root / "val" / name).mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        mask = np.zeros((32, 48), np.uint8)
        mask[8 + index, 5:40] = 1
        mask[20:22] = 255
        image = random.integers(0, 120, (32, 48, 3)).astype(np.uint8)
        image[mask == 1] += 100
        shifted = np.roll(mask, 10, axis=1)
        shifted[20:22] = 0
        Image.fromarray(image).save(root / "val" / "images" / f"{index}.png")
        Image.fromarray(mask).save(root / "val" / "masks" / f"{index}.png")
        Image.fromarray(shifted).save(root / "val" / "other" / f"{index}.png")
    return root


def make_checkpoint(make_model, folder, labels: LabelSet, seed: int):
    model = make_model("fcn8s", classes=labels.classes)
    torch.manual_seed(seed)
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight, std=0.5)
    save(model, folder, labels=labels, loss="ce", training={"seed": seed, "steps": 7}, name="lines")
    return folder


def cells(text: str) -> list[dict[str, str]]:
    heads, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.strip().splitlines()]
    return [dict(zip(heads, line, strict=True)) for line in lines]


def numbers(cell: str) -> list[float]:
    return [float(value) for value in re.findall(r"[-+]?\d+\.\d", cell)]


def check_document(written: dict, lines: tuple[dict, ...]):
    """The file holds what was printed, and counts from which it follows; a human has no loss and no probabilities."""
    assert (written["dataset"]["rare"], written["dataset"]["images"]) == ("crack", ["0", "1", "2", "3"])
    assert [(row["loss"], row["steps"]) for row in written["rows"]] == [("ce", 7), ("ce", 7), (None, None)]
    for row, line in zip(written["rows"], lines, strict=True):
        for name, figure in row["figures"].items():
            shown = numbers(line[name if name == "mIoU" else f"{name} of crack"])
            expected = [figure["value"], *figure["interval"], *([figure["spread"]] if figure["spread"] else [])]
            assert shown == pytest.approx([100 * value for value in expected], abs=0.051), name
        if change := row["figures"]["IoU"]["difference"]:
            assert numbers(line["difference"]) == pytest.approx([100 * value for value in change], abs=0.051)
        ious = []
        for counts in row["counts"]:
            hits, labelled, predicted = np.sum(counts, axis=0)[:, 1]
            ious.append(hits / (labelled + predicted - hits))
        assert row["figures"]["IoU"]["seeds"] == pytest.approx(ious)
    assert "average precision" not in written["rows"][2]["figures"]


@pytest.mark.slow
def test_the_rare_class_by_definition(cracks, make_model, tmp_path, capsys):
    dataset = open_dataset("folder", cracks, "val")
    folders = [make_checkpoint(make_model, tmp_path / str(seed), dataset.labels, seed) for seed in (1, 3)]
    other = cracks / "val" / "other"
    arguments = ["--dataset", "folder", "--data", str(cracks), "--rare", "crack", "--human", str(other)]
    arguments += ["--out", str(tmp_path / "lines.json")]
    assert compare.main([str(folders[0]), ",".join(map(str, folders)), *arguments]) == 0
    first, both, human = cells(capsys.readouterr().out)
    check_document(json.loads((tmp_path / "lines.json").read_text(encoding="utf-8")), (first, both, human))
    models, expected = [compare.load(str(folder)) for folder in folders], []
    for model in models:
        images = torch.stack([torch.from_numpy(dataset.image(i)).permute(2, 0, 1) for i in range(4)])
        masks = torch.stack([torch.from_numpy(dataset.mask(i)) for i in range(4)])
        with torch.no_grad():
            probability = torch.cat([model(image[None].float() / 255).softmax(1)[:, 1] for image in images])
        known, truth, found = masks != 255, masks == 1, probability > 0.5
        hits = (truth & found & known).sum().item()
        predicted, target = (found & known).sum().item(), truth.sum().item()
        assert 0 < hits < predicted  # so that every figure is defined
        precision, recall = hits / predicted, hits / target
        area = binary_average_precision(probability[known], truth[known].long()).item()
        expected.append([hits / (predicted + target - hits), precision, recall, area])
    names = ["IoU of crack", "precision of crack", "recall of crack", "average precision of crack"]
    for name, value, mean in zip(names, expected[0], np.mean(expected, axis=0), strict=True):
        tolerance = 0.5 if "average" in name else 0.051
        assert numbers(first[name])[0] == pytest.approx(100 * value, abs=tolerance), name
        assert numbers(both[name])[0] == pytest.approx(100 * mean, abs=tolerance) and ", s " in both[name]
    assert (first["difference"], first["seeds"], both["seeds"]) == ("-", "1", "2")
    overlap = 25 / (35 + 35 - 25)
    assert numbers(human["IoU of crack"])[0] == pytest.approx(100 * overlap, abs=0.051)
    assert human["average precision of crack"] == "-"


def test_partial_labels_are_scored_over_the_labelled_classes(make_model, tmp_path, capsys):
    """A prediction of a class that the masks leave out is an error of the labelled one, and no class of the mean."""
    root = write_street(tmp_path / "street")
    folder = make_checkpoint(make_model, tmp_path / "net", CAMVID, 3)
    assert compare.main([str(folder), "--dataset", "street", "--data", str(root)]) == 0
    (row,) = cells(capsys.readouterr().out)
    dataset, model = open_dataset("street", root, "val"), compare.load(str(folder))
    matrix = compare.count(model, dataset, None).matrices.sum(0)
    tree = 5
    iou = matrix[tree, tree] / (matrix[tree].sum() + matrix[:, tree].sum() - matrix[tree, tree])
    others = [index for index in (0, 1, 3, 4, 8) if matrix[:, index].sum()]
    assert numbers(row["mIoU"])[0] == pytest.approx(100 * iou / (1 + len(others)), abs=0.051)
    assert set(row) == {"checkpoint", "seeds", "mIoU", "difference", *dataset.labelled}
    assert matrix[tree, [2, 6, 7, 9, 10]].sum() > 0


def test_another_person_alone_is_a_table_too(cracks, capsys):
    arguments = ["--dataset", "folder", "--data", str(cracks), "--rare", "crack"]
    assert compare.main([*arguments, "--human", str(cracks / "val" / "other")]) == 0
    (human,) = cells(capsys.readouterr().out)
    assert numbers(human["IoU of crack"])[0] == pytest.approx(100 * 25 / (35 + 35 - 25), abs=0.051)
    assert human["checkpoint"] == "another person" and human["difference"] == "-"
    with pytest.raises(SystemExit):
        compare.main(arguments)
    assert "name a CHECKPOINT, or give another person's masks with --human" in capsys.readouterr().err


def test_another_persons_masks_are_found_however_an_accent_is_stored(cracks, capsys):
    for folder in ("images", "masks", "other"):
        path = cracks / "val" / folder / "0.png"
        path.rename(path.with_name("prac\u0327a.png"))  # in the form of macOS
    assert open_dataset("folder", cracks, "val").image_ids[-1] == "pra\u00e7a"
    arguments = ["--dataset", "folder", "--data", str(cracks), "--human", str(cracks / "val" / "other")]
    assert compare.main(arguments) == 0, capsys.readouterr().err


def test_what_cannot_be_compared_is_refused(cracks, make_model, tmp_path, capsys):
    folder = make_checkpoint(make_model, tmp_path / "net", CAMVID, 0)
    assert compare.main([str(folder), "--dataset", "folder", "--data", str(cracks)]) == 1
    assert "has other classes than lines" in capsys.readouterr().err
    assert compare.main([str(folder), "--dataset", "folder", "--data", str(cracks), "--rare", "vessel"]) == 1
    assert "no labelled class of folder; it has ground, crack" in capsys.readouterr().err
    dataset = open_dataset("folder", cracks, "val")
    with pytest.raises(compare.DatasetError, match=r"nowhere/0\.png: file is missing"):
        compare.human_counts(replace(dataset), tmp_path / "nowhere")
