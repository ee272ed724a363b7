"""Deploying the page to a Space on a Hub on the loopback: which files, which settings, what is refused."""

from dataclasses import replace

import pytest
from huggingface_hub import RepoCard

from zoo.__main__ import main
from zoo.hub.deploy import deploy, deploy_static, read_front_matter, space_files
from zoo.hub.requests import HubError

# huggingface_hub's own upload over Git LFS
pytestmark = pytest.mark.filterwarnings(r"ignore:Use 'content=<\.\.\.>' to upload:DeprecationWarning")

FRONT = {"title": "FCN", "sdk": "gradio", "sdk_version": "6.31.0", "app_file": "app.py", "license": "apache-2.0"}
WANTED = {"app.py", "requirements.txt", "README.md", "LICENSE", "zoo/models/fcn.py", "evaluation/results/a.json"}
WANTED |= {"training/recipes/a.toml", "training/seeds/1/a.json"}
WANTED |= {f"zoo/checkpoints/bundled/x/{name}" for name in ("model.safetensors", ".eval_results/camvid.yaml")}
UNWANTED = ("tests/test_a.py", "training/loop.py", ".env", "zoo/__pycache__/fcn.pyc", "zoo/.x.part", "notes.txt")
UNWANTED += ("training/seeds/1/a/model.safetensors",)


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


def test_the_card_of_a_space_names_the_owners_dataset_repository(root, hub, settings):
    deploy("ana/fcn", root=root, settings=replace(settings, benchmark="ana/streets"))
    sent = hub.repositories["spaces/ana/fcn"].branches["main"]
    front = RepoCard(sent["README.md"].decode()).data.to_dict()
    assert front == FRONT | {"datasets": ["ana/streets"]} and sent["README.md"].endswith(b"# FCN\n")
    assert "datasets" not in (root / "README.md").read_text()


def test_a_second_deployment_mirrors_what_changed(root, hub, settings):
    deploy("ana/fcn", root=root, authors="ana,bo", settings=settings)
    (root / "zoo" / "models" / "fcn.py").unlink()
    (root / "app.py").write_text("new")
    done = deploy("ana/fcn", root=root, authors="ana,bo", settings=settings)
    assert (done.sent, done.removed) == (("app.py",), ("zoo/models/fcn.py",))
    space = hub.repositories["spaces/ana/fcn"]
    assert (
        set(space.branches["main"]) == WANTED - {"zoo/models/fcn.py"} and space.variables["FCN_ZOO_AUTHORS"] == "ana,bo"
    )
    hub.requests.clear()
    assert not deploy("ana/fcn", root=root, authors="ana,bo", settings=settings).sent
    assert not any("/commit/" in request for request in hub.requests)


def test_a_static_space_gets_the_folder_and_a_readme_that_says_so(root, tmp_path, hub, settings):
    folder = tmp_path / "site"
    (folder / "engine").mkdir(parents=True)
    for name in ("index.html", "engine/a.packed"):
        (folder / name).write_text(name)
    done = deploy_static("ana/static", folder, root=root, settings=settings)
    space = hub.repositories["spaces/ana/static"]
    assert set(space.branches["main"]) == set(done.sent) == {"index.html", "engine/a.packed", "README.md"}
    front = read_front_matter(folder / "README.md")
    assert (front["sdk"], front["app_file"], front["title"]) == ("static", "index.html", "FCN")
    assert "sdk_version" not in front and "non-commercial" in (folder / "README.md").read_text()
    assert not space.variables
    (folder / "large.packed").write_bytes(bytes(10_000_001))
    with pytest.raises(HubError, match=r"large\.packed is 10 MB"):
        deploy_static("ana/static", folder, root=root, settings=settings)


def test_static_pages_have_no_authors(capsys):
    assert main(["deploy", "ana/static", "--static", "--authors", "ana"]) == 1
    assert "leave out --authors" in capsys.readouterr().err


def test_a_dry_run_sends_nothing(root, hub, settings):
    done = deploy("ana/fcn", root=root, dry_run=True, settings=settings)
    assert set(done.sent) == WANTED and not hub.repositories
    assert all(request.startswith("GET") for request in hub.requests)


def test_the_commands_plan_offline(root, tmp_path, hub, settings, monkeypatch, capsys):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("zoo.hub.deploy.REPOSITORY", root)
    assert main(["deploy", "ana/fcn", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"would send {len(WANTED)} files" in said and "offline mode is on" in said
    (tmp_path / "site").mkdir()
    done = deploy_static("ana/fcn", tmp_path / "site", root=root, dry_run=True, settings=settings)
    assert done.sent == ("README.md",) and "offline mode is on" in done.unasked
    assert not hub.requests
    assert main(["deploy", "ana/fcn"]) == 1  # what is no dry run still needs the Hub
    assert "offline mode is on" in capsys.readouterr().err


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
    (root / "zoo" / "checkpoints" / "bundled" / "x" / "model.safetensors").write_bytes(bytes(10_000_001))
    with pytest.raises(HubError, match=r"model\.safetensors is 10 MB"):
        space_files(root)
    (root / "requirements.txt").unlink()
    with pytest.raises(HubError, match=r"requirements\.txt is missing"):
        space_files(root)


def test_the_command_deploys_and_reports(root, hub, monkeypatch, capsys):
    monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
    monkeypatch.setattr("zoo.hub.deploy.REPOSITORY", root)
    assert main(["deploy", "ana/fcn", "--dry-run"]) == 0
    assert f"would send {len(WANTED)} files" in capsys.readouterr().out
    assert main(["deploy", "ana/fcn", "--authors", "bo"]) == 0
    assert hub.repositories["spaces/ana/fcn"].variables == {"FCN_ZOO_AUTHORS": "bo"}
    assert main(["deploy", "ana/fcn@v2"]) == 1
    assert "main branch" in capsys.readouterr().err
