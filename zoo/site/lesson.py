"""The lesson's files on the static page: its script, what is the same in every language, and the rest by language."""

from collections.abc import Callable, Sequence
from pathlib import Path

from zoo.site.data import write_json
from zoo.text import languages


def write_lesson(lesson: Callable[[str], dict], compared: Sequence[str], folder: Path) -> None:
    """Write 'lesson.js', 'lesson.json' and 'lesson.LANGUAGE.json', which the page fetches when the tab is opened.

    lesson: the value of the served page's tab by language. compared: the checkpoints that its last step compares, in
    place of those that a server offers.
    """
    values = [lesson(language) for language in languages()]
    (folder / "lesson.js").write_text(values[0]["script"], encoding="utf-8")
    values = [{key: part for key, part in value.items() if key != "script"} for value in values]
    for value in values:
        if "compared" in value:
            value["compared"] = value["compared"] | {"checkpoints": list(compared)}
    same, others = divided(values)
    write_json(folder / "lesson.json", same)
    for language, other in zip(languages(), others, strict=True):
        write_json(folder / f"lesson.{language}.json", other)


def divided(values: list[dict]) -> tuple[dict, list[dict]]:
    """What all values have in common, key by key, and what is left of each; 'network' is divided itself."""
    first = values[0]
    same = {key: part for key, part in first.items() if all(value.get(key) == part for value in values)}
    others = [{key: part for key, part in value.items() if key not in same} for value in values]
    if "network" in first and "network" not in same:
        same["network"], networks = divided([value["network"] for value in values])
        others = [other | {"network": network} for other, network in zip(others, networks, strict=True)]
    return same, others
