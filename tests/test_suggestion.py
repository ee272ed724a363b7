"""`python -m training init`: the recipe that it writes fits the folder, and says why."""

import shlex

import numpy as np
import pytest
from PIL import Image

from training import suggestion
from training.__main__ import main
from training.augmentation import steps_per_epoch
from training.recipe import read_recipe
from training.suggestion import Facts, as_toml, best_checkpoint, suggest, warnings
from zoo.config import FCNConfig
from zoo.hub.catalog import scan


def write_folder(root, *, train=5, val=5, size=(70, 50), share=0.02):
    """A folder whose second class has this share of the pixels."""
    for split, count in (("train", train), ("val", val)):
        for kind in ("images", "masks") if count else ():
            (root / split / kind).mkdir(parents=True)
        for number in range(count):
            mask = np.zeros(size[0] * size[1], np.uint8)
            mask[: round(share * mask.size)] = 1
            mask = mask.reshape(size[::-1])
            Image.fromarray(np.repeat(mask[..., None] * 90, 3, 2)).save(root / split / "images" / f"{number}.png")
            Image.fromarray(mask).save(root / split / "masks" / f"{number}.png")
    (root / "classes.txt").write_text("ground\nplant\n")
    return root


def test_the_recipe_fits_the_folder_and_says_why(tmp_path, capsys):
    data = write_folder(tmp_path / "plants")
    assert main(["init", str(data)]) == 0
    recipe = read_recipe(data / "recipe.toml")
    assert (recipe.dataset, recipe.loss, recipe.batch_size, recipe.crop) == ("folder", "ce+dice", 5, 32)
    assert (recipe.epochs, recipe.validate_every) == (300, 60)
    start = best_checkpoint()
    assert recipe.start_from == start.name and recipe.width == start.config.width
    assert recipe.model_config(start.labels).to_dict() == start.config.to_dict(), "the encoder can be taken over"
    text = (data / "recipe.toml").read_text()
    assert "# 'plant' is the rarest class with 2.00% of the labelled pixels" in text
    printed = capsys.readouterr().out
    assert text in printed and f"--recipe {data / 'recipe.toml'} --data {data} --out runs/" in printed


def test_it_starts_from_the_best_measured_fcn_8s_or_the_one_named(tmp_path, capsys, monkeypatch):
    names = [info.name for info in scan()[0] if isinstance(info.config, FCNConfig) and info.config.variant == "fcn8s"]
    worst = names[-1]

    class Measured:
        def __init__(self, name):
            self.document = {"checkpoint": {"name": name}, "scores": {"miou": 0.9 if name == worst else 0.1}}

    monkeypatch.setattr(suggestion, "read_results", lambda: ([Measured(name) for name in names], []))
    assert best_checkpoint().name == worst
    data = write_folder(tmp_path / "plants")
    assert main(["init", str(data), "--start-from", names[0], "--out", str(tmp_path / "mine.toml")]) == 0
    assert read_recipe(tmp_path / "mine.toml").start_from == names[0]
    assert main(["init", str(data), "--start-from", "nothing"]) == 2
    assert "no bundled FCN 'nothing'; there are: " in capsys.readouterr().err


def test_large_sets_get_fewer_epochs_and_common_classes_plain_cross_entropy():
    facts = Facts(images=800, sides=(1080, 1920), shares={"a": 0.4, "b": 0.6, "c": 0.0}, void=0.1, validation=0)
    recipe, reasons = suggest(facts, best_checkpoint(), "folder")
    assert (recipe.loss, recipe.epochs, recipe.batch_size, recipe.crop, recipe.validate_every) == ("ce", 20, 8, 320, 0)
    assert reasons["epochs"] == "100 steps each, 2000 in all"
    told = " ".join(warnings(facts))
    assert "no mask of train holds c" in told and "no split val" in told and "photos are 1920 pixels long" in told
    assert "no split val" not in " ".join(warnings(Facts(8, (80, 96), {"a": 1.0}, 0.0, 9)))


@pytest.mark.parametrize(("images", "steps"), [(9, 1), (23, 2), (24, 3), (3, 1)])
def test_steps_are_those_that_training_takes(images, steps):
    facts = Facts(images, (80, 96), {"a": 0.5, "b": 0.5}, 0.0, 9)
    recipe, reasons = suggest(facts, best_checkpoint(), "folder")
    assert steps_per_epoch(images, recipe) == steps
    assert recipe.epochs == min(suggestion.STEPS // steps, 300)
    assert reasons["epochs"] == f"{steps} {'step' if steps == 1 else 'steps'} each, {recipe.epochs * steps} in all"


def test_the_command_survives_a_shell(tmp_path, capsys):
    data = write_folder(tmp_path / "my plants; echo (2)")
    assert main(["init", str(data)]) == 0
    command = shlex.split(capsys.readouterr().out.splitlines()[-1])
    assert command[:3] == ["python", "-m", "training"]
    assert command[3:7] == ["--recipe", str(data / "recipe.toml"), "--data", str(data)] and len(command) == 9


def test_every_field_of_a_recipe_survives_its_text(tmp_path):
    recipe, reasons = suggest(Facts(9, (80, 96), {"a": 0.5, "b": 0.5}, 0.0, 9), best_checkpoint(), "folder")
    (tmp_path / "a.toml").write_text(as_toml(recipe, reasons, "title"), encoding="utf-8")
    assert read_recipe(tmp_path / "a.toml") == recipe


@pytest.mark.parametrize("fault", ["there", "nowhere", "void"])
def test_faults_are_one_sentence_and_write_nothing(tmp_path, capsys, fault):
    data = write_folder(tmp_path / "plants", train=1, val=0)
    if fault == "there":
        (data / "recipe.toml").write_text("mine")
    if fault == "void":
        Image.fromarray(np.full((50, 70), 255, np.uint8)).save(data / "train" / "masks" / "0.png")
    assert main(["init", str(tmp_path / "no" if fault == "nowhere" else data)]) == 2
    message = {"there": "is not overwritten", "nowhere": "no such folder", "void": "every pixel is void"}[fault]
    error = capsys.readouterr().err
    assert message in error and len(error.splitlines()) == 1
    assert not (data / "recipe.toml").exists() or (data / "recipe.toml").read_text() == "mine"
