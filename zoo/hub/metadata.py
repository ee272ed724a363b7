"""What the Hub itself reads of a checkpoint's repository: data sets and scores in the card and in `.eval_results`.

The Hub knows data sets by their repositories, OWNER/NAME, and shows a score on the leaderboard of the one it names. So
what names none is left at home, and where the owner has one (`FCN_ZOO_BENCHMARK`), what is sent names it. The rules
are those of huggingface.co/docs/hub/eval-results and of huggingface/hub-docs, modelcard.md.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import yaml
from huggingface_hub import ModelCard

from zoo.checkpoints.card import CARD_FILE, RESULTS_FOLDER, eval_results, index_entries
from zoo.checkpoints.information import CheckpointError, CheckpointInfo

REPOSITORY = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)


def names_repository(text: object) -> bool:
    """Whether a text has the form of a repository on the Hub, OWNER/NAME."""
    return isinstance(text, str) and bool(REPOSITORY.fullmatch(text))


def with_hub_metadata(
    files: dict[str, Path], info: CheckpointInfo, results: Sequence[dict], benchmark: str | None, place: Path
) -> dict[str, Path]:
    """`files` ({name there: path here}) of a checkpoint folder, with those changed that would point nowhere.

    New ones are written into the folder `place`; those that need no change are sent as they are. Raises CheckpointError
    where the card's front matter cannot be read.
    """
    own = {name: path for name, path in files.items() if name.startswith(f"{RESULTS_FOLDER}/")}
    kept = {name: path for name, path in files.items() if name not in own or points_somewhere(path)}
    written = eval_results(info, results, benchmark)
    text = card_text(files[CARD_FILE], info, results, benchmark)
    if text is not None:
        written[CARD_FILE] = text
    for name, content in written.items():
        path = place / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
        kept[name] = path
    return kept


def points_somewhere(path: Path) -> bool:
    """Whether every entry of a file of `.eval_results` names a repository."""
    try:
        entries = yaml.safe_load(path.read_text(encoding="utf-8"))
        return bool(entries) and all(names_repository(entry["dataset"]["id"]) for entry in entries)
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError):
        return False


def card_text(path: Path, info: CheckpointInfo, results: Sequence[dict], benchmark: str | None) -> str | None:
    """The card with front matter that names repositories alone, None where it needs no change."""
    try:
        card = ModelCard(path.read_text(encoding="utf-8"))
    except (ValueError, TypeError, KeyError, yaml.YAMLError) as error:
        raise CheckpointError(f"{path}: front matter cannot be read ({error})") from None
    before = card.data.to_yaml()
    named = card.data.get("datasets") or []
    named = [name for name in ([named] if isinstance(named, str) else named) if names_repository(name)]
    card.data.datasets = list(dict.fromkeys([*named, *([benchmark] if benchmark else [])])) or None
    entries = [entry for entry in card.data.get("eval_results") or [] if names_repository(entry.dataset_type)]
    ours = index_entries(info, results, benchmark)
    others = [entry for entry in entries if entry.dataset_type != benchmark]
    card.data.eval_results = ((others + ours) if ours else entries) or None
    return None if card.data.to_yaml() == before else str(card)
