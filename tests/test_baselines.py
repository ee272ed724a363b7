"""torchvision's networks beside the FCNs: their facts, their download in every failure, the page, the evaluation.

The weights are random; the address they come from is a server on the loopback.
"""

import hashlib
import json
import time
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
import torchvision
from hub_client import hasty
from page_reading import PATIENCE, serious_findings
from page_server import GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image
from playwright.sync_api import expect

from evaluation.__main__ import main as evaluate
from evaluation.benchmark.ports import silent_port
from evaluation.board.rows import payload
from evaluation.board.submission import check_submission
from evaluation.measuring.results import read_document
from evaluation.measuring.sources import ClassMismatchError, match_classes, open_source
from zoo.checkpoints.information import CheckpointError
from zoo.hub import torchvision_weights as baselines
from zoo.hub.catalog import Catalog, load
from zoo.hub.requests import HubError, HubUnreachable
from zoo.hub.settings import HubSettings
from zoo.hub.torchvision_weights import (
    TORCHVISION,
    Baseline,
    baseline_info,
    baseline_infos,
    load_baseline,
    weights_path,
)
from zoo.images.photo import decode_image
from zoo.labels import CAMVID, PASCAL_VOC, LabelSet
from zoo.models.segmentation import segment
from zoo.page.comparison import Comparison, Segmenter, choose, presets
from zoo.page.controls import picker_value
from zoo.page.offer import Offer
from zoo.page.values import inside_choices, viewer_value

pytestmark = GRADIO_WARNINGS
expect.set_options(timeout=PATIENCE)
NAME = "torchvision:lraspp_mobilenet_v3_large"


@pytest.fixture(scope="module")
def network():
    """LR-ASPP with random weights that give every pixel an answer of its own."""
    torch.manual_seed(0)
    return torchvision.models.get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None).eval()


@pytest.fixture
def published(hub, network, tmp_path, monkeypatch):
    """The network's weights at an address of the loopback; returns the name of the file there."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    content = (tmp_path / "weights.pth").read_bytes()
    file = f"lraspp-{hashlib.sha256(content).hexdigest()[:8]}.pth"
    hub.add("pytorch/models", {file: content})
    facts = {"file": file, "megabytes": len(content) / 2**20}
    monkeypatch.setitem(TORCHVISION, "lraspp_mobilenet_v3_large", replace(TORCHVISION[NAME[12:]], **facts))
    monkeypatch.setattr(baselines, "ADDRESS", "/pytorch/models/resolve/main/")
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return file


# -- facts


@pytest.mark.parametrize("name", TORCHVISION)
def test_facts_are_torchvisions_own(name):
    weights = torchvision.models.get_model_weights(name).DEFAULT
    baseline, info = TORCHVISION[name], baseline_info(f"torchvision:{name}")
    assert weights.url == baselines.ADDRESS + baseline.file and weights.name == info.revision
    assert (weights.meta["num_params"], weights.meta["_file_size"]) == (baseline.parameters, baseline.megabytes)
    assert match_classes(PASCAL_VOC, tuple(weights.meta["categories"]), name) == list(range(21))
    preset = weights.transforms()
    assert (tuple(preset.mean), tuple(preset.std)) == (info.config.mean, info.config.std)
    assert f"{info.variant}_{info.backbone}" == name and weights.url.startswith("https://")


@pytest.mark.parametrize("name", ["fcn_resnet50", "deeplabv3_resnet50"])
def test_structure_takes_torchvisions_weights(name):
    from zoo.checkpoints.folder import weightless

    with torch.device("meta"):
        auxiliary = torchvision.models.get_model(name, weights=None, weights_backbone=None, aux_loss=True)
    ours = weightless(baseline_info(f"torchvision:{name}").config).network.state_dict()
    assert {key: value.shape for key, value in auxiliary.state_dict().items()} == {
        key: value.shape for key, value in ours.items()
    }


# -- loading


def test_a_baseline_is_downloaded_once_and_gives_torchvisions_logits(hub, published, network):
    seen = []
    model = load_baseline(NAME, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1][0] == seen[-1][1] == weights_path(NAME).stat().st_size
    assert set(hub.tokens) == {None}, "the Hub's token goes nowhere else"
    hub.requests.clear()
    again = load(NAME)
    assert not hub.requests and not again.training and again.info.name == NAME
    for size in ((33, 47), (1, 1)):
        images = torch.rand(1, 3, *size)
        mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
        with torch.inference_mode():
            expected = network((images - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))["out"]
            torch.testing.assert_close(model(images), expected)
            torch.testing.assert_close(again(images), expected)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("hang", "has not answered"),
        ("500", "status 500"),
        ("404", "not found"),
        ("429", "in 7 s"),
        ("cut", "broke off"),
        ("corrupt", "arrived damaged"),
        ("loop", "circle"),
    ],
)
def test_a_download_that_fails_says_why_and_leaves_nothing(hub, settings, published, kind, words):
    hub.fault("pytorch", kind)
    begin = time.monotonic()
    with pytest.raises(HubError, match=words):
        load_baseline(NAME, settings=hasty(settings, kind))
    assert time.monotonic() - begin < 15
    assert not [path for path in weights_path(NAME).parent.glob("*") if path.is_file()]


def test_a_network_that_swallows_packets_gives_its_reason(settings, published):
    with silent_port() as endpoint, pytest.raises(HubUnreachable, match=r"has not answered for 0\.5 s"):
        load_baseline(NAME, settings=replace(settings, endpoint=endpoint, answer_seconds=0.5))


def test_damaged_and_foreign_files_are_refused(settings, published, monkeypatch):
    load_baseline(NAME, settings=settings)
    path = weights_path(NAME)
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(HubError, match="damaged; delete it"):
        load_baseline(NAME, settings=settings)
    torch.save({"weight": torch.zeros(3)}, path)
    start = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
    other = Baseline("lraspp", "mobilenet_v3_large", f"other-{start}.pth", 1.0, 1)
    path.rename(path.with_name(other.file))
    monkeypatch.setitem(TORCHVISION, NAME[12:], other)
    with pytest.raises(HubError, match="does not fit"):
        load_baseline(NAME, settings=settings)


def test_unknown_names_list_the_choices():
    with pytest.raises(CheckpointError, match=r"there are: torchvision:fcn_resnet50, .*lraspp"):
        load("torchvision:fcn_resnet5000")


# -- catalog and page


def test_the_catalog_lists_them_apart_and_asks_for_nothing(hub, settings, tmp_path):
    snapshot = Catalog(settings, tmp_path / "none").snapshot()
    assert [info.name for info in snapshot.baselines] == [info.name for info in baseline_infos()]
    assert not snapshot.checkpoints and not hub.requests
    assert Catalog(replace(settings, baselines="off"), tmp_path / "none").snapshot().baselines == ()
    with pytest.raises(ValueError, match="FCN_ZOO_BASELINES"):
        HubSettings.from_environment({"FCN_ZOO_BASELINES": "some"})


def test_no_preset_and_no_default_picks_one(tmp_path, settings):
    write_checkpoints(tmp_path / "bundled")
    offer = Offer(Catalog(settings, tmp_path / "bundled"), lambda: payload(tmp_path / "none"))
    names = [name for group in presets(list(offer.infos.values()), {}).values() for name in group]
    assert len(offer.infos) == 4 + len(TORCHVISION) and not any(name.startswith("torchvision") for name in names)
    assert not any(name.startswith("torchvision") for name in offer.default_names())
    items = picker_value(list(offer.infos.values()), {}, [], "en")["items"]
    assert [item["source"] for item in items] == ["bundled"] * 4 + ["torchvision"] * 4
    assert [item["title"] for item in items[4:]] == ["LR-ASPP · CE", "FCN · CE", "FCN · CE", "DeepLabV3 · CE"]
    assert all(item["subtitle"].endswith("MB") for item in items[4:])


def test_a_picked_one_gets_a_panel_and_a_failed_one_its_reason_in_the_visitors_language(hub, settings, published):
    catalog = Catalog(settings)
    segmenter = Segmenter(catalog.load_engine)
    decoded = decode_image(_png())
    infos = choose({info.name: info for info in baseline_infos()}, [NAME, "torchvision:fcn_resnet50"])
    work = Comparison("photo", decoded, infos)
    list(work.advance(segmenter))
    done, failed = viewer_value(work, {}, "pt-BR")["panels"]
    assert done["status"] == "done" and len(done["labels"]["classes"]) == 21
    assert failed["status"] == "failed" and "fcn_resnet50" in failed["message"]
    assert inside_choices(work) == []


def test_the_page_downloads_one_and_says_why_another_did_not_come(visit, published, settings, tmp_path):
    write_checkpoints(tmp_path / "bundled")
    with serve(make_page(tmp_path / "bundled", settings)) as address:
        tab = visit(address=address, query=f"checkpoints={LADDER[0]}", count=1)
        tab.locator("#picker .picker-baselines summary").click()
        for name in (NAME, "torchvision:fcn_resnet50"):
            tab.locator(f"#picker input[value='{name}']").check()
        tab.locator("#go").click()
        cards = tab.locator("#viewer .card")
        expect(cards.filter(has_text="LR-ASPP")).to_have_attribute("data-status", "done")
        failed = cards.filter(has_text="torchvision:fcn_resnet50: no such file")
        expect(failed).to_have_attribute("data-status", "failed")
        expect(cards.filter(has_text="FCN-32s")).to_have_attribute("data-status", "done")
        assert serious_findings(tab) == []


def test_segment_labels_with_voc(published):
    result = segment(load(NAME), Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)))
    assert result.mask.shape == (40, 50) and result.mask.max() < 21


def _png() -> bytes:
    import io

    with io.BytesIO() as buffer:
        Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 50, 3), np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()


# -- evaluation


def test_a_baseline_is_evaluated_and_its_result_may_be_submitted(tmp_path, published, capsys):
    root = tmp_path / "voc" / "VOCdevkit" / "VOC2012"
    for folder in ("JPEGImages", "SegmentationClass", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True)
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        Image.fromarray(random.integers(0, 255, (40, 50, 3), np.uint8)).save(root / "JPEGImages" / f"{name}.jpg")
        Image.fromarray(random.integers(0, 21, (40, 50)).astype(np.uint8)).save(root / f"SegmentationClass/{name}.png")
    (root / "ImageSets" / "Segmentation" / "val.txt").write_text("a\nb\n")
    out = tmp_path / "out"
    options = ["--dataset", "voc", "--data", str(tmp_path / "voc"), "--passes", "1", "--resamples", "100"]
    assert evaluate([NAME, *options, "--out", str(out)]) == 0
    path = out / "torchvision-lraspp_mobilenet_v3_large__voc__val.json"
    document = read_document(path)
    digest = hashlib.sha256(weights_path(NAME).read_bytes()).hexdigest()
    assert (document["checkpoint"]["name"], document["checkpoint"]["sha256"]) == (NAME, digest)
    assert document["environment"]["command"].startswith(f"python -m evaluation {NAME} --dataset voc")
    assert not [line for line in check_submission(path) if "git_commit" not in line]
    (row,) = payload(out)["rows"]
    info = baseline_info(NAME)
    assert import_module("zoo.page.offer").scores_of([row])[info.sha256]["miou"] == row["miou"]
    document["checkpoint"]["sha256"] = "0" * 64
    path.write_text(json.dumps(document))
    assert any("publishes no such weights" in line for line in check_submission(path))


def test_classes_that_are_missing_are_named_before_a_download(hub, published):
    with pytest.raises(ClassMismatchError, match="no class for sky, building"):
        open_source(NAME, CAMVID)
    assert not hub.requests


def test_a_dataset_with_some_of_the_classes_gets_their_logits(published):
    labels = LabelSet("pets", "Pets", ("dog", "cat"), ((0, 0, 0), (1, 1, 1)), 255)
    source = open_source(NAME, labels)
    assert (source.variant, source.revision) == ("lraspp", "COCO_WITH_VOC_LABELS_V1")
    images = torch.rand(1, 3, 33, 47)
    dog, cat = (PASCAL_VOC.classes.index(name) for name in labels.classes)
    with torch.inference_mode():
        torch.testing.assert_close(source.model(images), load(NAME)(images)[:, [dog, cat]])
