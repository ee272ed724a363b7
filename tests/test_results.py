"""Result files: read back what was written, and notice every way in which one can be wrong."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from killing import killed_everywhere

from evaluation.counting.calibration import BINS, UNIT, calibration, calibration_counts
from evaluation.counting.content import content_sha256
from evaluation.counting.counts import Counts
from evaluation.leaderboard import main
from evaluation.measuring import results as results
from evaluation.measuring.record import schema
from evaluation.measuring.results import (
    ResultError,
    check_schema,
    read_document,
    read_result,
    result_paths,
    verify,
    write_result,
)

CLASSES = ("road", "car", "sky")


def random_counts(images=6, classes=3, seed=0) -> Counts:
    random, counts = np.random.default_rng(seed), Counts.zeros(images, classes)
    counts.matrices[:] = random.integers(0, 50, counts.matrices.shape)
    counts.boundary[:] = random.integers(5, 9, counts.boundary.shape)
    counts.boundary[..., [1, 3]] //= 2
    counts.bands[:] = np.cumsum(random.integers(0, 5, counts.bands.shape), axis=1)
    counts.calibration[:] = random.integers(0, 9, counts.calibration.shape)
    counts.calibration[..., 1] = np.minimum(counts.calibration[..., 1], counts.calibration[..., 0])
    return counts


def facts(name="fcn8s-tiny-ce-camvid", images=6, split="val", classes=CLASSES, **checkpoint) -> dict:
    """Document without the figures, as the command assembles it."""
    timing = {"device": "a CPU", "kind": "cpu", "threads": 1, "precision": "fp32", "milliseconds": 2.5}
    image_ids = tuple(f"a_{index}" for index in range(images))
    return {
        "checkpoint": {
            "name": name,
            "variant": "fcn8s",
            "backbone": "tiny",
            "loss": "ce",
            "source": "folder",
            "repository": None,
            "revision": None,
            "sha256": "0" * 64,
            "file_bytes": 10,
            "training": {},
            **checkpoint,
        },
        "dataset": {
            "name": "camvid",
            "title": "CamVid",
            "split": split,
            "images": images,
            "void": 11,
            "classes": list(classes),
            "image_list_sha256": results.image_list_sha256(image_ids),
        },
        "protocol": {"precision": "fp32", "bootstrap": {"resamples": 200, "block_frames": 3, "seed": 0}},
        "cost": {"parameters": 100, "gmacs": 0.5, "timings": [timing | {"peak_memory_bytes": 99}]},
        "environment": {"command": "python", "date": "2026-01-01", "git_commit": "1" * 40, "versions": {}},
    }


def write(folder, counts=None, **changes):
    document, counts = facts(**changes), counts or random_counts()
    images = len(counts.matrices)
    image_ids = tuple(f"a_{index}" for index in range(images))
    return write_result(folder, counts, image_ids, ("s", "t") * (images // 2), document)


@pytest.fixture
def written(tmp_path):
    return write(tmp_path)


def change(path, *keys, value):
    """Set one field of a JSON file."""
    document = json.loads(path.read_text())
    place = document
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    path.write_text(json.dumps(document))


def test_what_is_written_is_read_back(written):
    assert written.name == "fcn8s-tiny-ce-camvid__camvid__val.json"
    result, counts = read_result(written), random_counts()
    for name, array in vars(counts).items():
        assert getattr(result.counts, name).dtype == np.int64
        np.testing.assert_array_equal(getattr(result.counts, name), array)
    assert result.image_ids[:2] == ("a_0", "a_1")
    assert result.sequences == ("s", "t") * 3
    assert result.document["confusion_matrix"] == counts.matrices.sum(0).tolist()
    assert result.document["sequences"]["t"]["images"] == 3
    low, high = result.document["intervals"]["miou"]["shown"]
    assert low < result.document["scores"]["miou"] < high
    assert verify(written) == []


DIGESTS = tuple(f"{number:064x}" for number in range(6))


def write_hashed(folder, counts=None, contents=DIGESTS, image_ids=None, **changes):
    """A result that knows what its images hold."""
    names = image_ids or tuple(f"a_{index}" for index in range(6))
    document = facts(**changes)
    document["dataset"]["image_list_sha256"] = results.image_list_sha256(names)
    return write_result(folder, counts or random_counts(), names, ("s", "t") * 3, document, contents)


def test_the_images_are_told_by_their_content(tmp_path):
    path = write_hashed(tmp_path)
    result = read_result(path)
    assert result.contents == DIGESTS and verify(path) == []
    assert result.document["dataset"]["content_sha256"] == content_sha256(reversed(DIGESTS))
    change(path, "dataset", "content_sha256", value="0" * 64)
    assert any("content_sha256 is not that of the images" in problem for problem in verify(path))


def test_a_result_never_takes_the_place_of_another(tmp_path):
    """Other weights or other images get a name of their own; the same measured again replaces what was there."""
    old = write(tmp_path)  # from before images were hashed
    assert write_hashed(tmp_path) == old
    other = write_hashed(tmp_path, sha256="1" * 64)
    assert other.name == "fcn8s-tiny-ce-camvid__camvid__val__11111111.json"
    changed = (*DIGESTS[:5], "f" * 64)
    third = write_hashed(tmp_path, contents=changed)
    fourth = write_hashed(tmp_path, contents=changed, sha256="1" * 64)
    assert len({old, other, third, fourth}) == 4 == len(list(tmp_path.glob("*.json")))
    for path in (old, other, third, fourth):
        assert verify(path) == []
    assert write_hashed(tmp_path, contents=changed) == third and write_hashed(tmp_path, sha256="1" * 64) == other
    old.write_text("{}")  # nothing is known of it, so it stays
    assert write_hashed(tmp_path) != old


def test_same_counts_give_the_same_files(tmp_path):
    first, second = write(tmp_path / "a"), write(tmp_path / "b")
    assert first.read_bytes() == second.read_bytes()


def test_class_without_pixels_and_image_without_labels_become_null(tmp_path):
    counts = random_counts()
    counts.matrices[:, 2] = counts.matrices[:, :, 2] = 0
    document = read_document(write(tmp_path / "class", counts))
    assert document["scores"]["class_iou"]["sky"] is None
    assert document["intervals"]["class_iou"]["sky"]["shown"] is None
    path = write(tmp_path / "all", Counts.zeros(6, 3))
    assert "NaN" not in path.read_text()
    assert read_document(path)["scores"]["miou"] is None
    assert verify(path) == []


FIGURES = [
    ("scores", "miou"),
    ("scores", "pixel_accuracy"),
    ("scores", "class_iou", "car"),
    ("boundary", "boundary_f"),
    ("boundary", "trimap_miou", "4"),
    ("intervals", "miou", "shown", 0),
    ("intervals", "boundary_f", "blocks", 1),
    ("sequences", "t", "miou"),
    ("calibration", "expected_calibration_error"),
    ("calibration", "bins", 3, "accuracy"),
    ("confusion_matrix", 1, 2),
]


@pytest.mark.parametrize("keys", FIGURES, ids=lambda keys: ".".join(map(str, keys)))
def test_verify_notices_a_changed_figure(written, keys):
    value = json.loads(written.read_text())
    for key in keys:
        value = value[key]
    change(written, *keys, value=value + 0.001)
    (problem,) = verify(written)
    assert keys[0] in problem
    assert str(keys[-1]) in problem
    assert "recomputed from the counts it is" in problem


def test_verify_notices_missing_and_added_figures(written):
    change(written, "scores", "class_iou", value={"road": 0.1, "car": None, "bus": 0.2})
    text = " ".join(verify(written))
    assert "scores.class_iou.sky is missing" in text
    assert "scores.class_iou.bus does not belong here" in text
    assert "scores.class_iou.car is None" in text


def test_verify_notices_other_counts(written, tmp_path):
    other = write(tmp_path / "other", random_counts(seed=1))
    shutil.copy(other.with_suffix(".npz"), written.with_suffix(".npz"))
    (problem,) = verify(written)
    assert "keep the two files together" in problem
    digest = hashlib.sha256(written.with_suffix(".npz").read_bytes()).hexdigest()
    change(written, "counts", "sha256", value=digest)  # a forger would do so
    assert any("scores.miou" in problem for problem in verify(written))


def test_verify_notices_name_and_image_list(written, tmp_path):
    renamed = written.with_name("fcn32s-tiny-ce-camvid__camvid__val.json")
    written.rename(renamed)
    written.with_suffix(".npz").rename(renamed.with_suffix(".npz"))
    change(renamed, "counts", "file", value=renamed.with_suffix(".npz").name)
    change(renamed, "dataset", "image_list_sha256", value="a" * 64)
    problems = verify(renamed)
    assert len(problems) == 2
    assert "must be named fcn8s-tiny-ce-camvid__camvid__val.json" in problems[0]
    assert "image_list_sha256" in problems[1]


def test_verify_notices_an_image_counted_twice(tmp_path):
    document = facts()
    image_ids = ("a_0",) * 2 + tuple(f"a_{index}" for index in range(2, 6))
    document["dataset"]["image_list_sha256"] = results.image_list_sha256(image_ids)
    path = write_result(tmp_path, random_counts(), image_ids, ("",) * 6, document)
    assert any("counted twice" in problem for problem in verify(path))


def required(part: dict, definitions: dict, prefix: str = ""):
    """The dotted names of the fields that a JSON Schema requires, down to objects with fixed fields."""
    for name in part.get("required", []):
        inner = part["properties"][name]
        yield f"{prefix}{name}"
        if "$ref" in inner:
            yield from required(definitions[inner["$ref"].rpartition("/")[2]], definitions, f"{prefix}{name}.")


FIELDS = [name for name in required(schema(), schema()["$defs"]) if "." in name]


def test_the_published_schema_is_the_records(capsys):
    assert main(["schema"]) == 0
    path = Path(results.__file__).parent.parent / "results.schema.json"
    assert capsys.readouterr().out == path.read_text(encoding="utf-8"), (
        "python -m evaluation.leaderboard schema > evaluation/results.schema.json"
    )
    assert len(FIELDS) > 50 and "scores.miou" in FIELDS and "intervals.boundary_f.shown" in FIELDS


@pytest.mark.parametrize("name", FIELDS)
def test_missing_or_mistyped_field_is_named(written, name):
    whole = json.loads(written.read_text())
    *path, last = name.split(".")
    for change_it in (lambda place: place.pop(last), lambda place: place.update({last: object()})):
        document = json.loads(json.dumps(whole))
        place = document
        for key in path:
            place = place[key]
        change_it(place)
        with pytest.raises(ResultError, match=name.replace(".", r"\.")):
            check_schema(document)


@pytest.mark.parametrize(
    ("keys", "value", "message"),
    [
        (("schema_version",), 2, "schema_version is 2, this program reads 1"),
        (("checkpoint", "sha256"), "xyz", "checkpoint.sha256: needs 64"),
        (("dataset", "classes"), ["road", "road"], "dataset.classes"),
        (("dataset", "images"), True, "dataset.images: needs int, got bool"),
        (
            ("protocol", "bootstrap", "resamples"),
            10**9,
            "protocol.bootstrap.resamples: .* less than or equal",
        ),
        (("protocol", "bootstrap", "block_frames"), 0, "protocol.bootstrap.block_frames"),
        (("cost", "timings"), [], "cost.timings: needs at least one"),
        (("cost", "timings"), [{"device": "x"}], r"cost.timings\[0\].kind: missing"),
        (("counts", "file"), "../elsewhere.npz", "counts.file is '../elsewhere.npz', must be"),
        (("dataset", "images"), 7, r"matrices is \(6, 3, 3\) int64, needs \(7, 3, 3\)"),
    ],
)
def test_bad_value_is_refused(written, keys, value, message):
    change(written, *keys, value=value)
    with pytest.raises(ResultError, match=message):
        read_result(written)


@pytest.mark.parametrize("content", ["", "{", "[1]", "null", '{"schema_version": NaN}', "[" * 100_000])
def test_broken_json_is_refused(written, content):
    written.write_text(content)
    with pytest.raises(ResultError, match=written.name):
        read_document(written)


def test_missing_files_are_named(written):
    with pytest.raises(ResultError, match="no such file"):
        read_document(written.with_name("none.json"))
    written.with_suffix(".npz").unlink()
    with pytest.raises(ResultError, match="counts belong beside the JSON"):
        read_result(written)


def replace_counts(path, **arrays):
    with open(path.with_suffix(".npz"), "wb") as file:
        np.savez_compressed(file, **arrays)
    digest = hashlib.sha256(path.with_suffix(".npz").read_bytes()).hexdigest()
    change(path, "counts", "sha256", value=digest)


def test_counts_that_run_code_or_lack_an_array_are_refused(written):
    with np.load(written.with_suffix(".npz")) as archive:
        arrays = dict(archive)
    replace_counts(written, **arrays | {"matrices": np.array([object()], dtype=object)})
    with pytest.raises(ResultError, match="cannot be read"):
        read_result(written)
    replace_counts(written, **{name: array for name, array in arrays.items() if name != "bands"})
    with pytest.raises(ResultError, match="holds no array bands"):
        read_result(written)
    replace_counts(written, **arrays | {"boundary": arrays["boundary"] - 100})
    with pytest.raises(ResultError, match="boundary holds a negative count"):
        read_result(written)
    replace_counts(written, **arrays | {"bands": arrays["bands"].astype(float)})
    with pytest.raises(ResultError, match=r"bands is .* float64"):
        read_result(written)


def test_counts_that_unpack_to_too_much_are_refused(written):
    with pytest.raises(ResultError, match="unpacks to"):
        read_result(written, maximum_unpacked=1000)


@pytest.mark.parametrize("moment", ["figures", "check_schema"])
def test_interruption_leaves_the_earlier_result(written, monkeypatch, moment):
    before = {file.name: file.read_bytes() for file in written.parent.iterdir()}

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(results, moment, interrupt)
    with pytest.raises(KeyboardInterrupt):
        write(written.parent, random_counts(seed=5))
    assert {file.name: file.read_bytes() for file in written.parent.iterdir()} == before


def test_file_names_hold_no_odd_characters():
    assert results.result_name("fcn8s", "My data/1", "val") == "fcn8s__My-data-1__val"


def test_calibration_worked_out_by_hand():
    confidence = np.array([[0.92, 0.98, 0.61, 0.63, 0.5]])
    prediction, target = np.array([[1, 1, 0, 2, 2]]), np.array([[1, 0, 0, 2, 9]])
    counts = calibration_counts(np.round(confidence * UNIT).astype(np.int32), prediction, target, void=9)
    found = calibration(counts)
    filled = {entry["low"]: (entry["pixels"], entry["accuracy"]) for entry in found["bins"] if entry["pixels"]}
    assert filled == {0.6: (2, 1.0), 0.9: (1, 1.0), 0.95: (1, 0.0)}  # the void pixel of 0.5 is dropped
    gaps = abs(1 - 0.92) + abs(0 - 0.98) + abs(2 - 0.61 - 0.63)
    assert found["expected_calibration_error"] == pytest.approx(gaps / 4, abs=1e-4)


def test_calibration_of_a_sure_and_right_model_is_perfect():
    target = np.arange(12).reshape(3, 4) % 3
    counts = calibration_counts(np.full(target.shape, UNIT), target, target, void=9)
    found = calibration(counts[None])
    assert found["expected_calibration_error"] == 0
    assert found["bins"][-1] == {"low": 0.95, "high": 1.0, "pixels": 12, "confidence": 1.0, "accuracy": 1.0}
    assert found["bins"][0]["accuracy"] is None
    assert calibration(np.zeros((BINS, 3), int))["expected_calibration_error"] is None


def test_a_kill_anywhere_leaves_the_earlier_result_or_the_new(written, tmp_path_factory):
    program = """
    import shutil
    from pathlib import Path
    sys.path.insert(0, "tests")
    from evaluation.measuring.results import read_result, result_paths
    from test_results import random_counts, write
    old, folder, seen = Path(sys.argv[1]), Path(sys.argv[2]), set()
    def check(whole):
        (path,) = result_paths(folder)
        result = read_result(path)  # the two files belong together
        seen.add(int(result.counts.matrices.sum()))
        shutil.rmtree(folder)
    every_kill(lambda: shutil.copytree(old, folder), lambda: write(folder, random_counts(seed=5)), check)
    assert len(seen) == 2, seen
    """
    assert killed_everywhere(program, written.parent, tmp_path_factory.mktemp("killed") / "results") >= 6


def test_a_full_disk_is_told_in_a_sentence_and_the_earlier_result_stays(written, monkeypatch):
    before = {file.name: file.read_bytes() for file in written.parent.iterdir()}
    monkeypatch.setattr("zoo.atomic._sync", lambda path: Path("/dev/full").write_text("x"))
    with pytest.raises(ResultError, match=r"not written: .*No space left on device.*unchanged"):
        write(written.parent, random_counts(seed=5))
    assert {file.name: file.read_bytes() for file in written.parent.iterdir()} == before


def test_hidden_files_are_no_results(tmp_path):
    """macOS leaves `._name.json` beside every file that it writes on a foreign disk."""
    path = write(tmp_path, name="net")
    (tmp_path / f"._{path.name}").write_bytes(b"\0\5\x16\7")
    assert result_paths(tmp_path) == [path]
