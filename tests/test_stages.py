"""The view into the ladder: blocks of the right size and place, and the output that the network gives."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from zoo.models.fcn import FCN, FCNConfig
from zoo.models.score_maps import stages, summands
from zoo.models.segmentation import segment


@pytest.fixture
def photo() -> Image.Image:
    """A noisy 96 x 64 photo."""
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 96, 3), np.uint8))


@pytest.mark.parametrize(
    ("variant", "names"),
    [
        ("fcn32s", ["score 32", "output"]),
        ("fcn16s", ["score 32", "score 16", "fused 16", "output"]),
        ("fcn8s", ["score 32", "score 16", "fused 16", "score 8", "fused 8", "output"]),
    ],
)
def test_every_rung_is_there_and_the_last_is_the_mask(make_model, photo, variant, names):
    model = make_model(variant)
    found = stages(model, photo)
    assert [stage.name for stage in found] == names
    assert all(stage.mask.shape == (64, 96) and stage.confidence.max() <= 1 for stage in found)
    np.testing.assert_array_equal(found[-1].mask, segment(model, photo).mask)


def test_a_rung_is_its_score_map_in_blocks(make_model, photo):
    model = make_model("fcn8s")
    images = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        maps = dict(model.score_maps(images))
    for stage in stages(model, photo, precision="fp32")[:-1]:
        expected = F.interpolate(maps[stage.name], scale_factor=stage.stride, mode="nearest")[0].argmax(0)
        np.testing.assert_array_equal(stage.mask, expected.numpy())


@pytest.mark.parametrize("settings", [{"padding": "paper"}, {"phase": 3}])
def test_blocks_stand_where_the_pools_sample(settings):
    """A network whose only answer is 'brighter than average?' must flip at the photo's edge in every rung."""
    config = FCNConfig(
        variant="fcn8s", backbone="vgg16", width=0.02, head_channels=2, classes=("dark", "light"), **settings
    )
    model = FCN(config).eval()
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.Conv2d):
                module.weight.zero_()
                centre = module.kernel_size[0] // 2
                module.weight[0, 0, centre, centre] = 1
        for layer in model.score.values():
            layer.weight.zero_()
            layer.weight[1, 0] = 1
            layer.bias[0] = 0.5
    pixels = np.zeros((320, 640, 3), np.uint8)
    pixels[:, 320:] = 255
    for stage in stages(model, Image.fromarray(pixels))[:-1]:
        middle = stage.mask[160]
        edge = int(np.flatnonzero(middle == 1)[0])
        # The block that holds pixel 320 on the shifted grid starts at most one stride before it.
        assert middle[:edge].max() == 0 and middle[edge:].min() == 1, stage.name
        assert 320 - stage.stride < edge <= 320 and (edge + 3) % stage.stride == 0, stage.name


@pytest.mark.parametrize("variant", ["fcn32s", "fcn16s", "fcn8s"])
@pytest.mark.parametrize("settings", [{}, {"padding": "paper", "head_kernel": 7}])
def test_summands_add_up_and_their_last_mask_is_the_networks(make_model, photo, variant, settings):
    model = make_model(variant, **settings)
    for module in model.upsample.values():
        torch.nn.init.normal_(module.weight, std=0.05)
    found = summands(model, photo, precision="fp32")
    images = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        *_, (_, last) = model.score_maps(images)
    np.testing.assert_allclose(sum(found.carried.values()), last[0].numpy(), atol=1e-4)
    np.testing.assert_array_equal(found.masks[found.stride], segment(model, photo, precision="fp32").mask)
    assert list(found.masks) == list(model.strides) and found.stride == model.strides[-1]


def test_the_first_running_sum_is_the_deepest_scores_enlarged(make_model, photo):
    model = make_model("fcn8s")  # whose upsampling is bilinear still
    images = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        scores = dict(model.score_maps(images))["score 32"]
    for factor in (2, 2, 8):
        scores = F.interpolate(scores, scale_factor=factor, mode="bilinear", align_corners=False)
    found = summands(model, photo, precision="fp32").masks[32]
    assert (found == scores[0].argmax(0).numpy()).mean() > 0.999  # ties that rounding tips
