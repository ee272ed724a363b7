"""Training: crops, recipes, stages, resuming, and that a run learns; on a tiny synthetic CamVid."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evaluation.datasets import open_dataset
from evaluation.evaluate import confusion_matrices
from evaluation.metrics import scores
from training import TrainingError, loop, state, weights
from training.__main__ import main
from training.augmentation import TrainingCrops, batch_items, steps_per_epoch
from training.recipe import Recipe, read_recipe, resolve, staged
from zoo.checkpoint import bundled_folder, load_folder, read_info
from zoo.fcn import FCN
from zoo.labels import CAMVID, CITYSCAPES, PASCAL_VOC

RECIPES = sorted((Path(__file__).parent.parent / "training" / "recipes").glob("*.toml"))
LABELS = {"camvid": CAMVID, "voc": PASCAL_VOC, "sbd": PASCAL_VOC, "cityscapes": CITYSCAPES}
TINY = Recipe(
    width=0.0625, head_channels=16, head_kernel=3, head_batch_norm=True, dropout=0.1, epochs=3, batch_size=2, crop=32,
    precision="fp32", validate_every=0,
)  # fmt: skip


def run(recipe, data, out, **options):
    return loop.train(recipe, data, out, progress=False, workers=0, **options)


def flags(recipe: Recipe) -> list[str]:
    """The recipe as command-line flags."""
    listed = []
    for name, value in recipe.to_dict().items():
        flag = name.replace("_", "-")
        listed += [f"--{'' if value else 'no-'}{flag}"] if isinstance(value, bool) else [f"--{flag}", str(value)]
    return listed


def test_crops_keep_image_and_mask_together(camvid):
    """In the synthetic data red = 20 * class: wherever the crop is labelled, the colour still tells the class."""
    recipe = replace(TINY, jitter=0.0, scale_low=1.0, scale_high=1.0)
    crops = TrainingCrops(open_dataset("camvid", camvid, "train"), recipe)
    for seed in range(10):
        image, mask = crops[seed % len(crops), seed]
        assert image.shape == (3, 32, 32) and mask.shape == (32, 32) and mask.dtype == torch.uint8
        assert (image[0].int() - mask.int() * 20).abs().max() <= 8


def test_crops_beyond_the_image_are_void(camvid):
    recipe = replace(TINY, crop=100, jitter=0.0)
    image, mask = TrainingCrops(open_dataset("camvid", camvid, "train"), recipe)[0, 0]
    outside = (image == torch.tensor([124, 116, 104])[:, None, None]).all(0)
    assert outside.float().mean() > 0.2 and (mask[outside] == CAMVID.void).float().mean() > 0.99


def test_crops_are_a_function_of_their_seed(camvid):
    crops = TrainingCrops(open_dataset("camvid", camvid, "train"), TINY)
    first = crops[1, 7]
    state = torch.get_rng_state()
    again = crops[1, 7]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first[0], crops[1, 8][0])


def test_an_epoch_shows_every_image_once():
    recipe = replace(TINY, batch_size=5)
    steps = steps_per_epoch(20, recipe)
    epochs = [
        [index for step in range(e * steps, (e + 1) * steps) for index, _ in batch_items(20, recipe, step)]
        for e in (0, 1)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20)) and epochs[0] != epochs[1]


def test_a_run_learns_and_becomes_a_checkpoint(camvid, tmp_path):
    plain = {"jitter": 0.0, "scale_low": 1.0, "scale_high": 1.0, "dropout": 0.0}
    settings = {"width": 0.125, "crop": 64, "batch_size": 6, "learning_rate": 2e-2, "epochs": 60, "validate_every": 30}
    recipe = replace(TINY, **plain, **settings)
    info = run(recipe, camvid, tmp_path / "run")
    assert info.name == "fcn8s-vgg16bn-w12-ce-camvid" and info.training["epochs"] == 60
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert len(records) == 60 and records[-1]["loss"] < 0.5 * records[0]["loss"] and "miou" in records[-1]
    arguments = json.loads((tmp_path / "run" / "training_args.json").read_text())
    assert arguments["recipe"] == recipe.to_dict() and torch.__version__.startswith(arguments["environment"]["torch"])
    assert not (tmp_path / "run" / "state.pt").exists()
    train = open_dataset("camvid", camvid, "train")
    matrices = confusion_matrices(load_folder(tmp_path / "run"), train)
    assert scores(matrices.sum(0), CAMVID.classes).miou > 0.5


def test_an_interrupted_run_goes_on_bit_for_bit(camvid, tmp_path, monkeypatch):
    whole = run(TINY, camvid, tmp_path / "whole")

    saves = []

    def save_then_die(*arguments):
        original(*arguments)
        saves.append(arguments)
        if len(saves) == 2:
            raise KeyboardInterrupt

    original = loop.save_state
    monkeypatch.setattr(loop, "save_state", save_then_die)
    with pytest.raises(KeyboardInterrupt):
        run(TINY, camvid, tmp_path / "halves")
    monkeypatch.setattr(loop, "save_state", original)
    # What a run wrote after its last saved state is dropped and written again.
    state.append_line(tmp_path / "halves" / "metrics.jsonl", {"step": 10**6})
    resumed = run(TINY, camvid, tmp_path / "halves", resume=True)
    assert resumed.sha256 == whole.sha256
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "halves")]
    assert lines[0] == lines[1]


def test_a_folder_in_use_is_not_overwritten(camvid, tmp_path):
    run(TINY, camvid, tmp_path / "run")
    with pytest.raises(TrainingError, match="--resume"):
        run(TINY, camvid, tmp_path / "run")


def test_resuming_with_another_recipe_is_refused(camvid, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "save", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(TINY, camvid, tmp_path / "run")
    with pytest.raises(TrainingError, match="another recipe"):
        run(replace(TINY, seed=1), camvid, tmp_path / "run", resume=True)


def test_a_loss_that_is_not_finite_stops_with_its_step(camvid, tmp_path):
    with pytest.raises(TrainingError, match=r"step \d+: loss is (nan|inf)"):
        run(replace(TINY, learning_rate=1e30, epochs=20), camvid, tmp_path / "run")


def test_a_stage_starts_where_the_one_before_ended(make_model):
    torch.manual_seed(1)
    coarse, fine = make_model("fcn32s"), FCN(make_model("fcn16s").config).eval()
    kept = weights.take_over(fine, coarse)
    assert sorted(kept) == ["score.16.bias", "score.16.weight", "upsample.32.weight"]
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(dict(fine.score_maps(image))["score 32"], dict(coarse.score_maps(image))["score 32"])
        # The new score layer is zero and upsampling bilinear: the first logits are nearly the coarse ones.
        inner = (..., slice(16, 48), slice(16, 48))
        difference = (fine(image)[inner] - coarse(image)[inner]).abs().mean()
        assert difference < 0.5 * coarse(image)[inner].std()


def test_a_stage_from_another_backbone_is_refused(make_model):
    with pytest.raises(TrainingError, match="backbone and head"):
        weights.take_over(make_model(width=0.125), make_model("fcn16s"))


def test_the_command_trains_the_papers_stages(camvid, tmp_path, capsys):
    quick = replace(TINY, epochs=1, validate_every=1)
    arguments = ["--staged", "--data", str(camvid), "--out", str(tmp_path / "runs"), "--workers", "0", *flags(quick)]
    assert main(arguments) == 0
    infos = [read_info(tmp_path / "runs" / variant) for variant in ("fcn32s", "fcn16s", "fcn8s")]
    assert [info.variant for info in infos] == ["fcn32s", "fcn16s", "fcn8s"]
    assert [info.training["start_from"] for info in infos] == ["", "fcn32s", "fcn16s"]
    assert main([*arguments, "--resume"]) == 0  # all trained already
    assert main(arguments) == 2  # without --resume nothing is overwritten


@pytest.mark.parametrize(
    "extra",
    [
        ["--data", "nowhere"],
        ["--dataset", "kitti"],
        ["--loss", "lovasz"],
        ["--start-from", "no-such-checkpoint"],
        ["--hold-out", "X"],
    ],
)
def test_the_command_names_what_is_wrong(camvid, tmp_path, caplog, extra):
    assert main(["--data", str(camvid), "--out", str(tmp_path / "run"), *flags(TINY), *extra]) == 2
    assert extra[1] in caplog.text


def test_sequences_held_out_are_what_is_validated_on(camvid):
    training, validation = loop.open_splits(replace(TINY, hold_out="0001TP"), camvid)
    assert set(training.sequences) == {"0016E5"} and set(validation.sequences) == {"0001TP"}
    assert validation.split == "train"


def test_staged_recipes_follow_the_ladder():
    assert [(r.variant, r.start_from) for r in staged(replace(TINY, variant="fcn16s"))] == [
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
        ("head_batch_norm = 1", "head_batch_norm needs bool"),
    ],
)
def test_wrong_recipes_name_file_and_field(tmp_path, text, message):
    (tmp_path / "r.toml").write_text(text)
    with pytest.raises(ValueError, match=message) as error:
        read_recipe(tmp_path / "r.toml")
    assert "r.toml" in str(error.value)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_released_recipe_is_that_of_its_checkpoint(path):
    """A checkpoint made before the recipe had a field was made with that field's default."""
    recipe = read_recipe(path)
    assert path.stem.removesuffix("-atonce") == recipe.checkpoint_name(LABELS[recipe.dataset])
    folder = bundled_folder() / path.stem
    if folder.is_dir():
        recorded = json.loads((folder / "training_args.json").read_text())["recipe"]
        assert {**replace(Recipe(), **recorded).to_dict()} == recipe.to_dict()
        assert np.isfinite(json.loads((folder / "metrics.jsonl").read_text().splitlines()[-1])["loss"])
