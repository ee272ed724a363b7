"""The prepared command for a card, dry on the CPU: pieces, deadline, what a cut-off leaves, and the measured rates."""

import json
import logging
import math
import shutil
import zipfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from types import SimpleNamespace

import pytest
import torch
from threadpoolctl import threadpool_info
from torch import nn

from evaluation.datasets import open_dataset
from tests.test_training import TINY
from training import OutOfTime, TrainingError, gpu, loop, rates
from training.gpu import main
from training.loop import build_run
from training.pieces import missing, pack, unpack
from training.processes import start_accelerator
from zoo.checkpoints.folder import load_folder, read_info
from zoo.places import RECIPES

RECIPE = """
variant = "fcn8s"
backbone = "vgg16_bn"
width = 0.0625
head_channels = 16
head_kernel = 3
head_batch_norm = true
dataset = "camvid"
precision = "fp32"
epochs = 4
batch_size = 2
crop = 32
validate_every = 0
"""


@pytest.fixture
def root(camvid, tmp_path, monkeypatch):
    """Data in pieces' layout, and a queue of one small recipe with two seeds."""
    recipes, root = tmp_path / "recipes", tmp_path / "root"
    recipes.mkdir()
    (recipes / "small.toml").write_text(RECIPE)
    shutil.copytree(camvid, root / "camvid")
    for name in ("street", "cracks", "vessels", "weights"):
        (root / name).mkdir()
    monkeypatch.setattr(gpu, "RECIPES", recipes)
    monkeypatch.setattr(gpu, "QUEUE", (("small", (0, 1)),))
    monkeypatch.setattr(gpu, "MARGIN_SECONDS", 0)
    return root


def test_every_queued_recipe_can_be_read_and_finds_its_data(tmp_path):
    for job in gpu.jobs(tmp_path, []):
        assert job.data.name in gpu.FOLDERS and (job.extra is None or job.extra.name in gpu.FOLDERS)
        assert job.recipe.augment_on == "device" and not job.recipe.stop_epoch
    assert {stem for stem, _ in gpu.QUEUE} <= {path.stem for path in RECIPES.glob("*.toml")}
    assert all(path.is_dir() for name, path in gpu.sources(tmp_path).items() if name.startswith("checkpoints/"))


def test_pieces_are_small_and_give_the_files_back(root, tmp_path):
    size = 12_000
    pieces = pack({"camvid": root / "camvid"}, tmp_path / "pieces", piece_bytes=size)
    assert len(pieces) > 2 and all(path.stat().st_size <= size for path in pieces)
    into = tmp_path / "into"
    unpack(pieces[:1], into)
    assert len(missing(into)) > 1
    unpack(pieces[1:], into)
    assert missing(into) == []
    files = {path.relative_to(root): path.read_bytes() for path in (root / "camvid").rglob("*.png")}
    assert files == {path.relative_to(into): path.read_bytes() for path in into.rglob("*.png")} and len(files) > 6
    next(into.rglob("*.png")).write_bytes(b"cut off")
    assert len(missing(into)) == 1


def test_pieces_that_cannot_be_made_or_read_are_errors(root, tmp_path):
    with pytest.raises(TrainingError, match=r"more than a piece of 200 holds"):
        pack({"camvid": root / "camvid"}, tmp_path / "pieces", piece_bytes=200)
    with pytest.raises(TrainingError, match=r"nowhere: no such folder, and street is to be packed"):
        pack({"street": tmp_path / "nowhere"}, tmp_path / "pieces")
    (tmp_path / "broken.zip").write_bytes(b"PK")
    with pytest.raises(TrainingError, match=r"broken\.zip: cannot be unpacked .*; send it again"):
        unpack([tmp_path / "broken.zip"], tmp_path / "into")


def test_pack_and_unpack_are_commands(root, tmp_path, capsys, caplog):
    assert main(["pack", "--data", str(root), "--out", str(tmp_path / "pieces")]) == 0
    (piece,) = (tmp_path / "pieces").iterdir()
    assert main(["unpack", str(piece), "--into", str(tmp_path / "into")]) == 0
    assert "all files are there" in capsys.readouterr().out
    with zipfile.ZipFile(piece) as archive:
        assert "camvid/train/0016E5_00000.png" in archive.namelist()
    (tmp_path / "into" / "camvid" / "train" / "0016E5_00000.png").unlink()
    command = ["--data", str(tmp_path / "into"), "--device", "cpu", "--out", str(tmp_path / "out")]
    assert main(command) == 2 and "1 file of the pieces is missing" in caplog.text


def test_a_run_stops_at_its_deadline_and_goes_on_bit_for_bit(camvid, tmp_path, monkeypatch):
    recipe, options = replace(TINY, epochs=2), {"progress": False, "workers": 0}
    whole = loop.train(recipe, camvid, tmp_path / "whole", **options)
    clock = iter([*[0.0] * 4, *[10.0] * 100])
    with monkeypatch.context() as patched:
        patched.setattr(loop, "time", SimpleNamespace(monotonic=lambda: next(clock)))  # other threads have theirs
        with pytest.raises(OutOfTime, match="time is up after 5 of 6 steps"):
            loop.train(recipe, camvid, tmp_path / "run", deadline=5.0, **options)
    assert (tmp_path / "run" / "state.pt").is_file()
    assert loop.train(recipe, camvid, tmp_path / "run", resume=True, **options).sha256 == whole.sha256


def test_a_dry_run_measures_trains_and_goes_on_where_time_was_up(root, tmp_path, capsys, caplog):
    caplog.set_level(logging.INFO)
    runs, out = tmp_path / "runs", tmp_path / "out"
    command = ["--data", str(root), "--device", "cpu", "--runs", str(runs), "--out", str(out), "--side-by-side", "2"]
    assert main([*command, "--minutes", "0.01", "--steps", "1", "--turns", "1"]) == 3
    assert "small and what follows are still to be trained" in caplog.text
    found = json.loads((out / "rates.json").read_text())
    assert "times torchvision's reference loop" in capsys.readouterr().out
    assert math.isclose(found["ratio"], found["recipe_images_per_second"] / found["reference_images_per_second"])
    assert math.isclose(
        found["share"] * found["matrix_flops_per_second"], found["recipe_images_per_second"] * found["flops_per_image"]
    )
    assert main([*command, "--minutes", "5"]) == 0
    assert {path.name for path in out.iterdir()} == {"rates.json", "small", "small-seed1"}
    assert load_folder(out / "small").config.variant == "fcn8s"
    assert read_info(out / "small").sha256 != read_info(out / "small-seed1").sha256
    assert (
        main([*command, "--only", "large"]) == 2 and "--only: 'large' is not queued; choose from small" in caplog.text
    )


@pytest.fixture
def stages(root, tmp_path, monkeypatch):
    """A queue of two stages, the second first, with two seeds each."""
    later = RECIPE.replace('"fcn8s"', '"fcn16s"').replace("epochs = 4", "epochs = 1")
    (tmp_path / "recipes" / "later.toml").write_text(later + 'start_from = "small"\n')
    monkeypatch.setattr(gpu, "QUEUE", (("later", (0, 1)), ("small", (0, 1))))
    command = ["--data", str(root), "--device", "cpu", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    return [*command, "--no-rates", "--side-by-side", "2"]


def test_a_stage_begins_at_the_one_of_its_seed(stages, tmp_path):
    assert gpu.sources(tmp_path).keys() == set(gpu.FOLDERS)  # the stage before is trained, not packed
    assert main(stages) == 0
    for seed in ("", "-seed1"):
        first, second = (load_folder(tmp_path / "out" / f"{name}{seed}") for name in ("small", "later"))
        assert second.info.training["start_from"] == "small"
        before, after = (model.encoder.state_dict()["stages.0.0.weight"] for model in (first, second))
        other = load_folder(tmp_path / "out" / ("small" if seed else "small-seed1")).encoder.state_dict()
        assert (after - before).abs().max() < 0.5 * (after - other["stages.0.0.weight"]).abs().max()


def test_stages_wait_for_what_ran_out_of_time_and_say_what_is_missing(stages, tmp_path, caplog):
    caplog.set_level(logging.INFO)
    assert main([*stages, "--only", "later"]) == 2
    assert "later: starts from small, which" in caplog.text and "train that too" in caplog.text
    assert main([*stages, "--minutes", "0.0001"]) == 3
    assert not list((tmp_path / "out").iterdir())


def test_a_run_that_fails_stops_no_other_and_is_told(root, tmp_path, monkeypatch, caplog):
    (tmp_path / "recipes" / "spoilt.toml").write_text(RECIPE + 'backbone_weights = "nowhere.safetensors"\n')
    monkeypatch.setattr(gpu, "QUEUE", (("spoilt", (0,)), ("small", (0,))))
    out = tmp_path / "out"
    command = ["--data", str(root), "--device", "cpu", "--runs", str(tmp_path / "runs"), "--out", str(out)]
    assert main([*command, "--no-rates", "--side-by-side", "1"]) == 2
    assert "spoilt: backbone_weights: nowhere.safetensors: cannot be read" in caplog.text
    assert [path.name for path in out.iterdir()] == ["small"]


def test_what_lies_where_a_checkpoint_is_to_go_stays(root, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(gpu, "QUEUE", (("small", (0,)),))
    notes = tmp_path / "out" / "small" / "notes.txt"
    notes.parent.mkdir(parents=True)
    notes.write_text("years of work")
    command = ["--data", str(root), "--device", "cpu", "--runs", str(tmp_path / "runs"), "--out", str(tmp_path / "out")]
    assert main([*command, "--no-rates", "--side-by-side", "1"]) == 2
    assert f"{notes.parent}: holds something other than a checkpoint; move it away" in caplog.text
    assert [path.read_text() for path in notes.parent.iterdir()] == ["years of work"]


def test_processes_side_by_side_share_the_processor(tmp_path):
    with ProcessPoolExecutor(1, get_context("spawn"), gpu.begin_process, (tmp_path, 1)) as pool:
        assert pool.submit(torch.get_num_threads).result() == 1
        pools = pool.submit(threadpool_info).result()
    assert "blas" in {one["user_api"] for one in pools} and {one["num_threads"] for one in pools} == {1}


def test_operations_of_a_step_are_three_times_those_of_a_pass(camvid):
    """Backward takes a pass for the features and one for the weights, but for the first layer's features."""
    dataset, recipe, passes = open_dataset("camvid", camvid, "train"), replace(TINY, crop=64), []
    run = build_run(recipe, dataset, None, start_accelerator(recipe), 1)

    def count(layer, given, output):
        maps = given[0] if isinstance(layer, nn.ConvTranspose2d) else output
        passes.append(2 * maps[0].numel() * layer.weight[0].numel())  # each value meets one slice of the weights

    hooks = [
        layer.register_forward_hook(count)
        for layer in run.model.modules()
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d)
    ]
    with torch.no_grad():
        run.model(torch.rand(1, 3, 64, 64))
    for hook in hooks:
        hook.remove()
    assert 0.85 * 3 * sum(passes) < rates.flops_per_image(run, dataset) <= 1.1 * 3 * sum(passes)
    assert rates.matrix_rate(run.accelerator.device, rates.DTYPES["fp32"]) > 1e8


def test_reference_crops_keep_image_and_mask_together(camvid):
    """In the synthetic data red = 20 * class, so the colour still tells the class where nothing was resized."""
    recipe = replace(TINY, jitter=0.0, scale_low=1.25, scale_high=1.25)
    crops = rates.ReferenceCrops(open_dataset("camvid", camvid, "train"), recipe)
    for index in range(len(crops)):
        image, mask = crops[index]
        assert image.shape == (3, 32, 32) and mask.shape == (32, 32)
        off = ((255 * image[0] / 20).round() != mask) & (mask != 11)
        assert off.float().mean() < 0.35  # edges are blurred by the resizing
