"""`python -m zoo`, command by command, with tiny checkpoints and a Hub on the loopback."""

import json
import re
import runpy
import shutil
import sys
from importlib import import_module
from pathlib import Path

import pytest
import torch
from hub_client import save_checkpoint
from test_convert import weights, widths

from zoo.__main__ import main
from zoo.hub.settings import HubSettings, environment_help
from zoo.hub.torchvision_weights import TORCHVISION
from zoo.places import BUNDLED

# huggingface_hub's own upload over Git LFS
pytestmark = pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning")


@pytest.fixture
def hub(hub, monkeypatch, tmp_path):
    for variable in re.findall(r"^FCN_ZOO_\w+", environment_help(), re.MULTILINE):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("FCN_ZOO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    return hub


@pytest.fixture
def bundled(hub, tmp_path, monkeypatch):
    """Two bundled checkpoints and no results; the working directory is empty."""
    root = tmp_path / "bundled"
    root.mkdir()
    for seed, variant in enumerate(("fcn32s", "fcn8s")):
        info = save_checkpoint(root / "new", variant=variant, seed=seed)
        (root / "new").rename(root / info.name)
    monkeypatch.setattr(import_module("zoo.hub.catalog"), "bundled_folder", lambda: root)
    monkeypatch.setattr("zoo.__main__.bundled_folder", lambda: root)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    return root


EIGHT = "fcn8s-vgg16bn-w6-ce-camvid"


def result_of(folder: Path) -> dict:
    sha256 = json.loads((folder / "config.json").read_text())["weights"]["sha256"]
    names = ("miou", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou", "dice")
    return {
        "checkpoint": {"sha256": sha256},
        "dataset": {"name": "camvid", "title": "CamVid", "split": "val", "images": 101},
        "protocol": {},
        "scores": dict.fromkeys(names, 0.5) | {"class_iou": {"sky": 0.9}},
        "boundary": {"boundary_f": None},
        "intervals": {},
        "sequences": {},
        "environment": {"command": "python -m evaluation", "date": "2026-01-31"},
    }


def test_help_names_every_command_and_variable(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["zoo", "--help"])
    monkeypatch.delitem(sys.modules, "zoo.__main__")  # run it as `python -m zoo` does
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("zoo", run_name="__main__")
    out = capsys.readouterr().out
    assert ended.value.code == 0
    for word in ("list", "show", "pull", "push", "verify", "card", "convert", "deploy", "FCN_ZOO_AUTHORS"):
        assert word in out


def test_list_prints_bundled_and_hub_checkpoints(bundled, hub, monkeypatch, capsys, tmp_path):
    save_checkpoint(tmp_path / "remote", variant="fcn16s", seed=5)
    hub.add("ana/net", tmp_path / "remote")
    monkeypatch.setenv("FCN_ZOO_AUTHORS", "ana")
    assert main(["list"]) == 0
    out, problems = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert rows[0][0] == "NAME" and [row[0] for row in rows[1:]] == [
        "fcn32s-vgg16bn-w6-ce-camvid",
        EIGHT,
        "ana/net",
        *(f"torchvision:{name}" for name in TORCHVISION),
    ]
    assert "listed just now" in problems
    assert main(["list", "--variant", "fcn8s", "--json"]) == 0
    assert [entry["name"] for entry in json.loads(capsys.readouterr().out)] == [EIGHT]
    hub.requests.clear()
    assert main(["list", "--bundled"]) == 0 and not hub.requests
    out = capsys.readouterr().out
    assert "ana/net" not in out and "torchvision" not in out
    assert main(["show", "torchvision:fcn_resnet50"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["variant"] == "fcn"
    assert main(["push", "torchvision:fcn_resnet50", "ana/copy", "--dry-run"]) == 1
    assert "is no checkpoint folder" in capsys.readouterr().err


def test_show_reads_only_the_configuration(bundled, hub, capsys, tmp_path):
    hub.add("ana/net", bundled / EIGHT)
    for name in (EIGHT, str(bundled / EIGHT), "ana/net"):
        assert main(["show", name]) == 0
        assert json.loads(capsys.readouterr().out)["config"]["variant"] == "fcn8s"
    assert not any("model.safetensors" in request for request in hub.requests)
    for name, words in (("absent", "there are"), ("ana/absent", "not found"), ("./absent", "no such folder")):
        assert main(["show", name]) == 1
        assert words in capsys.readouterr().err


def test_card_then_verify_is_sound(bundled, capsys, tmp_path):
    results = tmp_path / "results"
    results.mkdir()
    (results / "a.json").write_text(json.dumps(result_of(bundled / EIGHT)))
    assert main(["card", "--results", str(results)]) == 0
    assert "50.0 %" in (bundled / EIGHT / "README.md").read_text()
    assert main(["verify", "--results", str(results)]) == 0
    out = capsys.readouterr().out
    assert out.count(": sound") == 2 and "agree with 1 result" in out and "logits equal those" in out


def spoil_weights(folder):
    data = bytearray((folder / "model.safetensors").read_bytes())
    data[-1] ^= 1
    (folder / "model.safetensors").write_bytes(data)


def spoil_card(folder):
    path = folder / "README.md"
    path.write_text(path.read_text().replace("value: 0.5", "value: 0.9", 1))


def spoil_table(folder):
    path = folder / "README.md"
    path.write_text(path.read_text().replace("| Mean IoU | 50.0 %", "| Mean IoU | 60.0 %", 1))


def spoil_eval_results(folder):
    (folder / ".eval_results" / "camvid.yaml").write_text("[]\n")


def spoil_golden(folder):
    shutil.copy(folder.parent / "fcn32s-vgg16bn-w6-ce-camvid" / "golden.safetensors", folder)


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (spoil_weights, "sha256"),
        (spoil_card, r"mean IoU on val is 0\.9, measured 0\.5"),
        (spoil_table, r"table does not have the mean IoU on val, measured 0\.5"),
        (spoil_eval_results, r"camvid\.yaml: is not what the results give"),
        (spoil_golden, "logits differ"),
    ],
)
def test_verify_finds_what_was_changed(bundled, capsys, tmp_path, spoil, words):
    results = tmp_path / "results"
    results.mkdir()
    (results / "a.json").write_text(json.dumps(result_of(bundled / EIGHT)))
    main(["card", EIGHT, "--results", str(results), "--benchmark", "ana/streets"])
    assert main(["verify", EIGHT, "--results", str(results)]) == 0
    spoil(bundled / EIGHT)
    assert main(["verify", EIGHT, "--results", str(results)]) == 1
    assert re.search(f"WRONG: .*{words}", capsys.readouterr().out)


def test_push_pull_verify_round_trip(bundled, hub, capsys, tmp_path):
    assert main(["push", EIGHT, "ana/net", "--dry-run"]) == 0
    assert "would send 4 files" in capsys.readouterr().out and not hub.repositories
    assert main(["push", EIGHT, "ana/net"]) == 0
    assert "sent 4 files" in capsys.readouterr().out
    assert 'load("ana/net")' in hub.repositories["ana/net"].branches["main"]["README.md"].decode()
    assert main(["push", EIGHT, "ana/net"]) == 0
    assert "nothing sent" in capsys.readouterr().out
    assert main(["pull", "ana/net", "--into", str(tmp_path / "copy")]) == 0
    assert hub.repositories["ana/net"].commits["main"] in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(
        path.name for path in (bundled / EIGHT).iterdir()
    )
    for checkpoint in ("ana/net", str(tmp_path / "copy")):
        assert main(["verify", checkpoint, "--results", str(tmp_path)]) == 0


def test_pull_keeps_folders_that_hold_something_else(bundled, hub, capsys, tmp_path):
    hub.add("ana/net", bundled / EIGHT)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    assert main(["pull", "ana/net", "--into", str(tmp_path / "mine")]) == 1
    assert "something other than a checkpoint" in capsys.readouterr().err
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_folder_is_no_checkpoint_because_it_holds_some_config_json(bundled, hub, capsys, tmp_path):
    hub.add("ana/net", bundled / EIGHT)
    (tmp_path / "web" / "src").mkdir(parents=True)
    (tmp_path / "web" / "config.json").write_text('{"port": 80}')
    (tmp_path / "web" / "src" / "main.js").write_text("years of work")
    torch.save(weights("fcn8s", channels=widths(1 / 16)), tmp_path / "weights.pth")
    shutil.copy(bundled / EIGHT / "model.safetensors", tmp_path / "web")
    before = contents(tmp_path / "web")
    for command in (["pull", "ana/net", "--into"], ["convert", str(tmp_path / "weights.pth")], ["shard"]):
        assert main([*command, str(tmp_path / "web")]) == 1
        assert "something other than a checkpoint; name a new or empty folder" in capsys.readouterr().err
    assert contents(tmp_path / "web") == before
    assert main(["pull", "ana/net", "--into", str(tmp_path / "weights.pth")]) == 1
    assert "is a file; name a folder" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["thesis.txt", "masks/a.png", "state.pt", "LICENSE/mine.txt", ".eval_results/a.txt"])
def test_pull_replaces_a_checkpoint_folder_and_no_other_file_in_it(bundled, hub, capsys, tmp_path, name):
    hub.add("ana/net", bundled / EIGHT)
    target = tmp_path / "copy"
    target.mkdir()
    assert main(["pull", "ana/net", "--into", str(target)]) == 0
    before = contents(target)
    (target / ".eval_results").mkdir(exist_ok=True)
    (target / ".eval_results" / "camvid.yaml").write_text("old")
    (target / "example.png").write_text("old")
    assert main(["pull", "ana/net", "--into", str(target)]) == 0 and contents(target) == before
    (target / name).parent.mkdir(exist_ok=True)
    (target / name).write_text("years of work")
    capsys.readouterr()
    assert main(["pull", "ana/net", "--into", str(target)]) == 1
    said = capsys.readouterr().err
    assert f"holds {name.partition('/')[0] if name[0] != '.' else name} beside a checkpoint" in said
    assert (target / name).read_text() == "years of work"


@pytest.mark.parametrize("name", ["training_args.json", "metrics.jsonl", "config.json", "model.safetensors"])
def test_pull_replaces_copies_of_what_was_downloaded_and_no_run(bundled, hub, capsys, tmp_path, name):
    hub.add("ana/net", bundled / EIGHT)
    target, run = tmp_path / "copy", tmp_path / "run"
    assert main(["pull", "ana/net", "--into", str(target)]) == 0
    shutil.copytree(target, run)
    if name.endswith(".safetensors"):
        spoil_weights(run)
    else:
        document = (run / name).read_text() if (run / name).is_file() else "{}"
        (run / name).write_text(document + "\n")  # of another training
    before = contents(run)
    capsys.readouterr()
    assert main(["pull", "ana/net", "--into", str(run)]) == 1 and contents(run) == before
    assert f"its {name} was not downloaded from there and would be lost" in capsys.readouterr().err
    (bundled / EIGHT / "metrics.jsonl").write_text('{"epoch": 2}\n')  # a later commit replaces the earlier's copy
    hub.add("ana/net", bundled / EIGHT)
    assert main(["pull", "ana/net", "--into", str(target)]) == 0
    assert (target / "metrics.jsonl").read_text() == '{"epoch": 2}\n'


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["pull", "ana/absent"], "not found"),
        (["pull", "nonsense"], "write OWNER/NAME"),
        (["push", "absent", "ana/net"], "no bundled checkpoint"),
        (["verify", "absent"], "no bundled checkpoint"),
        (["convert", "absent.pth", "out"], "no such file"),
    ],
)
def test_failures_say_why_and_exit_with_1(bundled, capsys, arguments, words):
    assert main(arguments) == 1
    out, error = capsys.readouterr()
    assert words in error and error.startswith(f"python -m zoo {arguments[0]}: ") and "Traceback" not in out + error


def test_a_wrong_environment_variable_is_named(bundled, monkeypatch, capsys):
    monkeypatch.setenv("FCN_ZOO_LIMIT", "many")
    assert main(["list"]) == 1
    assert "FCN_ZOO_LIMIT" in capsys.readouterr().err


def test_convert_writes_a_folder_that_verifies(bundled, capsys, tmp_path):
    torch.save(weights("fcn8s", channels=widths(1 / 16)), tmp_path / "fcn8s_from_caffe.pth")
    assert main(["convert", "--from", "wkentaro", str(tmp_path / "fcn8s_from_caffe.pth"), str(tmp_path / "out")]) == 0
    assert "fcn8s-vgg16-w6-ce-voc" in capsys.readouterr().out
    assert main(["verify", str(tmp_path / "out"), "--results", str(tmp_path)]) == 0
    again = ["convert", "--from", "wkentaro", str(tmp_path / "fcn8s_from_caffe.pth")]
    assert main([*again, str(tmp_path / "out")]) == 0
    before = contents(bundled / EIGHT)
    assert main([*again, str(bundled / EIGHT)]) == 1 and contents(bundled / EIGHT) == before
    assert "holds a checkpoint that was not converted, which would be lost" in capsys.readouterr().err


def test_every_setting_is_documented_once():
    text = environment_help()
    for item in HubSettings.__dataclass_fields__.values():
        assert text.count(f"{item.metadata['variable']} ") == 1 and item.metadata["help"] in text


def test_a_card_written_from_another_folder_keeps_its_results(tmp_path, monkeypatch, capsys):
    """The results of this repository are found whatever folder the command is started in."""
    name = "fcn8s-vgg16bn-w25-ce-camvid"
    copied = shutil.copytree(BUNDLED / name, tmp_path / name)
    before = (copied / "README.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert main(["card", str(copied)]) == 0
    assert (copied / "README.md").read_text(encoding="utf-8") == before and "Mean IoU |" in before
    assert main(["card", str(copied), "--results", "evaluation/results"]) == 1
    assert "evaluation/results: no such folder of results" in capsys.readouterr().err
    assert (copied / "README.md").read_text(encoding="utf-8") == before
