"""Checkpoint folders: round trip, golden logits, and every way in which a stranger's folder can be wrong."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from killing import killed_everywhere
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from zoo.checkpoints.folder import bundled_folder, file_sha256, load_folder, read_info, save
from zoo.checkpoints.information import CheckpointError
from zoo.labels import CAMVID, PASCAL_VOC
from zoo.models.fcn import FCN

BUNDLED = sorted(path for path in bundled_folder().iterdir() if path.is_dir())


@pytest.fixture
def folder(make_model, tmp_path):
    """A valid checkpoint folder."""
    save(make_model(), tmp_path / "checkpoint", labels=CAMVID, loss="ce", training={"epochs": 1})
    return tmp_path / "checkpoint"


def change_config(folder, **changes):
    """Replace dotted fields of config.json; None removes one."""
    document = json.loads((folder / "config.json").read_text())
    for name, value in changes.items():
        target = document
        *parents, last = name.split("__")
        for parent in parents:
            target = target[parent]
        if value is None:
            del target[last]
        else:
            target[last] = value
    (folder / "config.json").write_text(json.dumps(document))


def change_weights(folder, change):
    """Rewrite the weights through `change(state)` and put the right sha256 into the configuration."""
    state = load_file(folder / "model.safetensors")
    change(state)
    save_file(state, folder / "model.safetensors")
    change_config(folder, weights__sha256=file_sha256(folder / "model.safetensors"))


@pytest.mark.parametrize("variant", ["fcn32s", "fcn16s", "fcn8s"])
def test_round_trip_in_float32_is_exact(make_model, tmp_path, variant):
    model = make_model(variant)
    info = save(model, tmp_path / "c", labels=CAMVID, loss="focal", training={"epochs": 3}, dtype=torch.float32)
    loaded = load_folder(tmp_path / "c")
    image = torch.rand(1, 3, 37, 51)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(image), model(image))
    assert not loaded.training and loaded.config == model.config
    assert loaded.info == info and info.labels == CAMVID and info.loss == "focal" and info.training["epochs"] == 3
    assert info.name == f"{variant}-vgg16bn-w6-focal-camvid"
    assert info.parameters == sum(p.numel() for p in model.parameters())


def test_half_precision_halves_the_file_and_loads_as_float32(make_model, tmp_path):
    full = save(make_model(), tmp_path / "full", labels=CAMVID, loss="ce", training={}, dtype=torch.float32)
    half = save(make_model(), tmp_path / "half", labels=CAMVID, loss="ce", training={})
    assert half.file_bytes < 0.6 * full.file_bytes
    assert {p.dtype for p in load_folder(tmp_path / "half").parameters()} == {torch.float32}


def test_values_beyond_half_precision_are_kept(make_model, tmp_path):
    """A batch norm on features in the hundreds has a variance beyond 65504, float16's largest number."""
    model = make_model()
    name = next(key for key in model.state_dict() if key.endswith("running_var"))
    model.state_dict()[name].fill_(70_000.0)
    save(model, tmp_path / "checkpoint", labels=CAMVID, loss="ce", training={})
    stored = load_file(tmp_path / "checkpoint" / "model.safetensors")
    assert stored[name].dtype == torch.float32 and (stored[name] == 70_000).all()
    assert {value.dtype for key, value in stored.items() if key != name} <= {torch.float16, torch.int64}
    assert (load_folder(tmp_path / "checkpoint").state_dict()[name] == 70_000).all()


def test_foreign_readers_find_their_fields(folder):
    document = json.loads((folder / "config.json").read_text())
    assert document["id2label"]["10"] == "bicyclist" and document["label2id"]["bicyclist"] == 10
    assert document["architecture"] == "fcn8s" and document["architectures"] == ["FCN8s"]
    assert document["semantic_loss_ignore_index"] == 11 and document["image_mean"] == [0.485, 0.456, 0.406]


def test_saving_again_keeps_other_files_and_leaves_no_temporary_ones(make_model, folder):
    (folder / "README.md").write_text("card")
    save(make_model("fcn16s"), folder, labels=CAMVID, loss="ce", training={})
    assert sorted(path.name for path in folder.parent.iterdir()) == ["checkpoint"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "README.md",
        "config.json",
        "golden.safetensors",
        "model.safetensors",
    ]
    assert load_folder(folder).config.variant == "fcn16s"


def test_interrupted_save_leaves_the_old_checkpoint(make_model, folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    monkeypatch.setattr("zoo.checkpoints.folder.golden", lambda model: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        save(make_model("fcn16s"), folder, labels=CAMVID, loss="ce", training={})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == ["checkpoint"]


def test_labels_of_another_dataset_are_refused(make_model, tmp_path):
    with pytest.raises(CheckpointError, match="'voc' does not list"):
        save(make_model(), tmp_path / "c", labels=PASCAL_VOC, loss="ce", training={})
    assert not (tmp_path / "c").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "bert"}, "model_type"),
        ({"model_type": None}, "model_type: missing"),
        ({"format_version": 2}, "format_version"),
        ({"format_version": "1"}, "format_version: needs int"),
        ({"name": "../up"}, "name"),
        ({"name": "<script>"}, "name"),
        ({"architecture": "fcn16s"}, "architecture"),
        ({"id2label": {"0": "sky", "2": "road"}}, "id2label"),
        ({"id2label": []}, "id2label: needs dict"),
        ({"palette": [[0, 0]] * 11}, "palette"),
        ({"palette": [[0, 0, "0"]] * 11}, "palette"),
        ({"palette": [[0, 0, 0]] * 3}, "palette"),
        ({"ignore_index": 3}, "void"),
        ({"image_std": [0, 1, 1]}, "std"),
        ({"model_args": 3}, "model_args: needs dict"),
        ({"model_args__width": "wide"}, "model_args: width"),
        ({"model_args__surprise": 1}, "unknown field 'surprise'"),
        ({"training": {}}, "training.loss|training.dataset"),
        ({"weights__sha256": "abc"}, "weights.sha256"),
        ({"weights__num_parameters": 1.5}, "weights.num_parameters"),
    ],
)
def test_wrong_configuration_is_named_with_its_file(folder, changes, message):
    change_config(folder, **changes)
    with pytest.raises(CheckpointError, match=message) as error:
        read_info(folder)
    assert "config.json" in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "[" * 100_000, '{"a": NaN}'])
def test_configuration_that_is_no_object_is_refused(folder, text):
    (folder / "config.json").write_text(text)
    with pytest.raises(CheckpointError):
        read_info(folder)


def test_huge_configuration_is_refused_unread(folder):
    (folder / "config.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(CheckpointError, match="larger than"):
        read_info(folder)


def test_missing_files_are_named(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match=r"no model\.safetensors.*can run code"):
        load_folder(folder)
    (folder / "config.json").unlink()
    with pytest.raises(CheckpointError, match=r"no config\.json"):
        load_folder(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda state: state.pop("score.32.bias"), r"score\.32\.bias is missing"),
        (lambda state: state.update(extra=torch.zeros(1)), "extra is unknown"),
        (lambda state: state.update({"score.32.bias": torch.zeros(12)}), r"score\.32\.bias is \(12,\), needs \(11,\)"),
    ],
)
def test_weights_that_do_not_fit_are_refused(folder, change, message):
    change_weights(folder, change)
    with pytest.raises(CheckpointError, match=message):
        load_folder(folder)


def test_damaged_weights_are_refused(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)
    with pytest.raises(CheckpointError, match="sha256"):
        load_folder(folder)
    (folder / "model.safetensors").write_bytes(data[:100])
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_folder(folder)


def test_pickle_under_a_safe_name_is_refused(folder, make_model):
    torch.save(make_model().state_dict(), folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="not a safetensors file"):
        load_folder(folder)


def test_enormous_architecture_is_refused_before_memory_is_given_out(folder, monkeypatch):
    change_config(folder, model_args__width=2.0, model_args__head_channels=8192, model_args__head_kernel=15)
    built = []
    original = FCN.__init__

    def watch(self, config):
        built.append(torch.empty(0).device.type)
        original(self, config)

    monkeypatch.setattr(FCN, "__init__", watch)
    with pytest.raises(CheckpointError, match="do not fit"):
        load_folder(folder)
    assert built == ["meta"]


def test_info_names_what_the_page_shows(folder):
    info = read_info(folder, source="hub", location="owner/name", revision="a" * 40)
    assert (info.source, info.location, info.revision) == ("hub", "owner/name", "a" * 40)
    assert info.variant == "fcn8s" and info.backbone_label == "vgg16bn-w6" and info.width == 0.0625
    assert asdict(info)["dataset"] == "camvid"


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.name)
def test_bundled_checkpoint_reproduces_its_golden_logits(path):
    golden = load_file(path / "golden.safetensors")
    model = load_folder(path)
    with torch.inference_mode():
        logits = model(golden["image"][None].float() / 255)[0]
    torch.testing.assert_close(logits, golden["logits"], rtol=1e-3, atol=1e-3)
    assert logits.std() > 0.1
    assert model.info.name == path.name
    assert max(file.stat().st_size for file in path.iterdir()) < 10_000_000  # what git and the Hub take as it is


def test_bundled_checkpoints_are_there():
    names = {path.name for path in BUNDLED}
    assert {f"{variant}-vgg16bn-w25-ce-camvid" for variant in ("fcn32s", "fcn16s", "fcn8s")} <= names


def test_copied_folder_is_the_same_checkpoint(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "copy")
    assert read_info(tmp_path / "copy").sha256 == read_info(folder).sha256


@pytest.mark.slow
def test_a_kill_anywhere_in_a_save_leaves_the_old_checkpoint_or_the_new(tmp_path):
    program = """
    import shutil
    import torch
    from pathlib import Path
    from zoo.checkpoints.folder import load_folder, save
    from zoo.labels import CAMVID
    from zoo.models.fcn import FCN, FCNConfig
    torch.set_num_threads(1)  # a pool of threads would not survive the forks
    old, folder, seen = Path(sys.argv[1]) / "old", Path(sys.argv[1]) / "checkpoint", set()
    model = lambda variant: FCN(FCNConfig(variant, "vgg16_bn", CAMVID.classes, width=0.0625, head_channels=16))
    models = {variant: model(variant) for variant in ("fcn8s", "fcn32s")}
    def work(variant="fcn32s", folder=folder):
        save(models[variant], folder, labels=CAMVID, loss="ce", training={})
    work("fcn8s", old)
    (old / "README.md").write_text("card")
    def check(whole):
        found = load_folder(folder)
        assert (folder / "README.md").read_text() == "card" and not list(folder.glob(".*pending*"))
        assert len(list(folder.glob("[!.]*"))) == 4 and (found.config.variant == "fcn32s" or not whole)
        seen.add(found.config.variant)
        shutil.rmtree(folder)
    every_kill(lambda: shutil.copytree(old, folder), work, check)
    assert seen == {"fcn8s", "fcn32s"}
    """
    assert killed_everywhere(program, tmp_path) >= 7


def test_a_full_disk_in_a_save_is_told_in_a_sentence(make_model, folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(*_, **__):
        raise SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(CheckpointError, match=r"could not be written .*No space left.*unchanged"):
        save(make_model("fcn16s"), folder, labels=CAMVID, loss="ce", training={})
    monkeypatch.undo()
    monkeypatch.setattr("zoo.atomic._sync", lambda path: Path("/dev/full").write_text("x"))
    with pytest.raises(CheckpointError, match=r"could not be written \(No space left on device\)"):
        save(make_model("fcn16s"), folder, labels=CAMVID, loss="ce", training={})
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
