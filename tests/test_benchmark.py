"""The benchmark's command: that its output is whole, never what the figures are."""

import json
import math

import httpx
import pytest
from test_mixture import write_street

from evaluation.benchmark.__main__ import NEED_DATA, SECTIONS, main
from evaluation.benchmark.ports import answering_port, refusing_port, silent_port
from zoo.models.timing import in_turns

# Each starts the page in a process of its own, which takes too long here.
SERVED = ("start", "memory", "hub", "visitors", "soak", "faults", "browser")


def test_quick_benchmark_prints_and_writes_every_figure(camvid, tmp_path, capsys):
    out = tmp_path / "benchmark.json"
    sections = [name for name in [*SECTIONS, *NEED_DATA] if name not in SERVED]
    arguments = ["--quick", "--data", str(camvid), "--out", str(out), "--sections", *sections]
    assert main(arguments) == 0
    document, printed = json.loads(out.read_text(encoding="utf-8")), capsys.readouterr().out
    assert document["quick"] and list(document["sections"]) == sections
    for rows in document["sections"].values():
        for row in rows:
            assert row["what"] in printed and math.isfinite(row["value"])
    for section in document["sections"]:
        assert any("goal" in row and row["goal"] for row in document["sections"][section])


def test_sections_that_need_data_say_so(capsys):
    assert main(["--quick", "--sections", "bootstrap"]) == 1
    assert "--data" in capsys.readouterr().err
    assert main(["--quick", "--device", "tpu"]) == 1
    assert capsys.readouterr().err == "error: device: 'tpu' is not one of cpu, cuda, cuda:1\n"


def test_partial_labels_are_refused_as_by_the_other_commands(tmp_path, capsys):
    data = str(write_street(tmp_path / "street"))
    assert main(["--quick", "--dataset", "street", "--data", data, "--sections", "evaluation"]) == 1
    assert "street: its masks label 6 of 11 classes" in capsys.readouterr().err


def test_turns_alternate_and_the_warm_up_does_not_count():
    calls = []
    seconds = in_turns({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, rounds=3, warm_up=2)
    assert calls == ["a", "b"] * 5 and set(seconds) == {"a", "b"}


def test_hubs_that_answer_refuse_and_say_nothing():
    with answering_port() as endpoint:
        assert httpx.get(f"{endpoint}/api/models").json() == []
    with silent_port() as endpoint, pytest.raises(httpx.ReadTimeout):
        httpx.get(f"{endpoint}/api/models", timeout=0.2)
    with refusing_port() as endpoint, pytest.raises(httpx.ConnectError):
        httpx.get(f"{endpoint}/api/models")


def test_a_short_soak_fails_no_request_and_keeps_its_memory(tmp_path):
    out = tmp_path / "benchmark.json"
    assert main(["--quick", "--sections", "soak", "--out", str(out)]) == 0
    rows = {row["what"]: row["value"] for row in json.loads(out.read_text(encoding="utf-8"))["sections"]["soak"]}
    opened, failures, quiet, peak, end, more = rows.values()
    assert opened == 4 and failures == 0 and 100 < quiet <= peak and end <= peak and more <= 512
