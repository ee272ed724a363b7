"""Pruning a full VGG-16: which channels stay, what the narrow network computes, and what cannot be pruned."""

import json

import numpy as np
import pytest
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn

from training import TrainingError, criteria, loop, pruning, weights
from training.recipe import Recipe
from zoo.labels import CAMVID
from zoo.models.backbones import build_encoder, transplant


@pytest.fixture(scope="module")
def classifier():
    """torchvision's VGG-16 with batch norm whose statistics are not the usual ones."""
    torch.manual_seed(0)
    network = torchvision.models.vgg16_bn(weights=None).features.eval()
    for layer in network:
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.uniform_(-0.2, 0.2)
            layer.running_var.uniform_(0.5, 2)
            nn.init.uniform_(layer.weight, 0.5, 1.5)
            nn.init.uniform_(layer.bias, -0.1, 0.1)
    return network


@pytest.fixture(scope="module")
def photos():
    return torch.randn(4, 3, 48, 64, generator=torch.Generator().manual_seed(1))


def encoder_of(state, backbone, width):
    encoder = build_encoder(backbone, width=width).eval()
    transplant(encoder, None, state, backbone)
    return encoder


def test_l1_keeps_the_largest_filters_and_slices_the_rest_away():
    """Against slices of torchvision's weights that numpy takes."""
    torch.manual_seed(3)
    features = torchvision.models.vgg16(weights=None).features
    state = {f"features.{name}": value for name, value in features.state_dict().items()}
    found = pruning.prune(state, "vgg16", 0.25, "l1", torch.zeros(1, 3, 32, 32))
    inputs = np.arange(3)
    for place in (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28):
        whole, bias = (state[f"features.{place}.{name}"].numpy() for name in ("weight", "bias"))
        norms = np.abs(whole.astype(np.float64)).sum(axis=(1, 2, 3))
        kept = np.sort(np.argsort(-norms)[: len(whole) // 4])
        np.testing.assert_array_equal(found[f"features.{place}.weight"], whole[kept][:, inputs])
        np.testing.assert_array_equal(found[f"features.{place}.bias"], bias[kept])
        inputs = kept


@pytest.mark.parametrize(("backbone", "criterion"), [("vgg16", "interpolation"), ("vgg16_bn", "l1")])
def test_nothing_changes_where_every_channel_stays(classifier, photos, backbone, criterion):
    """Batch norm folded in, and another put in that computes the same: the full network's features."""
    state = pruning.prune(classifier.state_dict(), backbone, 1.0, criterion, photos)
    found = encoder_of(state, backbone, 1.0)(photos)[32]
    torch.testing.assert_close(found, classifier(photos), rtol=2e-2, atol=2e-2 * classifier(photos).std().item())
    variances = [value for name, value in state.items() if name.endswith("running_var")]
    assert len(variances) == 13 * (backbone == "vgg16_bn") and all((value == 1).all() for value in variances)


def test_doubled_channels_are_folded_away_without_loss(photos):
    """Every channel of these layers is there twice, so half of them can give everything; norms do not see that."""
    torch.manual_seed(4)
    layers, inputs = [], 3
    for outputs in (64, 64):
        half = torch.randn(outputs // 2, inputs, 3, 3) * (2 / 9 / inputs) ** 0.5
        bias = torch.rand(outputs // 2) + 1  # no channel is silent
        layers.append(pruning.Convolution(torch.cat([half, half * 1.5]), torch.cat([bias, bias * 1.5])))
        inputs = outputs
    narrow = pruning.prune_layers(layers, 0.5, "interpolation", photos)
    for layer, whole in zip(narrow, layers, strict=True):
        one_of_each_pair = sorted(int(channel) % (len(whole.weight) // 2) for channel in layer.kept)
        assert one_of_each_pair == list(range(len(whole.weight) // 2))
    full, found = photos, photos
    for number, (layer, whole) in enumerate(zip(narrow, layers, strict=True), start=1):
        full, found = (pruning.pooled(part.relu(), number == 2) for part in (whole(full), layer.convolution(found)))
    torch.testing.assert_close(found, full[:, narrow[-1].kept], rtol=0.01, atol=0.01 * full.std().item())
    by_norm = pruning.prune_layers(layers, 0.5, "l1", photos)
    assert {int(channel) for channel in by_norm[-1].kept} == set(range(32, 64))


def test_the_interpolation_is_least_squares():
    random = np.random.default_rng(0)
    kept, mixing = random.normal(size=(300, 5)), random.normal(size=(5, 9))
    every = kept @ mixing + random.normal(size=(300, 9)) * 0.1
    found = pruning.interpolation(torch.from_numpy(kept), torch.from_numpy(every))
    np.testing.assert_allclose(found, np.linalg.lstsq(kept, every, rcond=None)[0], atol=1e-3)


def recipe(path, **changes):
    usual = {"backbone": "vgg16", "width": 0.25, "head_channels": 16, "head_kernel": 3, "prune": "l1"}
    return Recipe(**usual | {"backbone_weights": str(path), "validate_every": 0} | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"prune": "norm"}, "prune: 'norm' is not one of"),
        ({"width": 1.0}, "prune: makes a VGG narrower"),
        ({"backbone": "resnet18", "width": 1.0}, "prune: makes a VGG narrower"),
        ({"backbone_weights": ""}, "prune: needs the weights of a full VGG-16"),
    ],
)
def test_a_recipe_that_cannot_prune_says_so(changes, message):
    with pytest.raises(ValueError, match=message):
        recipe("w.safetensors", **changes)


@pytest.mark.parametrize("wrong", ["missing", "narrow"])
def test_weights_that_cannot_be_pruned_name_the_tensor(camvid, tmp_path, classifier, wrong):
    state = {f"features.{name}": value.clone() for name, value in classifier.state_dict().items()}
    if wrong == "missing":
        del state["features.3.weight"]
    else:
        state["features.3.weight"] = state["features.3.weight"][:32].clone()
    save_file(state, tmp_path / "vgg.safetensors")
    message = {"missing": r"features\.3\.weight is missing", "narrow": r"features\.3\.weight is \(32, 64, 3, 3\)"}[
        wrong
    ]
    dataset = loop.open_splits(recipe("x"), camvid)[0]
    with pytest.raises(TrainingError, match=rf"backbone_weights: .*vgg\.safetensors: {message}"):
        weights.initial_model(recipe(tmp_path / "vgg.safetensors"), CAMVID, None, dataset)


def test_a_pruned_encoder_trains_and_is_told(camvid, tmp_path, classifier, monkeypatch):
    monkeypatch.setattr(pruning, "PHOTO_SIZE", (64, 64))
    path = tmp_path / "vgg.safetensors"
    save_file({name: value.half() for name, value in classifier.state_dict().items()}, path)
    settings = {"backbone": "vgg16_bn", "prune": "interpolation", "width": 0.125, "epochs": 1, "batch_size": 2}
    made = recipe(path, **settings, crop=32, precision="fp32", backbone_source="ImageNet; a test")
    info = loop.train(made, camvid, tmp_path / "run", progress=False, workers=0)
    assert info.name == "fcn8s-vgg16bn-w12-in-ce-camvid" and info.training["prune"] == "interpolation"
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 3


def test_criteria_are_compared_on_what_is_held_out(camvid, tmp_path, classifier, monkeypatch, capsys):
    """The share of variance by numpy's least squares, and the command's table."""
    random = torch.Generator().manual_seed(5)
    narrow, noise = (torch.randn(2, n, 20, 20, generator=random) for n in (3, 6))
    full = torch.einsum("nkhw,kc->nchw", narrow, torch.randn(3, 6, generator=random)) + noise
    found = criteria.explained(full, narrow, (full, narrow))
    rows, targets = (part.permute(0, 2, 3, 1).flatten(0, 2).numpy() for part in (narrow, full))
    left = targets - rows @ np.linalg.lstsq(rows, targets, rcond=None)[0]
    assert found == pytest.approx(1 - (left**2).sum() / ((targets - targets.mean(0)) ** 2).sum(), abs=1e-3)
    monkeypatch.setattr(pruning, "PHOTO_SIZE", (64, 64))
    save_file({name: value.half() for name, value in classifier.state_dict().items()}, tmp_path / "vgg.safetensors")
    (tmp_path / "recipe.toml").write_text(
        f'width = 0.125\nprune = "l1"\nbackbone = "vgg16"\nbackbone_weights = "{tmp_path / "vgg.safetensors"}"\n'
    )
    arguments = ["--recipe", str(tmp_path / "recipe.toml"), "--data", str(camvid)]
    assert criteria.main([*arguments, "--hold-out", "0001TP"]) == 0
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in capsys.readouterr().out.splitlines()]
    assert [line[0] for line in lines[2:]] == ["l1", "interpolation"]
    assert float(lines[3][1]) > float(lines[2][1])  # what is interpolated explains more than what is sliced away
    assert criteria.main(arguments) == 1 and "sequences to hold out" in capsys.readouterr().err
