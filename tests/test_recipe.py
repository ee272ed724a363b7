"""Recipes: files, flags, stages; and the optimizers and schedules that they name."""

import json
import math
import os
import subprocess
import sys
import tomllib
from dataclasses import replace
from importlib.metadata import packages_distributions, requires
from pathlib import Path

import numpy as np
import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from training.losses import listed_weights, loss_terms
from training.optimization import build_average, build_optimizer, build_schedule
from training.recipe import Recipe, read_recipe, resolve, staged
from training.weights import pretraining
from zoo.checkpoints.folder import bundled_folder
from zoo.checkpoints.record import NAME_PATTERN
from zoo.config import VARIANTS
from zoo.labels import CAMVID, CITYSCAPES, PASCAL_VOC, LabelSet
from zoo.places import BUNDLED, RESULTS

RECIPES = sorted((Path(__file__).parent.parent / "training" / "recipes").glob("*.toml"))
LABELS = {"camvid": CAMVID, "voc": PASCAL_VOC, "sbd": PASCAL_VOC, "cityscapes": CITYSCAPES}
for domain, classes in (("cracks", ("pavement", "crack")), ("vessels", ("background", "vessel"))):
    LABELS[domain] = LabelSet(domain, domain, classes, ((0, 0, 0), (255, 0, 0)), void=255)


def test_stages_of_a_recipe_that_is_a_stage_start_anew():
    stages = staged(Recipe(variant="fcn8s", start_from="fcn16s-vgg16bn-w25-ce-camvid"))
    assert [stage.start_from for stage in stages] == ["", "fcn32s", "fcn16s"]
    assert staged(Recipe(variant="fcn32s", start_from="mine"))[0].start_from == "mine"


def test_the_first_stage_alone_has_the_backbone_s_weights_and_what_is_told_of_them():
    given = {"backbone_weights": "vgg16.pth", "backbone_source": "ImageNet; somebody's, CC BY", "prune": "l1"}
    first, *later = staged(Recipe(variant="fcn8s", backbone="vgg16", width=0.5, **given))
    assert {name: getattr(first, name) for name in given} == given
    assert [stage.start_from for stage in later] == ["fcn32s", "fcn16s"]
    assert all(getattr(stage, name) == "" for stage in later for name in given)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_an_fcn_can_be_trained_in_stages(path):
    recipe = read_recipe(path)
    if recipe.variant in VARIANTS:
        assert staged(recipe)[-1].variant == recipe.variant


def test_names_hold_nothing_that_a_checkpoint_may_not_be_called():
    recipe = Recipe(loss="0.5*focal+dice", width=0.25)
    labels = replace(CAMVID, name="my photos (2)")
    assert recipe.checkpoint_name(labels) == "fcn8s-vgg16bn-w25-0.5-focal+dice-my-photos-2"
    assert NAME_PATTERN.fullmatch(recipe.checkpoint_name(replace(CAMVID, name="x" * 200)))


def test_class_weights_are_told_in_the_name():
    recipe = Recipe(loss="ce+0.5*focal+dice", width=0.25, class_weights="median-frequency")
    assert recipe.checkpoint_name(CAMVID) == "fcn8s-vgg16bn-w25-wce+0.5-wfocal+dice-camvid"
    assert replace(recipe, class_weights="none").loss_label == recipe.loss


def test_staged_recipes_follow_the_ladder():
    assert [(r.variant, r.start_from) for r in staged(Recipe(variant="fcn16s"))] == [
        ("fcn32s", ""),
        ("fcn16s", "fcn32s"),
    ]


def test_flags_win_over_the_file(tmp_path):
    (tmp_path / "r.toml").write_text('variant = "fcn16s"\nepochs = 7\nlearning_rate = 1\n')
    (recipe,) = resolve([tmp_path / "r.toml"], {"epochs": 9, "data": "ignored"})
    assert (recipe.variant, recipe.epochs, recipe.learning_rate) == ("fcn16s", 9, 1.0)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "TOML"),
        ("epoch = 3", "unknown field 'epoch'"),
        ('epochs = "3"', "epochs needs int"),
        ("epochs = 0", "epochs: 0 is below 1"),
        ("scale_low = 2.0", "scale_low"),
        ('variant = "fcn4s"', "variant"),
        ('precision = "fp8"', "precision"),
        ('optimizer = "lion"', "optimizer: 'lion' is not one of adamw, sgd"),
        ("momentum = 1.0", "momentum"),
        (
            'class_weights = "frequency"',
            "class_weights: 'frequency' is neither none, nor median-frequency, nor a number",
        ),
        ('class_weights = "1,-5"', "class_weights: '1,-5': needs finite numbers that are not negative"),
        ('class_weights = "0,0"', "class_weights"),
        ('loss = "nan * ce"', "the factor nan is not above 0"),
        ("clip = -1", "clip"),
        ("learning_rate = nan", "learning_rate"),
        ('start_from = "a"\nbackbone_weights = "imagenet"', "start_from, backbone_weights"),
        ("head_batch_norm = 1", "head_batch_norm needs bool"),
    ],
)
def test_wrong_recipes_name_file_and_field(tmp_path, text, message):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_recipe(tmp_path / "r.toml")
    assert "r.toml" in str(error.value)


def test_losses_and_weights_are_read_as_people_write_them():
    (recipe,) = resolve([], {"loss": "ce + 0.5 * dice", "class_weights": "1, 5"})
    assert (recipe.loss, recipe.class_weights) == ("ce+0.5*dice", "1,5")
    assert loss_terms(recipe.loss) == [(1.0, "ce"), (0.5, "dice")] and listed_weights("1,5") == [1.0, 5.0]


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_released_recipe_is_that_of_its_checkpoint(path):
    """A checkpoint made before the recipe had a field was made with that field's default."""
    recipe = read_recipe(path)
    # A stage is given its pretraining by the checkpoint that it starts from.
    stage_of = "ImageNet" if "-in-" in recipe.start_from else None
    labels = LABELS[path.stem.rpartition("-")[2] if recipe.dataset == "folder" else recipe.dataset]
    name = recipe.checkpoint_name(labels, stage_of or pretraining(recipe, None))
    assert path.stem.removesuffix("-atonce").removesuffix("-first") == name
    folder = bundled_folder() / path.stem
    if folder.is_dir():
        recorded = json.loads((folder / "training_args.json").read_text())["recipe"]
        assert replace(Recipe(), **recorded).to_dict() == recipe.to_dict()
        assert np.isfinite(json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["loss"])


def rates(recipe: Recipe, steps: int = 100) -> list[float]:
    """Learning rate of every step."""
    optimizer = build_optimizer(torch.nn.Conv2d(1, 1, 1), recipe)
    schedule = build_schedule(optimizer, recipe, steps)
    listed = []
    for _ in range(steps):
        listed.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return listed


def test_schedules_by_hand():
    settings = {"learning_rate": 2.0, "warm_up": 0.1}
    poly = rates(Recipe(schedule="poly", power=0.9, **settings))
    np.testing.assert_allclose(poly[:10], [2 * (i + 1) / 10 for i in range(10)])
    np.testing.assert_allclose(poly[10:], [2 * (1 - i / 90) ** 0.9 for i in range(90)])
    cosine = rates(Recipe(schedule="cosine", **settings))
    np.testing.assert_allclose(cosine[10:], [1 + math.cos(math.pi * i / 90) for i in range(90)])
    assert rates(Recipe(schedule="constant", learning_rate=2.0, warm_up=0.0)) == [2.0] * 100
    cycle = rates(Recipe(**settings))
    assert max(cycle) == pytest.approx(2.0, rel=1e-2) and 5 <= np.argmax(cycle) <= 15 and cycle[-1] < 0.01


def test_the_papers_solver(make_model):
    """train.prototxt and solver.prototxt: momentum 0.99, biases at twice the rate and without decay."""
    recipe = read_recipe(next(path for path in RECIPES if path.stem == "fcn32s-vgg16-in-ce-voc"))
    assert (recipe.learning_rate, recipe.batch_size, recipe.reduction) == (1e-10, 1, "sum")
    model = make_model("fcn32s", backbone="vgg16")
    optimizer = build_optimizer(model, recipe)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    settings = {
        names[id(p)]: (group["lr"], group["weight_decay"], group["momentum"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    assert settings.keys() == dict(model.named_parameters()).keys()
    assert settings["head.fc6.weight"] == (1e-10, 5e-4, 0.99) and settings["head.fc6.bias"] == (2e-10, 0.0, 0.99)


def test_average_is_exponential_and_covers_batch_norm():
    model = torch.nn.BatchNorm2d(1)
    average = build_average(model, 0.9)
    for value in (1.0, 2.0, 4.0):
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_mean.fill_(10 * value)
        average.update_parameters(model)
    expected = 0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 4
    assert average.module.weight.item() == pytest.approx(expected)
    assert average.module.running_mean.item() == pytest.approx(10 * expected)
    assert build_average(model, 0.0) is None


TINY_TRAINING = "--width 0.0625 --head-channels 16 --head-kernel 3 --crop 32 --epochs 1 --batch-size 2 --precision fp32"


@pytest.mark.slow
def test_the_job_asks_for_all_that_a_training_imports(camvid, tmp_path):
    """A whole training with nothing installed but what the header of training/job.py (PEP 723) brings along."""
    root = Path(__file__).parent.parent
    header = (root / "training" / "job.py").read_text().split("# ///")[1].removeprefix(" script")
    wanted = tomllib.loads("".join(line.removeprefix("#") + "\n" for line in header.splitlines()))["dependencies"]
    listed = "".join((root / name).read_text() for name in ("requirements.txt", "training/requirements.txt"))
    known = {line.split("#")[0].strip() for line in listed.splitlines()} - {""}
    assert set(wanted) <= known
    brought = brought_along([*wanted, "matplotlib"])  # which torchmetrics imports where it is installed
    installed = {name: set(map(canonicalize_name, owners)) for name, owners in packages_distributions().items()}
    absent = [name for name, owners in installed.items() if not brought & owners]
    assert {"gradio", "openvino", "av"} <= set(absent) and not {"torch", "numpy", "pydantic"} & set(absent)
    command = f"--data {camvid} --out {tmp_path / 'run'} {TINY_TRAINING}".split()
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({absent})); sys.argv = {['training', *command]}; "
        "runpy.run_module('training', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0 and (tmp_path / "run" / "config.json").is_file(), done.stderr


def brought_along(wanted: list[str]) -> set[str]:
    """Names of the distributions that an installation of these requirements has, without optional ones."""
    found, waiting = set(), [Requirement(text) for text in wanted]
    while waiting:
        name = canonicalize_name(waiting.pop().name)
        if name in found:
            continue
        found.add(name)
        needed = map(Requirement, requires(name) or ())
        waiting += [one for one in needed if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.mark.slow
def test_the_job_runs_the_command_of_the_mounted_repository(tmp_path):
    root = Path(__file__).parent.parent
    command = [sys.executable, root / "training" / "job.py", "--help"]
    done = subprocess.run(
        command, env=os.environ | {"FCN_ZOO": str(root)}, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0 and "--backbone-weights" in done.stdout, done.stderr
    done = subprocess.run(command, env=os.environ | {"FCN_ZOO": str(tmp_path)}, capture_output=True, text=True)
    assert done.returncode == 1 and "mount the repository there" in done.stderr


@pytest.mark.parametrize(
    "path", [path for path in RECIPES if (BUNDLED / path.stem).is_dir()], ids=lambda path: path.stem
)
def test_a_released_recipe_opens_with_its_command_and_the_score_that_was_measured(path):
    command, _, score = path.read_text(encoding="utf-8").split("\n")[:3]
    assert command.startswith(f"# python -m training --recipe training/recipes/{path.name} --data DIR")
    (result,) = RESULTS.glob(f"{path.stem}__*__val*.json")
    document = json.loads(result.read_text(encoding="utf-8"))
    assert f"{100 * document['scores']['miou']:.1f} % mIoU on {document['dataset']['title']} val" in score
