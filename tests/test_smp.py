"""U-Net and DeepLabV3+ of segmentation-models-pytorch: built, trained by our loop, kept in strict folders, hidden."""

import json
import sys
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from evaluation.measuring.sources import open_source
from training import TrainingError, loop
from training.recipe import Recipe, staged
from zoo.checkpoints.card import write_card
from zoo.checkpoints.folder import build, load_folder, read_info, save
from zoo.checkpoints.information import CheckpointError
from zoo.config import BaselineConfig
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.images.photo import Decoded
from zoo.labels import CAMVID
from zoo.page.comparison import Comparison, Segmenter, error_text

smp = pytest.importorskip("segmentation_models_pytorch")
SMALL = {"backbone": "resnet18", "epochs": 1, "batch_size": 2, "crop": 32, "precision": "fp32", "validate_every": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A U-Net with random weights in a checkpoint folder named after it."""
    torch.manual_seed(0)
    model = build(BaselineConfig("smp", "unet", "resnet18", CAMVID.classes)).eval()
    folder = tmp_path_factory.mktemp("smp") / "unet-resnet18-ce-camvid"
    save(model, folder, labels=CAMVID, loss="ce", training={}, dtype=torch.float32)
    return folder


@pytest.mark.parametrize("variant", ["unet", "deeplabv3plus"])
def test_the_network_takes_images_of_any_size_and_normalises_them_itself(variant):
    torch.manual_seed(0)
    model = build(BaselineConfig("smp", variant, "resnet18", ("a", "b", "c"))).eval()
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (model.config.mean, model.config.std))
    images = torch.rand(1, 3, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(model(images), model.network((images - mean) / std))
        padded = F.pad((images[..., :33, :47] - mean) / std, (0, 17, 0, 31))
        torch.testing.assert_close(model(images[..., :33, :47]), model.network(padded)[..., :33, :47])
        assert model(images[..., :1, :1]).shape == (1, 3, 1, 1)


def test_a_folder_gives_the_same_logits_and_is_read_strictly(folder, tmp_path):
    info, images = read_info(folder), torch.rand(1, 3, 40, 50)
    assert (info.name, info.variant, info.config.library) == ("unet-resnet18-ce-camvid", "unet", "smp")
    with torch.inference_mode():
        assert torch.equal(load_folder(folder)(images), open_source(str(folder), CAMVID).model(images))
    assert "U-Net" in write_card(folder, info)[0].read_text()
    document = json.loads((folder / "config.json").read_text())
    for field, value, words in (
        ("backbone", "vgg99", "backbone: 'vgg99' is not one of"),
        ("library", "torchvision", "variant: 'unet' is not one of fcn"),
        ("variant", "pan", "variant: 'pan' is not one of unet"),
    ):
        changed = document | {"model_args": document["model_args"] | {field: value}}
        (tmp_path / "config.json").write_text(json.dumps(changed))
        with pytest.raises(CheckpointError, match=words):
            read_info(tmp_path)


def test_our_loop_trains_it(camvid, tmp_path):
    info = loop.train(Recipe(variant="unet", **SMALL), camvid, tmp_path / "run", progress=False, workers=0)
    assert info.name == "unet-resnet18-ce-camvid" and load_folder(tmp_path / "run").info.loss == "ce"
    with pytest.raises(TrainingError, match="trained from scratch here"):
        recipe = Recipe(variant="unet", backbone_weights="imagenet", **SMALL)
        loop.train(recipe, camvid, tmp_path / "other", progress=False, workers=0)
    with pytest.raises(ValueError, match="has no stages"):
        staged(Recipe(variant="deeplabv3plus", **SMALL))


def test_without_the_library_it_is_hidden_and_says_what_to_install(folder, monkeypatch):
    catalog = Catalog(HubSettings(), root=folder.parent)
    assert [info.variant for info in catalog.snapshot().checkpoints] == ["unet"]
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    hidden = catalog.snapshot()
    assert hidden.checkpoints == () and hidden.problems == (
        "unet-resnet18-ce-camvid is left out: unet needs segmentation-models-pytorch; "
        "run: pip install -r training/baselines.txt",
    )
    with pytest.raises(CheckpointError, match=r"pip install -r training/baselines\.txt"):
        load_folder(folder)


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        ("torch", "unet precisa de torch; execute: pip install -r requirements.txt -r training/baselines.txt"),
        ("segmentation_models_pytorch", "precisa de segmentation-models-pytorch; execute: pip install -r training/"),
    ],
)
def test_a_checkpoint_that_was_downloaded_before_the_library_went_says_so(
    folder, hub, settings, monkeypatch, absent, words
):
    hub.add("ana/unet", folder)
    settings = replace(settings, authors=(), visitors="any")
    catalog = Catalog(settings, root=folder.parent / "none")
    info = catalog.add("ana/unet")
    monkeypatch.setitem(sys.modules, absent, None)
    for ask in (lambda: catalog.add("ana/unet"), lambda: catalog.load("ana/unet")):
        with pytest.raises(CheckpointError) as caught:
            ask()
        assert words in error_text(caught.value).in_language("pt-BR")
    work = Comparison("photo", Decoded(Image.new("RGB", (40, 30)), (), (40, 30)), [info])
    list(work.advance(Segmenter(catalog.load_engine)))
    assert words in work.errors["ana/unet"].in_language("pt-BR")


def test_what_a_library_says_is_quoted_in_a_sentence_of_the_visitors_language():
    told = error_text(RuntimeError("DefaultCPUAllocator: can't allocate memory"))
    assert told.in_language("pt-BR") == (
        "Isto não funcionou. O programa diz, em inglês: “DefaultCPUAllocator: can't allocate memory”"
    )
    assert "MemoryError" in error_text(MemoryError()) and error_text(ValueError(told)) is told
