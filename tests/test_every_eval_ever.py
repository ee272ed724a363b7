"""Results as records of Every Eval Ever, against what its schema asks, and the figures against the results."""

import json
from pathlib import Path

import jsonschema
import pytest

from evaluation.board.every_eval_ever import record
from evaluation.board.rows import read_results
from evaluation.every_eval_ever import main, path_of
from zoo.places import RESULTS

RULES = json.loads((Path(__file__).parent / "data" / "every_eval_ever.rules.json").read_text())


def test_every_stored_result_is_a_sound_record(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("FCN_ZOO_BENCHMARK", "ana/streets")
    assert main(["--organization", "ana", "--out", str(tmp_path)]) == 0
    paths = capsys.readouterr().out.split()
    documents = {result.name: result.document for result in read_results(RESULTS)[0]}
    assert len(paths) == len(set(paths)) == len(documents) > 10
    for path in map(Path, paths):
        found = json.loads(path.read_text())
        jsonschema.validate(found, RULES)
        document = documents[found["model_info"]["name"]]
        place = path.relative_to(tmp_path).parts
        assert place[:3] == ("data", f"{document['dataset']['name']}_val", "ana")
        (miou,) = (one for one in found["evaluation_results"] if one["evaluation_name"].endswith("/miou"))
        details, interval = miou["score_details"], document["intervals"]["miou"]["shown"]
        assert details["score"] == document["scores"]["miou"]
        ends = details["uncertainty"]["confidence_interval"]
        assert [ends["lower"], ends["upper"], ends["confidence_level"]] == [*interval, 0.95]
        assert details["uncertainty"]["num_samples"] == document["dataset"]["images"]
        assert miou["source_data"]["hf_repo"] == "ana/streets"
        classes = [one for one in found["evaluation_results"] if "/iou/" in one["evaluation_name"]]
        assert len(classes) == sum(value is not None for value in document["scores"]["class_iou"].values())
    assert main(["--organization", "ana", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().out.split() == paths  # the same result has the same file


def test_what_is_undefined_or_unknown_is_left_out():
    document = read_results(RESULTS)[0][0].document
    document["scores"]["dice"] = None
    document["intervals"]["miou"]["shown"] = None
    document["environment"]["git_commit"] = None
    checkpoint = document["checkpoint"] | {"source": "hub", "repository": "bo/net", "revision": "c" * 40}
    found = record(document | {"checkpoint": checkpoint}, organization="ana")
    jsonschema.validate(found, RULES)
    names = [one["evaluation_name"].split("/", 1)[1] for one in found["evaluation_results"]]
    assert (
        "dice" not in names and "uncertainty" not in found["evaluation_results"][names.index("miou")]["score_details"]
    )
    assert found["evaluation_results"][0]["source_data"]["source_type"] == "other"
    assert found["model_info"]["developer"] == "bo" and found["model_info"]["id"] == "bo/net"
    assert found["source_metadata"]["evaluator_relationship"] == "third_party"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found | {"model_info": {"name": "x"}}, RULES)


def test_settings_and_folders_that_are_wrong_are_named(tmp_path, capsys, monkeypatch):
    assert main(["--organization", "ana", "--out", str(tmp_path), "--results", str(tmp_path / "none")]) == 1
    document = read_results(RESULTS)[0][0].document
    path = path_of(record(document, organization="../up/x"), "0")
    assert ".." not in path.parts and path.parts[2] == "-up-x"
    monkeypatch.setenv("FCN_ZOO_BENCHMARK", "streets")
    assert main(["--organization", "ana", "--out", str(tmp_path)]) == 1
    assert "FCN_ZOO_BENCHMARK" in capsys.readouterr().err
