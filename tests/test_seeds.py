"""The spread of a recipe over its seeds: worked out by hand, from results of the same recipe and of no other."""

import json
import shutil

import pytest

from evaluation.leaderboard import results_path
from evaluation.seeds import main
from zoo.card import card
from zoo.catalog import catalog
from zoo.seeds import spread

NAME = "fcn8s-vgg16bn-w25-ce-camvid"
STEM = f"{NAME}__camvid__val"


def result(seed, miou, **changes) -> dict:
    """A result document, reduced to what tells recipes apart."""
    training = {"epochs": 45, "learning_rate": 1e-3, "seed": seed} | changes.pop("training", {})
    checkpoint = {"variant": "fcn8s", "backbone": "vgg16", "loss": "ce", "training": training} | changes
    dataset = {"name": "camvid", "split": "val", "image_list_sha256": "0"}
    return {"checkpoint": checkpoint, "dataset": dataset, "scores": {"miou": miou}}


def test_spread_is_that_of_a_sample():
    found = spread(result(0, 0.60), [result(2, 0.63), result(1, 0.66), result(0, 0.1)])
    assert found.mious == {0: 0.60, 1: 0.66, 2: 0.63}
    assert found.mean == pytest.approx(0.63) and found.deviation == pytest.approx(0.03)
    assert str(found) == "seeds 0, 1, 2: 60.0, 66.0, 63.0 %; mean 63.0, standard deviation 3.0"


@pytest.mark.parametrize("change", [{"loss": "focal"}, {"variant": "fcn16s"}, {"training": {"epochs": 46}}])
def test_other_recipes_do_not_count(change):
    assert spread(result(0, 0.6), [result(1, 0.7, **change)]) is None
    assert spread(result(0, 0.6), []) is None and spread(result(None, 0.6), [result(1, 0.7)]) is None


@pytest.fixture
def folder(tmp_path):
    """The released result once more, as if it were another seed's."""
    document = json.loads((results_path() / f"{STEM}.json").read_text(encoding="utf-8"))
    document["checkpoint"] |= {"name": f"{NAME}-seed7", "training": document["checkpoint"]["training"] | {"seed": 7}}
    document["counts"] = document["counts"] | {"file": f"{NAME}-seed7__camvid__val.npz"}
    shutil.copy(results_path() / f"{STEM}.npz", tmp_path / f"{NAME}-seed7__camvid__val.npz")
    (tmp_path / f"{NAME}-seed7__camvid__val.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


def test_command_prints_the_spread_and_verifies_the_results(folder, capsys):
    miou = json.loads((results_path() / f"{STEM}.json").read_text(encoding="utf-8"))["scores"]["miou"]
    assert main(["--seeds", str(folder)]) == 0
    value = f"{100 * miou:.1f}"
    expected = f"{NAME} on CamVid val: seeds 0, 7: {value}, {value} %; mean {value}, standard deviation 0.0\n"
    assert capsys.readouterr().out == expected
    path = folder / f"{NAME}-seed7__camvid__val.json"
    path.write_text(path.read_text(encoding="utf-8").replace(f'"miou": {miou}', '"miou": 0.9'), encoding="utf-8")
    assert main(["--seeds", str(folder)]) == 1
    assert "scores.miou" in capsys.readouterr().err


def test_card_shows_the_spread_of_its_own_recipe(folder):
    (info,) = (info for info in catalog() if info.name == NAME)
    document = json.loads((results_path() / f"{STEM}.json").read_text(encoding="utf-8"))
    other = json.loads((folder / f"{NAME}-seed7__camvid__val.json").read_text(encoding="utf-8"))
    assert "mIoU of the same recipe with seeds 0, 7: " in card(info, [document], seeds=[other])
    assert "same recipe" not in card(info, [document])
