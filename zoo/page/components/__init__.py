"""Styles, markup and scripts of the page, each in a file of its own.

`NAME.html`, `NAME.css` and `NAME.js` make one component, a larger one has a folder with `template.html`, `style.css`
and `script/main.js`; `scripts/NAME.js` is what an event of Gradio does in the browser; `snippets/NAME.txt` is a program
that calls the page; `base/` is what the scripts share, `learn/` the lesson that
is fetched when its tab is opened. Nothing is read before it is asked for.

Scripts are modules, so that they can be checked and tested as such, but Gradio runs one text per component: `modules`
puts everything that a script imports before it.
"""

import json
import re
from pathlib import Path

from zoo.checkpoints.titles import VARIANT_TITLES, variant_title
from zoo.config import VARIANTS
from zoo.labels import LABEL_SETS
from zoo.text import DEFAULT_LANGUAGE, SECTIONS, texts

FOLDER = Path(__file__).parent
IMPORT = re.compile(r'^import \{[^}]*\} from "(\.[^"]+)";\n', re.MULTILINE)
EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def component_files(name: str) -> dict[str, str]:
    """Arguments html_template, css_template and js_on_load of `gr.HTML` for the component `name`."""
    place = FOLDER / name
    if place.is_dir():
        html, css, entry = place / "template.html", place / "style.css", place / "script" / "main.js"
    else:
        html, css, entry = (FOLDER / f"{name}.{ending}" for ending in ("html", "css", "js"))
    *shared, main = modules(entry)
    return {
        "html_template": html.read_text(encoding="utf-8"),
        "css_template": css.read_text(encoding="utf-8"),
        "js_on_load": "\n".join(['"use strict";', *shared, first_words(name), main]),
    }


def lesson_files() -> dict[str, str]:
    """`script`, a module of its own, and `style` of the lesson, which the page fetches when its tab is opened."""
    folder = FOLDER / "learn"
    style = (folder / "style.css").read_text(encoding="utf-8")
    return {"script": "\n".join(modules(folder / "script" / "main.js")), "style": style}


def script(name: str) -> str:
    """A JavaScript function that does what `scripts/NAME.js` exports, for the `js` argument of a Gradio event."""
    body = "\n".join(modules(FOLDER / "scripts" / f"{name}.js")).replace("export default ", "const act = ")
    # The directive stands in a function of its own: one with a rest parameter may not have it.
    return f'(...given) => (() => {{\n"use strict";\n{body}\nreturn act;\n}})()(...given)'


def modules(entry: Path) -> list[str]:
    """The texts of a module and of all that it imports, each once and behind what it imports, `entry` last.

    All share one scope, so no two may give one name to different things. Modules may import each other in a circle as
    long as they use what they import in functions only.
    """
    placed: dict[Path, str] = {}
    order: list[Path] = []

    def place(path: Path):
        placed[path] = source = path.read_text(encoding="utf-8")
        for target in IMPORT.findall(source):
            if (other := (path.parent / target).resolve()) not in placed:
                place(other)
        order.append(path)

    place(entry.resolve())
    return [EXPORT.sub("", IMPORT.sub("", placed[path])) for path in order]


def component_texts(name: str, language: str = DEFAULT_LANGUAGE) -> dict[str, str]:
    """What a component says in `language`; the leaderboard's table has names as `class_`, `variant_`, `dataset_`."""
    if name not in SECTIONS:
        return texts(language)
    named = {}
    if name == "table":
        named |= {f"class_{key}": title for key, title in texts(language, "classes").items()}
        named |= {f"variant_{key}": variant_title(key) for key in (*VARIANTS, *VARIANT_TITLES)}
        named |= {f"dataset_{key}": labels.title for key, labels in LABEL_SETS.items()} | {"dataset_coco": "COCO"}
        named |= {key: said for key, said in texts(language).items() if key.startswith("dataset_")}
    return texts(language, name) | named


def first_words(name: str) -> str:
    """A statement that gives English to a component with texts of its own, until its value brings others."""
    return f'speak({json.dumps(component_texts(name))}, "en");' if name in SECTIONS else ""


def snippets(name: str, works: tuple[str, ...]) -> dict[str, str]:
    """Programs that call the page, which fills in «ADDRESS» and «CHECKPOINTS», by the work that they do.

    `snippets/NAME.txt` is for the first of `works`, `snippets/NAME_WORK.txt` for each other, where there is one.
    """
    paths = {work: FOLDER / "snippets" / f"{name if work == works[0] else f'{name}_{work}'}.txt" for work in works}
    return {work: path.read_text(encoding="utf-8") for work, path in paths.items() if path.is_file()}
