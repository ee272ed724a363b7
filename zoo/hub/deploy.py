"""The page to a Space on the Hub: exactly the files that it needs, and the owner whose checkpoints it lists.

Tests, training, and whatever else lies in the folder stay at home. The Space is a mirror: files that the page no
longer has are removed there. README.md's front matter is what the Hub builds the Space from, so it is checked first.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import yaml
from huggingface_hub import HfApi, RepoCard
from huggingface_hub.errors import HfHubHTTPError

from zoo.checkpoints.information import TAG
from zoo.hub.publish import Push, Target, upload
from zoo.hub.requests import HubError, parse_repository, within
from zoo.hub.settings import HubSettings
from zoo.places import REPOSITORY

FILES = ("app.py", "requirements.txt", "README.md", "LICENSE")
FOLDERS = ("zoo", "evaluation", "training/recipes")  # the board shows the recipe of each row
RESULTS_OF_SEEDS = "training/seeds/*/*.json"  # and what other seeds gave, whose weights stay at home
MAXIMUM_BYTES = 10_000_000  # of a file that a Space serves
MAXIMUM_DESCRIPTION = 60  # characters, the Hub's limit
NEEDED = ("title", "sdk", "sdk_version", "app_file", "license")


def deploy(
    space: str,
    *,
    root: Path | None = None,
    authors: str | None = None,
    private: bool = False,
    dry_run: bool = False,
    settings: HubSettings | None = None,
) -> Push:
    """Make the Space OWNER/NAME hold the page in `root` (default: this repository), creating it if needed.

    authors: whose checkpoints the page lists, as in FCN_ZOO_AUTHORS; None names the owner of a Space that is new, and
    leaves the variable of one that exists as it is, which a token for its files alone may not set. The token comes from
    HF_OIDC_RESOURCE, HF_TOKEN or the stored login. The Space's card names the settings' `benchmark` repository, if
    there is one. Raises HubError when a file is missing or the Hub does not take it.
    """
    settings = settings or HubSettings.from_environment()
    space, revision = parse_repository(space.removeprefix("spaces/"), settings.endpoint)
    if revision:
        raise HubError(f"{space}: a Space runs its main branch; leave out {revision!r}")
    files = space_files(root or REPOSITORY)
    with TemporaryDirectory() as place:
        if settings.benchmark:
            files["README.md"] = with_dataset(files["README.md"], settings.benchmark, Path(place))
        done = upload(files, Target(space, kind="space", private=private, mirror=True), settings, dry_run=dry_run)
    if not dry_run and (done.created or authors is not None):
        authors = space.split("/")[0] if authors is None else authors
        _set_authors(space, authors, settings)
    return done


def with_dataset(path: Path, repository: str, place: Path) -> Path:
    """A copy of the Space's card, in the folder `place`, whose front matter lists the dataset repository."""
    card = RepoCard(path.read_text(encoding="utf-8"))
    named = card.data.get("datasets") or []
    card.data["datasets"] = list(dict.fromkeys([*([named] if isinstance(named, str) else named), repository]))
    copy = place / path.name
    copy.write_text(str(card), encoding="utf-8")
    return copy


def deploy_static(
    space: str,
    folder: Path,
    *,
    root: Path | None = None,
    private: bool = False,
    dry_run: bool = False,
    settings: HubSettings | None = None,
) -> Push:
    """Make the Space OWNER/NAME hold the static page in `folder`, creating it as a static one if needed.

    The README that the Hub builds it from takes title and looks from the one in `root` (default: this repository);
    it is written into `folder`. Raises HubError as `deploy` does.
    """
    settings = settings or HubSettings.from_environment()
    space, revision = parse_repository(space.removeprefix("spaces/"), settings.endpoint)
    if revision:
        raise HubError(f"{space}: a Space runs its main branch; leave out {revision!r}")
    front = read_front_matter((root or REPOSITORY) / "README.md")
    (folder / "README.md").write_text(static_readme(front), encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    check_sizes(files)
    target = Target(space, kind="space", private=private, mirror=True, sdk="static")
    return upload(files, target, settings, dry_run=dry_run)


def static_readme(front: dict) -> str:
    """README.md of a static Space, from the front matter of the served one."""
    kept = ("title", "emoji", "colorFrom", "colorTo", "short_description", "license", "tags")
    fields = {name: front[name] for name in kept if name in front} | {"sdk": "static", "app_file": "index.html"}
    text = f"---\n{yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)}---\n\n# {front['title']}\n\n"
    text += "Networks run in the visitor's browser; photos never leave it. The licence above is that of the code: "
    return text + "the weights are for research and teaching, non-commercial, as the page says.\n"


def space_files(root: Path) -> dict[str, Path]:
    """{name in the Space: path}; raises HubError when the page would not start there."""
    paths = [root / name for name in FILES]
    paths += [path for folder in FOLDERS for path in sorted((root / folder).rglob("*")) if path.is_file()]
    paths += sorted(root.glob(RESULTS_OF_SEEDS))
    files = {path.relative_to(root).as_posix(): path for path in paths}
    files = {name: path for name, path in files.items() if _belongs(name)}
    for name, path in files.items():
        if not path.is_file():
            raise HubError(f"{name} is missing; a Space needs {', '.join(FILES)}")
    check_sizes(files)
    check_front_matter(files)
    return files


def check_sizes(files: dict[str, Path]) -> None:
    """Raise HubError for a file that is too large for a Space."""
    for name, path in files.items():
        if path.stat().st_size > MAXIMUM_BYTES:
            raise HubError(f"{name} is {path.stat().st_size / 1e6:.0f} MB; a file of a Space stays under 10 MB")


def _belongs(name: str) -> bool:
    parts = name.split("/")
    hidden = any(part.startswith(".") and part != ".eval_results" for part in parts)
    return not (hidden or "__pycache__" in parts or name.endswith((".pyc", ".part", ".tmp")))


def check_front_matter(files: dict[str, Path]) -> None:
    """Raise HubError naming the field of README.md's front matter that keeps the Space from starting."""
    front = read_front_matter(files["README.md"])
    for name in NEEDED:
        if not front.get(name):
            raise HubError(f"README.md: front matter has no {name}; the Hub builds the Space from it")
    if front["sdk"] != "gradio":
        raise HubError(f"README.md: sdk is {front['sdk']!r}, must be 'gradio'")
    if front["app_file"] not in files:
        raise HubError(f"README.md: app_file {front['app_file']!r} is not among the files of the Space")
    if len(str(front.get("short_description", ""))) > MAXIMUM_DESCRIPTION:
        raise HubError(f"README.md: short_description has more than {MAXIMUM_DESCRIPTION} characters")


def read_front_matter(readme: Path) -> dict:
    """The fields between the '---' lines of a README. Raises HubError."""
    try:
        return RepoCard(readme.read_text(encoding="utf-8"), ignore_metadata_errors=False).data.to_dict()
    except (ValueError, yaml.YAMLError) as error:
        raise HubError(f"README.md: front matter cannot be read ({error})") from None


def _set_authors(space: str, authors: str, settings: HubSettings) -> None:
    api = HfApi(endpoint=settings.endpoint, library_name=TAG)
    try:
        within(
            lambda _: api.add_space_variable(space, "FCN_ZOO_AUTHORS", authors),
            quiet=settings.list_seconds,
            total=settings.list_seconds,
            subject=f"Variable FCN_ZOO_AUTHORS of {space}",
        )
    except HfHubHTTPError as error:
        status = error.response.status_code
        raise HubError(f"{space}: the files are there, FCN_ZOO_AUTHORS could not be set (status {status})") from None
