"""The engine behind `zoo.segment` against the plain network: score maps, tiles, precision, changed weights."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation import memory
from evaluation.measuring.cost import peak_memory
from zoo.hub.catalog import catalog, load
from zoo.images.examples import examples
from zoo.models import compiled, labelling, tiles, torch_engine
from zoo.models.compiled import CompiledEngine
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.graph import expected_shapes
from zoo.models.labelling import top_class
from zoo.models.preparation import choose_precision, engine_of, prepared
from zoo.models.segmentation import judge, segment
from zoo.models.torch_engine import FCNEngine
from zoo.places import REPOSITORY

EIGHT = "fcn8s-vgg16bn-w25-ce-camvid"
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


ENGINES = {"compiled": lambda model: prepared(model, "fp32"), "torch": lambda model: FCNEngine(model, "fp32")}


@pytest.mark.parametrize("made", ENGINES)
@pytest.mark.parametrize("variant", ["fcn32s", "fcn8s"])
@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("in_tiles", [False, True])
def test_engine_in_float32_is_the_network(kind, variant, made, in_tiles, monkeypatch):
    model = network(variant, **NETWORKS[kind])
    if in_tiles:  # as small as they may be, so that a small photo has several
        monkeypatch.setattr(tiles, "TILE_PIXELS", 1)
        monkeypatch.setattr(tiles, "TILE_COLUMNS", 32)
        monkeypatch.setattr(labelling, "STRIP_VALUES", 1)
        monkeypatch.setattr(labelling, "BLOCK_COLUMNS", 30)
    engine = ENGINES[made](model)
    assert isinstance(engine, CompiledEngine if made == "compiled" else FCNEngine) and engine.precision == "fp32"
    for size in ((100, 150),) if in_tiles else ((1, 1), (37, 53), (300, 40)):
        pixels = photo(*size)
        with torch.no_grad():
            maps = model.score_maps(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)
        found = engine.score_maps(pixels)
        assert [name for name, _ in found] == [name for name, _ in maps]
        for (name, scores), (_, wanted) in zip(found, maps, strict=True):
            assert scores.dtype == np.float32 and scores.shape == wanted.shape[1:], name
            assert np.allclose(scores, wanted[0], rtol=0, atol=1e-5 * wanted.abs().max().item()), name
        logits = plain_logits(model, pixels)
        for target in (size, (2 * size[0] + 1, 3 * size[1])):
            expected = torch.nn.functional.interpolate(logits, target, mode="bilinear")
            mask, confidence, milliseconds, distance = judge(engine, pixels, target)
            assert mask.dtype == np.uint8 and confidence.dtype == np.float32 and milliseconds > 0 and distance is None
            assert (mask == expected.argmax(1)[0].numpy()).mean() > 0.999
            assert np.allclose(confidence, expected.softmax(1).amax(1)[0].numpy(), atol=1e-3)


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_graph_needs_the_weights_of_the_network(kind):
    for variant in ("fcn32s", "fcn16s", "fcn8s"):
        model = network(variant, **NETWORKS[kind])
        assert expected_shapes(model.config) == {key: tuple(value.shape) for key, value in model.state_dict().items()}


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_refused(value):
    model = network()
    with torch.no_grad():
        model.encoder.stages[2][0].weight[0, 0, 0, 0] = value
    for make in ENGINES.values():
        with pytest.raises(ValueError, match="not finite"):
            make(model)
    model = network()
    with torch.no_grad():
        model.score["8"].bias.fill_(1e38)
        model.score["16"].bias.fill_(3e38)
        model.upsample["16"].weight.fill_(3e38)
    for make in ENGINES.values():
        with pytest.raises(ValueError, match="not finite"), np.errstate(all="ignore"):
            judge(make(model), photo(40, 56), (40, 56))


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_network_in_tiles_is_the_network(kind, monkeypatch):
    model, pixels = network("fcn8s", **NETWORKS[kind]), photo(150, 230)
    images = torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
    expected = plain_logits(model, pixels)
    with torch.no_grad():
        assert torch.equal(tiles.logits_in_tiles(model, images), expected)  # small enough to be seen whole
        monkeypatch.setattr(tiles, "TILE_PIXELS", 1)
        monkeypatch.setattr(tiles, "TILE_COLUMNS", 32)
        found = tiles.logits_in_tiles(model, images)
    assert torch.allclose(found, expected, rtol=0, atol=1e-5 * expected.abs().max().item())


def test_tiles_bound_the_memory_of_an_evaluation(capsys):
    assert memory.main([EIGHT, "--sizes", "360x480", "1024x2048", "1600x1600"]) == 0
    printed = [line.split()[1:] for line in capsys.readouterr().out.splitlines()[1:]]
    assert [line[0] for line in printed] == ["360x480", "1024x2048", "1600x1600"]
    (small, _), (wide, wide_whole), (square, square_whole) = ([int(cell) for cell in line[1:]] for line in printed)
    assert wide < 0.5 * wide_whole and square < 0.5 * square_whole
    logits, image = 4 * 11 * 1600**2 / 1e6, 4 * 3 * 1600**2 / 1e6
    assert logits + image < square < logits + image + small + 30  # a tile is three times a small image
    model, picture = load(EIGHT), torch.zeros(1, 3, 360, 480, dtype=torch.uint8)
    assert peak_memory(model, picture, torch.device("cpu"), "fp32") == pytest.approx(1e6 * small, rel=0.05)
    assert memory.main(["no-such-checkpoint"]) == 1
    with pytest.raises(SystemExit):
        memory.main([EIGHT, "--sizes", "large"])


def test_tiles_see_as_far_as_their_features():
    """The rows of the photo that move a feature of stride 8, found by gradients, are within the margin."""
    for kind in ("vgg16_bn", "resnet18"):
        model = network(**NETWORKS[kind])
        images = torch.rand(1, 3, 512, 32, requires_grad=True)
        features = model.encoder(images, until=8)[8]
        features[:, :, 32].sum().backward()
        rows = images.grad.abs().sum((0, 1, 3)).nonzero().flatten()
        reach = max(32 * 8 - rows.min().item(), rows.max().item() - (33 * 8 - 1))
        assert 0 < reach <= tiles.fine_margin(model.config) <= 64


@pytest.mark.slow
@pytest.mark.parametrize("name", [info.name for info in catalog()])
def test_masks_in_bfloat16_are_those_of_float32(name):
    model = load(name)
    for example in examples()[:5]:  # of the split that no checkpoint was trained on
        with Image.open(example.photo) as image:
            pixels = np.array(image.convert("RGB"))
        full, reduced = (segment(model, pixels, precision=precision) for precision in ("fp32", "bf16"))
        assert (full.precision, reduced.precision) == ("fp32", "bf16")
        assert (full.mask == reduced.mask).mean() > 0.995
        assert np.abs(full.confidence - reduced.confidence).mean() < 0.01


@pytest.mark.parametrize("native", [False, True])
@pytest.mark.parametrize("with_openvino", [False, True])
def test_precision_follows_the_processor(native, with_openvino, monkeypatch):
    monkeypatch.setattr(compiled, "is_available", lambda: with_openvino)
    monkeypatch.setattr(compiled if with_openvino else torch_engine, "multiplies_bfloat16", lambda: native)
    assert choose_precision("auto") == ("bf16" if native else "fp32")
    assert choose_precision("auto", "cuda") == "fp32" and choose_precision("bf16") == "bf16"
    assert compiled.can_run("fp32") == with_openvino and compiled.can_run("bf16") == (native and with_openvino)
    with pytest.raises(ValueError, match="fp16"):
        choose_precision("fp16")


@pytest.mark.parametrize("native", [False, True])
def test_torch_is_asked_whether_it_multiplies_bfloat16(native, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True, raising=False)
    assert torch_engine.multiplies_bfloat16() is native
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: False, raising=False)
    assert torch_engine.multiplies_bfloat16() is False


def test_without_openvino_torch_segments(monkeypatch):
    model, pixels = network(), photo(72, 104)
    expected = segment(model, pixels, precision="fp32").mask
    monkeypatch.setattr(compiled, "is_available", lambda: False)
    other = network()
    assert isinstance(engine_of(other, "fp32"), FCNEngine)
    assert (segment(other, pixels, precision="fp32").mask == expected).mean() > 0.9999


@pytest.mark.slow
@pytest.mark.parametrize("with_openvino", [False, True])
def test_a_processor_that_onednn_may_not_use_whole_still_segments(with_openvino):
    """ONEDNN_MAX_CPU_ISA=AVX2 leaves bfloat16 out of torch, whatever the processor could do."""
    code = "import numpy as np, zoo; from zoo.models import compiled, preparation\n"
    code += "" if with_openvino else "compiled.is_available = lambda: False\n"
    code += "model = zoo.load('fcn8s-vgg16bn-w25-ce-camvid')\n"
    code += "done = zoo.segment(model, np.zeros((40, 56, 3), np.uint8))\n"
    code += "print(done.precision, done.precision == preparation.choose_precision('auto'), done.mask.shape)"
    environment = os.environ | {"ONEDNN_MAX_CPU_ISA": "AVX2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("True (40, 56)\n") and (with_openvino or done.stdout.startswith("fp32"))


def test_nobody_is_told_of_the_use(tmp_path):
    """OpenVINO 2026.4 tells its maker of every import, unasked, and stores an identifier below the home folder."""
    code = "import numpy as np, sys, zoo; model = zoo.load('fcn8s-vgg16bn-w25-ce-camvid')\n"
    code += "zoo.segment(model, np.zeros((40, 56, 3), np.uint8))\n"
    code += "print('openvino' in sys.modules, sys.modules['openvino_telemetry'])"
    environment = os.environ | {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=REPOSITORY, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "True None\n"), done.stderr
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


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
        model, pixels = network(), photo(40, 56)
        before = engine_of(model, "fp32").score_maps(pixels)[-1][1]
        model.score["8"].bias.add_(1)
    assert np.allclose(engine_of(model, "fp32").score_maps(pixels)[-1][1], before + 1, atol=1e-4)


def test_engine_follows_the_number_of_threads():
    model, threads = network(), torch.get_num_threads()
    first = engine_of(model, "fp32")
    try:
        torch.set_num_threads(3 - min(threads, 2))
        assert engine_of(model, "fp32") is not first
    finally:
        torch.set_num_threads(threads)


class Counted:
    """A compiled network whose releases of memory are counted."""

    def __init__(self, network):
        self.network, self.outputs, self.released = network, network.outputs, 0

    def __call__(self, *inputs):
        return self.network(*inputs)

    def release_memory(self):
        self.released += 1
        self.network.release_memory()


def test_what_a_large_photo_needed_is_not_kept(monkeypatch):
    engine, large, small = prepared(network(), "fp32"), photo(128, 160), photo(40, 56)
    engine.fine, engine.coarse = Counted(engine.fine), Counted(engine.coarse)
    monkeypatch.setattr(tiles, "TILE_PIXELS", 10_000)
    engine.score_maps(small)
    assert (engine.fine.released, engine.coarse.released) == (0, 0)
    before = engine.score_maps(large)
    assert (engine.fine.released, engine.coarse.released) == (1, 1)
    for (_, first), (_, again) in zip(before, engine.score_maps(large), strict=True):
        assert np.array_equal(first, again)


@pytest.mark.parametrize("in_tiles", [False, True])
def test_threads_that_share_an_engine_get_the_masks_of_one(in_tiles, monkeypatch):
    if in_tiles:
        monkeypatch.setattr(tiles, "TILE_PIXELS", 10_000)
    engine = prepared(network(), "fp32")
    assert isinstance(engine, CompiledEngine)
    photos = [photo(128 + 8 * number, 160) for number in range(4)] * 8
    expected = [segment(engine, pixels).mask for pixels in photos]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda pixels: segment(engine, pixels).mask, photos))
    assert all(map(np.array_equal, found, expected))


def test_numpys_threads_do_not_spin_beside_the_network(monkeypatch):
    """OpenBLAS 0.3.31 waits for its next product by spinning, which took OpenVINO a third of its time."""
    seen, threads = [], [part["num_threads"] for part in labelling.blas().info()]
    plain = labelling.top_class
    monkeypatch.setattr(labelling, "top_class", lambda logits: seen.append(labelling.blas().info()) or plain(logits))
    segment(network(), photo(40, 56), precision="fp32")
    assert seen and all(part["num_threads"] == 1 for parts in seen for part in parts)
    assert [part["num_threads"] for part in labelling.blas().info()] == threads


def test_the_last_of_overlapping_products_gives_numpy_its_threads_back():
    threads = [part["num_threads"] for part in labelling.blas().info()]
    with ExitStack() as first, ExitStack() as second:
        first.enter_context(labelling.one_blas_thread())
        second.enter_context(labelling.one_blas_thread())
        first.close()
        assert all(part["num_threads"] == 1 for part in labelling.blas().info())
        second.close()
    assert [part["num_threads"] for part in labelling.blas().info()] == threads


def test_strips_labelled_by_several_threads_are_those_of_one(monkeypatch):
    monkeypatch.setattr(labelling, "STRIP_VALUES", 4000)
    scores = np.random.default_rng(0).standard_normal((11, 12, 16)).astype(np.float32)
    names, plain = set(), labelling.top_class

    def noted(logits):
        names.add(threading.current_thread().name)
        return plain(logits)

    monkeypatch.setattr(labelling, "top_class", noted)
    alone = labelling.Output(1).label(scores, (12, 16), (700, 900))
    assert names == {threading.current_thread().name}
    together = labelling.Output(3).label(scores, (12, 16), (700, 900))
    assert len(names) > 2 and all(map(np.array_equal, alone, together))
    scores[5, 8, 8] = np.nan
    with pytest.raises(ValueError, match="not finite"):
        labelling.Output(3).label(scores, (12, 16), (700, 900))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
def test_a_forked_process_labels_with_threads_of_its_own():
    """ZeroGPU forks a process for each photo, and threads stay behind."""
    code = """
import os, numpy as np
from zoo.models import labelling
labelling.STRIP_VALUES = 1000
scores = np.random.default_rng(0).standard_normal((11, 12, 16)).astype(np.float32)
label = lambda: labelling.Output(2).label(scores, (12, 16), (120, 160))[0]
before = label()
child = os.fork()
if child == 0:
    os._exit(0 if np.array_equal(label(), before) else 3)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", code]
    assert subprocess.run(command, cwd=REPOSITORY, timeout=120).returncode == 0


@pytest.mark.parametrize(("asked", "used"), [(1, 1), (3, 3), (0, labelling.available_processors())])
def test_an_engines_threads_label_too(asked, used):
    model = network()
    weights = {name: value.detach().float().numpy() for name, value in model.state_dict().items()}
    assert CompiledEngine(model.config, weights, "fp32", threads=asked).output.threads == used


def test_top_class_is_the_first_of_equals():
    logits = np.array([[1.0, 2, 3], [1, 5, 3], [0, 5, 3]], np.float32).reshape(3, 1, 3)
    expected = torch.from_numpy(logits).softmax(0).amax(0).numpy()
    mask, confidence = top_class(logits)
    assert mask.tolist() == [[0, 1, 0]] and mask.dtype == np.uint8
    assert np.allclose(confidence, expected)
    many = np.random.default_rng(0).standard_normal((255, 5, 7)).astype(np.float32)
    assert np.array_equal(top_class(many.copy())[0], many.argmax(0))
