"""The spread of a recipe over its seeds: worked out by hand, from results of the same recipe and of no other."""

import json
import shutil

import pytest

from evaluation.seeds import main
from zoo.checkpoints.card import card, find_seeds
from zoo.checkpoints.folder import bundled_folder
from zoo.checkpoints.seeds import spread
from zoo.hub.catalog import catalog
from zoo.places import RESULTS

NAME = "fcn8s-vgg16bn-w25-ce-camvid"
STEM = f"{NAME}__camvid__val"


def result(seed, miou, **changes) -> dict:
    """A result document, reduced to what tells recipes apart."""
    training = {"epochs": 45, "learning_rate": 1e-3, "seed": seed} | changes.pop("training", {})
    checkpoint = {"variant": "fcn8s", "backbone": "vgg16", "loss": "ce", "training": training} | changes
    dataset = {"name": "camvid", "split": "val", "image_list_sha256": "0"}
    return {"checkpoint": checkpoint, "dataset": dataset, "scores": {"miou": miou}}


def test_spread_is_that_of_a_sample():
    documents = [result(0, 0.60), result(2, 0.63), result(1, 0.66), result(0, 0.1)]
    for document, sky, car in zip(documents, (0.9, 0.8, 0.9, 0.1), (0.5, 0.7, 0.2, 0.1), strict=True):
        document["scores"]["class_iou"] = {"sky": sky, "car": car, "boat": None}
    found = spread(documents[0], documents[1:])
    assert found.least_certain() == "car 50.0, 20.0, 70.0 %; sky 90.0, 90.0, 80.0 %"
    assert found.least_certain(1) == "car 50.0, 20.0, 70.0 %"
    assert found.mious == {0: 0.60, 1: 0.66, 2: 0.63}
    assert found.mean == pytest.approx(0.63) and found.deviation == pytest.approx(0.03)
    assert str(found) == "seeds 0, 1, 2: 60.0, 66.0, 63.0 %; mean 63.0, standard deviation 3.0"


@pytest.mark.parametrize("change", [{"loss": "focal"}, {"variant": "fcn16s"}, {"training": {"epochs": 46}}])
def test_other_recipes_do_not_count(change):
    wider = result(1, 0.7) | {"cost": {"parameters": 2}}
    assert spread(result(0, 0.6) | {"cost": {"parameters": 1}}, [wider]) is None
    assert spread(result(0, 0.6), [result(1, 0.7, **change)]) is None
    assert spread(result(0, 0.6), []) is None and spread(result(None, 0.6), [result(1, 0.7)]) is None


@pytest.fixture
def folder(tmp_path):
    """The released checkpoint and its result once more, as if they were another seed's."""
    seed = tmp_path / "7"
    shutil.copytree(bundled_folder() / NAME, seed / NAME)
    shutil.copy(RESULTS / f"{STEM}.npz", seed)
    document = json.loads((RESULTS / f"{STEM}.json").read_text(encoding="utf-8"))
    document["checkpoint"]["training"]["seed"] = 7
    (seed / f"{STEM}.json").write_text(json.dumps(document), encoding="utf-8")
    return tmp_path


def test_command_prints_the_spread(folder, capsys):
    value = f"{100 * json.loads((RESULTS / f'{STEM}.json').read_text(encoding='utf-8'))['scores']['miou']:.1f}"
    assert main(["--seeds", str(folder)]) == 0
    expected = f"{NAME} on CamVid val: seeds 0, 7: {value}, {value} %; mean {value}, standard deviation 0.0\n"
    assert capsys.readouterr().out.startswith(expected)


def test_command_refuses_what_was_not_measured_of_these_weights(folder, capsys):
    path = folder / "7" / f"{STEM}.json"
    good = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(good | {"scores": good["scores"] | {"miou": 0.9}}), encoding="utf-8")
    assert main(["--seeds", str(folder)]) == 1 and "scores.miou" in capsys.readouterr().err
    path.write_text(json.dumps(good | {"checkpoint": good["checkpoint"] | {"sha256": "0" * 64}}), encoding="utf-8")
    assert main(["--seeds", str(folder)]) == 1 and "other weights" in capsys.readouterr().err
    shutil.rmtree(folder / "7" / NAME)
    assert main(["--seeds", str(folder)]) == 1 and "config.json" in capsys.readouterr().err


def test_card_shows_the_spread_of_its_own_recipe(folder):
    (info,) = (info for info in catalog() if info.name == NAME)
    document = json.loads((RESULTS / f"{STEM}.json").read_text(encoding="utf-8"))
    assert "mIoU of the same recipe with seeds 0, 7: " in card(info, [document], seeds=find_seeds(folder))
    assert "same recipe" not in card(info, [document])


def test_the_seeds_that_are_kept_here_are_sound(capsys):
    assert main([]) == 0 and f"{NAME} on CamVid val: seeds 0, 1" in capsys.readouterr().out
