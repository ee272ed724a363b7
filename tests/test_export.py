"""Exported files: what they say of themselves, what they compute, what is refused, and the documentation's snippets."""

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hub_client import save_checkpoint
from PIL import Image
from test_graph import photo

from evaluation.browser import in_browser, site
from evaluation.exports import main as exports
from evaluation.measuring.evaluate import EvaluationError
from zoo.__main__ import main
from zoo.checkpoints import export as exporting
from zoo.checkpoints.export import export
from zoo.checkpoints.folder import load_folder
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.web_runtime import cache_folder, is_complete
from zoo.config import BaselineConfig
from zoo.hub.catalog import load
from zoo.labels import CAMVID
from zoo.places import REPOSITORY

BUNDLED = "fcn8s-vgg16bn-w25-ce-camvid"
DOCUMENTATION = (Path(__file__).parent.parent / "docs" / "export.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def model():
    return load(BUNDLED)


@pytest.fixture(scope="module")
def files(model, tmp_path_factory) -> dict[str, Path]:
    """One export for each kind of weights; those in 8 bits calibrated on two examples."""
    folder = tmp_path_factory.mktemp("exports")
    photos = folder / "photos"
    photos.mkdir()
    for index, example in enumerate(street_photos()):
        example.save(photos / f"{index}.png")
    paths = {weights: folder / f"{weights}.onnx" for weights in ("fp32", "fp16", "int8")}
    for weights, path in paths.items():
        done = export(model, path, weights=weights, photos=photos if weights == "int8" else None)
        assert done.path == path and done.file_bytes == path.stat().st_size
        assert done.agreement > {"fp32": 0.9999, "fp16": 0.995, "int8": 0.95}[weights]
    return paths


def street_photos() -> list[Image.Image]:
    """The examples that ship with the page."""
    from zoo.images.examples import examples

    return [Image.open(example.photo).convert("RGB") for example in examples()[:2]]


def expected_mask(model, pixels: np.ndarray) -> np.ndarray:
    """What the network in torch says of (H, W, 3) uint8 pixels."""
    with torch.inference_mode():
        return model(torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255)[0].argmax(0).numpy()


def open_file(path: Path) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize(("weights", "least"), [("fp32", 0.9999), ("fp16", 0.998), ("int8", 0.97)])
def test_file_gives_the_checkpoints_masks(model, files, weights, least):
    session = open_file(files[weights])
    for size in ((1, 1), (31, 33), (361, 479)):
        mask, confidence = session.run(None, {"photo": photo(*size)})
        assert mask.shape == confidence.shape == size and mask.dtype == np.uint8
        assert confidence.dtype == np.float32 and 1 / 11 - 1e-6 <= confidence.min() <= confidence.max() <= 1
    for image in street_photos():
        pixels = np.array(image)
        mask = session.run(["mask"], {"photo": pixels})[0]
        assert (mask == expected_mask(model, pixels)).mean() > least


def test_files_of_fewer_bits_are_smaller(files):
    full, half, eight = (files[weights].stat().st_size for weights in ("fp32", "fp16", "int8"))
    assert half < 0.55 * full and eight < 0.3 * full


@pytest.mark.parametrize("weights", ["fp32", "fp16", "int8"])
def test_file_says_what_it_is_and_nothing_of_this_machine(model, files, weights):
    session, info = open_file(files[weights]), model.info
    facts = session.get_modelmeta().custom_metadata_map
    assert (facts["name"], facts["sha256"], facts["weights"]) == (BUNDLED, info.sha256, weights)
    assert tuple(json.loads(facts["classes"])) == CAMVID.classes and facts["void"] == "11"
    assert tuple(map(tuple, json.loads(facts["palette"]))) == CAMVID.palette
    assert int(facts["working_size"]) == info.working_size == 480
    assert facts["licence"] == "cc-by-nc-4.0" and "not commerce" in facts["licence_text"]
    assert "brostow2009semantic" in facts["citation"]
    assert facts.get("calibration_photos") == ("2" if weights == "int8" else None)
    assert session.get_inputs()[0].shape == ["height", "width", 3] and session.get_inputs()[0].type == "tensor(uint8)"
    sides = ["height", "width"]
    assert {found.name: found.shape for found in session.get_outputs()} == {"mask": sides, "confidence": sides}
    content = files[weights].read_bytes()
    assert b".py" not in content and str(Path(__file__).parent.parent).encode() not in content


def test_logits_are_the_networks(model, tmp_path):
    export(model, tmp_path / "logits.onnx", logits=True)
    pixels = photo(90, 61)
    (logits,) = open_file(tmp_path / "logits.onnx").run(None, {"photo": pixels})
    expected = exporting.logits_of(model, pixels)
    np.testing.assert_allclose(logits, expected, rtol=0, atol=1e-4 * np.abs(expected).max())


def test_export_twice_gives_the_same_bytes(model, files, tmp_path):
    export(model, tmp_path / "again.onnx")
    assert (tmp_path / "again.onnx").read_bytes() == files["fp32"].read_bytes()


def test_a_file_that_says_something_else_does_not_get_its_name(tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "one")
    model, out = load_folder(tmp_path / "one"), tmp_path / "out.onnx"
    out.write_bytes(b"before")
    calls = exporting.logits_of
    monkeypatch.setattr(exporting, "logits_of", lambda model, image: -calls(model, image))
    with pytest.raises(CheckpointError, match=r"not the checkpoint's.*nothing is written"):
        export(model, out)
    (tmp_path / "photos").mkdir()
    Image.fromarray(photo(40, 50)).save(tmp_path / "photos" / "a.png")
    with pytest.raises(CheckpointError, match=r"of the pixels only.*--weights fp16"):
        export(model, out, weights="int8", photos=tmp_path / "photos")
    assert out.read_bytes() == b"before"
    assert {path.name for path in tmp_path.iterdir()} == {"one", "out.onnx", "photos"}


def test_weights_that_are_not_finite_are_refused(tmp_path):
    save_checkpoint(tmp_path / "one")
    model = load_folder(tmp_path / "one")
    with torch.no_grad():
        model.score["8"].bias[0] = float("nan")
    with pytest.raises(CheckpointError, match=r"score\.8\.bias has numbers that are not finite"):
        export(model, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"weights": "int4"}, "choose one of fp32, fp16, int8"),
        ({"weights": "int8"}, "int8 needs a folder of photos"),
        ({"photos": "photos"}, "int8 needs a folder of photos"),
        ({"weights": "int8", "photos": "absent"}, "absent: a folder of photos is needed"),
        ({"weights": "int8", "photos": "empty"}, "empty: a folder of photos is needed"),
        ({"weights": "int8", "photos": "text"}, "a.txt: "),
    ],
)
def test_wrong_options_are_refused(model, tmp_path, monkeypatch, options, words):
    monkeypatch.chdir(tmp_path)
    for name in ("empty", "text"):
        Path(name).mkdir()
    Path("text/a.txt").write_text("no photo")
    with pytest.raises(CheckpointError, match=words):
        export(model, "out.onnx", **options)
    assert not Path("out.onnx").exists()


def test_other_names_and_networks_are_refused(model, tmp_path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"ends in \.onnx"):
        export(model, tmp_path / "out.bin")
    monkeypatch.setattr(model, "info", replace(model.info, config=BaselineConfig(classes=CAMVID.classes)))
    with pytest.raises(CheckpointError, match="only FCNs"):
        export(model, tmp_path / "out.onnx")


def test_onnx_runtime_keeps_no_identifier_and_sends_nothing(files, tmp_path):
    code = "import sys; from zoo.checkpoints.export import open_session; open_session(sys.argv[1])"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    command = [sys.executable, "-c", code, str(files["fp32"])]
    subprocess.run(command, env=environment | {"HOME": str(tmp_path)}, cwd=REPOSITORY, check=True)
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize("library", ["onnx", "onnxruntime"])
def test_a_missing_library_is_named_with_the_way_to_get_it(model, tmp_path, monkeypatch, library):
    for name in [name for name in sys.modules if name.startswith("zoo.models.graph")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(CheckpointError, match=r"pip install -r zoo/export-requirements\.txt"):
        export(model, tmp_path / "out.onnx")
    assert not (tmp_path / "out.onnx").exists()


def test_command_writes_and_says_what_it_wrote(tmp_path, capsys):
    save_checkpoint(tmp_path / "one")
    assert main(["export", str(tmp_path / "one"), str(tmp_path / "out.onnx"), "--weights", "fp16"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"fp16, 0\.\d MB, is in .*out\.onnx", said) and "not commerce" in said
    assert "python -m evaluation.exports" in said
    assert main(["export", str(tmp_path / "one"), str(tmp_path / "out.txt")]) == 1
    assert "ends in .onnx" in capsys.readouterr().err


def test_table_of_exports_measures_each(tmp_path, camvid, capsys):
    save_checkpoint(tmp_path / "one")
    save_checkpoint(tmp_path / "two", seed=1)
    paths = [str(tmp_path / f"{name}.onnx") for name in ("mask", "logits", "other")]
    one = load_folder(tmp_path / "one")
    export(one, paths[0])
    export(one, paths[1], logits=True)
    export(load_folder(tmp_path / "two"), paths[2])
    data = ["--data", str(camvid), "--rounds", "1"]
    assert exports([str(tmp_path / "one"), paths[0], *data]) == 0
    said = capsys.readouterr().out
    measured = re.search(r"float32 is (\d+\.\d\d %)", said)[1]
    assert re.search(rf"\| fp32 \| 0\.\d \| ONNX Runtime \| \d+ \| 100\.00 % \| {measured} \|", said)
    assert re.search(r"\| checkpoint \| 0\.\d \| zoo.segment \|", said)
    for path, words in ((paths[1], "without --logits"), (paths[2], "another sha256"), (str(camvid), "cannot open")):
        assert exports([str(tmp_path / "one"), path, *data]) == 1
        assert words in capsys.readouterr().err


@pytest.mark.skipif(not is_complete(cache_folder()), reason="`make test` fetches onnxruntime-web")
def test_documented_page_gives_the_checkpoints_mask(model, files, tmp_path, browser):
    image = street_photos()[0]
    image.save(tmp_path / "photo.png")
    (tmp_path / "index.html").write_text(snippet("JavaScript, in a browser"))
    served = {"fcn8s.onnx": files["fp32"], "photo.png": tmp_path / "photo.png", "index.html": tmp_path / "index.html"}
    with site(cache_folder(), served) as address:
        page = browser.new_page()
        page.goto(address)
        page.wait_for_function("window.mask", timeout=120_000)
        mask = np.array(page.evaluate("Array.from(window.mask)"), np.uint8).reshape(image.size[::-1])
        page.close()
    assert (mask == expected_mask(model, np.array(image))).mean() > 0.999


@pytest.mark.skipif(not is_complete(cache_folder()), reason="`make test` fetches onnxruntime-web")
def test_browser_gives_the_masks_of_the_native_engine(files, browser):
    pixels = np.array(street_photos()[0])
    with in_browser(browser, cache_folder(), files["fp32"]) as mask:
        for part in (pixels, pixels[:31, :33], pixels[:1, :1]):
            assert (mask(part) == open_file(files["fp32"]).run(["mask"], {"photo": part})[0]).mean() > 0.9999


def test_browser_needs_the_packages_folder(tmp_path, files, browser):
    with (
        pytest.raises(EvaluationError, match=r"has no ort\.wasm\.min\.js; name the folder dist"),
        in_browser(browser, tmp_path, files["fp32"]),
    ):
        pass


def snippet(heading: str) -> str:
    """The code below a heading of the documentation."""
    return re.search(rf"## {heading}.*?```\w+\n(.*?)```", DOCUMENTATION, re.DOTALL)[1]


def test_page_and_cards_have_the_documented_programs():
    headings = {"onnxruntime": "Python, ONNX Runtime", "openvino": "Python, OpenVINO"}
    for name, heading in (headings | {"browser": "JavaScript, in a browser"}).items():
        program = exporting.snippet(name).replace("«FILE»", "fcn8s.onnx").replace("«SIDE»", "480")
        assert program == snippet(heading)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_documented_python_runs_as_it_stands(model, files, tmp_path, monkeypatch, engine):
    pytest.importorskip(engine)
    (tmp_path / "fcn8s.onnx").write_bytes(files["fp32"].read_bytes())
    image = street_photos()[0]
    image.save(tmp_path / "photo.png")
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(snippet("Python, ONNX Runtime" if engine == "onnxruntime" else "Python, OpenVINO"), names)
    expected = expected_mask(model, np.array(image))
    assert (names["mask"] == expected).mean() > 0.995
    if engine == "onnxruntime":
        colours = np.array(Image.open("mask.png"))
        assert np.array_equal(colours, np.array(CAMVID.palette, np.uint8)[names["mask"]])
