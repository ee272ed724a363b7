"""Converted weights against a forward pass written from the published prototxts, layer by layer, on random weights."""

import os
import subprocess

import pytest
import torch
import torch.nn.functional as F

from zoo.checkpoints.conversion import CONVOLUTIONS, convert
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CheckpointError
from zoo.labels import CAMVID, PASCAL_VOC

CLASSES = 21
MEAN_BGR = torch.tensor([104.00698793, 116.66876762, 122.67891434]).view(1, 3, 1, 1)


def upsample_filt(size):
    """surgery.py of the authors' code: a (size, size) bilinear kernel."""
    factor = (size + 1) // 2
    center = factor - 1 if size % 2 == 1 else factor - 0.5
    line = 1 - (torch.arange(size) - center).abs() / factor
    return line[:, None] * line[None, :]


def weights(variant, *, channels=(4, 4, 6, 8, 8), head=12, learned=False, seed=0):
    """Random weights under the names and shapes of the published files, scaled so that activations stay near 100."""
    generator = torch.Generator().manual_seed(seed)
    state, inputs = {}, 3

    def layer(name, outputs, inputs, kernel, gain=1.0):
        scale = gain * (2 / (inputs * kernel * kernel)) ** 0.5
        state[f"{name}.weight"] = torch.randn(outputs, inputs, kernel, kernel, generator=generator) * scale
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) * 0.1

    for name in CONVOLUTIONS:
        outputs = channels[int(name[4]) - 1]
        layer(name, outputs, inputs, 3)
        inputs = outputs
    layer("fc6", head, inputs, 7)
    layer("fc7", head, head, 1)
    layer("score_fr", CLASSES, head, 1, gain=0.1)
    if variant != "fcn32s":
        layer("score_pool4", CLASSES, channels[3], 1, gain=0.1)
    if variant == "fcn8s":
        layer("score_pool3", CLASSES, channels[2], 1, gain=0.1)
    sizes = {"fcn32s": {"upscore": 64}, "fcn16s": {"upscore2": 4, "upscore16": 32}}
    sizes["fcn8s"] = {"upscore2": 4, "upscore_pool4": 4, "upscore8": 16}
    for name, size in sizes[variant].items():
        kernel = torch.zeros(CLASSES, CLASSES, size, size)
        kernel[range(CLASSES), range(CLASSES)] = upsample_filt(size)
        noise = torch.randn(kernel.shape, generator=generator) * 0.01 if learned and size == 4 else 0
        state[f"{name}.weight"] = kernel + noise
    return state


def widths(width):
    """Channels of VGG-16 at a width factor."""
    return tuple(max(1, round(channels * width)) for channels in (64, 128, 256, 512, 512))


def prototxt_forward(state, variant, image, at_once=False):
    """voc-fcn32s, -fcn16s, -fcn8s, -fcn8s-atonce: (1, 3, H, W) values 0..255, BGR, mean subtracted -> scores."""

    def convolution(name, data, pad=0):
        return F.conv2d(data, state[f"{name}.weight"], state[f"{name}.bias"], padding=pad)

    def deconvolution(name, data, stride):
        return F.conv_transpose2d(data, state[f"{name}.weight"], stride=stride)

    def crop(data, reference, offset):
        return data[..., offset : offset + reference.shape[2], offset : offset + reference.shape[3]]

    data, pools = image, {}
    for block, count in enumerate((2, 2, 3, 3, 3), 1):
        for index in range(1, count + 1):
            name = f"conv{block}_{index}"
            data = F.relu(convolution(name, data, pad=100 if name == "conv1_1" else 1))
        pools[block] = data = F.max_pool2d(data, 2, 2, ceil_mode=True)
    data = F.relu(convolution("fc7", F.relu(convolution("fc6", data))))
    score = convolution("score_fr", data)
    if variant == "fcn32s":
        return crop(deconvolution("upscore", score, 32), image, 19)
    upscore2 = deconvolution("upscore2", score, 2)
    pool4 = pools[4] * 0.01 if at_once else pools[4]
    fused = upscore2 + crop(convolution("score_pool4", pool4), upscore2, 5)
    if variant == "fcn16s":
        return crop(deconvolution("upscore16", fused, 16), image, 27)
    upscore_pool4 = deconvolution("upscore_pool4", fused, 2)
    pool3 = pools[3] * 0.0001 if at_once else pools[3]
    fused = upscore_pool4 + crop(convolution("score_pool3", pool3), upscore_pool4, 9)
    return crop(deconvolution("upscore8", fused, 8), image, 31)


def photo(height, width, seed=1):
    """(1, 3, H, W) RGB whole values 0..255 with structure at several scales."""
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, height // 16 + 1, width // 16 + 1, generator=generator)
    smooth = F.interpolate(coarse, size=(height, width), mode="bilinear")
    return ((smooth + 0.2 * torch.rand(1, 3, height, width, generator=generator)) / 1.2 * 255).round()


def original_logits(state, variant, rgb, **options):
    return prototxt_forward(state, variant, rgb.flip(1) - MEAN_BGR, **options)


def logits_of_both(folder, name, width, size, dtype):
    """Converted and original logits for the same random weights and photo, computed in `dtype`."""
    variant = name.split("-")[0]
    head = 4096 if width == 1 else 12
    state = weights(variant, channels=widths(width), head=head)
    file = folder / f"{name}_from_caffe.pth"
    torch.save(state, file)
    convert(file, folder / "out")
    model, rgb = load_folder(folder / "out").to(dtype), photo(*size).to(dtype)
    state = {key: value.to(dtype) for key, value in state.items()}
    image = rgb.flip(1) - MEAN_BGR.to(dtype)
    with torch.inference_mode():
        return model(rgb / 255), prototxt_forward(state, variant, image, at_once="atonce" in name)


@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s", "fcn8s-atonce"])
def test_in_float64_converted_logits_are_the_prototxts(tmp_path, name):
    ours, original = logits_of_both(tmp_path, name, 1 / 16, (70, 90), torch.float64)
    assert original.abs().max() > 1
    torch.testing.assert_close(ours, original, atol=1e-5, rtol=0)


@pytest.mark.skipif("FCN_FULL_SIZE" not in os.environ, reason="a minute and 3 GB; set FCN_FULL_SIZE=1")
def test_full_size_logits_differ_by_float32_rounding_alone(tmp_path, capsys):
    ours, original = logits_of_both(tmp_path, "fcn8s", 1, (96, 128), torch.float32)
    largest, difference = original.abs().max().item(), (ours - original).abs().max().item()
    with capsys.disabled():
        print(f"\nlargest logit {largest:.1f}, largest difference {difference:.2g}: {difference / largest:.1g} of it")
    assert largest > 10 and difference < 1e-5 * largest


@pytest.mark.parametrize("size", [(70, 90), (33, 33), (1, 1)])
@pytest.mark.parametrize("name", ["fcn32s", "fcn16s", "fcn8s", "fcn8s-atonce"])
def test_converted_logits_equal_the_prototxts(tmp_path, name, size):
    variant = name.split("-")[0]
    state = weights(variant, channels=widths(1 / 16))
    torch.save(state, tmp_path / f"{name}_from_caffe.pth")
    info = convert(tmp_path / f"{name}_from_caffe.pth", tmp_path / "out")
    assert info.name == f"{name}-vgg16-w6-ce-voc" and info.labels == PASCAL_VOC
    assert info.config.upsampling == "fixed" and info.config.padding == "paper"
    rgb = photo(*size)
    with torch.inference_mode():
        found = load_folder(tmp_path / "out")(rgb / 255)
        expected = original_logits(state, variant, rgb, at_once=name.endswith("atonce"))
    assert expected.abs().max() > 0.05
    assert (found - expected).abs().max() < 1e-4 * max(1, expected.abs().max())


def test_learned_upsampling_is_kept(tmp_path):
    state = weights("fcn8s", channels=widths(1 / 16), learned=True)
    torch.save(state, tmp_path / "fcn8s.pth")
    info = convert(tmp_path / "fcn8s.pth", tmp_path / "out")
    assert info.config.upsampling == "paper"
    rgb = photo(50, 60)
    with torch.inference_mode():
        found, expected = load_folder(tmp_path / "out")(rgb / 255), original_logits(state, "fcn8s", rgb)
    assert (found - expected).abs().max() < 1e-4 * expected.abs().max()


@pytest.mark.parametrize("variant", ["fcn32s", "fcn8s"])
def test_same_padding_with_the_papers_phase_is_equal_away_from_the_border(tmp_path, variant):
    state = weights(variant, channels=widths(1 / 64), head=4)
    torch.save(state, tmp_path / "weights.pth")
    info = convert(tmp_path / "weights.pth", tmp_path / "out", padding="same")
    assert (info.config.padding, info.config.phase) == ("same", 3)
    rgb = photo(960, 992)
    with torch.inference_mode():
        found, expected = load_folder(tmp_path / "out")(rgb / 255), original_logits(state, variant, rgb)
    # Half of the 404 pixels that a score sees, the reach of the upsampling and a grid step.
    middle = (..., slice(310, -310), slice(310, -310))
    assert expected[middle].std() > 0.05
    assert (found[middle] - expected[middle]).abs().max() < 1e-4 * expected.abs().max()
    assert (found - expected).abs().max() > 1e-2, "near the border the two differ, or this test compares nothing"


def test_files_that_run_code_are_refused(tmp_path):
    class Payload:
        def __reduce__(self):
            return subprocess.run, (["touch", str(tmp_path / "ran")],)

    torch.save({"conv1_1.weight": Payload()}, tmp_path / "evil.pth")
    with pytest.raises(CheckpointError, match="refused"):
        convert(tmp_path / "evil.pth", tmp_path / "out")
    assert not (tmp_path / "ran").exists() and not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("fc7.bias"), r"needs the tensor fc7\.bias"),
        (lambda state: state.update(extra=torch.zeros(1)), "has no tensor extra"),
        (lambda state: state.update({"fc7.weight": torch.zeros(3, 12, 1, 1)}), r"head\.fc7\.weight"),
        (lambda state: state.update({"score_fr.weight": torch.zeros(5, 12, 1, 1)}), "5 classes"),
        (lambda state: state.update({"conv1_1.weight": 3}), "dictionary of tensors"),
    ],
)
def test_other_weights_are_refused_by_name(tmp_path, change, words):
    state = weights("fcn16s", channels=widths(1 / 16))
    change(state)
    torch.save(state, tmp_path / "weights.pth")
    with pytest.raises(CheckpointError, match=words):
        convert(tmp_path / "weights.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_files_and_options_are_refused(tmp_path):
    (tmp_path / "text.pth").write_text("hello")
    for file in ("text.pth", "absent.pth"):
        with pytest.raises(CheckpointError, match=file):
            convert(tmp_path / file, tmp_path / "out")
    torch.save(weights("fcn32s", channels=widths(1 / 16)), tmp_path / "fcn32s.pth")
    for options in ({"source": "other"}, {"at_once": True}, {"labels": CAMVID}, {"padding": "half"}):
        with pytest.raises(CheckpointError):
            convert(tmp_path / "fcn32s.pth", tmp_path / "out", **options)
