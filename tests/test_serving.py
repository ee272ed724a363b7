"""The page without torch, as zoo/serving-requirements.txt installs it: everything that a visitor does works."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from hub_client import NAME, changed_config, files_of
from page_reading import upload, wait_for_masks
from page_server import GRADIO_WARNINGS
from PIL import Image
from playwright.sync_api import expect

from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.models.segmentation import segment

pytestmark = GRADIO_WARNINGS
ROOT = Path(__file__).parent.parent
EIGHT = "fcn8s-vgg16bn-w25-ce-camvid"
LEFT_OUT = ("torch", "torchvision", "torchmetrics", "scipy", "matplotlib", "onnxruntime")
# A finder before all others: what it names is not installed, and no module that was found without it can bring it in.
MISSING = f"""import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {LEFT_OUT}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Missing())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {LEFT_OUT} else found(name, package)
"""


# What the catalog makes of a repository on the Hub: a photo's mask, or why it takes it not.
ADDING = """import json, sys
from pathlib import Path
from PIL import Image
from zoo.checkpoints.information import CheckpointError
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.models.segmentation import segment

endpoint, cache, name, photo = sys.argv[1:]
catalog = Catalog(HubSettings(endpoint=endpoint, cache=Path(cache), pull_seconds=60))
try:
    engine = catalog.load_engine(catalog.add(name))
    print(json.dumps(segment(engine, Image.open(photo).convert("RGB")).mask.tolist()))
except CheckpointError as error:
    print(json.dumps(f"{type(error).__name__}: {error}"))
"""


def requirements(name: str) -> dict[str, str]:
    """{library: what is asked of it} of a requirements file."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return {re.split(r"[<>\[=]", line)[0]: line for line in lines if line}


def test_the_requirements_are_those_of_the_whole_without_what_is_left_out():
    whole, serving = requirements("requirements.txt"), requirements("zoo/serving-requirements.txt")
    assert serving.items() <= whole.items()
    assert whole.keys() - serving.keys() == {"torch", "torchvision", "torchmetrics", "matplotlib", "scipy"}


@pytest.fixture(scope="module")
def missing(tmp_path_factory):
    """Environment of a Python without torch."""
    folder = tmp_path_factory.mktemp("missing")
    (folder / "sitecustomize.py").write_text(MISSING, encoding="utf-8")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("FCN_ZOO_")}
    return environment | {"PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def address(missing):
    """Address of `python app.py` in a Python without torch."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    environment = missing | {"GRADIO_SERVER_NAME": "127.0.0.1", "GRADIO_SERVER_PORT": port}
    command = [sys.executable, "app.py"]
    environment |= {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield next(found[0] for line in process.stdout if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
        process.terminate()


def test_a_program_gets_the_masks_that_torch_gives(address):
    client, photo = Client(address, verbose=False, httpx_kwargs={"timeout": 120}), examples()[0].photo
    files, facts = client.predict(handle_file(photo), [EIGHT], api_name="/segment")
    with Image.open(photo) as image, Image.open(files[0]) as mask:
        assert (np.array(mask) == segment(load(EIGHT), image.convert("RGB")).mask).mean() > 0.995
    assert facts["scores_on_this_image"][EIGHT]["miou"] > 0.4
    offered = client.predict(api_name="/checkpoints")
    assert not [entry for entry in offered if "torchvision" in str(entry)]


def added(missing, hub, tmp_path):
    """What `ADDING` prints of the repository `NAME` in a Python without torch."""
    paths = {"PYTHONPATH": os.pathsep.join((missing["PYTHONPATH"], str(ROOT)))}
    command = [sys.executable, "-c", ADDING, hub.endpoint, str(tmp_path / "cache"), NAME, str(examples()[0].photo)]
    done = subprocess.run(command, cwd=ROOT, env=missing | paths, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_fcn_of_the_hub_is_added_and_labels_a_photo(missing, hub, checkpoint, tmp_path):
    hub.add(NAME, checkpoint)
    with Image.open(examples()[0].photo) as photo:
        expected = segment(load(checkpoint), photo.convert("RGB")).mask
    assert (np.array(added(missing, hub, tmp_path)) == expected).mean() > 0.995


def test_weights_of_another_shape_are_refused_and_networks_of_other_libraries_say_what_to_install(
    missing, hub, checkpoint, tmp_path
):
    arguments = json.loads((checkpoint / "config.json").read_text())["model_args"]
    wide = changed_config(checkpoint, model_args=arguments | {"head_channels": 17})
    hub.add(NAME, files_of(checkpoint) | {"config.json": wide})
    assert "weights do not fit the configuration" in added(missing, hub, tmp_path)
    arguments = {"library": "smp", "variant": "unet", "backbone": "resnet18"}
    foreign = changed_config(checkpoint, model_type="smp", architecture="unet", model_args=arguments)
    hub.add(NAME, files_of(checkpoint) | {"config.json": foreign})
    refusal = added(missing, hub, tmp_path)
    assert refusal.startswith(f"HubError: {NAME}: unet needs torch; run: pip install -r requirements.txt -r training/")


def test_a_visitor_sees_masks_scores_the_inside_the_lesson_and_the_board(address, visit, tmp_path):
    tab = visit(address=address)
    expect(tab.locator("#iou tbody tr")).not_to_have_count(0)
    expect(tab.locator(".rungs img").first).to_be_visible()
    with Image.open(examples()[1].photo) as whole:
        whole.crop((60, 40, 380, 280)).save(tmp_path / "own.png")
    upload(tab, tmp_path / "own.png")
    wait_for_masks(tab)
    tab.get_by_role("tab", name="Learn").click()
    expect(tab.locator("#learn-quiz")).to_be_visible()
    tab.get_by_role("tab", name="Leaderboard").click()
    expect(tab.get_by_text("Rare classes by loss").first).to_be_visible()
