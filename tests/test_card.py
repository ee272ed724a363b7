"""Model cards: read back with huggingface_hub's own readers, figures compared with the result they come from."""

import json
import re
from dataclasses import replace

import pytest
import yaml
from hub_client import save_checkpoint
from huggingface_hub import ModelCard, parse_eval_result_entries
from PIL import Image

from zoo.checkpoints.card import card, draw_picture, eval_results, find_results, front_matter, task_place, write_card
from zoo.checkpoints.folder import load_folder, read_info
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.titles import subtitle


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("card") / "fcn8s"
    save_checkpoint(folder)
    return folder


@pytest.fixture
def info(folder):
    return read_info(folder)


@pytest.fixture
def result(info):
    """A result document as `python -m evaluation` writes it, reduced to what a card reads."""
    intervals = {"miou": {"images": [0.5, 0.55], "blocks": [0.43, 0.61], "shown": [0.43, 0.61]}}
    intervals["class_iou"] = {"sky": {"images": [0.85, 0.9], "shown": [0.85, 0.9]}, "fence": {"shown": None}}
    return {
        "checkpoint": {"name": info.name, "sha256": info.sha256},
        "dataset": {"name": "camvid", "title": "CamVid", "split": "val", "images": 101},
        "protocol": {"size": "native", "void": "dropped", "test_time_augmentation": "none"},
        "scores": {
            "miou": 0.52341,
            "pixel_accuracy": 0.871,
            "mean_accuracy": 0.6,
            "frequency_weighted_iou": 0.79,
            "dice": 0.63,
            "class_iou": {"sky": 0.8766, "fence": None},
        },
        "boundary": {"boundary_f": 0.412},
        "intervals": intervals,
        "sequences": {"0016E5": {"images": 101, "miou": 0.52341}},
        "environment": {"command": "python -m evaluation x --dataset camvid --data DIR", "date": "2026-01-31"},
    }


def test_front_matter_reads_back_with_the_hubs_own_reader(info, result):
    data = ModelCard(card(info, [result], benchmark="ana/streets")).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("fcn-zoo", "image-segmentation", "cc-by-nc-4.0")
    assert {"fcn-zoo", "fcn8s", "ce"} <= set(data.tags) and data.datasets == ["ana/streets"]
    assert {(entry.dataset_type, entry.dataset_config) for entry in data.eval_results} == {("ana/streets", "camvid")}
    found = {(entry.metric_type, entry.dataset_split): entry.metric_value for entry in data.eval_results}
    assert found == {("mean_iou", "val"): 0.5234, ("accuracy", "val"): 0.871}


def test_programs_for_an_exported_file_name_it_at_the_working_size(info):
    shown = card(replace(info, working_size=480), repository="ana/streets")
    assert f"`python -m zoo export ana/streets {info.name}.onnx`" in shown and "«" not in shown
    blocks = re.findall(r"```(?:python|html)\n(.*?)```", shown, re.DOTALL)
    programs = [block for block in blocks if f'"{info.name}.onnx"' in block]
    assert [("onnxruntime" in one, "openvino" in one, "<script" in one) for one in programs] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert "photo.thumbnail((480, 480))" in programs[1]
    for program in programs[:2]:
        compile(program, "card", "exec")


def test_front_matter_stands_without_results_too(info):
    front = yaml.safe_load(front_matter(info).strip("-\n"))
    assert "model-index" not in front
    assert "None measured yet" in card(info)


def test_nothing_for_the_hub_names_a_data_set_that_is_no_repository(info, result):
    front = yaml.safe_load(front_matter(info, [result]).strip("-\n"))
    assert not {"model-index", "datasets"} & front.keys() and eval_results(info, [result], None) == {}
    assert "| Mean IoU | 52.3 % [43.0, 61.0] |" in card(info, [result])


def test_eval_results_read_back_with_the_hubs_own_reader(info, result):
    files = eval_results(info, [result], "ana/streets")
    assert list(files) == [".eval_results/camvid.yaml"]
    entry = parse_eval_result_entries(yaml.safe_load(files[".eval_results/camvid.yaml"]))[0]
    assert (entry.dataset_id, entry.task_id, entry.value, entry.date) == (
        "ana/streets",
        "camvid_val",
        52.34,
        "2026-01-31",
    )
    assert task_place(entry.dataset_id, entry.task_id) == ("camvid", "val") == task_place("camvid", "val")
    assert info.sha256 in entry.notes and "void: dropped" in entry.notes


def test_tables_hold_the_results_figures(info, result):
    text = card(info, [result])
    assert "| Mean IoU | 52.3 % [43.0, 61.0] |" in text
    assert "| sky | 87.7 % [85.0, 90.0] |" in text
    assert "| fence | not in the data |" in text
    assert "| Boundary F | 41.2 % |" in text
    assert result["environment"]["command"] in text and info.sha256 in text


def test_markdown_is_well_formed(info, result):
    lines = card(info, [result]).split("\n")
    for index, line in enumerate(lines):
        if line.startswith("#") or re.fullmatch(r"\|(---\|)+", lines[min(index + 1, len(lines) - 1)]):
            assert lines[index - 1] in ("", "---"), f"no blank line before {line!r}"
    assert "\n".join(lines).count("```") % 2 == 0 and "{{" not in "\n".join(lines)


def test_the_five_lines_name_the_repository_only_when_there_is_one(info):
    assert f'load("{info.name}")' in card(info)
    assert 'load("ana/net")' in card(info, repository="ana/net")


def test_results_of_other_weights_are_refused(info, result):
    result["checkpoint"]["sha256"] = "0" * 64
    with pytest.raises(CheckpointError, match="other weights"):
        card(info, [result])


def test_a_result_without_a_field_names_the_field(info, result):
    del result["scores"]["miou"]
    with pytest.raises(CheckpointError, match=r"scores\.miou"):
        card(info, [result])


def test_markup_in_facts_stays_text(folder, tmp_path, result):
    document = json.loads((folder / "config.json").read_text())
    document["training"] |= {"note": "<script>alert(1)</script> | `x`\n# heading"}
    (tmp_path / "config.json").write_text(json.dumps(document))
    text = card(read_info(tmp_path), [result])
    assert "<script>" not in text and "\n# heading" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \\| 'x' # heading" in text


def test_cards_are_written_into_the_folder_with_a_picture(folder, info, result, tmp_path):
    Image.new("RGB", (900, 300), (90, 120, 150)).save(tmp_path / "photo.png")
    model = load_folder(folder)
    with Image.open(draw_picture(folder, model, tmp_path / "photo.png")) as picture:
        assert picture.size == (1280, 213)
    written = write_card(folder, info, [result], benchmark="ana/streets")
    assert [path.relative_to(folder).as_posix() for path in written] == ["README.md", ".eval_results/camvid.yaml"]
    (folder / ".eval_results" / "other.yaml").write_text("- somebody else's\n")
    assert [path.name for path in write_card(folder, info, [result])] == ["README.md"]
    assert [path.name for path in (folder / ".eval_results").iterdir()] == ["other.yaml"]
    assert "](example.png)" in (folder / "README.md").read_text()
    assert not list(folder.rglob("*.part"))


def test_results_are_found_by_their_weights(info, result, tmp_path):
    (tmp_path / "a.json").write_text(json.dumps(result))
    (tmp_path / "b.json").write_text(json.dumps(result | {"checkpoint": {"sha256": "0" * 64}}))
    assert find_results(tmp_path, info) == [result]
    (tmp_path / "c.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"c\.json"):
        find_results(tmp_path, info)


def test_a_card_states_the_terms_of_all_that_was_trained_on(info):
    pretraining = "ImageNet; VGG-16 of the Visual Geometry Group, University of Oxford, CC BY"
    both = replace(info, training=info.training | {"extra_dataset": "street", "pretraining": pretraining})
    text = card(both)
    data = ModelCard(text).data
    assert (data.license, data.license_name) == ("other", "camvid+street-terms")
    for part in (
        "CC BY-NC 4.0",
        "non-commercial and research experiments",
        f"{pretraining}.",
        "@inproceedings{simonyan",
    ):
        assert part in text
    assert text.count("@inproceedings{frohlich2010fast") == 1 and 'Fr{\\"o}hlich' in text
    assert "People, bicycles" not in text and "people, bicycles, poles" in text
    assert (both.backbone_label, subtitle(both)) == ("vgg16bn-w6-in", "vgg16bn-w6-in · camvid+street")
    assert "simonyan" not in card(info) and card(info).count("trained elsewhere") == 0
