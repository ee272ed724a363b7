"""What 'trained alike' means: everything that is recorded of a training but its loss, its chance and its machine."""

import pytest

from zoo.checkpoints.alike import trained_alike

CE = {"epochs": 45, "batch_size": 8, "crop": 320, "learning_rate": 0.001, "seed": 0, "steps": 2025, "hold_out": ""}
CE |= {"start_from": "fcn16s-vgg16bn-w25-ce-camvid", "optimizer": "AdamW", "pretraining": None, "loss": "ce"}


@pytest.mark.parametrize(
    "change",
    [
        {"epochs": 46},
        {"batch_size": 4},
        {"crop": 256},
        {"learning_rate": 0.01},
        {"ema": 0.999},
        {"class_weights": "median-frequency"},
        {"jitter": 0.6},
        {"pretraining": "ImageNet"},
        {"start_from": ""},
        {"start_from": "fcn8s-vgg16bn-w25-ce-camvid"},
        {"optimizer": "SGD"},
        {"something_new": 1},
    ],
)
def test_what_may_change_the_weights_is_not_alike(change):
    assert trained_alike(CE | change, "ce") != trained_alike(CE, "ce")


@pytest.mark.parametrize("change", [{"seed": 1}, {"processes": 2}, {"steps": 1}, {"gamma": 1.0}, {"hold_out": None}])
def test_chance_and_machine_do_not_count(change):
    assert trained_alike(CE | change, "ce") == trained_alike(CE, "ce")


def test_each_loss_starts_from_its_own_stage():
    dice = CE | {"start_from": "fcn16s-vgg16bn-w25-dice-camvid", "loss": "dice"}
    assert trained_alike(dice, "dice") == trained_alike(CE, "ce")
    assert trained_alike(dice, "dice") != trained_alike(dice | {"start_from": CE["start_from"]}, "dice")


def test_losses_that_start_from_one_checkpoint_of_another_data_set_are_alike():
    start = {"dataset": "cracks", "start_from": "fcn8s-vgg16bn-w25-ce-camvid"}
    assert trained_alike(CE | start, "ce") == trained_alike(CE | start, "ce+dice")
    own = start | {"start_from": "fcn16s-vgg16bn-w25-ce-cracks"}
    dice = start | {"start_from": "fcn16s-vgg16bn-w25-dice-cracks"}
    assert trained_alike(CE | own, "ce") == trained_alike(CE | dice, "dice")


def test_a_checkpoint_of_unknown_training_is_like_none():
    assert trained_alike({}, "ce") is None and trained_alike({"seed": 0}, "ce") is None
