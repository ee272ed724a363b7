"""Weights in shards: written, read strictly, verified, published and downloaded like the one file."""

import hashlib
import json
import shutil
import subprocess

import pytest
import torch
from hub_client import save_checkpoint
from safetensors.torch import load_file, save_file

from zoo.__main__ import main
from zoo.checkpoints.card import write_card
from zoo.checkpoints.folder import load_folder, read_info
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.shards import shard_folder, split, weights_names, weights_paths
from zoo.checkpoints.verification import verify
from zoo.hub.download import pull
from zoo.hub.publish import push

NAME = "ana/net"

pytestmark = [
    pytest.mark.usefixtures("hub_environment"),
    # huggingface_hub's own upload over Git LFS
    pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning"),
]


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "net"
    write_card(folder, save_checkpoint(folder))
    return folder


def test_a_sharded_checkpoint_is_the_same_network(folder):
    before, info = load_folder(folder).state_dict(), read_info(folder)
    paths = shard_folder(folder, 20_000)
    assert len(paths) > 2 and paths == weights_paths(folder) and not (folder / "model.safetensors").exists()
    assert all(path.stat().st_size < 30_000 for path in paths)
    after = load_folder(folder).state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)
    together = subprocess.run("cat model-*.safetensors", cwd=folder, shell=True, capture_output=True, check=True)
    sharded = read_info(folder)
    assert sharded.sha256 == hashlib.sha256(together.stdout).hexdigest() != info.sha256
    assert sharded.weights_file == "model.safetensors.index.json"
    assert sharded.file_bytes == sum(path.stat().st_size for path in paths)
    index = json.loads((folder / "model.safetensors.index.json").read_text())
    assert index["weight_map"] == {key: path.name for path in paths for key in load_file(path)}
    assert verify(folder)[1] == []


def test_tensors_keep_their_order_and_a_large_one_stands_alone():
    state = {name: torch.zeros(size, dtype=torch.uint8) for name, size in (("a", 4), ("b", 5), ("c", 30), ("d", 1))}
    assert [list(shard) for shard in split(state, 10)] == [["a", "b"], ["c"], ["d"]]
    assert [list(shard) for shard in split(state, 100)] == [["a", "b", "c", "d"]]


def test_only_a_whole_set_of_shards_counts():
    names = [f"model-{number:05}-of-00003.safetensors" for number in (1, 2, 3)]
    assert weights_names(reversed(names)) == names
    assert weights_names(names[:2]) == [] and weights_names([*names, "model-00001-of-00002.safetensors"]) == []
    assert weights_names([*names, "model.safetensors"]) == ["model.safetensors"]
    assert weights_names(["model-00001-of-99999.safetensors", "model-00000-of-00000.safetensors"]) == []


def test_broken_shards_are_refused(folder, tmp_path):
    first, *_, last = shard_folder(folder, 20_000)
    for damage, message in [
        (lambda path: path.unlink(), "no model.safetensors"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"x"), "sha256 is not the one in config.json"),
        (lambda path: path.write_bytes(b"junk"), "model-.*: "),
        (lambda path: save_file(load_file(first), path), "model-.*: .*encoder"),
    ]:
        copy = tmp_path / "copy"
        shutil.copytree(folder, copy)
        damage(copy / last.name)
        with pytest.raises(CheckpointError, match=message):
            load_folder(copy)
        assert verify(copy)[1]
        shutil.rmtree(copy)


def test_an_index_that_says_something_else_is_found(folder):
    shard_folder(folder, 20_000)
    index = folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace("00001-of", "00002-of"))
    assert any("names other tensors" in problem for problem in verify(folder)[1])
    index.unlink()
    assert any("model.safetensors.index.json: cannot be read" in problem for problem in verify(folder)[1])


def test_damaged_weights_are_not_divided(folder):
    data = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(data[:-1] + b"x")
    with pytest.raises(CheckpointError, match="nothing was changed"):
        shard_folder(folder)
    assert (folder / "model.safetensors").exists() and not list(folder.parent.glob(".*"))


def test_shards_go_up_to_the_hub_and_come_back(hub, settings, folder):
    shard_folder(folder, 20_000)
    push(folder, NAME, settings=settings)
    seen = []
    pulled, info = pull(NAME, settings=settings, progress=lambda done, total: seen.append((done, total)))
    assert info.sha256 == read_info(folder).sha256 and load_folder(pulled).info.name == info.name
    total = read_info(folder).file_bytes
    assert seen[-1] == (total, total) and sorted(seen) == seen
    hub.requests.clear()
    assert pull(NAME, settings=settings)[0] == pulled
    assert not any("safetensors" in request for request in hub.requests)


def test_the_command_divides(folder, capsys):
    assert main(["shard", str(folder), "--megabytes", "0.02"]) == 0
    captured = capsys.readouterr()
    assert captured.out.split() == [str(path) for path in weights_paths(folder)]
    assert "evaluate the checkpoint again" in captured.err
