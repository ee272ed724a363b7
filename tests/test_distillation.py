"""Learning from a teacher: the divergence, whom it reaches, resuming, and teachers that do not fit."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import rel_entr, softmax

from tests.test_mixture import TINY as TWO_DATASETS
from tests.test_mixture import street  # noqa: F401 - a fixture
from tests.test_training import TINY, run
from tests.test_training_going_on import die_after_saving
from training import TrainingError, loop
from training.__main__ import main
from training.distillation import divergence
from training.mixture import Labelled
from training.processes import start_accelerator
from training.recipe import Recipe
from zoo.checkpoints.folder import save
from zoo.labels import CAMVID, PASCAL_VOC

TAUGHT = replace(TINY, epochs=2, distill_from="teacher", distill_weight=0.7, distill_temperature=3.0)


@pytest.fixture
def teacher(make_model, tmp_path):
    save(make_model("fcn32s"), tmp_path / "teacher", labels=CAMVID, loss="ce", name="teacher", training={})
    return make_model("fcn32s")


def test_the_divergence_is_kullback_leiblers():
    """Against scipy's relative entropy; nothing is owed where both say the same."""
    random = np.random.default_rng(0)
    logits, given = (random.normal(size=(2, 5, 4, 3)) * 3 for _ in range(2))
    expected = 9 * rel_entr(softmax(given / 3, axis=1), softmax(logits / 3, axis=1)).sum() / 60
    found = divergence(torch.from_numpy(logits), torch.from_numpy(given), pixels=60, temperature=3.0)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    same = divergence(torch.from_numpy(given), torch.from_numpy(given) + 7, pixels=60, temperature=3.0)
    assert same.item() == pytest.approx(0, abs=1e-6)


def test_only_the_student_learns():
    logits, given = (torch.randn(2, 5, 4, 3, requires_grad=True) for _ in range(2))
    divergence(logits, given, pixels=24, temperature=2.0).backward()
    assert given.grad is None and logits.grad.abs().min() > 0


def batch(model_input=(3, 3, 32, 32)):
    random = torch.Generator().manual_seed(0)
    images = torch.rand(model_input, generator=random)
    return images, torch.full((3, 32, 32), CAMVID.void, dtype=torch.uint8)


@pytest.mark.parametrize("images", ["all", "partial"])
def test_the_teacher_speaks_where_no_label_does(camvid, teacher, images):
    """A batch of void pixels has no loss but the teacher's, on the images whose labels are partial or on all."""
    recipe = replace(TAUGHT, dropout=0.0, distill_images=images)
    dataset = loop.open_splits(recipe, camvid)[0]
    made = loop.build_run(recipe, dataset, None, start_accelerator(recipe), 1, teacher=teacher)
    crops, targets = batch()
    labelled = torch.ones(3, len(CAMVID.classes), dtype=torch.bool)
    labelled[1, 2] = False
    found = loop.batch_loss(made, crops, targets, Labelled.of(labelled))
    with torch.no_grad():
        logits, given = made.network(crops).double().numpy(), teacher(crops).double().numpy()
    taught = [0, 1, 2] if images == "all" else [1]
    expected = rel_entr(softmax(given[taught] / 3, axis=1), softmax(logits[taught] / 3, axis=1)).sum()
    assert found.item() == pytest.approx(0.7 * 9 * expected / (3 * 32 * 32), rel=1e-3)
    before = {name: value.clone() for name, value in made.teacher.state_dict().items()}
    found.backward()
    assert all(parameter.grad is None for parameter in made.teacher.parameters())
    made.optimizer.step()
    assert all(torch.equal(value, before[name]) for name, value in made.teacher.state_dict().items())


def test_no_image_of_a_batch_need_be_taught(camvid, teacher):
    recipe = replace(TAUGHT, distill_images="partial")
    dataset = loop.open_splits(recipe, camvid)[0]
    made = loop.build_run(recipe, dataset, None, start_accelerator(recipe), 1, teacher=teacher)
    crops, targets = batch()
    labelled = Labelled.of(torch.ones(3, len(CAMVID.classes), dtype=torch.bool))
    loss = loop.batch_loss(made, crops, targets, labelled)
    loss.backward()
    assert loss.item() == 0


def test_a_taught_run_goes_on_bit_for_bit(camvid, tmp_path, monkeypatch, teacher):
    whole = run(TAUGHT, camvid, tmp_path / "whole", teacher=teacher)
    with monkeypatch.context() as patched:
        die_after_saving(patched, 1)
        with pytest.raises(KeyboardInterrupt):
            run(TAUGHT, camvid, tmp_path / "halves", teacher=teacher)
    resumed = run(TAUGHT, camvid, tmp_path / "halves", teacher=teacher, resume=True)
    assert resumed.sha256 == whole.sha256 and resumed.training["distill_from"] == "teacher"


def test_a_run_does_not_go_on_with_another_teacher(camvid, tmp_path, monkeypatch, caplog, teacher, make_model):
    recipe = ["--width", "0.0625", "--head-channels", "16", "--head-kernel", "3", "--crop", "32", "--batch-size", "2"]
    recipe += ["--epochs", "2", "--validate-every", "0", "--distill-from", "teacher", "--workers", "0"]
    arguments = ["--data", str(camvid), "--out", str(tmp_path / "run"), *recipe]
    caplog.set_level("INFO")
    with monkeypatch.context() as patched:
        die_after_saving(patched, 1)
        assert main(arguments) == 130
    assert "Taught by teacher" in caplog.text
    save(make_model("fcn16s"), tmp_path / "teacher", labels=CAMVID, loss="ce", name="teacher", training={})
    assert main([*arguments, "--resume"]) == 2
    assert "the weights of the teacher teacher changed since the run began" in caplog.text


def test_both_datasets_are_learned_with_a_teacher(camvid, street, tmp_path, teacher):  # noqa: F811
    recipe = replace(TWO_DATASETS, distill_from="teacher", distill_images="partial", epochs=1)
    info = run(recipe, camvid, tmp_path / "run", extra_data=street, teacher=teacher)
    assert info.training["distill_images"] == "partial" and info.training["steps"] == 3


def test_a_teacher_that_does_not_fit_is_refused(camvid, tmp_path, teacher, make_model):
    def refused(recipe, network, message):
        with pytest.raises(TrainingError, match=message):
            run(recipe, camvid, tmp_path / "run", teacher=network)
        assert not (tmp_path / "run").exists()

    refused(TAUGHT, None, "distill_from: the checkpoint teacher was not loaded")
    other = make_model("fcn32s", classes=PASCAL_VOC.classes)
    refused(TAUGHT, other, "distill_from: teacher has other classes than CamVid")
    refused(replace(TAUGHT, distill_images="partial"), teacher, "distill_images: no dataset here has partial labels")
    info = save(teacher, tmp_path / "seen", labels=CAMVID, loss="ce", name="seen", training={"dataset": "camvid"})
    teacher.info = info
    refused(replace(TAUGHT, hold_out="0001TP"), teacher, "distill_from: seen was trained on 0001TP")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"distill_weight": 0.0}, "distill_weight: 0.0 is not above 0"),
        ({"distill_temperature": float("nan")}, "distill_temperature: nan is not above 0"),
        ({"distill_images": "some"}, "distill_images: 'some' is not one of all, partial"),
        ({"distill_images": "partial"}, "distill_images: says what distill_from teaches"),
    ],
)
def test_fields_that_make_no_sense_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**changes)
