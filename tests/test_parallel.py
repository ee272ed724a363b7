"""Two processes do what one does with the same global batch. Run by torchrun, this file is one of the two."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from evaluation.datasets import open_dataset
from tests.conftest import write_camvid
from training import loop
from training.__main__ import main
from training.processes import share_buffers, start_accelerator
from training.recipe import Recipe
from zoo.models.fcn import FCN

# Without batch norm, whose statistics are each process's own; crops larger than the images make void uneven.
SETTINGS = {"backbone": "vgg16", "width": 0.0625, "head_channels": 16, "head_kernel": 3, "dropout": 0.0, "crop": 72}
SETTINGS |= {"batch_size": 4, "precision": "fp32", "validate_every": 0, "epochs": 3, "optimizer": "sgd"}
SETTINGS |= {"schedule": "constant", "warm_up": 0.0, "learning_rate": 0.5}
CASES = {
    "ce": Recipe(loss="ce", **SETTINGS),
    "ce+dice": Recipe(loss="ce+dice", clip=0.5, **SETTINGS),
    "weighted focal": Recipe(loss="focal", class_weights="median-frequency", **SETTINGS),
    "sum, accumulated": Recipe(**SETTINGS | {"reduction": "sum", "accumulate": 2, "learning_rate": 1e-4}),
}


def measure(data: Path, processes: int) -> dict:
    """Losses and weights of three steps of every case, and the confusion matrix of a fixed model."""
    dataset, validation = open_dataset("camvid", data, "train"), open_dataset("camvid", data, "val")
    results = {}
    for name, recipe in CASES.items():
        accelerator = start_accelerator(recipe, expected=processes)
        run = loop.build_run(recipe, dataset, None, accelerator, 3)
        batches = loop.device_batches(run, dataset, 0, 3, workers=0)
        results[name] = {"losses": torch.stack([loop.take_step(run, batches, step) for step in range(3)])}
        results[name] |= run.model.state_dict()
    torch.manual_seed(3)
    model = FCN(CASES["ce"].model_config(dataset.labels))
    for layer in model.score.values():
        torch.nn.init.normal_(layer.weight)
    results["matrix"] = loop.validation_matrix(model, validation, accelerator)
    norm = torch.nn.BatchNorm2d(2)
    norm.running_mean.fill_(accelerator.process_index + 1.0)
    share_buffers(norm)
    results["mean"] = accelerator.gather(norm.running_mean)
    return results


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """(one process's results, two processes' results)."""
    folder = tmp_path_factory.mktemp("parallel")
    data, out = write_camvid(folder / "camvid", val=5), folder / "two.pt"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", __file__]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parent.parent)}
    done = subprocess.run([*command, data, out], env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    return measure(data, 1), torch.load(out, weights_only=True)


@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_as_one(results, case):
    one, two = (result[case] for result in results)
    assert one["losses"][0] != one["losses"][2]
    assert one["encoder.stages.0.0.weight"].abs().sum() > 0
    for name, expected in one.items():
        torch.testing.assert_close(
            two[name], expected, rtol=1e-4, atol=1e-5, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_two_processes_count_every_validation_image_once(results):
    one, two = (result["matrix"] for result in results)
    assert one.sum() > 0 and one.dtype == torch.int64
    assert torch.equal(one, two)


def test_two_processes_validate_the_batch_norm_statistics_that_are_saved(results):
    one, two = (result["mean"].tolist() for result in results)
    assert (one, two) == ([1.0, 1.0], [1.0, 1.0, 1.0, 1.0])


def test_fewer_processes_than_expected_are_an_error(tmp_path, caplog):
    data = write_camvid(tmp_path / "camvid")
    assert main(["--data", str(data), "--out", str(tmp_path / "run"), "--processes", "2"]) == 2
    assert "2 were expected but 1 run" in caplog.text and "torchrun" in caplog.text
    assert not (tmp_path / "run").exists()


if __name__ == "__main__":
    measured = measure(Path(sys.argv[1]), 2)
    if os.environ["RANK"] == "0":
        torch.save(measured, sys.argv[2])
    torch.distributed.destroy_process_group()
