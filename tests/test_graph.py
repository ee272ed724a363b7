"""The portable graph against the network in torch: every variant, backbone, padding and upsampling, at odd sizes."""

import subprocess
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from zoo.checkpoints.folder import bundled_folder
from zoo.hub.catalog import load
from zoo.labels import CAMVID
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.graph import OUTPUTS, build_graph, score_map_outputs

TINY = {"backbone": "vgg16", "width": 0.0625, "head_channels": 16}
NORMED = TINY | {"backbone": "vgg16_bn", "head_kernel": 3, "head_batch_norm": True}
NETWORKS = {
    "vgg16": TINY,
    "vgg16_bn": NORMED,
    "phase and bgr": NORMED | {"phase": 3, "channel_order": "bgr", "mean": (0.4, 0.45, 0.5), "std": (0.2, 0.3, 0.25)},
    "largest phase": TINY | {"phase": 31},
    "paper": TINY | {"padding": "paper"},
    "paper, normed": TINY | {"backbone": "vgg16_bn", "head_batch_norm": True, "padding": "paper"},
    "at once": TINY | {"padding": "paper", "pool_scaling": True, "channel_order": "bgr"},
    "odd width": NORMED | {"width": 0.03},
}
RESNETS = ("resnet18", "resnet50", "resnet101")
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
SIZES = ((1, 1), (31, 33), (90, 64))
LARGE = ((360, 480), (361, 479))


def network(variant: str = "fcn8s", **settings) -> FCN:
    """A network whose every layer does something, as none does at its start; by default the tiny normed VGG-16."""
    torch.manual_seed(0)
    model = FCN(FCNConfig(variant=variant, classes=CAMVID.classes, **(settings or NORMED))).eval()
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight, std=0.2)
        torch.nn.init.normal_(layer.bias)
    with torch.no_grad():
        for layer in (*model.upsample.values(), model.upsample_output):
            if layer.learned:
                layer.weight.add_(0.02 * torch.randn_like(layer.weight))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.bias, -0.2, 0.2)
    return model


def arrays(model: FCN) -> dict[str, np.ndarray]:
    """The state dict as numpy arrays."""
    return {name: value.numpy() for name, value in model.state_dict().items()}


def session(graph: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """The graph in ONNX Runtime, whose warnings about shapes would be errors here."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(height).integers(0, 256, (height, width, 3), dtype=np.uint8)


def in_torch(model: FCN, pixels: np.ndarray) -> dict[str, np.ndarray]:
    """Logits and score maps (C, h, w) of the plain network."""
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        maps = {name.replace(" ", "_"): scores for name, scores in model.score_maps(images)}
        maps["logits"] = model(images)
    return {name: value[0].numpy() for name, value in maps.items()}


def compare(model: FCN, sizes, **options) -> None:
    """Every output of the graph against torch."""
    outputs = OUTPUTS + score_map_outputs(model.config)
    graph = build_graph(model.config, arrays(model), outputs=outputs, **options)
    onnx.checker.check_model(graph, full_check=True)
    runtime = session(graph)
    for size in sizes:
        pixels = photo(*size)
        found = dict(zip(outputs, runtime.run(outputs, {"photo": pixels}), strict=True))
        expected = in_torch(model, pixels)
        assert set(found) == {"mask", "confidence", *expected}
        for name, values in expected.items():
            assert found[name].shape == values.shape and found[name].dtype == np.float32
            np.testing.assert_allclose(found[name], values, rtol=0, atol=2e-5 * np.abs(values).max(), err_msg=name)
        compare_winner(found, expected["logits"])


def compare_winner(found: dict[str, np.ndarray], logits: np.ndarray) -> None:
    """Mask and confidence against the logits; another class may only win where it has as much, but for rounding."""
    mask, scale = found["mask"], np.abs(logits).max()
    assert mask.dtype == np.uint8 and mask.shape == logits.shape[1:]
    won = np.take_along_axis(logits, mask[None].astype(np.int64), 0)[0]
    assert (logits.max(0) - won).max() <= 1e-4 * scale
    assert (mask == logits.argmax(0)).mean() > 0.999
    expected = np.exp(logits - logits.max(0)).sum(0, dtype=np.float64) ** -1
    assert found["confidence"].dtype == np.float32
    np.testing.assert_allclose(found["confidence"], expected, rtol=0, atol=1e-4 * max(1, scale))


@pytest.mark.parametrize("upsampling", ["paper", "learned", "fixed"])
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("kind", NETWORKS)
def test_graph_is_the_network(kind, variant, upsampling):
    compare(network(variant, **NETWORKS[kind], upsampling=upsampling), SIZES)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", RESNETS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_of_a_resnet_is_the_network(variant, backbone):
    compare(network(variant, backbone=backbone, phase=5, channel_order="bgr"), SIZES)


@pytest.mark.parametrize("kind", ["vgg16_bn", "paper", "phase and bgr"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_graph_is_the_network_on_whole_photos(variant, kind):
    compare(network(variant, **NETWORKS[kind]), LARGE)


def test_graph_of_a_bundled_checkpoint_gives_its_masks():
    model = load("fcn8s-vgg16bn-w25-ce-camvid")
    pixels = np.kron(photo(12, 15), np.ones((30, 32, 1), np.uint8))
    mask, confidence = session(build_graph(model.config, arrays(model))).run(None, {"photo": pixels})
    logits = in_torch(model, pixels)["logits"]
    compare_winner({"mask": mask, "confidence": confidence}, logits)
    assert len(np.unique(mask)) > 3


def test_equal_logits_give_the_first_class():
    model = network()
    with torch.no_grad():
        for layer in model.score.values():
            layer.weight.zero_()
            layer.bias.zero_()
        model.score["8"].bias[[3, 7]] = 1
    mask, confidence = session(build_graph(model.config, arrays(model))).run(None, {"photo": photo(40, 50)})
    assert (mask == 3).all()
    np.testing.assert_allclose(confidence, np.e / (2 * np.e + 9), rtol=1e-6)


def test_sixteen_bits_are_those_of_the_weights():
    model = network(**TINY).half().float()
    model.fill_constants()
    compare(model, SIZES[:2], half=True)
    full, half = (build_graph(model.config, arrays(model), half=half) for half in (False, True))
    assert half.ByteSize() < 0.6 * full.ByteSize()
    with torch.no_grad():
        model.score["8"].weight[0, 0] = 1e5
    with pytest.raises(ValueError, match=r"score\.8\.weight.*65504"):
        build_graph(model.config, arrays(model), half=True)


def test_graph_holds_what_its_outputs_need_and_nothing_of_this_machine():
    model = network()
    graph = build_graph(model.config, arrays(model), outputs=("score_32",))
    names = {node.name for node in graph.graph.node}
    assert "score.32" in names and not names & {"upsample.32", "score.8", "index", "logits"}
    assert [value.name for value in graph.graph.output] == ["score_32"]
    whole = build_graph(model.config, arrays(model), metadata={"licence": "none"})
    sides = [side.dim_param or side.dim_value for side in whole.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["height", "width", 3]
    assert [(entry.key, entry.value) for entry in whole.metadata_props] == [("licence", "none")]
    assert not any(node.doc_string or node.metadata_props for node in whole.graph.node)
    weights = sum(parameter.numel() for parameter in model.parameters())
    assert whole.ByteSize() < 4 * weights + 20_000
    again = build_graph(model.config, arrays(model), metadata={"licence": "none"})
    assert again.SerializeToString(deterministic=True) == whole.SerializeToString(deterministic=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda state: state.pop("score.8.bias"), r"no tensor score\.8\.bias"),
        (lambda state: state.update(extra=np.zeros(1)), "not: extra"),
        (
            lambda state: state.update({"score.8.weight": np.zeros((11, 3, 1, 1))}),
            r"score\.8\.weight is \(11, 3, 1, 1\)",
        ),
        (lambda state: state["head.fc7.weight"].fill(np.nan), r"head\.fc7\.weight has numbers that are not finite"),
        (lambda state: state.pop("encoder.stages.0.1.running_var"), "running_var"),
    ],
)
def test_weights_that_do_not_fit_are_refused(change, words):
    model = network()
    state = arrays(model)
    change(state)
    with pytest.raises(ValueError, match=words):
        build_graph(model.config, state)


@pytest.mark.parametrize("outputs", [(), ("probability",), ("score_8",)])
def test_unknown_outputs_are_refused(outputs):
    model = network("fcn16s")
    with pytest.raises(ValueError, match="there are mask, confidence, logits, score_32, score_16, fused_16"):
        build_graph(model.config, arrays(model), outputs=outputs)


def test_graph_needs_no_torch():
    code = (
        "import sys; from safetensors.numpy import load_file; from zoo.checkpoints.folder import read_info;"
        "from zoo.models.graph import build_graph; folder = sys.argv[1];"
        "build_graph(read_info(folder).config, load_file(folder + '/model.safetensors'));"
        "sys.exit('torch' in sys.modules)"
    )
    folder = bundled_folder() / "fcn8s-vgg16bn-w25-ce-camvid"
    assert subprocess.run([sys.executable, "-c", code, str(folder)], cwd=bundled_folder().parents[2]).returncode == 0
