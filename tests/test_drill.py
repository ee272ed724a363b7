"""From a figure to its images: orders worked out by hand, files told by content, questions of strangers refused."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

import app
from evaluation.board.drill import MOST, Counted, DrillError, Question, drill
from evaluation.board.pictures import DrillDown, Pictures, readable_splits
from evaluation.board.rows import Payload, payload, row_keys
from evaluation.counting.confusion import count_pairs, scores
from evaluation.counting.content import image_digest
from evaluation.datasets import open_dataset
from zoo.images.examples import VALIDATION
from zoo.labels import CAMVID
from zoo.page.drill import Drilled
from zoo.text import class_title

CLASSES = ("road", "pole", "sign")
# C[target, prediction] of four images: road, pole, sign.
ALL_RIGHT = [[90, 0, 0], [0, 10, 0], [0, 0, 5]]
POLE_LOST = [[90, 0, 0], [10, 0, 0], [0, 0, 5]]
MORE_LOST = [[60, 0, 0], [40, 0, 0], [0, 0, 5]]
NO_POLE = [[50, 0, 0], [0, 0, 0], [0, 45, 5]]


def counted(*matrices, names="abcd", digests=None, sequences=None):
    digests = digests or tuple(f"digest {name}" for name in names)
    sequences = sequences or ("s",) * len(matrices)
    return Counted("camvid", "val", CLASSES, tuple(names), tuple(sequences), digests, np.array(matrices, np.uint32))


FIRST = counted(ALL_RIGHT, POLE_LOST, MORE_LOST, NO_POLE, sequences="sstt")
SECOND = counted(POLE_LOST, ALL_RIGHT, MORE_LOST, NO_POLE, sequences="sstt")


def ask(**question):
    rows = question.pop("rows", ["one"])
    return drill(Question.read({"rows": rows, **question}), {"one": FIRST, "two": SECOND})


def names(found):
    return [image["name"] for image in found["images"]]


def test_a_class_leads_to_the_images_where_it_is_lost():
    found = ask(label="pole")
    assert names(found)[:3] == ["d", "c", "b"]  # IoU 0 all three: the most pixels at stake first
    assert [image["scores"] for image in found["images"]] == [[0.0], [0.0], [0.0], [1.0]]
    assert [image["pixels"] for image in found["images"]] == [[45], [40], [10], [0]]
    assert found["split"] == [pytest.approx(10 / (10 + 10 + 40 + 45))]
    assert names(ask(label="pole", order="best"))[0] == "a"
    assert names(ask(label="pole", order="pixels")) == ["d", "c", "b", "a"]
    assert names(ask(label="pole", sequence="s")) == ["b", "a"]


def test_a_confusion_leads_to_the_images_with_such_pixels_alone():
    found = ask(label="pole", prediction="road")
    assert (found["kind"], names(found), found["total"]) == ("confusion", ["c", "b"], 2)
    assert found["images"][0]["scores"] == [1.0] and found["split"] == [pytest.approx(50 / 60)]
    found = ask(label="pole", prediction="pole")
    assert (found["kind"], names(found)) == ("recall", ["c", "b", "a"])  # d has no pole


def test_what_an_image_weighs_is_the_figure_without_it():
    found = ask(order="pulls")
    whole = scores(FIRST.matrices, CLASSES).miou
    for image in found["images"]:
        rest = np.delete(FIRST.matrices, image["place"], 0)
        assert image["without"] == pytest.approx(scores(rest, CLASSES).miou - whole)
    assert [image["without"] for image in found["images"]] == sorted(
        (image["without"] for image in found["images"]), reverse=True
    )


def test_two_rows_lead_to_the_images_that_decide():
    better = {"rows": ["one", "two"]}
    assert names(ask(**better, order="first"))[0] == "a" and names(ask(**better, order="second"))[0] == "b"
    assert set(names(ask(**better, order="disagreement"))[:2]) == {"a", "b"}
    found = ask(**better)
    assert found["order"] == "decides" and found["images"][0]["without"] <= found["images"][-1]["without"]
    lead = [scores(one.matrices, CLASSES).miou for one in (FIRST, SECOND)]
    without = [scores(np.delete(one.matrices, 0, 0), CLASSES).miou for one in (FIRST, SECOND)]
    (image,) = (image for image in found["images"] if image["name"] == "a")
    assert image["without"] == pytest.approx(without[0] - without[1] - lead[0] + lead[1])


def test_images_of_two_rows_are_paired_by_content():
    order = [2, 0, 3, 1]
    digests = tuple(SECOND.contents[place] for place in order)
    shuffled = counted(*SECOND.matrices[order], names="wxyz", digests=digests)
    question = Question(("one", "two"), order="first")
    same = drill(question, {"one": FIRST, "two": SECOND})
    assert drill(question, {"one": FIRST, "two": shuffled})["images"] == same["images"]
    others = counted(ALL_RIGHT, POLE_LOST, MORE_LOST, NO_POLE, digests=("1", "2", "3", "4"), names="wxyz")
    with pytest.raises(DrillError, match="different images"):
        drill(question, {"one": FIRST, "two": others})


def test_long_answers_are_cut():
    many = counted(*[ALL_RIGHT] * (MOST + 5), names=[str(index) for index in range(MOST + 5)])
    found = drill(Question(("one",)), {"one": many})
    assert (len(found["images"]), found["total"]) == (MOST, MOST + 5)


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"rows": "one"},
        {"rows": []},
        {"rows": ["one", "one"]},
        {"rows": ["one", "two", "three"]},
        {"rows": ["one"], "label": 3},
        {"rows": [["one"]]},
        {"rows": ["one"], "label": "car"},
        {"rows": ["one"], "prediction": "road"},
    ],
)
def test_what_is_no_question_is_refused(asked):
    with pytest.raises(DrillError, match="reload the page"):
        drill(Question.read(asked), {"one": FIRST, "two": SECOND})


def test_a_row_without_counts_says_so():
    with pytest.raises(DrillError, match="no counts"):
        drill(Question(("three",)), {"one": FIRST})
    assert Drilled(None, DrillDown(dict, Pictures()), None).images({"rows": ["x"], "language": "pt-BR"}) == {
        "problem": "Esta linha não tem contagens por imagem, por isso seus valores não levam a nenhuma."
    }
    assert "reload" in Drilled(None, DrillDown(dict, Pictures()), None).picture(None)["problem"]


@pytest.fixture(scope="module")
def board():
    return payload()


def test_the_bundled_examples_are_the_images_that_were_measured(board):
    key = "fcn8s-vgg16bn-w25-ce-camvid@camvid/val"
    found = DrillDown(lambda: board, Pictures()).images({"rows": [key], "label": "pole"})
    assert found["total"] == 101 and {image["name"] for image in found["images"] if image["shown"]} == set(VALIDATION)
    assert found["split"][0] == next(row for row in board["rows"] if row["name"] in key)["class_iou"]["pole"]
    for name in VALIDATION:
        place = board.counted[key].image_ids.index(name)
        assert Pictures().read(board.counted[key], place).name == name
    assert set(row_keys(board["rows"])) == set(board.counted)


def row_of(dataset):
    """What a row on a synthetic CamVid has counted."""
    digests = [image_digest(dataset.image(place), dataset.mask(place), 11) for place in range(len(dataset))]
    matrices = [count_pairs(dataset.mask(place), dataset.mask(place))[:11, :11] for place in range(len(dataset))]
    parts = dataset.image_ids, dataset.sequences, tuple(digests), np.array(matrices)
    return Counted("camvid", "val", CAMVID.classes, *parts)


def test_files_are_shown_where_they_are_what_was_measured(camvid):
    dataset = open_dataset("camvid", camvid, "val")
    row = row_of(dataset)
    assert "camvid val" in readable_splits(camvid) and "camvid val" in readable_splits(camvid.parent)
    for folder in (camvid, camvid.parent):
        assert (Pictures(folder).read(row, 2).mask == dataset.mask(2)).all()
    path = camvid / "val" / f"{row.image_ids[2]}.png"
    with Image.open(path) as photo:
        changed = np.array(photo)
    changed[0, 0] ^= 1
    Image.fromarray(changed).save(path)
    assert Pictures(camvid).read(row, 2) is None and Pictures(camvid).read(row, 1) is not None


def decoded(url: str) -> np.ndarray:
    with Image.open(io.BytesIO(base64.b64decode(url.split(",")[1]))) as picture:
        return np.array(picture.convert("RGBA"))


def test_pictures_show_where_a_class_is_found_missed_and_mistaken(camvid):
    dataset = open_dataset("camvid", camvid, "val")
    row, truth = row_of(dataset), dataset.mask(0)
    label = int(truth[truth != 11].max())
    other, name = label - 1, CAMVID.classes[label]
    wrong = np.where(truth == label, other, truth).astype(np.uint8)  # every pixel of the class is taken for another
    wrong[truth == 11] = 0
    info = SimpleNamespace(sha256="first", labels=CAMVID, offered_as="first")
    offer = SimpleNamespace(infos={"first": info})
    offer.segmenter = SimpleNamespace(segment=lambda info, image, view: SimpleNamespace(mask=wrong))
    rows = [{"name": "a", "dataset": "camvid", "split": "val", "sha256": "first"}]
    board = Payload({"rows": rows}, {"a@camvid/val": row})
    drilled = Drilled(offer, DrillDown(lambda: board, Pictures(camvid)), count_pairs)
    asked = {"rows": ["a@camvid/val"], "place": 0, "label": name, "language": "pt-BR"}
    found = drilled.picture(asked)
    lost = int((truth == label).sum())
    assert {part["key"]: part["pixels"] for part in found["where"]["legend"]} == {
        "drill_hit": 0,
        "drill_missed": lost,
        "drill_false": 0,
    }
    where = decoded(found["where"]["src"])
    assert ((where[..., 3] > 0) == (truth == label)).all() and lost > 0
    assert found["otherwise"] == [lost]  # the stored counts say that all was right
    assert (decoded(found["masks"][0])[..., :3][truth == label] == CAMVID.palette[other]).all()
    assert {one["title"] for one in found["classes"]} >= {class_title(name, "pt-BR")}
    whole = drilled.picture(asked | {"label": ""})
    assert [(part["key"], part["pixels"]) for part in whole["where"]["legend"]] == [("drill_wrong", lost)]
    offer.infos = {}
    nobody = drilled.picture(asked)
    assert nobody["masks"] == [None] and nobody["where"] is None and nobody["photo"]
    for place in (-1, 4, None, "0"):
        assert "problem" in drilled.picture(asked | {"place": place})


def test_the_command_line_names_the_images(camvid, tmp_path, capsys, monkeypatch):
    monkeypatch.delenv("FCN_ZOO_IMAGES", raising=False)
    assert app.read_settings([]).images is None and app.read_settings(["--images", str(camvid)]).images == camvid
    (tmp_path / "empty").mkdir()
    for folder, words in (("nowhere", "no such folder"), ("empty", "no data set here can be read")):
        with pytest.raises(SystemExit):
            app.read_settings(["--images", str(tmp_path / folder)])
        assert words in capsys.readouterr().err
