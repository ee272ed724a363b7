"""Running models over a dataset: what must not change the counts, what is refused, and the command."""

import errno
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from sklearn import metrics as sklearn_metrics
from torch import nn

from evaluation.__main__ import Options, main
from evaluation.board.report import overlay, write_report
from evaluation.datasets import open_dataset
from evaluation.measuring.cost import measure_cost, multiply_accumulates, peak_memory
from evaluation.measuring.evaluate import EvaluationError, confusion_matrices, evaluate, predict
from evaluation.measuring.provenance import command_line
from evaluation.measuring.results import read_document, read_result
from evaluation.measuring.sources import ClassMismatchError, match_classes, open_source
from zoo.atomic import WriteError
from zoo.checkpoints.folder import read_info, save
from zoo.checkpoints.information import CheckpointError
from zoo.labels import CAMVID, PASCAL_VOC, LabelSet

ROOT = Path(__file__).parent.parent


@pytest.fixture
def dataset(camvid):
    return open_dataset("camvid", camvid, "val")


@pytest.fixture
def checkpoint(make_model, tmp_path):
    """Folder of a tiny checkpoint."""
    folder = tmp_path / "checkpoint"
    save(make_model(), folder, labels=CAMVID, loss="ce", training={"epochs": 0})
    return folder


def in_memory(sizes, classes=3, void=255, order=None):
    """A dataset of random images of these (height, width); `order` rearranges the same images."""
    random = np.random.default_rng(0)
    images = [random.integers(0, 256, (*size, 3), dtype=np.uint8) for size in sizes]
    masks = [random.choice([*range(classes), void], size).astype(np.uint8) for size in sizes]
    order = list(order or range(len(sizes)))
    labels = SimpleNamespace(classes=tuple(map(str, range(classes))), void=void)

    class InMemory:
        image_ids = tuple(f"image {index}" for index in order)

        def __len__(self):
            return len(order)

        def image(self, index):
            return images[order[index]]

        def mask(self, index):
            return masks[order[index]]

    found = InMemory()
    found.labels = labels
    return found


class Colours(nn.Module):
    """Red, green, blue are the logits of three classes; their smallest parts are exact in float32."""

    def forward(self, images):
        return images * 4


def test_counts_equal_scikit_learn(dataset, make_model):
    model = make_model()
    counts, seconds = evaluate(model, dataset)
    assert seconds > 0
    for index in range(len(dataset)):
        with torch.inference_mode():
            image = torch.from_numpy(dataset.image(index).copy()).permute(2, 0, 1)[None] / 255
            prediction = model(image)[0].argmax(0).numpy()
        target = dataset.mask(index)
        kept = target != CAMVID.void
        expected = sklearn_metrics.confusion_matrix(target[kept], prediction[kept], labels=range(11))
        np.testing.assert_array_equal(counts.matrices[index], expected)
        assert counts.calibration[index, :, 0].sum() == kept.sum()
        assert counts.calibration[index, :, 1].sum() == np.trace(expected)
    np.testing.assert_array_equal(counts.matrices, confusion_matrices(model, dataset).numpy())


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(vars(first).values(), vars(second).values(), strict=True))


@pytest.mark.parametrize(("batch_size", "workers"), [(1, 1), (1, 4), (3, 1), (4, 2), (100, 3)])
def test_batch_size_and_workers_change_nothing(dataset, make_model, batch_size, workers):
    model = make_model()
    alone, _ = evaluate(model, dataset)
    together, _ = evaluate(model, dataset, batch_size=batch_size, workers=workers)
    assert same(alone, together)
    matrices = confusion_matrices(model, dataset, batch_size=batch_size, workers=workers)
    assert np.array_equal(matrices.numpy(), alone.matrices)


def test_images_of_many_sizes_and_their_order_change_nothing():
    sizes = [(20, 30), (20, 30), (1, 1), (31, 17), (20, 30), (2, 50)]
    plain, _ = evaluate(Colours(), in_memory(sizes))
    batched, _ = evaluate(Colours(), in_memory(sizes), batch_size=4)
    assert same(plain, batched)
    order = [3, 0, 5, 4, 2, 1]
    shuffled, _ = evaluate(Colours(), in_memory(sizes, order=order), batch_size=2)
    for name, array in vars(shuffled).items():
        np.testing.assert_array_equal(array, getattr(plain, name)[order])
    for index, (height, width) in enumerate(sizes):
        assert plain.matrices[index].sum() <= height * width


class Coarse(nn.Module):
    """Logits at a third of the size."""

    def forward(self, images):
        return F.avg_pool2d(images, 3)


def test_logits_are_resized_to_the_mask_not_masks_to_the_logits():
    dataset = in_memory([(21, 33)])
    image = torch.from_numpy(dataset.image(0)).permute(2, 0, 1)[None] / 255
    logits = F.interpolate(F.avg_pool2d(image, 3), size=(21, 33), mode="bilinear", align_corners=False)
    prediction, target = logits[0].argmax(0).numpy(), dataset.mask(0)
    kept = target != 255
    expected = sklearn_metrics.confusion_matrix(target[kept], prediction[kept], labels=range(3))
    np.testing.assert_array_equal(confusion_matrices(Coarse(), dataset)[0], expected)
    nearest = F.avg_pool2d(image, 3)[0].argmax(0).numpy().repeat(3, 0).repeat(3, 1)
    assert (nearest != prediction).any()  # resizing the mask instead would differ


def test_confidence_is_the_softmax_of_the_winner():
    logits = torch.randn(5, 8, 9, generator=torch.Generator().manual_seed(0)) * 3
    best, index = logits.softmax(0).max(0)
    for given in (logits.clone(), logits.permute(1, 2, 0).contiguous().permute(2, 0, 1)):  # both memory orders
        prediction, confidence = predict(given, "x")
        np.testing.assert_array_equal(prediction, index)
        np.testing.assert_allclose(confidence / 65535, best, atol=1 / 65535)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_the_first_of_equal_logits_wins_as_in_numpy(memory_format):
    logits = torch.randint(0, 3, (1, 5, 40, 30), generator=torch.Generator().manual_seed(0)).float()  # many are equal
    logits = logits.contiguous(memory_format=memory_format)[0]
    wanted = logits.numpy().argmax(0)
    np.testing.assert_array_equal(predict(logits, "x")[0], wanted)


def test_bf16_is_close_and_the_model_keeps_its_mode(dataset, make_model):
    model = make_model().train()
    full, half = (confusion_matrices(model, dataset, precision=precision) for precision in ("fp32", "bf16"))
    assert model.training
    assert (full != half).any()
    moved = (full - half).abs().sum() / 2
    assert moved < 0.1 * full.sum()
    with pytest.raises(ValueError, match="precision is 'fp8'; choose one of fp32, bf16"):
        confusion_matrices(model, dataset, precision="fp8")


class Broken(nn.Module):
    def forward(self, images):
        return images / images.new_zeros(1)


def test_logits_that_are_not_finite_are_refused_by_image():
    with pytest.raises(EvaluationError, match="image 0: the model's logits are not finite"):
        evaluate(Broken(), in_memory([(4, 4)]))


def test_broken_mask_stops_the_run_with_its_name(dataset, make_model):
    dataset.mask_paths[2].write_bytes(b"not a PNG")
    with pytest.raises(ValueError, match=re.escape(str(dataset.mask_paths[2]))):
        evaluate(make_model(), dataset)


def test_progress_shows_images_per_second(capsys):
    evaluate(Colours(), in_memory([(4, 4)] * 3), progress=True)
    assert "images/s" in capsys.readouterr().err
    evaluate(Colours(), in_memory([(4, 4)] * 3))
    assert capsys.readouterr().err == ""


def command(*arguments):
    return main([str(argument) for argument in arguments])


def test_command_writes_a_result_that_another_run_repeats(camvid, checkpoint, tmp_path, capsys):
    documents = []
    for folder in ("first", "second"):
        out = tmp_path / folder
        assert command(checkpoint, "--data", camvid, "--out", out, "--passes", 2, "--resamples", 300) == 0
        (path,) = out.glob("*.json")
        documents.append(read_document(path))
    first, second = documents
    assert path.name == "fcn8s-vgg16bn-w6-ce-camvid__camvid__val.json"
    assert f"{100 * first['scores']['miou']:.2f} %" in capsys.readouterr().out
    figures = ("scores", "boundary", "intervals", "sequences", "calibration", "confusion_matrix", "counts")
    assert {name: first[name] for name in figures} == {name: second[name] for name in figures}
    assert set(first["sequences"]) == {"0001TP", "0016E5"}
    assert first["checkpoint"]["sha256"] == json.loads((checkpoint / "config.json").read_text())["weights"]["sha256"]
    assert first["cost"]["timings"][0]["milliseconds"] > 0
    assert str(tmp_path) not in path.read_text()
    shown = first["environment"]["command"]
    assert shown == (
        "python -m evaluation CHECKPOINTS/checkpoint --dataset camvid --data DIR --split val --passes 2 --resamples 300"
    )


@pytest.mark.slow
def test_three_processes_count_every_image_once(camvid, checkpoint, tmp_path):
    # Four images for three processes: one has two of them, nothing is padded, nothing counted twice.
    arguments = ["-m", "evaluation", str(checkpoint), "--data", str(camvid), "--passes", "1", "--resamples", "100"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    alone = [sys.executable, *arguments, "--out", str(tmp_path / "alone")]
    subprocess.run(alone, cwd=ROOT, check=True, timeout=300, env=environment, capture_output=True)
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=3", "--local-addr"]
    together = [*launcher, "127.0.0.1", *arguments, "--out", str(tmp_path / "together")]
    subprocess.run(together, cwd=ROOT, check=True, timeout=300, env=environment, capture_output=True)
    (first,), (second,) = (list((tmp_path / folder).glob("*.json")) for folder in ("alone", "together"))
    assert same(read_result(first).counts, read_result(second).counts)
    assert read_result(second).document["scores"] == read_result(first).document["scores"]
    assert len(set(read_result(second).image_ids)) == len(read_result(second).image_ids) == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["CHECKPOINT", "--data", "DATA", "--split", "test"], "testannot|test: no such folder"),
        (["CHECKPOINT", "--data", "NOWHERE"], "no such folder; give the folder that holds the dataset with --data"),
        (["CHECKPOINT", "--data", "DATA", "--dataset", "coco"], "unknown dataset 'coco'"),
        (["no-such-checkpoint", "--data", "DATA"], "no-such-checkpoint"),
        (
            ["torchvision:fcn_resnet5000", "--data", "DATA"],
            "no checkpoint 'torchvision:fcn_resnet5000'; there are",
        ),
        (["torchvision:fcn_resnet50", "--data", "DATA"], "no class for sky, building, .* of CamVid"),
    ],
)
def test_command_names_what_is_wrong(arguments, message, camvid, checkpoint, tmp_path, capsys):
    places = {"CHECKPOINT": checkpoint, "DATA": camvid, "NOWHERE": tmp_path / "nowhere"}
    out = tmp_path / "out"
    assert command(*(places.get(word, word) for word in arguments), "--out", out) == 1
    assert re.search(f"error: .*({message})", capsys.readouterr().err)
    assert not out.exists()


def test_command_refuses_broken_checkpoint_and_label_out_of_range(camvid, checkpoint, tmp_path, capsys):
    mask = sorted((camvid / "valannot").iterdir())[1]
    content = mask.read_bytes()
    Image.fromarray(np.full((40, 56), 77, np.uint8)).save(mask)
    assert command(checkpoint, "--data", camvid, "--out", tmp_path / "out") == 1
    assert f"{mask.name}: The label image holds the value 77" in capsys.readouterr().err
    mask.write_bytes(content)
    weights = checkpoint / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    assert command(checkpoint, "--data", camvid, "--out", tmp_path / "out") == 1
    assert "model.safetensors" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_interruption_leaves_nothing(camvid, checkpoint, tmp_path, monkeypatch, capsys):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluation.__main__.measure_cost", interrupt)
    assert command(checkpoint, "--data", camvid, "--out", tmp_path / "out") == 130
    assert not (tmp_path / "out").exists()
    assert "nothing half-written" in capsys.readouterr().err


NAMED = ["x", "--data", "d"]


def test_where_no_result_can_be_written_nothing_is_measured(checkpoint, camvid, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("evaluation.__main__.evaluate", lambda *_, **__: pytest.fail("measured"))
    (tmp_path / "file").write_text("no folder")
    assert command(checkpoint, "--data", camvid, "--out", tmp_path / "file" / "results") == 1
    assert "no result can be written there" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["x"],
        [*NAMED, "--workers", "-1"],
        ["--data", "d"],
        [*NAMED, "--resamples", "100001"],
        [*NAMED, "--block", "10001"],
    ],
)
def test_command_line_that_does_not_fit_exits(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "python -m evaluation" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("kind", "text", "shown"),
    [
        ("bundled", "/here/zoo/checkpoints/bundled/fcn8s", "fcn8s"),
        ("folder", "/here/runs/mine", "CHECKPOINTS/mine"),
        ("hub", "owner/name", "owner/name"),
        ("torchvision", "torchvision:fcn_resnet50", "torchvision:fcn_resnet50"),
    ],
)
def test_stored_command_holds_no_place_of_this_machine(kind, text, shown):
    options = Options(data="/here/camvid", out="/here/out", report="/here/report", precision="bf16", revision="main")
    source = SimpleNamespace(kind=kind, name="fcn8s", repository="owner/name" if kind == "hub" else None, revision="c0")
    revision = " --revision c0" if kind == "hub" else ""  # the commit that was measured, not the branch asked for
    expected = f"python -m evaluation {shown} --dataset camvid --data DIR --split val{revision} --precision bf16"
    assert command_line(text, source, options) == expected


def test_report_shows_plots_and_images_and_is_replaced_as_one(camvid, checkpoint, tmp_path, capsys, monkeypatch):
    arguments = (checkpoint, "--data", camvid, "--out", tmp_path / "out", "--passes", 1, "--resamples", 100)
    assert command(*arguments, "--report", tmp_path / "report") == 0
    (page,) = (tmp_path / "report").glob("*/index.html")
    assert str(page) in capsys.readouterr().out
    text = page.read_text(encoding="utf-8")
    files = re.findall(r'src="([^"]+)"', text)
    assert len(files) == 4 + 2 * 4  # plots; each of the 4 images is among the best and among the worst four
    for file in set(files):
        assert (page.parent / file).stat().st_size > 500
    with Image.open(page.parent / next(file for file in files if file.endswith(".jpg"))) as strip:
        assert strip.size == (4 * 56, 40)
    (result,) = (tmp_path / "out").glob("*.json")
    assert f"<td>{100 * read_document(result)['scores']['miou']:.1f}</td>" in text
    assert "sign symbol" in text
    before = {path.name: path.read_bytes() for path in page.parent.iterdir()}
    monkeypatch.setattr("zoo.atomic.os.replace", full_disk)
    dataset = open_dataset("camvid", camvid, "val")
    with pytest.raises(WriteError, match=r"No space left on device.*what was there before is unchanged"):
        write_report(result, open_source(str(checkpoint), CAMVID).model, dataset, tmp_path / "report")
    assert {path.name: path.read_bytes() for path in page.parent.iterdir()} == before
    assert list((tmp_path / "report").iterdir()) == [page.parent]


def test_a_report_replaces_nothing_but_an_earlier_one(camvid, checkpoint, tmp_path, capsys):
    arguments = (checkpoint, "--data", camvid, "--out", tmp_path / "out", "--passes", 1, "--resamples", 100)
    report = tmp_path / "report" / f"{read_info(checkpoint).name}__camvid__val"
    report.mkdir(parents=True)
    (report / "index.html").write_text("<h1>my thesis</h1>")
    for name, words in (("index.html", "is something other than a report"), ("notes.txt", "holds notes.txt")):
        (report / name).write_text("my thesis")
        assert command(*arguments, "--report", tmp_path / "report") == 1
        assert f"{report}: {words}" in capsys.readouterr().err
        assert not (tmp_path / "out").exists()  # said before anything is measured
    assert {path.name: path.read_text() for path in report.iterdir()} == dict.fromkeys(
        ("index.html", "notes.txt"), "my thesis"
    )
    for path in report.iterdir():
        path.unlink()
    for _ in range(2):
        assert command(*arguments, "--report", tmp_path / "report") == 0
    (report / "holiday.jpg").touch()
    assert command(*arguments, "--report", tmp_path / "report") == 1 and (report / "holiday.jpg").exists()


def full_disk(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_overlay_blends_colours_and_blackens_void():
    image = np.full((1, 3, 3), 100, np.uint8)
    found = overlay(image, np.array([[0, 3, 11]], np.uint8), CAMVID, opacity=0.5)
    assert found.tolist() == [[[114, 114, 114], [114, 82, 114], [0, 0, 0]]]


def test_checkpoint_of_other_classes_is_refused(make_model, tmp_path):
    save(make_model(), tmp_path / "c", labels=CAMVID, loss="ce", training={})
    with pytest.raises(ClassMismatchError, match=r"has the classes sky, .*, but PASCAL VOC has background"):
        open_source(str(tmp_path / "c"), PASCAL_VOC)
    with pytest.raises(CheckpointError):
        open_source(str(tmp_path / "none"), CAMVID)


def test_class_names_match_whatever_their_spelling():
    labels = LabelSet("two", "Two", ("dining table", "TV monitor"), ((0, 0, 0), (1, 1, 1)), 255)
    assert match_classes(labels, ("__background__", "tvmonitor", "diningtable"), "x") == [2, 1]
    with pytest.raises(ClassMismatchError, match="x has no class for TV monitor of Two; it has dining_table"):
        match_classes(labels, ("dining_table",), "x")


def test_cost_of_a_convolution_worked_out_by_hand():
    model = nn.Conv2d(3, 8, 3, padding=1)
    found = measure_cost(model, 10, 20, repeats=3)
    assert found["parameters"] == 3 * 8 * 9 + 8
    assert found["gmacs"] == pytest.approx(10 * 20 * 8 * 3 * 9 / 1e9)
    (timing,) = found["timings"]
    assert timing["milliseconds"] > 0
    assert timing["threads"] == torch.get_num_threads()
    assert timing["device"]
    image = torch.zeros(1, 3, 10, 20, dtype=torch.uint8)
    assert multiply_accumulates(model, image) == 10 * 20 * 8 * 3 * 9


class Chain(nn.Module):
    """Ten steps of which two tensors live at a time."""

    def forward(self, images):
        for _ in range(10):
            images = images + 1
        return images


def test_peak_memory_counts_what_is_alive_at_once():
    image = torch.zeros(1, 3, 100, 100, dtype=torch.uint8)
    single = 3 * 100 * 100 * 4
    assert 2 * single <= peak_memory(Chain(), image, torch.device("cpu"), "fp32") <= 4 * single
    heavy = nn.Sequential(Chain())
    heavy.register_buffer("weights", torch.zeros(1_000_000))
    assert peak_memory(heavy, image, torch.device("cpu"), "fp32") >= 4_000_000 + 2 * single
