"""Networks in 8 bits: the ranges that they need, what they are refused without, and that masks stay what they were."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.precisions import main as precisions
from zoo.__main__ import main
from zoo.checkpoints.activation_ranges import RANGES_FILE, read_ranges, write_ranges
from zoo.checkpoints.folder import bundled_folder, load_folder
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.prepared import prepare_folder
from zoo.images.examples import examples
from zoo.models import compiled
from zoo.models.compiled import CompiledEngine
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.graph.writer import GraphWriter
from zoo.models.preparation import VARIABLE, choose_precision, engine_of
from zoo.models.ranges import Ranges, measure_ranges, weights_digest
from zoo.models.segmentation import segment

EIGHT = "fcn8s-vgg16bn-w25-ce-camvid"
TINY = {"width": 0.0625, "head_channels": 16, "head_kernel": 3}
NETWORKS = {
    "batch norm": {"head_batch_norm": True},
    "paper": {"backbone": "vgg16", "padding": "paper", "head_kernel": 7},
    "bgr": {"channel_order": "bgr"},
}


def network(backbone: str = "vgg16_bn", **settings) -> FCN:
    torch.manual_seed(0)
    settings = ({} if backbone == "resnet18" else TINY) | settings
    model = FCN(FCNConfig(variant="fcn8s", backbone=backbone, classes=tuple("abcde"), **settings)).eval()
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight, std=0.2)
    return model


def arrays(model: FCN) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in model.state_dict().items()}


def photo(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (64, 96, 3), dtype=np.uint8)


def largest_activations(model: FCN, pixels: np.ndarray) -> list[float]:
    """The largest value after each ReLU before the last one, in torch's own pass."""
    found, relus = [], [module for module in model.modules() if isinstance(module, torch.nn.ReLU)]
    hooks = [relu.register_forward_hook(lambda *told: found.append(float(told[2].max()))) for relu in relus]
    with torch.no_grad():
        model(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
    for hook in hooks:
        hook.remove()
    return found[:-1]


@pytest.fixture
def folder(tmp_path):
    """A copy of a bundled checkpoint with ranges from two of the example photos."""
    copy, photos = tmp_path / EIGHT, tmp_path / "photos"
    shutil.copytree(bundled_folder() / EIGHT, copy)
    photos.mkdir()
    for example in examples()[:2]:
        shutil.copy(example.photo, photos)
    assert main(["ranges", str(copy), "--photos", str(photos)]) == 0
    return copy


@pytest.mark.parametrize("backbone", ["vgg16_bn", "vgg16"])
def test_ranges_are_the_mean_over_photos_of_what_torch_finds_largest(backbone):
    model, photos = network(backbone), [photo(0), photo(1) // 4]
    ranges = measure_ranges(model.config, arrays(model), photos)
    expected = np.mean([largest_activations(model, pixels) for pixels in photos], 0)
    assert len(ranges.limits) == 14 and ranges.photos == 2  # 13 convolutions of a VGG-16 and fc6
    assert np.allclose(list(ranges.limits.values()), expected, rtol=1e-4)


def test_weights_are_rounded_to_127_steps_of_each_output():
    weight = np.array([[0.5, -1.27, 0.004], [0, 0, 0], [254, 1, -3]], np.float32).reshape(3, 3, 1, 1)
    writer = GraphWriter({}, limits={})
    writer.rounded("w", weight)
    stored, scale = ({tensor.name: tensor for tensor in writer.initializers}[f"w.{part}"] for part in ("int8", "scale"))
    assert np.frombuffer(stored.raw_data, np.int8).tolist() == [50, -127, 0, 0, 0, 0, 127, 0, -2]
    assert np.allclose(np.frombuffer(scale.raw_data, np.float32), [0.01, 1 / 127, 2])


@pytest.mark.parametrize("kind", NETWORKS)
def test_scores_in_8_bits_are_nearly_those_of_float32(kind):
    model = network(**NETWORKS[kind])
    ranges = measure_ranges(model.config, arrays(model), [photo()])
    exact = CompiledEngine(model.config, arrays(model), "fp32").score_maps(photo())
    found = CompiledEngine(model.config, arrays(model), "int8", ranges=ranges).score_maps(photo())
    assert [name for name, _ in found] == [name for name, _ in exact]
    for (_, rounded), (_, full) in zip(found, exact, strict=True):
        error = np.abs(rounded - full).max()
        assert 0 < error < 0.1 * np.ptp(full)


def test_values_beyond_a_limit_are_cut_off_there():
    model = network()
    ranges = measure_ranges(model.config, arrays(model), [photo()])
    low = Ranges(dict.fromkeys(ranges.limits, 1e-6), 1, ranges.weights)
    exact = CompiledEngine(model.config, arrays(model), "fp32").features(photo())
    cut = CompiledEngine(model.config, arrays(model), "int8", ranges=low).features(photo())
    assert exact.max() > 0.01 and np.isclose(cut.max(), 1e-6, rtol=0.01)


def test_a_checkpoint_with_ranges_segments_in_8_bits(folder, monkeypatch):
    model = load_folder(folder)
    with Image.open(examples()[3].photo) as image:
        pixels = np.array(image.convert("RGB"))
    full, found = (segment(model, pixels, precision=precision) for precision in ("fp32", "int8"))
    assert found.precision == "int8"
    assert 0.98 < (full.mask == found.mask).mean() < 1
    assert np.abs(full.confidence - found.confidence).mean() < 0.02
    monkeypatch.setenv(VARIABLE, "int8")
    engine = prepare_folder(folder)
    assert engine.precision == "int8"
    assert np.array_equal(segment(engine, pixels).mask, found.mask)


def test_without_ranges_or_with_those_of_other_weights_8_bits_are_refused(folder, monkeypatch):
    model = load_folder(folder)
    with torch.no_grad():
        model.score["32"].bias += 1
    with pytest.raises(ValueError, match="other weights"):
        segment(model, photo(), precision="int8")
    (folder / RANGES_FILE).unlink()
    with pytest.raises(ValueError, match=r"no ranges.*python -m zoo ranges"):
        segment(load_folder(folder), photo(), precision="int8")
    monkeypatch.setenv(VARIABLE, "int8")
    with pytest.raises(ValueError, match="no ranges"):
        prepare_folder(folder)
    with pytest.raises(ValueError, match="other weights"):
        engine_of(model)


def test_ranges_without_a_layer_are_refused():
    model = network()
    ranges = Ranges({"encoder.stages.0.0.relu": 1.0}, 1, weights_digest(arrays(model)))
    with pytest.raises(ValueError, match=r"none for encoder\.stages\.0\.3\.relu"):
        CompiledEngine(model.config, arrays(model), "int8", ranges=ranges)


def test_networks_that_cannot_work_in_8_bits_are_refused(monkeypatch):
    model = network("resnet18")
    with pytest.raises(ValueError, match="resnet18"):
        measure_ranges(model.config, arrays(model), [photo()])
    with pytest.raises(ValueError, match="photos"):
        measure_ranges(network().config, arrays(network()), [])
    with pytest.raises(ValueError, match="FCNs on a processor"):
        engine_of(torch.nn.Conv2d(3, 2, 1), "int8")
    with pytest.raises(ValueError, match="resnet18 cannot work in 8 bits"):
        engine_of(model, "int8")
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    with pytest.raises(ValueError, match="OpenVINO"):
        engine_of(model, "int8")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ('{"limits": {"a": -1}, "photos": 1, "weights": "0"}', r"limits\.a"),
        ('{"limits": {"a": NaN}, "photos": 1, "weights": "0"}', r"limits\.a"),
        ('{"limits": {}, "photos": 0, "weights": "0"}', "photos"),
        ('{"limits": {}, "photos": 1}', "weights"),
        (json.dumps({"limits": {"a" * 200_000: 1}, "photos": 1, "weights": "0"}), "bytes"),
    ],
)
def test_a_file_that_holds_no_ranges_is_refused(text, reason, tmp_path):
    (tmp_path / RANGES_FILE).write_text(text)
    with pytest.raises(CheckpointError, match=reason):
        read_ranges(tmp_path)


def test_ranges_come_back_as_they_were_written(tmp_path):
    assert read_ranges(tmp_path) is None
    ranges = Ranges({"a": 1.5, "b": 0.0}, 3, "0" * 64)
    write_ranges(tmp_path, ranges)
    assert read_ranges(tmp_path) == ranges


def test_the_environment_chooses_on_a_processor_only(monkeypatch):
    monkeypatch.setenv(VARIABLE, "int8")
    assert choose_precision("auto") == "int8"
    assert choose_precision("fp32") == "fp32" and choose_precision("auto", "cuda") == "fp32"
    monkeypatch.setenv(VARIABLE, "")
    assert choose_precision("auto") in ("fp32", "bf16")
    monkeypatch.setenv(VARIABLE, "int4")
    with pytest.raises(ValueError, match=f"{VARIABLE} is 'int4'"):
        choose_precision("auto")


def test_the_command_says_what_is_wrong(folder, tmp_path, capsys):
    (tmp_path / "none").mkdir()
    assert main(["ranges", str(folder), "--photos", str(tmp_path / "none")]) == 1
    assert "a folder of photos is needed" in capsys.readouterr().err


def test_the_table_of_precisions_has_a_row_of_each(folder, camvid, capsys, monkeypatch):
    monkeypatch.setattr(compiled, "multiplies_bfloat16", lambda: False)  # the base is then float32 on any processor
    asked = [str(folder), "--data", str(camvid), "--rounds", "1", "--images", "2"]
    assert precisions(asked) == 0
    said = capsys.readouterr().out
    assert re.search(r"\| fp32 \| \d+ \| [\d.]+ \| 1\.00 \| 100\.00 % \| \d+\.\d\d % \|", said)
    assert re.search(r"\| int8 \| \d+ \| [\d.]+ \| \d+\.\d\d \| \d+\.\d\d % \| \d+\.\d\d % \|", said)
    assert "bf16 |" not in said.splitlines()[-1] and "56x40 pixels" in said and "2 images" in said
    (folder / RANGES_FILE).unlink()
    assert precisions(asked) == 1
    assert "no ranges" in capsys.readouterr().err
