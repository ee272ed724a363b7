"""'Which mIoU is it?': conventions against the libraries whose they are, files that do and do not fit, claims."""

import io
import json
import runpy
import sys
import warnings
import zipfile
from pathlib import Path
from types import SimpleNamespace

import gradio as gr
import numpy as np
import pytest
import torch
from page_server import GRADIO_WARNINGS
from PIL import Image
from test_app import Request, uploaded

from evaluation.counting.confusion import count_pairs
from evaluation.counting.definitions import CONVENTIONS, GRID, OURS, Claim, Reading, mean_iou
from evaluation.datasets.mask_files import mask_key, open_masks
from evaluation.definitions import as_markdown, compare, count_masks, distinct, main
from evaluation.measuring.results import read_result, result_paths
from zoo.images.archive import Limits
from zoo.images.encoding import encode_mask
from zoo.images.photo import ImageError
from zoo.labels import CAMVID, CITYSCAPES
from zoo.page.definitions_part import check_number
from zoo.places import RESULTS

CLASSES, VOID, BATCH = 5, 255, 3
pytestmark = GRADIO_WARNINGS


def random_pairs(images=8, seed=0):
    """(prediction, target) of images whose classes are partly absent; class 4 is absent everywhere."""
    generator = np.random.default_rng(seed)
    found = []
    for number in range(images):
        there = generator.permutation(4)[: 2 + number % 2]
        target = there[generator.integers(0, len(there), (12, 10))]
        target[generator.random(target.shape) < 0.2] = VOID
        # A class that the truth of this image lacks is predicted now and then.
        wrong = generator.integers(0, 4 if number % 3 else 2, target.shape)
        right = np.where(target == VOID, 1, target)
        found.append((np.where(generator.random(target.shape) < 0.6, right, wrong), target))
    return found


def counts(pairs, classes=CLASSES, void=VOID):
    kept = [*range(classes), void]
    return np.stack(
        [count_pairs(one.astype(np.uint8), other.astype(np.uint8))[np.ix_(kept, kept)] for one, other in pairs]
    )


def reading(library: str, call: str) -> Reading:
    return next(one.reading for one in CONVENTIONS if (one.library, one.call) == (library, call))


def one_hot(masks: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) int64, all zero where a mask holds void."""
    return torch.stack([(masks == index).long() for index in range(CLASSES)], 1)


@pytest.fixture(scope="module", params=[0, 1])
def masks(request):
    pairs = random_pairs(seed=request.param)
    prediction, target = (torch.from_numpy(np.stack(side)) for side in zip(*pairs, strict=True))
    return counts(pairs), prediction, target


def test_definitions_by_hand():
    # One image: 3 pixels of class 0 right, 1 of class 0 taken for 1, a void pixel taken for 1; the other: 2 right of 1.
    matrices = np.zeros((2, 4, 4), np.int64)
    matrices[0, 0, 0], matrices[0, 0, 1], matrices[0, 3, 1], matrices[1, 1, 1] = 3, 1, 1, 2
    for found, expected in (
        (OURS, (3 / 4 + 2 / 3) / 2),
        (Reading(absent="0"), (3 / 4 + 2 / 3) / 3),
        (Reading(absent="1"), (3 / 4 + 2 / 3 + 1) / 3),
        (Reading(void="errors"), (3 / 4 + 2 / 4) / 2),
        (Reading(void="class"), (3 / 4 + 2 / 4 + 0) / 3),
        (Reading("image"), (3 / 8 + 1) / 2),
        (Reading("image", "left out by target"), (3 / 4 + 1) / 2),
        (Reading("image", "0"), (3 / 12 + 1 / 3) / 2),
        (Reading("pair"), (3 / 4 + 0 + 1) / 3),
        (Reading(over_classes=False), 5 / 7),
    ):
        assert mean_iou(matrices, found) == pytest.approx(expected), found
    assert mean_iou(matrices, Reading("batch"), batch=1) == mean_iou(matrices, Reading("image"))
    assert mean_iou(matrices, Reading("batch"), batch=2) == mean_iou(matrices, OURS)
    assert len(set(GRID)) == 27 and OURS in GRID


def test_every_stored_result_is_our_definition():
    paths = result_paths(RESULTS)
    assert len(paths) > 10
    for path in paths:
        result = read_result(path)
        padded = np.pad(result.counts.matrices, ((0, 0), (0, 1), (0, 1)))
        assert mean_iou(padded, OURS) == pytest.approx(result.document["scores"]["miou"], abs=1e-12)


def test_torchmetrics(masks):
    from torchmetrics import JaccardIndex
    from torchmetrics.functional.segmentation import mean_iou as functional
    from torchmetrics.segmentation import MeanIoU

    matrices, prediction, target = masks
    arguments = {"task": "multiclass", "num_classes": CLASSES, "ignore_index": VOID}
    macro, micro = JaccardIndex(**arguments), JaccardIndex(**arguments, average="micro")
    steps = [macro(*batch) for batch in zip(prediction.split(BATCH), target.split(BATCH), strict=True)]
    micro.update(prediction, target)
    hot = one_hot(prediction), one_hot(target)
    segmentation = MeanIoU(num_classes=CLASSES)
    for batch in zip(*(side.split(BATCH) for side in hot), strict=True):
        segmentation.update(*batch)
    for call, value in {
        "JaccardIndex(ignore_index=VOID)": macro.compute(),
        'JaccardIndex(average="micro", ignore_index=VOID)': micro.compute(),
        "JaccardIndex(ignore_index=VOID), forward's values averaged": torch.stack(steps).mean(),
        "segmentation.MeanIoU() on one-hot": segmentation.compute(),
        "functional.segmentation.mean_iou, averaged": functional(*hot, num_classes=CLASSES).mean(),
    }.items():
        assert mean_iou(matrices, reading("torchmetrics", call), BATCH) == pytest.approx(float(value), abs=1e-6), call


def test_segmentation_models_pytorch(masks):
    from segmentation_models_pytorch.metrics import get_stats, iou_score

    matrices, prediction, target = masks
    stats = get_stats(prediction, target, mode="multiclass", ignore_index=VOID, num_classes=CLASSES)
    calls = [one.call for one in CONVENTIONS if one.library == "segmentation-models-pytorch"]
    assert len(calls) == 6
    for call in calls:
        value = eval(call, {"iou_score": lambda **options: iou_score(*stats, **options)})
        assert mean_iou(matrices, reading("segmentation-models-pytorch", call)) == pytest.approx(float(value), abs=1e-6)


def test_monai(masks):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what it finds installed beside it
        from monai.metrics import MeanIoU

    matrices, prediction, target = masks
    calls = [one.call for one in CONVENTIONS if one.library == "monai"]
    assert len(calls) == 3
    for call in calls:
        metric = eval(call, {"MeanIoU": MeanIoU, "VOID": VOID})
        metric(one_hot(prediction).float(), one_hot(target).float())
        expected = float(metric.aggregate())
        assert mean_iou(matrices, reading("monai", call)) == pytest.approx(expected, abs=1e-6), call


def test_cityscapes_scripts():
    """Against what cityscapesScripts 2.3.0 itself printed; installing it brings a 'typing' from before Python 3.5."""
    stored = json.loads((Path(__file__).parent / "data" / "cityscapesscripts.json").read_text())
    pairs = [(np.array(one["prediction"]), np.array(one["target"])) for one in stored["images"]]
    matrices = counts(pairs, len(CITYSCAPES.classes), CITYSCAPES.void)
    assert matrices[:, :-1, -1].sum() and matrices[:, -1].sum()  # void is predicted, and labelled
    found = reading("cityscapesScripts", "evalPixelLevelSemanticLabeling")
    assert mean_iou(matrices, found) == pytest.approx(stored["score"], abs=1e-12)


def published_metrics(pairs, classes, void):
    """IoU per class by mmsegmentation's and evaluate's `intersect_and_union`: summed histograms without void."""
    hits, union = np.zeros(classes), np.zeros(classes)
    for prediction, target in pairs:
        prediction, target = prediction[target != void], target[target != void]
        sizes = [
            np.histogram(values, bins=np.arange(classes + 1) - 0.5)[0]
            for values in (prediction[prediction == target], prediction, target)
        ]
        hits, union = hits + sizes[0], union + sizes[1] + sizes[2] - sizes[0]
    with np.errstate(invalid="ignore"):
        return hits / union


def test_mmsegmentation_and_evaluate_by_their_published_definitions():
    pairs = random_pairs(seed=3)
    pairs[0][0][0, :3] = VOID  # a predicted void falls out of the histogram of predictions, not of targets
    iou, matrices = published_metrics(pairs, CLASSES, VOID), counts(pairs)
    assert np.isnan(iou[4])
    assert mean_iou(matrices, reading("mmsegmentation", "IoUMetric()")) == pytest.approx(np.nanmean(iou))
    zero = np.nanmean(np.nan_to_num(iou, nan=0))  # mmsegmentation fills in before the mean, evaluate after it
    assert mean_iou(matrices, reading("mmsegmentation", "IoUMetric(nan_to_num=0)")) == pytest.approx(zero)
    assert mean_iou(matrices, reading("evaluate", 'load("mean_iou"), any nan_to_num')) == pytest.approx(np.nanmean(iou))


@pytest.mark.parametrize(
    ("text", "value", "fits", "misses"),
    [
        ("63.7", 0.637, 0.63749, 0.6376),
        ("63,67 %", 0.6367, 0.63674, 0.63676),
        ("0.637", 0.637, 0.6374, 0.638),
        ("0.6%", 0.006, 0.0064, 0.6),
        ("64", 0.64, 0.644, 0.646),
    ],
)
def test_claims_are_read_with_their_last_digit(text, value, fits, misses):
    claim = Claim.read(text)
    assert claim.value == pytest.approx(value) and claim.fits(fits) and not claim.fits(misses)
    assert not claim.fits(float("nan"))


@pytest.mark.parametrize("text", ["", "high", "-3", "163", "1e-3", "63.7.1"])
def test_what_is_no_claim_is_refused(text):
    with pytest.raises(ValueError, match="is not a figure"):
        Claim.read(text)


@pytest.fixture
def folders(tmp_path):
    """Predictions as a folder of grey ids, the truth as a zip of indexed PNGs under the names of an annotation tool."""
    generator = np.random.default_rng(2)
    (tmp_path / "predictions").mkdir()
    pairs = []
    with zipfile.ZipFile(tmp_path / "truth.zip", "w") as archive:
        for number in range(5):
            target = generator.integers(0, 12, (20, 30)).astype(np.uint8)
            prediction = generator.integers(0, 11, (20, 30)).astype(np.uint8)
            Image.fromarray(prediction).save(tmp_path / "predictions" / f"Frame_{number}.png")
            archive.writestr(f"truth/frame_{number}_mask.png", encode_mask(target, CAMVID))
            pairs.append((prediction, target))
    return tmp_path / "predictions", tmp_path / "truth.zip", counts(pairs, 11, 11)


def test_command_compares_a_folder_with_a_zip_and_finds_the_claim(folders, capsys):
    predictions, truth, matrices = folders
    expected = mean_iou(matrices, Reading("batch"), 2)
    arguments = [str(predictions), str(truth), "--batch", "2"]
    assert main([*arguments, "--claimed", f"{100 * expected:.3f}"]) == 0
    printed = capsys.readouterr().out
    marked = [line for line in printed.splitlines() if "✓" in line]
    assert marked and f"{100 * expected:.2f}" in marked[0] and "batches of 2" in marked[0]
    assert f"mIoU as this project and the benchmarks count it is {100 * mean_iou(matrices, OURS):.2f}" in printed
    assert main([*arguments, "--format", "json", "--claimed", "99.9"]) == 1
    answer = capsys.readouterr()
    found = json.loads(answer.out)
    assert "none of these definitions" in answer.err
    assert found["images"] == 5 and len(found["definitions"]) == 27 + 5
    for row in found["definitions"][:27]:
        one = Reading(row["pooled"], row["absent"], row["void"])
        assert row["value"] == pytest.approx(mean_iou(matrices, one, 2))
    named = [name for row in found["definitions"] for name in row["conventions"]]
    assert sorted(named) == sorted(f"{one.library}: {one.call}" for one in CONVENTIONS)


def test_figures_that_are_equal_share_a_row():
    matrices = np.zeros((2, 4, 4), np.int64)
    matrices[:, 0, 0], matrices[0, 1, 1], matrices[:, 2, 1] = 5, 3, 2  # the second image lacks class 1, nothing all
    rows = distinct(compare(matrices, 2))
    texts = [row["definition"] for row in rows if row["pooled"] == "split" and row["void"] == "dropped"]
    assert texts[0] == "one IoU per class over the whole split, void dropped, whatever an absent class counts"
    assert len([row for row in rows if row["pooled"] == "image" and row["void"] == "dropped"]) > 1
    named = [name for row in rows for name in row["conventions"]]
    assert len(named) == len(set(named)) == len(CONVENTIONS)


def test_longer_name_and_stored_results(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(sys, "argv", ["", "--result", "fcn8s-vgg16bn-w25-dice-camvid", "--format", "csv"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("evaluation.compare-definitions", run_name="__main__")
    printed = capsys.readouterr().out
    assert ended.value.code == 0 and ",0.63667" in printed.splitlines()[1] and "errors" not in printed
    assert main(["--result", "nothing"]) == 1 and "no such file" in capsys.readouterr().err
    for name in (tmp_path / "none.json", tmp_path / "none" / "none.json", tmp_path / "none"):
        assert main(["--result", str(name)]) == 1
        error = capsys.readouterr().err
        assert f"{name.with_suffix('.json')}: no such file" in error and len(error.splitlines()) == 1
    for name in ("*", "[", "**/x", "../results"):
        assert main(["--result", name]) == 1 and "no such file" in capsys.readouterr().err


def test_masks_that_do_not_belong_together_are_refused(folders, tmp_path, capsys):
    predictions, truth, _ = folders
    (predictions / "Frame_4.png").rename(predictions / "other.png")
    assert main([str(predictions), str(truth)]) == 1
    assert "There is no prediction for truth/frame_4_mask.png (1 of 5 has none)" in capsys.readouterr().err
    (predictions / "other.png").unlink()
    Image.fromarray(np.zeros((20, 31), np.uint8)).save(predictions / "frame_4.png")
    assert main([str(predictions), str(truth)]) == 1
    assert "frame_4.png: the prediction is 31 × 20 pixels, the truth 30 × 20" in capsys.readouterr().err
    Image.fromarray(np.full((20, 30), 12, np.uint8)).save(predictions / "frame_4.png")
    assert main([str(predictions), str(truth)]) == 1
    assert "frame_4.png" in (said := capsys.readouterr().err) and "12" in said
    Image.fromarray(np.zeros((20, 30), np.uint8)).save(predictions / "FRAME_4_mask.png")
    assert main([str(predictions), str(truth)]) == 1
    assert "are masks of one photo" in capsys.readouterr().err
    assert main([str(tmp_path / "nowhere"), str(truth)]) == 1
    assert "neither a folder nor a zip" in capsys.readouterr().err
    assert main([str(predictions), str(truth), "--dataset", "places"]) == 1
    assert "--classes DIR" in capsys.readouterr().err


def test_unsafe_zips_are_refused(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../a.png", b"x")
    (tmp_path / "bad.zip").write_bytes(content.getvalue())
    with pytest.raises(ImageError, match="unsafe name"):
        open_masks(tmp_path / "bad.zip")
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    with pytest.raises(ImageError, match="damaged zip"):
        open_masks(tmp_path / "no.zip")
    with zipfile.ZipFile(tmp_path / "many.zip", "w") as archive:
        for number in range(4):
            archive.writestr(f"{number}.png", b"x")
    with pytest.raises(ImageError, match="at most 3"):
        open_masks(tmp_path / "many.zip", Limits(entries=3))


def test_two_classes_in_black_and_white_and_own_lists(tmp_path, capsys):
    (tmp_path / "classes.txt").write_text("background\ncrack\n")
    for name in ("predictions", "truth"):
        (tmp_path / name).mkdir()
    mask = np.zeros((8, 8), np.uint8)
    mask[2:4] = 255
    Image.fromarray(mask).save(tmp_path / "truth" / "wall.png")
    Image.fromarray((mask > 0).astype(np.uint8)).save(tmp_path / "predictions" / "wall.png")
    arguments = [str(tmp_path / "predictions"), str(tmp_path / "truth"), "--classes", str(tmp_path)]
    assert main([*arguments, "--claimed", "100"]) == 0
    assert "100 is: one IoU per class over the whole split" in capsys.readouterr().out


def test_names_of_one_photo_are_told_across_tools():
    names = ("a/Berlin_1_gtFine_labelTrainIds.png", "berlin_1_leftImg8bit.png", "x/berlin_1.png", "berlin_1_mask.tif")
    assert {mask_key(name) for name in names} == {"berlin_1"}
    assert mask_key("prac\u0327a.png") == mask_key("a/PRA\u00c7A_mask.png")  # as macOS and others store an accent


def test_the_page_says_the_same_in_each_language(folders, tmp_path):
    predictions, truth, matrices = folders
    with zipfile.ZipFile(tmp_path / "predictions.zip", "w") as archive:
        for path in predictions.iterdir():
            archive.write(path, path.name)
    found = count_masks(str(tmp_path / "predictions.zip"), str(truth), CAMVID)  # decoded in another process
    assert np.array_equal(found, matrices)
    expected = 100 * mean_iou(matrices, OURS)
    english, portuguese = (as_markdown(found, f"{expected:.2f}", language) for language in ("en", "pt-BR"))
    assert f"{expected:.2f} is: one IoU per class over the whole split, void dropped" in english
    assert f"| {expected:.2f} ".replace(".", ",") in portuguese and "valha uma classe ausente o que valer" in portuguese
    assert english.count("\n|") == portuguese.count("\n|") == 2 + 9 + 3  # no class is absent from these images
    assert as_markdown(found, " ", "en").startswith("| mIoU % ")
    (predictions / "Frame_0.png").write_bytes(b"no picture")
    with zipfile.ZipFile(tmp_path / "predictions.zip", "w") as archive:
        for path in predictions.iterdir():
            archive.write(path, path.name)
    with pytest.raises(ImageError) as refused:
        count_masks(str(tmp_path / "predictions.zip"), str(truth), CAMVID)
    assert str(refused.value).startswith("Frame_0.png: ")
    assert refused.value.args[0].in_language("pt-BR") != str(refused.value)


def test_the_fold_counts_two_zips_deletes_them_and_keeps_their_counts(folders, tmp_path):
    predictions, truth, matrices = folders
    with zipfile.ZipFile(tmp_path / "predictions.zip", "w") as archive:
        for path in predictions.iterdir():
            archive.write(path, path.name)
    page = SimpleNamespace(evaluation=SimpleNamespace(count_masks=count_masks, definitions=as_markdown))
    files = [uploaded(tmp_path / "predictions.zip"), uploaded(truth)]
    answer, *emptied, counted = check_number(page, *files, "camvid", "1", None, Request())
    assert emptied == [None, None] and np.array_equal(counted, matrices)
    assert "1 is none of these definitions" in answer and not any(Path(file["path"]).exists() for file in files)
    again = check_number(page, None, None, "camvid", f"{mean_iou(matrices, OURS):.4f}", counted, Request("pt-BR"))
    assert "um IoU por classe sobre toda a divisão" in again[0].split("\n")[0]
    for arguments, words in (
        ((None, None, "camvid", "", None), "Two zips are needed"),
        ((uploaded(truth), None, "camvid", "", counted), "Two zips are needed"),
        ((None, None, "camvid", "high", counted), "high is not a figure"),
    ):
        with pytest.raises(gr.Error, match=words):
            check_number(page, *arguments, Request())


def test_zips_that_are_gone_are_said_to_be_without_a_path(folders):
    page = SimpleNamespace(evaluation=SimpleNamespace(count_masks=count_masks, definitions=as_markdown))
    files = [uploaded(folders[1]), uploaded(folders[1])]
    gone, kept = (Path(file["path"]) for file in files)
    gone.unlink()
    for language, words in (("en", "deleted after about an hour"), ("pt-BR", "depois de cerca de uma hora")):
        with pytest.raises(gr.Error, match=words) as refused:
            check_number(page, *files, "camvid", "", None, Request(language))
        assert gone.parent.name not in str(refused.value) and "/" not in str(refused.value)
    with pytest.raises(gr.Error, match="deleted after about an hour"):  # nor are others' files read with their folder
        check_number(page, {"path": str(gone.parents[1])}, files[1], "camvid", "", None, Request())
    assert kept.is_file()
