"""The network against independent answers: torch's interpolation, the published crop arithmetic, torchvision's VGG."""

import shutil

import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import nn

from zoo.config import BACKBONES, VARIANTS, FCNConfig
from zoo.labels import CAMVID
from zoo.models.backbones import Stage, build_encoder
from zoo.models.fcn import FCN, Upsampling

TINY = {"backbone": "vgg16", "width": 0.0625, "head_channels": 8, "classes": ("a", "b", "c")}


def give_scores(model: FCN, seed: int = 1) -> FCN:
    """Random score layers in place of zeros, so that outputs say something."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for layer in model.score.values():
            layer.weight.normal_(generator=generator)
            layer.bias.normal_(generator=generator)
    return model.eval()


@pytest.mark.parametrize("backbone", BACKBONES)
@pytest.mark.parametrize("variant", VARIANTS)
def test_every_combination_keeps_the_size_of_any_image(variant, backbone):
    narrow = {"width": 0.0625, "head_channels": 8, "head_kernel": 3} if backbone.startswith("vgg") else {}
    model = FCN(FCNConfig(variant=variant, backbone=backbone, classes=("a", "b"), **narrow)).eval()
    for height, width in ((1, 1), (33, 50)):
        with torch.inference_mode():
            assert model(torch.rand(1, 3, height, width)).shape == (1, 2, height, width)


@pytest.mark.parametrize("variant", VARIANTS)
def test_paper_padding_keeps_the_size_of_any_image(variant):
    model = FCN(FCNConfig(variant=variant, padding="paper", **TINY)).eval()
    for height, width in ((1, 1), (33, 50), (64, 97)):
        with torch.inference_mode():
            assert model(torch.rand(1, 3, height, width)).shape == (1, 3, height, width)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_strides_are_recorded_as_measured(backbone):
    encoder = build_encoder(backbone).eval()
    with torch.inference_mode():
        features = encoder(torch.rand(1, 3, 64, 96))
    for stride, channels in zip(encoder.strides, encoder.channels, strict=True):
        assert features[stride].shape == (1, channels, 64 // stride, 96 // stride)
    assert {8, 16, 32} <= set(features)


@pytest.mark.parametrize("learned", [True, False])
@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_upsampling_starts_as_bilinear_interpolation(factor, learned):
    scores = torch.rand(2, 3, 4, 5)
    upsampled = Upsampling(3, factor, learned=learned, padded=True)(scores)
    expected = F.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(upsampled, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(5, 7), (1, 3)])
def test_gradient_of_fixed_upsampling_is_torchs_own(size, dtype):
    generator = torch.Generator().manual_seed(0)
    scores = torch.randn(2, 3, *size, generator=generator).to(dtype).requires_grad_()
    found = Upsampling(3, 8, learned=False, padded=True)(scores)
    wanted = F.interpolate(scores.float(), scale_factor=8.0, mode="bilinear", align_corners=False)
    weights = torch.randn(wanted.shape, generator=generator)
    gradients = [torch.autograd.grad((logits * weights).sum(), scores)[0] for logits in (found, wanted)]
    assert found.dtype == torch.float32 and torch.equal(found, wanted)
    tolerance = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(gradients[0], gradients[1], rtol=tolerance, atol=1e-4)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_a_stage_computes_what_its_layers_do_in_their_order(ceil_mode):
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3, padding=1)]
    layers += [nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2, ceil_mode=ceil_mode)]
    images, found = torch.randn(2, 3, 17, 18), []
    for stage in (Stage(*layers), nn.Sequential(*layers)):
        stage.zero_grad()
        features = stage(images)
        features.square().sum().backward()
        found.append([features.detach(), *(parameter.grad for parameter in stage.parameters())])
    assert len(found[0]) == 7 and all(map(torch.equal, *found))


@pytest.mark.parametrize("learned", [True, False])
def test_published_upsampling_is_bilinear_inside(learned):
    scores = torch.rand(1, 2, 6, 7)
    upsampled = Upsampling(2, 4, learned=learned, padded=False)(scores)
    expected = F.interpolate(scores, scale_factor=4, mode="bilinear", align_corners=False)
    assert upsampled.shape == (1, 2, 28, 32)
    torch.testing.assert_close(upsampled[..., 6:-6, 6:-6], expected[..., 4:-4, 4:-4])


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="torch's compiler needs a C++ compiler")
def test_learned_upsampling_is_compiled_with_its_gradient(monkeypatch, tmp_path):
    """torch 2.14 says of the gradient of F.pad's replicated edges that it has strides which it has not."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    score = torch.nn.Conv2d(4, 3, 1).to(memory_format=torch.channels_last)
    network = torch.nn.Sequential(score, Upsampling(3, 2, learned=True, padded=True))
    features = torch.rand(2, 4, 5, 5).to(memory_format=torch.channels_last)
    gradients = []
    for function in (network, torch.compile(network)):
        network.zero_grad()
        function(features).square().sum().backward()
        gradients.append(score.weight.grad)
    torch.testing.assert_close(*gradients)


def test_fusion_is_the_papers():
    """Against the sum written out with F.interpolate; fusing before sizes agree, or leaving pool3 out, fails this."""
    model = give_scores(FCN(FCNConfig(variant="fcn8s", head_kernel=3, **TINY)))
    image = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        features = model.encoder((image - model.mean) / model.std)
        twice = {"scale_factor": 2, "mode": "bilinear", "align_corners": False}
        scores = model.score["32"](model.head(features[32]))
        scores = F.interpolate(scores, **twice) + model.score["16"](features[16])
        scores = F.interpolate(scores, **twice) + model.score["8"](features[8])
        expected = F.interpolate(scores, scale_factor=8, mode="bilinear", align_corners=False)
        logits = model(image)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert logits.min() < 0 < logits.max()  # no ReLU on the output


@pytest.mark.parametrize("variant", VARIANTS)
def test_coarser_variant_is_the_finer_one_without_its_skip(variant):
    coarser = {"fcn8s": "fcn16s", "fcn16s": "fcn32s"}.get(variant)
    if coarser is None:
        assert [name for name, _ in FCN(FCNConfig(variant=variant, **TINY)).score_maps(torch.rand(1, 3, 32, 32))] == [
            "score 32"
        ]
        return
    fine = give_scores(FCN(FCNConfig(variant=variant, **TINY)))
    coarse = FCN(FCNConfig(variant=coarser, **TINY)).eval()
    last = fine.score[str(fine.strides[-1])]
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    shared = coarse.state_dict()
    coarse.load_state_dict({key: fine.state_dict()[key] for key in shared})
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        stages = dict(fine.score_maps(image)), dict(coarse.score_maps(image))
    stride = coarse.strides[-1]
    name = f"fused {stride}" if stride < 32 else "score 32"
    torch.testing.assert_close(stages[0][name], stages[1][name])
    # Bilinear twice is not bilinear by four, but both leave a constant map as it is.
    assert stages[0][f"fused {fine.strides[-1]}"].shape[-1] == 2 * stages[1][name].shape[-1]


@pytest.mark.parametrize("variant", VARIANTS)
def test_paper_and_same_padding_agree_in_the_middle(variant):
    """Same weights, the input of `same` shifted by 3 pixels: 99 mod 32 is where the paper's pools sample."""
    torch.manual_seed(0)
    narrow = TINY | {"width": 0.05}
    paper = give_scores(FCN(FCNConfig(variant=variant, padding="paper", **narrow)))
    same = FCN(FCNConfig(variant=variant, phase=3, **narrow)).eval()
    same.load_state_dict(paper.state_dict())
    unshifted = FCN(FCNConfig(variant=variant, **narrow)).eval()
    unshifted.load_state_dict(paper.state_dict())
    image = torch.rand(1, 3, 992, 1000)
    with torch.inference_mode():
        middle = (..., slice(440, 552), slice(440, 560))
        expected = paper(image)[middle]
        torch.testing.assert_close(same(image)[middle], expected, rtol=1e-4, atol=1e-4)
        shifted = F.pad(image, (3, 0, 3, 0), value=0.5)
        torch.testing.assert_close(unshifted(shifted)[..., 3:, 3:][middle], expected, rtol=1e-4, atol=1e-4)
        assert (unshifted(image)[middle] - expected).abs().max() > 1e-2  # without the shift they do differ


@pytest.mark.slow
def test_imagenet_weights_are_transplanted_with_biases():
    """The convolutional fc6 and fc7 give what torchvision's classifier gives for one 224 x 224 image."""
    torch.manual_seed(0)
    vgg = torchvision.models.vgg16(weights=None).eval()
    for index in (0, 3):
        torch.nn.init.normal_(vgg.classifier[index].bias)
    model = FCN(FCNConfig(variant="fcn32s", backbone="vgg16", classes=("a",), padding="paper")).eval()
    model.transplant_backbone(vgg.state_dict())
    image = torch.rand(1, 3, 224, 224)
    with torch.inference_mode():
        features = vgg.features(image)
        expected = vgg.classifier[:5](features.flatten(1))
        torch.testing.assert_close(model.head(features)[:, :, 0, 0], expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("backbone", ["vgg16_bn", "resnet18", "resnet50"])
def test_imagenet_weights_fit_every_encoder(backbone):
    source = getattr(torchvision.models, backbone)(weights=None).eval()
    for module in source.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    model = FCN(FCNConfig(backbone=backbone, classes=("a",), **({"head_channels": 8} if "vgg" in backbone else {})))
    model.transplant_backbone(source.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        if backbone == "vgg16_bn":
            expected = source.features(image)
        else:
            stem = source.maxpool(source.relu(source.bn1(source.conv1(image))))
            expected = source.layer4(source.layer3(source.layer2(source.layer1(stem))))
        torch.testing.assert_close(model.encoder.eval()(image)[32], expected)


@pytest.mark.parametrize("prefix", ["features.", ""])
def test_an_encoder_alone_is_matched_by_name_in_any_order(prefix):
    """Sorted, 'features.10' stands before 'features.2'."""
    torch.manual_seed(1)
    source = torchvision.models.vgg16(weights=None).eval().features
    state = {f"{prefix}{name}": value.half() for name, value in sorted(source.state_dict().items())}
    model = FCN(FCNConfig(backbone="vgg16", classes=("a",), head_channels=8))
    head = model.head.fc6.weight.clone()
    model.transplant_backbone(state)
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model.encoder(image)[32], source.half().float()(image))
    assert torch.equal(model.head.fc6.weight, head)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state.pop("features.17.bias"),
            r"features\.17\.bias is missing \(1 of the 26 tensors of",
        ),
        (lambda state: state.update({"features.30.weight": torch.ones(1)}), r"features\.30\.weight is no tensor of"),
        (lambda state: state.update({"features.0.bias": torch.ones(7)}), r"features\.0\.bias is \(7,\), but .*\(64,\)"),
    ],
)
def test_an_encoder_that_does_not_fit_names_the_tensor_and_changes_nothing(change, message):
    state = torchvision.models.vgg16(weights=None).state_dict()
    change(state)
    model = FCN(FCNConfig(backbone="vgg16", classes=("a",), head_channels=8))
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(ValueError, match=message):
        model.transplant_backbone(state)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_imagenet_weights_of_another_backbone_are_refused():
    model = FCN(FCNConfig(backbone="resnet18", classes=("a",)))
    with pytest.raises(ValueError, match=r"layer1\.0\.conv3\.weight is no tensor of resnet18"):
        model.transplant_backbone(torchvision.models.resnet50(weights=None).state_dict())


def test_initialisation_keeps_the_signal_and_starts_from_zero_scores():
    """He initialisation: 15 convolutions deep the variance stays within a factor of what came in."""
    torch.manual_seed(0)
    model = FCN(FCNConfig(backbone="vgg16", width=0.5, head_channels=512, classes=CAMVID.classes)).eval()
    with torch.inference_mode():
        image = torch.randn(1, 3, 256, 256) * model.std + model.mean
        features = model.head(model.encoder(model.normalise(image))[32])
        assert 0.2 < features.std() < 20
        assert model(image).abs().max() == 0
    wrong = torch.nn.init.kaiming_uniform_(model.head.fc6.weight, a=5**0.5).std()
    assert FCN(model.config).head.fc6.weight.std() > 2 * wrong  # torch's own default would shrink it at every layer


def test_dropout_is_element_wise():
    head = FCN(FCNConfig(classes=("a",), head_channels=8)).head
    assert [type(module) for module in head if "Dropout" in type(module).__name__] == [torch.nn.Dropout] * 2


def test_at_once_scaling_is_applied_before_the_score():
    plain = give_scores(FCN(FCNConfig(variant="fcn8s", **TINY)))
    scaled = FCN(FCNConfig(variant="fcn8s", pool_scaling=True, **TINY)).eval()
    scaled.load_state_dict(plain.state_dict())
    image = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        before, after = dict(plain.score_maps(image)), dict(scaled.score_maps(image))
        for stride, factor in ((16, 0.01), (8, 0.0001)):
            bias = plain.score[str(stride)].bias[None, :, None, None]
            scaled_map = (before[f"score {stride}"] - bias) * factor + bias
            torch.testing.assert_close(after[f"score {stride}"], scaled_map)


@pytest.mark.parametrize(
    ("upsampling", "learned"), [("paper", ["32", "16"]), ("learned", ["32", "16", "output"]), ("fixed", [])]
)
def test_learned_upsampling_is_in_the_state_dict(upsampling, learned):
    keys = FCN(FCNConfig(upsampling=upsampling, **TINY)).state_dict()
    found = [key for key in keys if key.startswith("upsample")]
    assert found == [f"upsample_{name}.weight" if name == "output" else f"upsample.{name}.weight" for name in learned]


def test_bgr_weights_see_bgr():
    rgb = give_scores(FCN(FCNConfig(**TINY)))
    values = {"mean": rgb.config.mean[::-1], "std": rgb.config.std[::-1]}
    bgr = FCN(FCNConfig(channel_order="bgr", **values, **TINY)).eval()
    state = rgb.state_dict()
    state["encoder.stages.0.0.weight"] = state["encoder.stages.0.0.weight"].flip(1)
    bgr.load_state_dict(state)
    image = torch.rand(1, 3, 40, 40)
    with torch.inference_mode():
        torch.testing.assert_close(bgr(image), rgb(image), rtol=1e-4, atol=1e-4)


def test_mean_and_std_are_in_the_model_but_not_in_the_checkpoint():
    model = FCN(FCNConfig(**TINY))
    assert {"mean", "std"} <= dict(model.named_buffers()).keys()
    assert not {"mean", "std"} & model.state_dict().keys()


def test_configuration_survives_json():
    import json

    config = FCNConfig(variant="fcn16s", phase=3, **TINY)
    assert FCNConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"variant": "fcn4s"}, "variant"),
        ({"variant": 8}, "variant: needs str"),
        ({"backbone": "vgg19"}, "backbone"),
        ({"classes": ()}, "classes"),
        ({"classes": "ab"}, "classes: needs a list of str"),
        ({"classes": ("a", "a")}, "classes"),
        ({"classes": (1, 2)}, "classes"),
        ({"width": 0}, "width"),
        ({"width": float("nan")}, "width"),
        ({"width": "1"}, "width: needs float"),
        ({"head_channels": 10**9}, "head_channels"),
        ({"head_channels": 8.5}, "head_channels: needs int"),
        ({"head_channels": True}, "head_channels: needs int"),
        ({"head_kernel": 4}, "head_kernel"),
        ({"dropout": 1.0}, "dropout"),
        ({"padding": "valid"}, "padding"),
        ({"padding": "paper", "head_kernel": 3}, "crop offsets"),
        ({"phase": 32}, "phase"),
        ({"mean": (0.5, 0.5)}, "mean"),
        ({"std": (0, 1, 1)}, "std"),
        ({"std": ("1", 1, 1)}, "std: needs a list of float"),
        ({"backbone": "resnet18", "width": 0.5}, "width 1.0"),
        ({"backbone": "resnet18", "padding": "paper"}, "padding 'same'"),
        ({"upsampling": "nearest"}, "upsampling"),
        ({"channel_order": "hsv"}, "channel_order"),
        ({"learning_rate": 1.0}, "unknown field 'learning_rate'"),
    ],
)
def test_wrong_fields_are_named(changes, message):
    with pytest.raises(ValueError, match=message):
        FCNConfig.from_dict({"variant": "fcn8s", "classes": ["a", "b"]} | changes)
