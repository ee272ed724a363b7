"""The checks of the notebook's exercises: each mistake is told, none of them gives the answer, the network passes."""

import re

import pytest
import torch
import torch.nn.functional as F

from training.exercises import check, features, small_network


def ladder(model, images, *, pool3=True, pool4=True):
    """A forward pass by hand, with what is wrong chosen."""
    found = features(model, images)
    scores = model.upsample["32"](model.score["32"](model.head(found[32])))
    scores = model.upsample["16"](scores + (model.score["16"](found[16]) if pool4 else 0))
    scores = scores + (model.score["8"](found[8]) if pool3 else 0)
    return F.interpolate(scores, scale_factor=8, mode="bilinear")[..., : images.shape[-2], : images.shape[-1]]


def stretched(model, images):
    """Sums of unlike sizes, made alike by stretching."""
    found = features(model, images, fill=False)
    scores = model.score["32"](model.head(found[32]))
    for coarse, fine in (("32", "16"), ("16", "8")):
        skip = model.score[fine](found[int(fine)])
        scores = F.interpolate(model.upsample[coarse](scores), size=skip.shape[-2:], mode="bilinear") + skip
    return F.interpolate(scores, size=images.shape[-2:], mode="bilinear")


def test_the_network_and_the_same_by_hand_pass():
    assert check(lambda model, images: model(images)) == []
    assert check(ladder) == []


@pytest.mark.parametrize(
    ("forward", "told"),
    [
        (lambda model, images: ladder(model, images, pool3=False), "scores of pool3"),
        (lambda model, images: ladder(model, images, pool4=False), "scores of pool4"),
        (lambda model, images: torch.relu(model(images)), "No logit is below 0"),
        (stretched, "no multiples of 32"),
        (lambda model, images: model(images)[..., :-1], r"An image of 64 x 96 gives \(1, 5, 64, 95\)"),
        (lambda model, images: model(images) + 1, "others than the network's"),
        (lambda model, images: None, "gives NoneType; logits"),
        (lambda model, images: images.bogus, "raises AttributeError"),
    ],
)
def test_a_mistake_is_told(forward, told):
    assert re.search(told, " ".join(check(forward)))


def test_the_checks_leave_the_random_numbers_alone_and_are_the_same_each_time():
    torch.manual_seed(3)
    before = torch.rand(1)
    torch.manual_seed(3)
    small_network()
    assert torch.equal(torch.rand(1), before)
    images = torch.rand(1, 3, 40, 40)
    assert torch.equal(small_network()(images), small_network()(images))
