"""Training: data, stages, weights, the command, and that a run learns; on a tiny synthetic CamVid."""

import errno
import json
import math
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torchvision
from accelerate import tracking
from accelerate.utils import LoggerType
from safetensors.torch import save_file
from scipy.io import savemat
from torchvision.models.feature_extraction import create_feature_extractor

from evaluation.counting.confusion import foreground, scores
from evaluation.datasets import DatasetError, open_dataset
from evaluation.measuring.evaluate import EvaluationError, confusion_matrices
from tests.own_data import write
from tests.test_datasets import write_sbd, write_voc
from training import TrainingError, benchmark, loop, processes, weights
from training.__main__ import main, parse, runs
from training.recipe import Recipe, read_recipe
from zoo.checkpoints.folder import load_folder, read_info
from zoo.labels import CAMVID
from zoo.models.fcn import FCN
from zoo.models.torch_engine import multiplies_bfloat16

ROOT = Path(__file__).parent.parent
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


def test_a_split_that_is_not_there_says_how_to_go_without(tmp_path):
    recipe = replace(TINY, dataset="folder", validate_every=1)
    for splits, words in (({"train": 3}, "there are train; or train"), ({"": 3}, "which is no 'val'.*; or train")):
        data = write(tmp_path / f"{len(str(splits))}", splits=splits)
        with pytest.raises(TrainingError, match=rf"validation_split: .*{words} without validation: --validate-every 0"):
            run(recipe, data, tmp_path / "run")


@pytest.mark.parametrize("native", [True, False])
def test_a_processor_without_bfloat16_computes_in_float32_and_the_record_says_so(native, camvid, tmp_path, monkeypatch):
    monkeypatch.setattr("training.processes.multiplies_bfloat16", lambda: native)
    info = run(replace(TINY, precision="bf16", epochs=1), camvid, tmp_path / "run")
    record = json.loads((tmp_path / "run" / "training_args.json").read_text())
    assert record["recipe"]["precision"] == "bf16"
    assert record["environment"]["precision"] == info.training["precision"] == ("bf16" if native else "fp32")


def test_two_classes_with_weights_are_told_by_the_foreground(tmp_path):
    recipe = replace(TINY, dataset="folder", class_weights="1,5", epochs=1, validate_every=1)
    info = run(recipe, write(tmp_path / "mine"), tmp_path / "run")
    assert "wce" in info.name
    record = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    validation = open_dataset("folder", tmp_path / "mine", "val")
    precision = "bf16" if multiplies_bfloat16() else "fp32"
    matrix = confusion_matrices(load_folder(tmp_path / "run"), validation, precision=precision).sum(0).numpy()
    found = foreground(matrix, validation.labels.classes)
    assert {name: record[name] for name in ("f1", "precision", "recall")} == {
        name: found[name] for name in ("f1", "precision", "recall")
    }


def test_data_that_cannot_be_used_is_refused_before_the_first_step(tmp_path):
    recipe, out = replace(TINY, dataset="folder"), tmp_path / "run"
    void = write(tmp_path / "void", lambda image, mask: (image, mask * 0 + 255))
    with pytest.raises(DatasetError, match="every pixel of the 3 masks is void"):
        run(recipe, void, out)
    with pytest.raises(TrainingError, match="every labelled pixel of its masks is background"):
        run(recipe, write(tmp_path / "plain", lambda image, mask: (image, mask * 0)), out)
    with pytest.raises(TrainingError, match="class_weights: 3 numbers for 2 classes; give one for each of background"):
        run(replace(recipe, class_weights="1,5,2"), write(tmp_path / "sound"), out)
    broken = write(tmp_path / "broken")
    (broken / "train" / "masks" / "photo2.png").write_bytes(b"x")
    with pytest.raises(DatasetError, match=r"masks/photo2\.png: "):
        run(recipe, broken, out)
    other = write(tmp_path / "other")
    (other / "classes.txt").rename(other / "train" / "classes.txt")
    (other / "val" / "classes.txt").write_text("background\ncircle\n")
    with pytest.raises(TrainingError, match="validation_split: folder val has other classes than folder train"):
        run(replace(recipe, validate_every=1), other, out)
    assert not out.exists()


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


def test_averaged_weights_are_what_is_saved(camvid, tmp_path):
    quick = replace(TINY, epochs=1, learning_rate=1e-2)
    last, averaged = run(quick, camvid, tmp_path / "last"), run(replace(quick, ema=0.9), camvid, tmp_path / "ema")
    assert last.sha256 != averaged.sha256 and averaged.training["ema"] == 0.9
    stages = [load_folder(tmp_path / name).encoder.state_dict() for name in ("last", "ema")]
    name = "stages.0.1.running_mean"
    assert not torch.equal(stages[0][name], stages[1][name])


def test_a_loss_that_is_not_finite_stops_with_its_step(camvid, tmp_path):
    with pytest.raises(TrainingError, match=r"step \d+: loss is (nan|inf)"):
        run(replace(TINY, learning_rate=1e30, epochs=20), camvid, tmp_path / "run")


def test_validation_that_is_not_finite_stops_with_its_step(camvid, tmp_path, monkeypatch):
    """The last update of an epoch may be the one that breaks the weights."""
    monkeypatch.setattr(loop, "confusion_matrices", lambda *_, **__: raise_evaluation_error())
    with pytest.raises(TrainingError, match="step 3: 0001TP: the model's logits are not finite; lower the learning"):
        run(replace(TINY, validate_every=1), camvid, tmp_path / "run")


def raise_evaluation_error():
    raise EvaluationError("0001TP: the model's logits are not finite")


def test_a_metrics_file_that_cannot_be_written_is_no_traceback(camvid, tmp_path, monkeypatch, caplog):
    def full(path, record):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(loop, "append_line", full)
    arguments = ["--data", str(camvid), "--out", str(tmp_path / "run"), "--workers", "0", *flags(TINY)]
    assert main(arguments) == 2
    assert "No space left on device" in caplog.text and "metrics.jsonl" in caplog.text


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


def test_the_command_trains_the_papers_stages(camvid, tmp_path, caplog):
    quick = replace(TINY, epochs=1, validate_every=1)
    arguments = ["--staged", "--data", str(camvid), "--out", str(tmp_path / "runs"), "--workers", "0", *flags(quick)]
    assert main(arguments) == 0
    infos = [read_info(tmp_path / "runs" / variant) for variant in ("fcn32s", "fcn16s", "fcn8s")]
    assert [info.variant for info in infos] == ["fcn32s", "fcn16s", "fcn8s"]
    assert [info.training["start_from"] for info in infos] == ["", "fcn32s", "fcn16s"]
    assert main([*arguments, "--resume"]) == 0  # all trained already
    assert main(arguments) == 2  # without --resume nothing is overwritten
    assert main([*arguments, "--resume", "--jitter", "0.3"]) == 2  # nor is another recipe taken for done
    assert "differs in jitter" in caplog.text


def test_stages_of_several_recipes_do_not_mix(tmp_path):
    recipes = [tmp_path / f"{name}.toml" for name in ("first", "second")]
    for path in recipes:
        path.write_text('variant = "fcn16s"\n', encoding="utf-8")
    options = parse(["--staged", "--data", "d", "--out", "runs", "--recipe", *map(str, recipes)])
    names = [out.as_posix() for _, out in runs(options)]
    assert names == [f"runs/{recipe}/{variant}" for recipe in ("first", "second") for variant in ("fcn32s", "fcn16s")]


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


@pytest.mark.parametrize("kind", ["torch", "torch, old", "safetensors", "encoder alone"])
def test_backbone_weights_from_a_file(tmp_path, kind):
    """A state dict as torchvision publishes it (old ones lack the batch-norm counters), sorted, or without its end."""
    torch.manual_seed(2)
    classifier = torchvision.models.resnet18(weights=None).eval()
    state, path = classifier.state_dict(), tmp_path / "resnet18.pth"
    if kind == "torch, old":
        state = {name: tensor for name, tensor in state.items() if "num_batches" not in name}
    if kind == "encoder alone":
        state = {name: state[name] for name in sorted(state) if not name.startswith("fc.")}
    if kind == "safetensors":
        path = path.with_suffix(".safetensors")
        save_file(state, path)
    else:
        torch.save(state, path)
    recipe = Recipe(backbone="resnet18", backbone_weights=str(path))
    model = weights.initial_model(recipe, CAMVID, None).eval()
    features = create_feature_extractor(classifier, ["layer4"])
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(model.encoder(image)[32], features(image)["layer4"])
    assert weights.pretraining(recipe, None) == path.name


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"cannot be read \(no such file; --backbone-weights names another"),
        (b"junk", "cannot be read"),
        ({"a": 1}, "holds no state dict"),
        ({"conv1.weight": torch.zeros(1)}, r"bn1\.weight is missing \(99 of the 100 tensors of resnet18 are\)"),
    ],
)
def test_backbone_weights_that_do_not_fit_name_the_file(tmp_path, content, message):
    path = tmp_path / "weights.pth"
    if isinstance(content, dict):
        torch.save(content, path)
    elif content is not None:
        path.write_bytes(content)
    with pytest.raises(TrainingError, match=rf"backbone_weights: .*weights\.pth: .*{message}"):
        weights.initial_model(Recipe(backbone="resnet18", backbone_weights=str(path)), CAMVID, None)


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({"precision": "fp16"}, {}, "precision: fp16 needs a GPU"),
        ({"sync_batch_norm": True}, {}, "sync_batch_norm: works on GPUs only"),
        ({"batch_size": 3, "accumulate": 2}, {}, "batch_size: 3 images cannot be divided"),
        ({}, {"processes": 4}, "processes: 4 were expected but 1 run"),
        ({}, {"tracker": "trackio"}, "tracker: trackio is not installed"),
        ({}, {"device": "cuda"}, "device: cuda was asked for"),
        ({}, {"device": "gpu"}, "device: 'gpu' is not one of"),
    ],
)
def test_what_this_machine_cannot_do_is_said_first(camvid, tmp_path, monkeypatch, changes, options, message):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(processes, "find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=message):
        run(replace(TINY, **changes), camvid, tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_benchmark_times_both_loops(tmp_path, capsys):
    out = tmp_path / "benchmark.json"
    assert benchmark.main(["--quick", "--workers", "0", "--out", str(out), *flags(TINY)]) == 0
    figures = json.loads(out.read_text())
    speeds = [statistics.median(figures["turns"][name]) for name in ("recipe", "plain")]
    assert len(figures["turns"]["plain"]) == 2 and min(speeds) > 0
    assert figures["ratio"] == pytest.approx(speeds[0] / speeds[1])
    assert f"ratio: {figures['ratio']:.2f}" in capsys.readouterr().out
    assert figures["recipe"] == TINY.to_dict() | {"dataset": "camvid"}


def test_both_loops_of_the_benchmark_train_alike(camvid):
    """The recipe's loop at a constant rate and without its other devices takes the plain loop's steps."""
    settings = {"class_weights": "median-frequency", "reduction": "sum", "learning_rate": 1e-4}
    recipe = replace(TINY, schedule="constant", warm_up=0.0, dropout=0.0, **settings)
    dataset = open_dataset("camvid", camvid, "train")
    accelerator = processes.start_accelerator(recipe)
    made = loop.build_run(recipe, dataset, None, accelerator, 3)
    batches = loop.device_batches(made, dataset, 0, 3, workers=0)
    losses = [loop.take_step(made, batches, step).item() for step in range(3)]
    plain = list(benchmark.plain_steps(recipe, dataset, accelerator.device, 3))
    assert losses == pytest.approx(plain, rel=1e-3) and losses[0] != losses[2]


def test_trackers_get_what_metrics_jsonl_gets(camvid, tmp_path, monkeypatch):
    """A tracker in the place of tensorboard, through Accelerate's own interface."""
    seen = []

    class Recorder(tracking.GeneralTracker):
        name, requires_logging_directory = "tensorboard", False

        def __init__(self, *arguments, **options):
            super().__init__()

        tracker = None

        def store_init_configuration(self, values):
            seen.append(values)

        def log(self, values, step=None, **options):
            seen.append(values | {"at": step})

        def finish(self):
            seen.append("finished")

    monkeypatch.setattr(processes, "find_spec", lambda name: True)
    monkeypatch.setattr(tracking, "_available_trackers", [LoggerType.TENSORBOARD])
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", Recorder)
    run(replace(TINY, epochs=2), camvid, tmp_path / "run", tracker="tensorboard")
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert seen == [replace(TINY, epochs=2).to_dict(), *(line | {"at": line["step"]} for line in lines), "finished"]


def test_the_papers_recipe_trains_on_sbd_and_validates_on_voc(tmp_path):
    write_voc(tmp_path / "data")
    write_sbd(tmp_path / "data" / "SBD")
    labels = np.full((5, 7), 15, np.uint8)
    labels[0] = 0  # one class alone would be refused
    savemat(tmp_path / "data/SBD/cls/2007_000032.mat", {"GTcls": {"Segmentation": labels}})
    recipe = read_recipe(ROOT / "training" / "recipes" / "fcn8s-vgg16-in-ce-voc-atonce.toml")
    small = replace(recipe, width=0.03, head_channels=8, backbone_weights="", epochs=1)
    info = run(small, tmp_path / "data", tmp_path / "run")
    assert info.name == "fcn8s-vgg16-w3-ce-voc" and info.config.pool_scaling and info.config.padding == "paper"
    assert info.training["optimizer"] == "SGD" and info.training["steps"] == 1
    record = json.loads((tmp_path / "run" / "metrics.jsonl").read_text())
    # With zeroed score layers every class is as likely: log 21 on each of the 35 pixels, summed.
    assert record["loss"] == pytest.approx(35 * math.log(21), rel=1e-4) and 0 <= record["miou"] <= 1


def test_training_images_are_not_validated_on(camvid):
    with pytest.raises(TrainingError, match="validation_split: 6 of its images are trained on too"):
        loop.open_splits(replace(TINY, validation_split="train", validate_every=1), camvid)


def test_a_compiled_network_learns_the_same(camvid, monkeypatch):
    """With the backend that only traces, so that no compiler is needed."""
    original = torch.nn.Module.compile
    calls = []

    def compile_traced(module):
        calls.append(module)
        original(module, backend="eager")

    monkeypatch.setattr(torch.nn.Module, "compile", compile_traced)
    dataset, losses = open_dataset("camvid", camvid, "train"), []
    for recipe in (TINY, replace(TINY, compile=True)):
        made = loop.build_run(recipe, dataset, None, processes.start_accelerator(recipe), 2)
        batches = loop.device_batches(made, dataset, 0, 2, workers=0)
        losses.append([loop.take_step(made, batches, step).item() for step in range(2)])
    assert calls == [made.network] and losses[1] == pytest.approx(losses[0], rel=1e-4)
