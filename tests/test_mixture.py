"""Training on two datasets at once: partial labels, the mixture of a batch, frozen stages and the encoder's rate."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from evaluation import corruptions, exports, sizes
from evaluation.__main__ import main as evaluation_command
from evaluation.datasets import DatasetError, open_dataset
from evaluation.datasets.street import HELD_OUT_WALKS, LABELLED
from training import TrainingError, loop
from training.augmentation import batch_items, steps_per_epoch
from training.losses import build_loss
from training.mixture import (
    Labelled,
    Mixture,
    labelled_classes,
    labelled_miou,
    open_extra,
    restrict,
    unlabelled_probability,
)
from training.optimization import build_optimizer
from training.processes import start_accelerator
from training.recipe import Recipe
from zoo.labels import CAMVID, PASCAL_VOC

VOID = CAMVID.void
TINY = Recipe(
    width=0.0625, head_channels=16, head_kernel=3, head_batch_norm=True, dropout=0.0, epochs=2, batch_size=3, crop=32,
    precision="fp32", validate_every=0, extra_dataset="street", extra_images=1,
)  # fmt: skip


def write_street(root, *, value: int = 5):
    """Five photos of four walks, of two sizes, two of them in a walk that is held out; masks hold void 255 too."""
    folder = root / "train"
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    names = ["one__a", "one__b", "other_walk__a", f"{min(HELD_OUT_WALKS)}__a", f"{min(HELD_OUT_WALKS)}__b"]
    for index, name in enumerate(names):
        size = (40, 56) if index % 2 else (48, 48)
        mask = np.full(size, value, np.uint8)
        mask[:10] = 255
        Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(folder / "images" / f"{name}.jpg")
        Image.fromarray(mask).save(folder / "masks" / f"{name}.png")
    return root


@pytest.fixture
def street(tmp_path):
    return write_street(tmp_path / "street")


def test_street_photos_are_split_by_walk_and_read_as_camvid(street):
    train, held_out = open_dataset("street", street, "train"), open_dataset("street", street, "val")
    assert train.image_ids == ("one__a", "one__b", "other_walk__a") and set(held_out.sequences) == {min(HELD_OUT_WALKS)}
    assert train.labels == CAMVID and train.labelled == LABELLED
    assert np.unique(train.mask(0)).tolist() == [5, VOID]


def test_partial_labels_give_no_result_file(street, tmp_path, capsys):
    arguments = ["x", "--dataset", "street", "--data", str(street), "--out", str(tmp_path / "out")]
    assert evaluation_command(arguments) == 1
    assert "its masks label 6 of 11 classes" in capsys.readouterr().err and not (tmp_path / "out").exists()


@pytest.mark.parametrize("command", [corruptions, sizes, exports], ids=lambda command: command.__name__)
def test_partial_labels_are_refused_by_every_command_that_averages_over_all_classes(street, capsys, command):
    files = ["x.onnx"] if command is exports else []
    assert command.main(["x", *files, "--dataset", "street", "--data", str(street)]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: street: its masks label 6 of 11 classes") and len(error.splitlines()) == 1


def test_the_mean_over_partial_labels_is_that_of_the_labelled_classes(street):
    dataset = open_dataset("street", street, "val")
    first, second = (CAMVID.classes.index(name) for name in LABELLED[:2])
    unlabelled = next(index for index, name in enumerate(CAMVID.classes) if name not in LABELLED)
    matrix = torch.zeros(11, 11, dtype=torch.int64)
    matrix[first, first], matrix[first, unlabelled], matrix[second, second] = 6, 2, 5
    assert labelled_miou(matrix, dataset) == pytest.approx((6 / 8 + 1) / 2)
    assert labelled_miou(matrix, replace(dataset, labelled=None)) == pytest.approx((6 / 8 + 1 + 0) / 3)


def test_validation_on_partial_labels_averages_over_these_classes(street, tmp_path, monkeypatch):
    matrix = torch.zeros(1, 11, 11, dtype=torch.int64)
    sky, pole = CAMVID.classes.index(LABELLED[0]), CAMVID.classes.index("pole")
    matrix[0, sky, sky], matrix[0, sky, pole] = 3, 1
    monkeypatch.setattr(loop, "confusion_matrices", lambda *_, **__: matrix)
    mask = street / "train" / "masks" / "one__a.png"
    Image.fromarray(np.repeat(np.uint8([0, 5]), 24)[:, None].repeat(48, 1)).save(mask)
    recipe = replace(TINY, dataset="street", validate_every=1, epochs=1, extra_dataset="", extra_images=0)
    loop.train(recipe, street, tmp_path / "run", progress=False, workers=0)
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["miou"] == pytest.approx(3 / 4)


def test_street_photos_that_cannot_be_used(tmp_path, street):
    with pytest.raises(DatasetError, match="no split 'test'"):
        open_dataset("street", street, "test")
    with pytest.raises(DatasetError, match="label value 9 is none of the ids of CamVid"):
        open_dataset("street", write_street(tmp_path / "people", value=9), "train").mask(0)
    for path in (street / "train").glob("*/boston*"):
        path.unlink()
    assert len(open_dataset("street", street, "train")) == 3
    with pytest.raises(DatasetError, match="no photo of the held-out walks"):
        open_dataset("street", street, "val")


def test_a_batch_mixes_both_and_each_has_epochs_of_its_own():
    recipe = replace(TINY, batch_size=5, extra_images=2)
    steps = steps_per_epoch(12, recipe)
    assert steps == 4
    batches = [[index for index, _ in batch_items(12, recipe, step, extra=6)] for step in range(6)]
    assert all(sum(index >= 12 for index in batch) == 2 for batch in batches)
    assert sorted(i for batch in batches[:4] for i in batch if i < 12) == list(range(12))
    for epoch in (batches[:3], batches[3:]):
        assert sorted(i for batch in epoch for i in batch if i >= 12) == list(range(12, 18))
    assert [index >= 12 for index in batches[0]] == [False, True, False, True, False]  # spread for several processes
    seeds = [seed for step in range(6) for _, seed in batch_items(12, recipe, step, extra=6)]
    assert len(set(seeds)) == 30


@pytest.fixture
def partial_batch():
    """Logits of two images, targets of the first among classes 0 and 1 alone, and what each image's masks label."""
    torch.manual_seed(0)
    targets = torch.randint(0, 4, (2, 5, 6))
    targets[0] %= 2
    targets[torch.rand(targets.shape) < 0.2] = VOID
    labelled = torch.tensor([[True, True, False, False], [True] * 4])
    return torch.randn(2, 4, 5, 6, requires_grad=True), targets, Labelled.of(labelled)


@pytest.mark.parametrize("loss", ["ce", "focal", "dice", "ce+dice"])
def test_unlabelled_classes_are_neither_rewarded_nor_punished(partial_batch, loss):
    logits, targets, labelled = partial_batch
    function = build_loss(loss, void=VOID)
    value = function(restrict(logits, labelled), targets)
    value.backward()
    assert torch.all(logits.grad[0, 2:] == 0) and torch.any(logits.grad[1, 2:] != 0)
    other = logits.detach().clone()
    other[0, 2:] += 50
    torch.testing.assert_close(function(restrict(other, labelled), targets), value.detach())


def test_the_restricted_loss_is_that_of_the_labelled_classes_alone(partial_batch):
    logits, targets, labelled = partial_batch
    first = F.cross_entropy(logits[:1, :2], targets[:1], ignore_index=VOID, reduction="sum")
    second = F.cross_entropy(logits[1:], targets[1:], ignore_index=VOID, reduction="sum")
    expected = (first + second) / (targets != VOID).sum()
    torch.testing.assert_close(build_loss("ce", void=VOID)(restrict(logits, labelled), targets), expected)
    assert restrict(logits, None) is logits


def test_the_penalty_is_the_mean_probability_of_unlabelled_classes(partial_batch):
    logits, targets, labelled = partial_batch
    known = targets != VOID
    q = logits[0].softmax(0)[2:].sum(0)
    expected = q[known[0]].sum() / known.sum()
    torch.testing.assert_close(unlabelled_probability(logits, targets, labelled, void=VOID), expected)
    nothing = unlabelled_probability(logits, torch.full_like(targets, VOID), labelled, void=VOID)
    assert nothing == 0


def test_a_run_over_two_datasets_becomes_a_checkpoint_that_says_so(camvid, street, tmp_path):
    recipe = replace(TINY, unlabelled_penalty=0.1)
    info = loop.train(recipe, camvid, tmp_path / "run", extra_data=street, progress=False, workers=0)
    assert info.name == "fcn8s-vgg16bn-w6-ce-camvid+street" and info.dataset == "camvid"
    facts = info.training
    assert (facts["extra_dataset"], facts["extra_images"], facts["unlabelled_penalty"]) == ("street", 1, 0.1)
    assert facts["steps"] == 6  # two passes over six images, two a step
    again = loop.train(recipe, camvid, tmp_path / "again", extra_data=street, progress=False, workers=0)
    assert again.sha256 == info.sha256


def interrupted(recipe, camvid, street, out, monkeypatch):
    """The folder of a run that ended before its checkpoint was written."""
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(loop, "save", lambda *_, **__: 1 / 0)
        loop.train(recipe, camvid, out, extra_data=street, progress=False, workers=0)
    return out


def test_a_run_does_not_go_on_with_another_extra_dataset(camvid, street, tmp_path, monkeypatch):
    out = interrupted(TINY, camvid, street, tmp_path / "run", monkeypatch)
    record = json.loads((out / "training_args.json").read_text())
    assert {role: entry["images"] for role, entry in record["data"].items()} == {"trained on": 6, "also trained on": 3}
    other = write_street(tmp_path / "other")
    Image.new("RGB", (48, 48), (9, 99, 9)).save(other / "train" / "images" / "one__a.jpg")
    resume = {"resume": True, "progress": False, "workers": 0}
    with pytest.raises(TrainingError, match=r"it is also trained on changed \(3 then, 3 now\) since it began"):
        loop.train(TINY, camvid, out, extra_data=other, **resume)
    assert loop.train(TINY, camvid, out, extra_data=street, **resume).training["steps"] == 6


def test_a_run_whose_record_says_nothing_of_the_extra_dataset_goes_on(camvid, street, tmp_path, monkeypatch):
    out = interrupted(TINY, camvid, street, tmp_path / "run", monkeypatch)
    record = json.loads((out / "training_args.json").read_text())
    del record["data"]["also trained on"]
    (out / "training_args.json").write_text(json.dumps(record))
    options = {"extra_data": street, "resume": True, "progress": False, "workers": 0}
    assert loop.train(TINY, camvid, out, **options).training["steps"] == 6


def test_a_broken_extra_file_is_found_before_training(camvid, street, tmp_path):
    (street / "train" / "masks" / "other_walk__a.png").write_bytes(b"broken")
    with pytest.raises(DatasetError, match=r"other_walk__a\.png"):
        loop.train(TINY, camvid, tmp_path / "run", extra_data=street, progress=False, workers=0)
    assert not (tmp_path / "run").exists()


def test_both_datasets_reach_the_batches(camvid, street):
    mixture = Mixture(open_dataset("camvid", camvid, "train"), open_extra(TINY, street))
    assert len(mixture) == 9 and np.array_equal(mixture.mask(8), mixture.extra.mask(2))
    run = loop.build_run(TINY, mixture.main, None, start_accelerator(TINY), 2)
    for images, targets, labelled in loop.device_batches(run, mixture, 0, 2, workers=0):
        assert images.shape == (3, 3, 32, 32) and targets.shape == (3, 32, 32)
        (partial,) = labelled.partial.tolist()
        assert [bool(row.all()) for row in labelled.classes] == [place != partial for place in range(3)]
        names = {CAMVID.classes[index] for index in labelled.classes[partial].nonzero()}
        assert names == set(LABELLED) and set(targets[partial].unique().tolist()) <= {5, VOID}
    assert labelled_classes(mixture.main, [0, 1]) is None


def test_what_does_not_go_together_is_refused(camvid, street):
    with pytest.raises(TrainingError, match="--extra-data"):
        open_extra(TINY, None)
    with pytest.raises(TrainingError, match="street has other classes or another void than voc"):
        main = open_dataset("camvid", camvid, "train")
        Mixture(replace(main, name="voc", labels=PASCAL_VOC), open_dataset("street", street, "train"))
    for changes, message in [
        ({"extra_images": 0}, "give both or none"),
        ({"extra_images": 3}, "leave no place in a batch of 3"),
        ({"backbone_source": "ImageNet"}, "backbone_source: tells of a file"),
        ({"variant": "unet", "backbone": "resnet18", "frozen_stages": 1}, "unet is trained as a whole"),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(TINY, **changes)
    with pytest.raises(TrainingError, match="frozen_stages: 6, but vgg16_bn has 5"):
        recipe = replace(TINY, frozen_stages=6)
        loop.build_run(recipe, open_dataset("camvid", camvid, "train"), None, start_accelerator(recipe), 1)


def test_frozen_stages_keep_weights_and_statistics(camvid):
    recipe = replace(TINY, extra_dataset="", extra_images=0, frozen_stages=2, learning_rate=0.1, warm_up=0.0)
    dataset = open_dataset("camvid", camvid, "train")
    run = loop.build_run(recipe, dataset, None, start_accelerator(recipe), 5)
    before = {key: value.clone() for key, value in run.model.state_dict().items()}
    batches = loop.device_batches(run, dataset, 0, 3, workers=0)
    for step in range(3):
        loop.take_step(run, batches, step)
    for key, value in run.model.state_dict().items():
        frozen = key.startswith(("encoder.stages.0.", "encoder.stages.1."))
        if frozen or key.endswith(("running_mean", "encoder.stages.4.6.weight")):
            assert torch.equal(before[key], value) == frozen, key


def test_the_encoder_learns_at_its_own_rate(make_model):
    model = make_model(backbone="vgg16")
    model.encoder.stages[0].requires_grad_(False)
    optimizer = build_optimizer(model, Recipe(learning_rate=0.4, encoder_rate=0.1, bias_rate=2.0))
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    rates = {names[id(p)]: group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert rates["encoder.stages.1.0.weight"] == pytest.approx(0.04)
    assert rates["encoder.stages.1.0.bias"] == pytest.approx(0.08)
    assert (rates["head.fc6.weight"], rates["head.fc6.bias"]) == pytest.approx((0.4, 0.8))
    assert set(rates) == {name for name in names.values() if not name.startswith("encoder.stages.0.")}
    assert optimizer.param_groups[0]["lr"] == 0.4
