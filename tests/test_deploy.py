"""Deploying the page to a Space on a Hub on the loopback: which files, which settings, what is refused."""

import pytest

from zoo.__main__ import main
from zoo.deploy import deploy, space_files
from zoo.hub import HubError

# huggingface_hub's own upload over Git LFS
pytestmark = pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning")

FRONT = {"title": "FCN", "sdk": "gradio", "sdk_version": "6.31.0", "app_file": "app.py", "license": "apache-2.0"}
WANTED = {"app.py", "requirements.txt", "README.md", "LICENSE", "zoo/fcn.py", "zoo/bundled/x/model.safetensors"}
WANTED |= {"zoo/bundled/x/.eval_results/camvid.yaml", "evaluation/results/a.json"}
UNWANTED = ("tests/test_a.py", "training/loop.py", ".env", "zoo/__pycache__/fcn.pyc", "zoo/.x.part", "notes.txt")


def readme(**changes):
    fields = {name: value for name, value in (FRONT | changes).items() if value is not None}
    return "---\n" + "".join(f"{name}: {value}\n" for name, value in fields.items()) + "---\n# FCN\n"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    for name in (*WANTED, *UNWANTED):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"content of {name}")
    (root / "README.md").write_text(readme())
    return root


def test_a_space_gets_the_needed_files_and_its_owners_checkpoints(root, hub, settings):
    done = deploy("ana/fcn", root=root, settings=settings)
    space = hub.repositories["spaces/ana/fcn"]
    assert set(space.branches["main"]) == WANTED == set(done.sent)
    assert space.variables == {"FCN_ZOO_AUTHORS": "ana"}
    assert done.page.startswith(f"{hub.endpoint}/spaces/ana/fcn") and done.created


def test_a_second_deployment_mirrors_what_changed(root, hub, settings):
    deploy("ana/fcn", root=root, authors="ana,bo", settings=settings)
    (root / "zoo" / "fcn.py").unlink()
    (root / "app.py").write_text("new")
    done = deploy("ana/fcn", root=root, authors="ana,bo", settings=settings)
    assert (done.sent, done.removed) == (("app.py",), ("zoo/fcn.py",))
    space = hub.repositories["spaces/ana/fcn"]
    assert set(space.branches["main"]) == WANTED - {"zoo/fcn.py"} and space.variables["FCN_ZOO_AUTHORS"] == "ana,bo"
    hub.requests.clear()
    assert not deploy("ana/fcn", root=root, authors="ana,bo", settings=settings).sent
    assert not any("/commit/" in request for request in hub.requests)


def test_a_dry_run_sends_nothing(root, hub, settings):
    done = deploy("ana/fcn", root=root, dry_run=True, settings=settings)
    assert set(done.sent) == WANTED and not hub.repositories
    assert all(request.startswith("GET") for request in hub.requests)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("sdk", "docker", "must be 'gradio'"),
        ("sdk", None, "no sdk"),
        ("app_file", "main.py", "app_file 'main.py'"),
        ("license", None, "no license"),
        ("short_description", "x" * 61, "60 characters"),
        ("title", "[", "cannot be read"),
    ],
)
def test_front_matter_that_the_hub_would_refuse_is_named(root, field, value, words):
    (root / "README.md").write_text(readme(**{field: value}))
    with pytest.raises(HubError, match=words):
        space_files(root)


def test_missing_and_large_files_are_named(root):
    (root / "zoo" / "bundled" / "x" / "model.safetensors").write_bytes(bytes(10_000_001))
    with pytest.raises(HubError, match=r"model\.safetensors is 10 MB"):
        space_files(root)
    (root / "requirements.txt").unlink()
    with pytest.raises(HubError, match=r"requirements\.txt is missing"):
        space_files(root)


def test_the_command_deploys_and_reports(root, hub, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr("zoo.deploy.__file__", str(root / "zoo" / "deploy.py"))
    assert main(["deploy", "ana/fcn", "--dry-run"]) == 0
    assert f"would send {len(WANTED)} files" in capsys.readouterr().out
    assert main(["deploy", "ana/fcn", "--authors", "bo"]) == 0
    assert hub.repositories["spaces/ana/fcn"].variables == {"FCN_ZOO_AUTHORS": "bo"}
    assert main(["deploy", "ana/fcn@v2"]) == 1
    assert "main branch" in capsys.readouterr().err
