"""The engine behind `zoo.segment` against the plain network: folding, tiles, packing, precision, changed weights."""

import numpy as np
import pytest
import torch
from PIL import Image

from zoo import inference
from zoo.catalog import catalog, load
from zoo.examples import examples
from zoo.fcn import FCN, FCNConfig
from zoo.inference import Engine, choose_precision, engine_of, top_class
from zoo.segment import segment

VGG = {"width": 0.0625, "head_channels": 16}
NETWORKS = {
    "vgg16_bn": {"backbone": "vgg16_bn", "head_kernel": 3, "head_batch_norm": True, **VGG},
    "phase, bgr": {"backbone": "vgg16", "phase": 3, "channel_order": "bgr", **VGG},
    "paper": {"backbone": "vgg16", "padding": "paper", **VGG},
    "learned": {"backbone": "vgg16_bn", "head_kernel": 3, "upsampling": "learned", **VGG},
    "resnet18": {"backbone": "resnet18"},
}


def network(variant: str = "fcn8s", **settings) -> FCN:
    """A network whose every layer does something: random scores, batch norms that are not the identity."""
    torch.manual_seed(0)
    model = FCN(FCNConfig(variant=variant, classes=tuple("abcde"), **(settings or NETWORKS["vgg16_bn"]))).eval()
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight, std=0.2)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    return model


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def plain_logits(model: FCN, pixels: np.ndarray) -> torch.Tensor:
    """What the network says without an engine."""
    with torch.no_grad():
        return model(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)


@pytest.mark.parametrize("variant", ["fcn32s", "fcn8s"])
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("tiles", [False, True])
def test_engine_in_float32_is_the_network(kind, variant, tiles, monkeypatch):
    model = network(variant, **NETWORKS[kind])
    if tiles:  # as small as they may be, so that a small photo has several
        monkeypatch.setattr(inference, "TILE_PIXELS", 1)
        monkeypatch.setattr(inference, "TILE_COLUMNS", 32)
        monkeypatch.setattr(inference, "STRIP_LOGITS", 1)
    engine = Engine(model, "fp32")
    packed = [module for module in engine.modules() if isinstance(module, inference.PackedConvolution)]
    assert packed and not any(isinstance(module, torch.nn.BatchNorm2d) for module in engine.modules())
    for size in ((1, 1), (37, 53), (300, 40), (100, 150)):
        pixels = photo(*size)
        expected = plain_logits(model, pixels)
        tolerance = 1e-5 * expected.abs().max().item()
        assert torch.allclose(engine(torch.from_numpy(pixels)), expected, rtol=0, atol=tolerance)
        mask, confidence, milliseconds = engine.label(pixels)
        assert mask.dtype == np.uint8 and confidence.dtype == np.float32 and milliseconds > 0
        assert (mask == expected.argmax(1)[0].numpy()).mean() > 0.999
        assert np.allclose(confidence, expected.softmax(1).amax(1)[0].numpy(), atol=1e-3)


def test_tiles_see_as_far_as_their_features():
    """The rows of the photo that move a feature of stride 8, found by gradients, are within the margin."""
    for kind in ("vgg16_bn", "resnet18"):
        model = network(**NETWORKS[kind])
        images = torch.rand(1, 3, 512, 32, requires_grad=True)
        features = model.encoder(images, until=8)[8]
        features[:, :, 32].sum().backward()
        rows = images.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        reach = max(32 * 8 - rows.min().item(), rows.max().item() - (33 * 8 - 1))
        assert 0 < reach <= Engine(model, "fp32").margin <= 64


@pytest.mark.parametrize("name", [info.name for info in catalog()])
def test_masks_in_bfloat16_are_those_of_float32(name):
    model = load(name)
    for example in examples():
        with Image.open(example.photo) as image:
            pixels = np.array(image.convert("RGB"))
        full, reduced = (segment(model, pixels, precision=precision) for precision in ("fp32", "bf16"))
        assert (full.precision, reduced.precision) == ("fp32", "bf16")
        assert (full.mask == reduced.mask).mean() > 0.995
        assert np.abs(full.confidence - reduced.confidence).mean() < 0.01


@pytest.mark.parametrize("native", [False, True])
def test_precision_follows_the_processor(native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    assert choose_precision("auto") == ("bf16" if native else "fp32")
    assert choose_precision("auto", "cuda") == "fp32" and choose_precision("bf16") == "bf16"
    assert segment(network(), photo(32, 32)).precision == choose_precision("auto")
    with pytest.raises(ValueError, match="fp16"):
        choose_precision("fp16")


def test_engine_is_made_once_and_again_when_weights_change():
    model, pixels = network(), photo(40, 56)
    first = engine_of(model, "fp32")
    assert engine_of(model, "fp32") is first and engine_of(first, "bf16") is first
    assert engine_of(model, "bf16").precision == "bf16"
    before = segment(model, pixels, precision="fp32").mask
    with torch.no_grad():
        model.score["8"].bias.add_(torch.tensor([1000.0, 0, 0, 0, 0]))
    assert (segment(model, pixels, precision="fp32").mask == 0).all() and not (before == 0).all()
    model.load_state_dict(network().state_dict())
    assert np.array_equal(segment(model, pixels, precision="fp32").mask, before)


def test_engine_follows_weights_that_count_no_changes():
    with torch.inference_mode():
        model = network()
        before = engine_of(model, "fp32")
        model.score["8"].bias.add_(1)
    assert torch.equal(engine_of(model, "fp32").network.score["8"].bias, before.network.score["8"].bias + 1)


def test_top_class_is_the_first_of_equals():
    logits = torch.tensor([[1.0, 2, 3], [1, 5, 3], [0, 5, 3]]).view(1, 3, 1, 3)
    mask, confidence = top_class(logits)
    assert mask.tolist() == [[[0, 1, 0]]] and mask.dtype == torch.uint8
    assert torch.allclose(confidence, logits.softmax(1).amax(1))
    many = torch.randn(2, 255, 5, 7, generator=torch.Generator().manual_seed(0))
    assert torch.equal(top_class(many)[0].long(), many.argmax(1))
