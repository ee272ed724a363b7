"""Starting the page: it is served before torch is imported, and requests that come meanwhile are answered."""

import os
import re
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from page_server import GRADIO_WARNINGS
from PIL import Image

from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.models.segmentation import segment

pytestmark = GRADIO_WARNINGS
ROOT = Path(__file__).parent.parent
LADDER = [f"{variant}-vgg16bn-w25-ce-camvid" for variant in ("fcn32s", "fcn16s", "fcn8s")]


def test_page_needs_no_torch():
    heavy = ("torch", "torchvision", "torchmetrics", "scipy", "matplotlib")
    built = "app.build(app.make_page(app.Catalog(), dict))"
    code = f"import sys, app; {built}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2] == "[]"


def test_a_comparison_of_fcns_imports_no_other_library():
    """Each of these takes 90 to 500 MB and one to two seconds of the first visitor's."""
    code = f"""if True:
        import sys, app
        page = app.make_page(app.Catalog(), dict)
        work = page.prepare({str(examples()[0].photo)!r}, {LADDER!r})
        list(work.advance(page.segmenter))
        assert len(page.facts(work)["scores_on_this_image"]) == 3
        page.segmenter.rungs(work.infos[-1], work.decoded.image)
        print([m for m in ("torch", "torchvision", "torchmetrics", "scipy", "onnxruntime") if m in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[-2] == "[]"


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        *(("GRADIO_SERVER_PORT", value) for value in ("80a", "70000")),
        *(("GRADIO_NUM_PORTS", ""), ("GRADIO_DEBUG", "yes"), ("HF_HUB_ETAG_TIMEOUT", "8 s")),
    ],
)
def test_a_number_that_a_library_cannot_read_is_said_in_a_sentence(variable, value):
    done = subprocess.run(
        [sys.executable, "app.py"], cwd=ROOT, env=os.environ | {variable: value}, capture_output=True, text=True
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"{variable}: {value!r}" in done.stderr and "write one, or leave the variable out" in done.stderr


def test_a_precision_that_there_is_not_is_said_before_anything_is_started(monkeypatch, capsys, tmp_path):
    import app

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("FCN_ZOO_DECODE", "inside")
    monkeypatch.setenv("FCN_ZOO_PRECISION", "int4")
    monkeypatch.setattr(app.Sweeper, "start", lambda *_: pytest.fail("it goes on"))
    with pytest.raises(SystemExit) as ended:
        app.main([])
    assert ended.value.code == 2
    assert "FCN_ZOO_PRECISION is 'int4'; it must be one of auto, fp32, bf16, int8" in capsys.readouterr().err


def test_an_address_that_cannot_be_served_is_said_in_a_sentence(monkeypatch, capsys, tmp_path):
    import app

    def launch(*_, **__):
        raise OSError("Cannot find empty port in range: 7860-7860. You can specify a different port by `launch()`.")

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setenv("FCN_ZOO_DECODE", "inside")
    monkeypatch.setattr(app, "launch", launch)
    monkeypatch.setattr(app.Sweeper, "start", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        app.main([])
    said = capsys.readouterr().err.splitlines()[-1]
    assert ended.value.code == 2 and "range: 7860-7860; choose with GRADIO_SERVER_NAME" in said


@pytest.fixture
def fresh_address():
    """Address of `python app.py`, given out as soon as it answers, long before it has warmed up."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    options = {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": port, "PYTHONUNBUFFERED": "1"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FCN_ZOO_")} | options
    command = [sys.executable, "app.py"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        process.terminate()


def test_requests_during_the_warm_up_are_answered(fresh_address):
    photo = examples()[0].photo

    def ask(name):
        return Client(fresh_address, verbose=False, httpx_kwargs={"timeout": 120}).predict(
            handle_file(photo), [name], api_name="/segment"
        )

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, LADDER[1:]))
    for name, (files, facts) in zip(LADDER[1:], answers, strict=True):
        with Image.open(photo) as image, Image.open(files[0]) as mask:
            agreement = np.array(mask) == segment(load(name), image.convert("RGB")).mask
        assert agreement.mean() > 0.995 and set(facts["scores_on_this_image"]) == {name}
