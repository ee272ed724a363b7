"""Runs that stop and go on: bit for bit, from whole states alone, and with nothing else than what they began with."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from evaluation.datasets import open_dataset
from evaluation.datasets.survey import survey
from tests.own_data import write
from tests.test_training import ROOT, TINY, flags, run
from training import TrainingError, loop, processes, state
from training.__main__ import main
from zoo.checkpoints.folder import read_info
from zoo.labels import CAMVID


def test_a_run_does_not_go_on_with_other_images(camvid, tmp_path, monkeypatch):
    die_after_saving(monkeypatch, times=1)
    with pytest.raises(KeyboardInterrupt):
        run(TINY, camvid, tmp_path / "run")
    monkeypatch.undo()
    recorded = json.loads((tmp_path / "run" / "training_args.json").read_text())["data"]["trained on"]
    found = survey(open_dataset("camvid", camvid, "train"))
    assert recorded == {
        "images": 6,
        "classes": list(CAMVID.classes),
        "content_sha256": found.content,
        "order_sha256": found.in_order,
    }
    first, second = (camvid / kind / "0016E5_00000.png" for kind in ("train", "trainannot"))
    for path in (first, second):
        path.rename(path.with_name("z.png"))
    with pytest.raises(TrainingError, match=r"run: the images or masks that it is trained on were renamed since"):
        run(TINY, camvid, tmp_path / "run", resume=True)
    for path in (first, second):
        path.with_name("z.png").unlink()
    with pytest.raises(TrainingError, match=r"changed \(6 then, 5 now\) since it began; put them back"):
        run(TINY, camvid, tmp_path / "run", resume=True)


def test_a_run_does_not_go_on_with_other_classes(tmp_path, monkeypatch):
    data, recipe = write(tmp_path / "mine"), replace(TINY, dataset="folder")
    die_after_saving(monkeypatch, times=1)
    with pytest.raises(KeyboardInterrupt):
        run(recipe, data, tmp_path / "run")
    monkeypatch.undo()
    (data / "classes.txt").write_text("background\nsquare\ncircle\n")
    with pytest.raises(TrainingError, match="its classes were background, square when it began"):
        run(recipe, data, tmp_path / "run", resume=True)


def die_after_saving(monkeypatch, times: int) -> None:
    """Interrupt the run once it has saved its state so many times."""
    saves, original = [], loop.save_state

    def save_then_die(*arguments):
        original(*arguments)
        saves.append(arguments)
        if len(saves) == times:
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "save_state", save_then_die)


FULL = replace(TINY, augment_on="device", crop=64, ema=0.9, accumulate=2, clip=1.0, precision="bf16")


@pytest.mark.parametrize(("recipe", "save_every"), [(TINY, 0), (FULL, 2)], ids=["plain", "ema, mid-epoch"])
def test_an_interrupted_run_goes_on_bit_for_bit(camvid, tmp_path, monkeypatch, recipe, save_every):
    whole = run(recipe, camvid, tmp_path / "whole")
    with monkeypatch.context() as patched:
        die_after_saving(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, camvid, tmp_path / "halves", save_every=save_every)
    # What a run wrote after its last saved state, even half a line, is dropped and written again.
    state.append_line(tmp_path / "halves" / "metrics.jsonl", {"step": 10**6})
    with open(tmp_path / "halves" / "metrics.jsonl", "a") as file:
        file.write('{"step": 1')
    resumed = run(recipe, camvid, tmp_path / "halves", resume=True)
    assert resumed.sha256 == whole.sha256
    lines = [(tmp_path / name / "metrics.jsonl").read_text() for name in ("whole", "halves")]
    assert lines[0] == lines[1]
    assert not list((tmp_path / "halves").glob("*state*"))
    (resumption,) = json.loads((tmp_path / "halves" / "training_args.json").read_text())["resumed"]
    assert resumption["step"] > 0 and resumption["torch"] == torch.__version__.partition("+")[0]


def test_a_killed_process_goes_on_bit_for_bit(camvid, tmp_path):
    """SIGKILL at a step that chance picks; the same command with --resume ends as if nothing had been."""
    recipe = replace(TINY, epochs=15)
    out = tmp_path / "killed"
    arguments = ["--data", str(camvid), "--out", str(out), "--workers", "0", "--save-every", "1", *flags(recipe)]
    process = subprocess.Popen(
        [sys.executable, "-m", "training", *arguments], cwd=ROOT, stderr=subprocess.PIPE, env=os.environ
    )
    while process.poll() is None and not (out / "state.previous.pt").exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    errors = process.communicate()[1].decode()
    assert process.returncode == -signal.SIGKILL, errors
    assert (out / "state.pt").exists() and not (out / "config.json").exists()
    assert main([*arguments, "--resume"]) == 0
    whole = run(recipe, camvid, tmp_path / "whole")
    assert read_info(out).sha256 == whole.sha256
    assert (out / "metrics.jsonl").read_text() == (tmp_path / "whole" / "metrics.jsonl").read_text()


def interrupted(recipe, camvid, out, monkeypatch) -> None:
    """A run that stopped at its second saved state of three."""
    with monkeypatch.context() as patched:
        die_after_saving(patched, 2)
        with pytest.raises(KeyboardInterrupt):
            run(recipe, camvid, out)


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: content[:-2000], lambda content: bytes(len(content)), None],
    ids=["empty", "cut off", "zeros", "missing"],
)
def test_a_broken_state_falls_back_to_the_one_before(camvid, tmp_path, monkeypatch, caplog, damage):
    whole = run(TINY, camvid, tmp_path / "whole")
    out = tmp_path / "run"
    interrupted(TINY, camvid, out, monkeypatch)
    if damage is None:
        (out / "state.pt").unlink()  # killed between the two renames
    else:
        (out / "state.pt").write_bytes(damage((out / "state.pt").read_bytes()))
    assert run(TINY, camvid, out, resume=True).sha256 == whole.sha256
    assert damage is None or "state.pt: the file is broken" in caplog.text


def test_two_broken_states_are_an_error(camvid, tmp_path, monkeypatch):
    interrupted(TINY, camvid, tmp_path, monkeypatch)
    for name in ("state.pt", "state.previous.pt"):
        (tmp_path / name).write_bytes(b"no state")
    with pytest.raises(TrainingError, match=r"state\.pt: the file is broken and so is any before it"):
        run(TINY, camvid, tmp_path, resume=True)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs Linux's /dev/full")
def test_a_full_disk_says_so_and_keeps_the_state(camvid, tmp_path, monkeypatch):
    out = tmp_path / "run"
    whole = run(TINY, camvid, tmp_path / "whole")
    interrupted(TINY, camvid, out, monkeypatch)
    before = (out / "state.pt").read_bytes()
    monkeypatch.setattr("zoo.atomic._sync", lambda path: Path("/dev/full").write_text("x"))
    with pytest.raises(TrainingError, match=r"step 9: cannot write .*state\.pt \(No space left on device\).*--resume"):
        run(TINY, camvid, out, resume=True)
    monkeypatch.undo()
    assert (out / "state.pt").read_bytes() == before
    assert run(TINY, camvid, out, resume=True).sha256 == whole.sha256


def test_a_folder_in_use_is_not_overwritten(camvid, tmp_path):
    run(TINY, camvid, tmp_path / "run")
    with pytest.raises(TrainingError, match="--resume"):
        run(TINY, camvid, tmp_path / "run")


def test_resuming_with_another_recipe_is_refused(camvid, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "save", lambda *a, **k: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(TINY, camvid, tmp_path / "run")
    with pytest.raises(TrainingError, match="another recipe"):
        run(replace(TINY, seed=1), camvid, tmp_path / "run", resume=True)


def test_a_run_may_end_before_its_schedule(camvid, tmp_path):
    """Its epochs are the first of the run that went on, at the same rates."""
    whole = run(TINY, camvid, tmp_path / "whole")
    stopped = run(replace(TINY, stop_epoch=1), camvid, tmp_path / "stopped")
    assert (stopped.training["steps"], stopped.training["stop_epoch"], whole.training["steps"]) == (3, 1, 9)
    assert len((tmp_path / "stopped" / "metrics.jsonl").read_text().splitlines()) == 1
    rates = [
        json.loads((tmp_path / name / "metrics.jsonl").read_text().splitlines()[0]) for name in ("whole", "stopped")
    ]
    assert rates[0] == rates[1] and stopped.sha256 != whole.sha256


def test_where_a_run_ends_may_change_when_it_goes_on(camvid, tmp_path, monkeypatch):
    """It then ends with the weights of a run that was told so from the start, and drops its average."""
    shorter = {"stop_epoch": 2, "cool_down": 0.5}
    whole = run(replace(TINY, **shorter), camvid, tmp_path / "whole")
    with monkeypatch.context() as patched:
        die_after_saving(patched, 1)
        with pytest.raises(KeyboardInterrupt):
            run(replace(TINY, ema=0.9), camvid, tmp_path / "cut")
    with pytest.raises(TrainingError, match="3 steps are done, more than the 2 at full rate"):
        run(replace(TINY, stop_epoch=2, cool_down=0.7), camvid, tmp_path / "cut", resume=True)
    with pytest.raises(TrainingError, match="another recipe"):
        run(replace(TINY, ema=0.5), camvid, tmp_path / "cut", resume=True)
    cut = run(replace(TINY, **shorter), camvid, tmp_path / "cut", resume=True)
    assert cut.sha256 == whole.sha256
    arguments = json.loads((tmp_path / "cut" / "training_args.json").read_text())
    assert arguments["recipe"] == replace(TINY, **shorter).to_dict() and arguments["resumed"][0]["step"] == 3


def test_the_rate_falls_to_zero_in_the_cool_down(camvid, tmp_path):
    recipe = replace(TINY, schedule="constant", warm_up=0.0, learning_rate=0.5, stop_epoch=2, cool_down=0.5, epochs=4)
    dataset = open_dataset("camvid", camvid, "train")
    made = loop.build_run(recipe, dataset, None, processes.start_accelerator(recipe), 12)
    batches, rates = loop.device_batches(made, dataset, 0, 6, workers=0), []
    inner = made.optimizer.optimizer
    inner.register_step_pre_hook(lambda optimizer, *_: rates.append(optimizer.param_groups[0]["lr"]))
    for step in range(6):
        loop.take_step(made, batches, step)
    assert rates == pytest.approx([0.5, 0.5, 0.5, 0.5, 1 / 3, 1 / 6])
