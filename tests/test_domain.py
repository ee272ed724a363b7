"""Telling pictures unlike the training photos: the statistics, their file, and where the answer is given."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from evaluation.domain.measure import CONDITIONS, auroc, descriptors, spoilt, tell
from evaluation.domain.photos import carried_photos, drawing, images_in, is_held_out, noise, walk_of
from zoo.checkpoints.folder import load_folder, read_info, save
from zoo.checkpoints.information import DOMAIN_FILE, CheckpointError
from zoo.checkpoints.statistics import write_domain
from zoo.hub.catalog import Catalog, catalog, load
from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.labels import CAMVID, PASCAL_VOC
from zoo.models.domain import fit
from zoo.models.preparation import engine_of
from zoo.models.segmentation import segment
from zoo.page.comparison import Comparison
from zoo.page.offer import Offer
from zoo.page.values import summary, viewer_value


def samples(count: int, shift: float = 0.0, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, [1, 2, 0.5], (count, 3)).astype(np.float32)


def test_distance_is_mahalanobis_in_units_of_the_limit():
    known = samples(4000)
    domain = fit(known, [f"walk {index % 7}" for index in range(4000)])
    # Independent channels: the square of the distance is the mean of squared standard scores.
    points = np.array([[0, 0, 0], [2, 0, 0], [0, 4, 1]], np.float32)
    expected = np.sqrt((points**2 / [1, 4, 0.25]).mean(1)) / domain.limit
    assert np.allclose(domain.distance(points), expected, atol=0.06)
    assert 0.08 < (domain.distance(samples(4000, seed=1)) > 1).mean() < 0.12  # nine in ten stay below
    assert (domain.distance(samples(50, shift=9)) > 1).all()


def test_walks_are_scored_without_themselves():
    """Photos of one odd walk must not make themselves familiar: the limit grows with how much walks differ."""
    rows = np.concatenate([samples(60, shift, seed) for seed, shift in enumerate((0, 1, 2, 3, 4))])
    groups = [f"walk {index // 60}" for index in range(300)]
    mixed = [f"walk {index % 5}" for index in range(300)]
    assert fit(rows, groups).limit > 1.2 * fit(rows, mixed).limit
    with pytest.raises(ValueError, match="two walks"):
        fit(rows, ["one"] * 300)


@pytest.fixture
def folder(tmp_path, make_model) -> Path:
    """A checkpoint folder with statistics of drawings."""
    model = make_model("fcn8s")
    save(model, tmp_path, labels=CAMVID, loss="ce", training={"crop": 96}, working_size=64)
    photos = [drawing(seed) for seed in range(12)]
    rows = descriptors({"it": engine_of(model, "fp32")}, photos)["it"]
    write_domain(tmp_path, fit(rows, [str(index % 4) for index in range(12)]), {"drawings": 12})
    return tmp_path


def test_statistics_travel_with_the_folder_and_answer_with_the_mask(folder):
    info = read_info(folder)
    assert info.working_size == 64 and info.domain["limit"] > 0
    assert json.loads((folder / "config.json").read_text())["domain"]["photos"] == {"drawings": 12}
    model = load_folder(folder)
    near, far = (segment(model, image, precision="fp32").distance for image in (drawing(1), noise(0)))
    assert near < far and far > 1
    rows = descriptors({"it": engine_of(model, "fp32")}, [noise(0)])["it"]
    assert far == pytest.approx(float(model.domain.distance(rows)[0]), rel=1e-4)


def test_the_descriptor_is_the_contrast_of_channels_at_stride_8(folder):
    model = load_folder(folder)
    photo = noise(0).resize((64, 48))
    images = torch.from_numpy(np.array(photo)).permute(2, 0, 1)[None].float() / 255
    with torch.inference_mode():
        features = model.encoder((images - model.mean) / model.std)[8][0, :, :6, :8]  # 48 rows are filled up to 64
    found = descriptors({"it": engine_of(model, "fp32")}, [photo])["it"][0]
    assert found.shape == (len(features),)
    padded = torch.nn.functional.pad((images - model.mean) / model.std, (0, 0, 0, 16))
    with torch.inference_mode():
        whole = model.encoder(padded)[8][0].flatten(1)
    assert np.allclose(found, torch.log1p(whole.std(1, correction=0)).numpy(), atol=1e-4)


@pytest.mark.parametrize("damage", ["changed", "other tensors", "no folder's"])
def test_a_file_of_no_use_is_refused_and_a_missing_one_is_not_missed(folder, damage):
    path = folder / DOMAIN_FILE
    if damage == "no folder's":
        path.unlink()
        assert load_folder(folder).domain is None
        assert segment(load_folder(folder), noise(0)).distance is None
        return
    if damage == "changed":
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    else:
        from safetensors.numpy import save_file

        save_file({"mean": np.zeros(3, np.float32)}, path)
        document = json.loads((folder / "config.json").read_text())
        import hashlib

        document["domain"]["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
        (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(CheckpointError, match=DOMAIN_FILE):
        load_folder(folder)


def comparison(*results: tuple[float | None, str]) -> Comparison:
    decoded = SimpleNamespace(display=Image.new("RGB", (4, 3)))
    made = Comparison("photo", decoded, [])
    titles = {"camvid": CAMVID, "voc": PASCAL_VOC}
    for index, (distance, dataset) in enumerate(results):
        info = SimpleNamespace(dataset=dataset, labels=titles[dataset])
        made.results[str(index)] = SimpleNamespace(distance=distance, info=info)
    return made


def test_the_note_speaks_of_streets_where_most_checkpoints_say_so():
    assert comparison().unlike == comparison((None, "camvid")).unlike == ()
    assert comparison((0.9, "camvid"), (1.2, "camvid")).unlike == ()
    (note,) = comparison((1.4, "camvid"), (1.2, "camvid"), (0.9, "camvid")).unlike
    assert "streets that these checkpoints know" in note and "ruas" in note.in_language("pt-BR")
    (note,) = comparison((2.0, "voc"), (None, "camvid")).unlike
    assert "PASCAL VOC" in note and "CamVid" in note


def test_auroc_and_counts():
    assert auroc(np.array([0.1, 0.2]), np.array([0.3, 0.4])) == 1
    assert auroc(np.array([0.1, 0.2]), np.array([0.2, 0.05])) == pytest.approx((0.75 + 0) / 2)
    told = tell(np.array([0.5, 0.9]), np.array([0.7, 1.1, 3.0]))
    assert (told.pictures, told.beyond) == (3, 2) and told.auroc == pytest.approx((0.5 + 1 + 1) / 3)


def test_pictures_are_the_same_every_time_and_walks_stay_together():
    assert drawing(3).tobytes() == drawing(3).tobytes() and noise(4).size == (480, 360)
    assert len(carried_photos()) >= 25
    first, second = Path("a/boston_walk__p1.jpg"), Path("a/boston_walk__p2.jpg")
    assert walk_of(first) == "boston_walk" and is_held_out(first) == is_held_out(second)


def test_spoilt_photos_keep_their_truth(folder, camvid):
    from evaluation.datasets import open_dataset

    engine, dataset = engine_of(load_folder(folder), "fp32"), open_dataset("camvid", camvid, "val")
    plain, dark = (spoilt(engine, dataset, condition) for condition in ("as it is", "night"))
    assert set(CONDITIONS) >= {"enlarged", "blur", "night", "noise"}
    assert 0 < plain["confidence"] <= 1 and plain["confidence"] != dark["confidence"]


@pytest.mark.parametrize("name", [info.name for info in catalog() if info.domain])
def test_bundled_checkpoints_know_streets_and_neither_drawings_nor_noise(name):
    model = load(name)
    with Image.open(examples()[0].photo) as street:
        assert 0 < segment(model, street).distance < 1
    assert min(segment(model, image).distance for image in (drawing(0), noise(0), noise(1), noise(2))) > 1


def test_the_summary_says_it_in_numbers_and_words(tmp_path):
    name = catalog()[0].name
    offer = Offer(Catalog(HubSettings(baselines="off")), lambda: {"rows": []})
    with Image.open(examples()[0].photo) as photo:
        street = photo.convert("RGB").crop((0, 0, 470, 350))  # no example any more
    for image, unlike in ((drawing(0), True), (street, False)):
        image.save(tmp_path / "photo.png")
        work = offer.prepare(str(tmp_path / "photo.png"), [name])
        list(work.advance(offer.segmenter))
        facts = summary(work)
        assert facts["checkpoints"][0]["unlike_training"] is unlike
        assert (facts["checkpoints"][0]["distance_from_training"] > 1) is unlike
        assert any("streets that these checkpoints know" in note for note in facts["image"]["notes"]) is unlike
        assert any("ruas" in note for note in viewer_value(work, {}, "pt-BR")["warnings"]) is unlike


def test_hidden_files_are_no_photos(tmp_path):
    for name in ("a.png", "._a.png", ".hidden.jpg"):
        (tmp_path / name).write_bytes(b"")
    assert images_in(tmp_path) == [tmp_path / "a.png"]
