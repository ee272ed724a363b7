"""The Colab notebook: stored clean, and run from its first cell to its last on the CPU with the smallest settings.

The kernel is a process of its own that can reach nothing beyond the loopback, where a Hub server answers. Probes that
the test puts behind some cells print, as JSON, what those cells left behind; here it is checked by other means.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hub_server import TOKEN, HubServer
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell
from PIL import Image

import zoo
from zoo.checkpoints.folder import bundled_folder

ROOT = Path(__file__).parent.parent
NOTEBOOK = ROOT / "training" / "fcn_colab.ipynb"
VARIANTS = ("fcn32s", "fcn16s", "fcn8s")
TINY = {"EXAMPLE": "0016E5_08159", "TOY_IMAGES": "4", "EPOCHS": "2", "CROP": "64", "BATCH_SIZE": "2", "WORKERS": "0"}

# Runs before everything else in the kernel; a connection that leaves the machine fails the cell that asks for it.
NO_NETWORK = """
import ipaddress
import sys


def refuse(event, arguments):
    if event == "socket.getaddrinfo":
        host = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return
    try:
        beyond = not (ipaddress.ip_address(host).is_loopback or ipaddress.ip_address(host).is_unspecified)
    except ValueError:
        beyond = True
    if beyond:
        raise PermissionError(f"the test allows no connection to {host}")


sys.addaudithook(refuse)
"""

TRY_NETWORK = """
import json, socket, urllib.request
refusals = []
for attempt in (lambda: urllib.request.urlopen("https://example.org", timeout=1),
                lambda: socket.create_connection(("192.0.2.1", 443), timeout=1)):
    try:
        attempt()
    except OSError as error:
        refusals.append(str(error))
print(json.dumps(refusals))
"""

SHOWN = "print(json.dumps([list(axis.images[0].get_array().shape) for axis in {axes}.flat if axis.images]))"

PROBES = {
    "install": TRY_NETWORK + "print(json.dumps(os.getcwd()))",
    "load": "import json\nprint(json.dumps([[m.info.name, m.info.source, m.info.location] for m in models.values()]))",
    "segment": SHOWN.format(axes="segment_axes")
    + """
print(json.dumps([[result.mask.tolist(), float(result.confidence.max())] for result in results.values()]))
print(json.dumps([axis.get_title() for axis in segment_axes[0]]))
""",
    "inside": SHOWN.format(axes="inside_axes") + "\nprint(json.dumps([axis.get_title() for axis in inside_axes.flat]))",
    "mistakes": SHOWN.format(axes="mistakes_axes") + "\nprint(json.dumps([right, losses]))",
    "exercise": "print(json.dumps([problems, check(lambda model, images: model(images))]))",
    "data": "print(json.dumps([str(data), labels.name]))",
    "train": "print(json.dumps([str(folder), info.name, history]))",
    "evaluate": SHOWN.format(axes="evaluate_axes")
    + "\nprint(json.dumps({name: result.to_dict() for name, result in measured.items()}))",
    "push": "print(json.dumps([checked, wrong]))\nprint(json.dumps([list(pushed.sent), pushed.dry_run, pushed.page]))",
}

# The last cell is run twice more: with a repository but no token, then with both.
AGAIN = (
    ("named", 'HUB_REPOSITORY = "ana/toy"'),
    ("sent", f'os.environ["HF_TOKEN"] = {TOKEN!r}'),
)


@pytest.fixture(scope="module")
def notebook():
    """The notebook as it is stored."""
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook) -> dict[str, str]:
    """Source of each code cell by its id."""
    return {cell.id: cell.source for cell in notebook.cells if cell.cell_type == "code"}


@pytest.fixture(scope="module")
def executed(notebook, tmp_path_factory):
    """(cells by id after the run, values that each probe printed, {Hub repository: files}, runs folder)."""
    folder = tmp_path_factory.mktemp("notebook")
    (folder / "path").mkdir()
    (folder / "path" / "sitecustomize.py").write_text(NO_NETWORK)
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if cell.id in PROBES:
            cells.append(new_code_cell(PROBES[cell.id], id=f"probe-{cell.id}"))
    for name, change in AGAIN:
        source = change + "\n" + code_cells(notebook)["push"]
        probe = "print(json.dumps([list(pushed.sent), pushed.dry_run]))"
        cells += [new_code_cell(source, id=name), new_code_cell(probe, id=f"probe-{name}")]
    probed = nbformat.v4.new_notebook(cells=[nbformat.from_dict(cell) for cell in cells], metadata=notebook.metadata)
    with HubServer() as hub:
        environment = clean_environment(folder) | {"HF_ENDPOINT": hub.endpoint}
        client = NotebookClient(probed, timeout=600, resources={"metadata": {"path": str(ROOT / "training")}})
        client.execute(env=environment)
        repositories = {name: repository.branches["main"] for name, repository in hub.repositories.items()}
    done = {cell.id: cell for cell in probed.cells}
    names = [*PROBES, *(name for name, _ in AGAIN)]
    probes = {name: [json.loads(line) for line in printed(done[f"probe-{name}"]).splitlines()] for name in names}
    return done, probes, repositories, folder / "runs"


def clean_environment(folder: Path) -> dict[str, str]:
    """The environment of the kernel: nothing of this person's home, tokens or accelerators, tiny settings."""
    ours = ("HF_", "HUGGING", "FCN_", "JUPYTER", "MPL")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    homes = {name: str(folder) for name in ("HOME", "HF_HOME", "IPYTHONDIR", "JUPYTER_CONFIG_DIR", "MPLCONFIGDIR")}
    settings = {f"FCN_NOTEBOOK_{name}": value for name, value in TINY.items()}
    settings["FCN_NOTEBOOK_RUNS"] = str(folder / "runs")
    quiet = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_XET": "1", "CUDA_VISIBLE_DEVICES": ""}
    return kept | homes | settings | quiet | {"PYTHONPATH": str(folder / "path"), "FCN_ZOO_CACHE": str(folder / "zoo")}


def printed(cell) -> str:
    """What a cell wrote to standard output."""
    return "".join(output.text for output in cell.outputs if output.get("name") == "stdout")


def test_it_is_a_valid_notebook_without_outputs(notebook):
    nbformat.validate(notebook)
    stored = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    assert stored["nbformat"] == 4
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert len(code) == len(PROBES) + 1, "every code cell but the settings has a probe"
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert "widgets" not in stored["metadata"]


def test_no_cell_names_a_path_of_one_machine(notebook):
    personal = re.compile(r"(?<![\w.:/])/(?:home|Users|root|work|tmp|mnt|content|opt|data)\b|[A-Za-z]:\\\\|~/|/drive/")
    assert personal.search('open("/home/ana/x")') and personal.search("~/data") and not personal.search("a/home/b")
    assert [cell.id for cell in notebook.cells if personal.search(cell.source)] == []


def test_every_heading_has_a_line_of_portuguese(notebook):
    texts = [cell.source.splitlines() for cell in notebook.cells if cell.cell_type == "markdown"]
    assert len(texts) >= 9
    for lines in texts:
        assert lines[0].startswith("#") and re.fullmatch(r"\*[^*]+\*", lines[1]), lines[0]


def test_the_kernel_reaches_no_network(executed):
    _, probes, _, _ = executed
    refusals, _ = probes["install"]
    assert len(refusals) == 2 and all("the test allows no connection" in text for text in refusals)


def test_inside_the_repository_the_first_cell_only_goes_to_its_root(executed):
    done, probes, _, _ = executed
    assert Path(probes["install"][1]) == ROOT
    assert done["install"].outputs == []


def test_masks_of_the_bundled_ladder_are_shown_at_the_size_of_the_photo(executed):
    done, probes, _, _ = executed
    ladder = [f"{variant}-vgg16bn-w25-ce-camvid" for variant in VARIANTS]
    for (name, _, location), expected in zip(probes["load"][0], ladder, strict=True):
        assert name == expected and Path(location) == bundled_folder() / expected
    photo = Image.open(ROOT / "zoo" / "images" / "examples" / f"{TINY['EXAMPLE']}.png").convert("RGB")
    shapes, results, titles = probes["segment"]
    assert shapes == [[photo.height, photo.width, 3]] * 8  # truth, photo, mask and overlay of three networks
    truth = np.array(Image.open(ROOT / "zoo" / "images" / "examples" / f"{TINY['EXAMPLE']}.label.png"))
    for name, (mask, confidence), text in zip(ladder, results, titles[1:], strict=True):
        expected = zoo.segment(zoo.load(name), photo).mask
        mask = np.array(mask)
        assert mask.shape == expected.shape and (mask == expected).mean() > 0.999 and 0 < confidence <= 1
        right = (mask == truth)[truth != 11].mean()
        assert text == f"FCN-{name[3:].split('-')[0]} · CE: {right:.1%} of the pixels right"
    assert pictures(done["segment"]) == 1


def test_every_rung_of_the_ladder_is_shown(executed):
    done, probes, _, _ = executed
    shapes, titles = probes["inside"]
    assert shapes == [[360, 480, 3]] * 6
    names = ["score 32", "score 16", "fused 16", "score 8", "fused 8", "output"]
    assert [text.split(":")[0] for text in titles] == names
    assert "score 32  (1, 11, 12, 15)" in printed(done["inside"])
    assert "fused 8   (1, 11, 48, 60)" in printed(done["inside"])
    assert pictures(done["inside"]) == 1


def test_the_mistakes_are_shown_with_what_they_cost_and_the_exercise_says_what_is_missing(executed):
    done, probes, _, _ = executed
    shapes, (right, losses) = probes["mistakes"]
    assert shapes == [[360, 480, 3]] * 5 and pictures(done["mistakes"]) == 1
    own, loss = right.pop("as it should be"), losses.pop("as it should be")
    assert len(right) == 4 and all(0.3 < one <= own for one in right.values())
    assert right["ReLU at the end"] > 0.99 * own and all(one > loss for one in losses.values())
    problems, of_the_network = probes["exercise"][0]
    assert len(problems) == 1 and "pool3" in problems[0] and of_the_network == []


def pictures(cell) -> int:
    """How many PNG pictures a cell shows."""
    return sum("image/png" in output.get("data", {}) for output in cell.outputs)


def test_training_writes_a_checkpoint_that_loads(executed):
    _, probes, _, runs = executed
    folder, name, history = probes["train"][0]
    assert Path(folder).parent == runs and name == "fcn8s-vgg16bn-w25-ce-toystreets"
    assert [record["epoch"] for record in history] == [1, 2] and all(record["loss"] > 0 for record in history)
    model = zoo.load(folder)
    assert model.info.labels.classes == ("sky", "grass", "road", "car", "pole")
    # It started from the bundled FCN-16s: two epochs later the first convolution is still near to it, not equal.
    start = zoo.load("fcn16s-vgg16bn-w25-ce-camvid").state_dict()
    first = next(key for key, value in start.items() if key.startswith("encoder.") and value.ndim == 4)
    ours, theirs = model.state_dict()[first].flatten().numpy(), start[first].flatten().numpy()
    assert np.corrcoef(ours, theirs)[0, 1] > 0.95 and not np.array_equal(ours, theirs)


def test_the_miou_is_that_of_the_written_checkpoint(executed):
    done, probes, _, _ = executed
    model = zoo.load(probes["train"][0][0])
    data, dataset = probes["data"][0]
    assert dataset == "toystreets" and sorted(path.name for path in Path(data).iterdir()) == [
        "classes.txt",
        "train",
        "val",
    ]
    hits, union = np.zeros(5), np.zeros(5)
    masks = sorted((Path(data) / "val" / "masks").iterdir())
    assert len(masks) == 2
    for path in masks:
        truth = np.array(Image.open(path))
        mask = zoo.segment(model, Image.open(path.parents[1] / "images" / path.name)).mask
        for label in range(5):
            hits[label] += ((mask == label) & (truth == label)).sum()
            union[label] += ((mask == label) | (truth == label)).sum()
    shapes, measured = probes["evaluate"]
    (name, result) = measured.popitem()
    assert not measured, "networks with other classes are not evaluated on toy streets"
    assert result["miou"] == pytest.approx((hits[union > 0] / union[union > 0]).mean(), abs=1e-3)
    assert f"{name}: mIoU {result['miou']:.1%} [" in printed(done["evaluate"])
    assert shapes == [[128, 160, 3]] * 6 and pictures(done["evaluate"]) == 1


def test_publishing_is_a_dry_run_that_lists_the_files(executed):
    done, probes, _, _ = executed
    folder, name, _ = probes["train"][0]
    (checked, wrong), (sent, dry_run, page) = probes["push"]
    assert wrong == [] and any("logits equal those" in line for line in checked)
    expected = ["README.md", "config.json", "golden.safetensors", "metrics.jsonl", "model.safetensors"]
    assert dry_run and sent == [*expected, "training_args.json"] and page.endswith(f"/OWNER/{name}")
    assert all(f"\n  {file}" in printed(done["push"]) for file in sent)
    assert all((Path(folder) / file).is_file() for file in sent)


def test_only_a_repository_and_a_token_together_publish(executed):
    _, probes, repositories, _ = executed
    assert probes["named"][0][1] and not probes["sent"][0][1]
    folder, sent = Path(probes["train"][0][0]), probes["sent"][0][0]
    assert repositories == {"ana/toy": {file: (folder / file).read_bytes() for file in sent}}
    assert len(sent) == 6 and b"ana/toy" in repositories["ana/toy"]["README.md"]


def run_install(notebook, folder: Path, address: str) -> subprocess.CompletedProcess:
    """Run the first code cell in an empty folder with this address; prints where it ended."""
    source = code_cells(notebook)["install"]
    assert source.count('REPOSITORY_ADDRESS = ""') == 1
    source = source.replace('REPOSITORY_ADDRESS = ""', f"REPOSITORY_ADDRESS = {address!r}")
    command = [sys.executable, "-c", source + "\nprint(os.getcwd(), sys.path[0], sep='\\n')"]
    offline = os.environ | {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    return subprocess.run(command, cwd=folder, env=offline, capture_output=True, text=True, timeout=300)


def test_elsewhere_the_first_cell_clones_once(notebook, tmp_path):
    origin, empty = tmp_path / "origin", tmp_path / "empty"
    empty.mkdir()
    for name in ("zoo/models/fcn.py", "training/recipe.py", "requirements.txt", "training/requirements.txt"):
        (origin / name).parent.mkdir(parents=True, exist_ok=True)
        (origin / name).write_text("# nothing to install\n")
    git = ["git", "-C", str(origin), "-c", "user.name=test", "-c", "user.email=test@example.org"]
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "Begin"]):
        subprocess.run([*git, *arguments], check=True)
    for _ in range(2):
        done = run_install(notebook, empty, str(origin))
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(empty / "fcn-zoo")] * 2
        shutil.rmtree(origin, ignore_errors=True)  # a second clone would fail
    assert (empty / "fcn-zoo" / "zoo" / "models" / "fcn.py").is_file()


def test_elsewhere_without_an_address_the_first_cell_says_what_to_do(notebook, tmp_path):
    done = run_install(notebook, tmp_path, "")
    assert done.returncode == 1 and "write the address of the repository in this cell" in done.stderr
    assert list(tmp_path.iterdir()) == []
