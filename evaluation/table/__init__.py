"""Leaderboard table: the HTML, CSS and JavaScript of the tab, published figures and the text 'How we measure'.

Nothing here imports gradio; `app.py` hands `component_files()` to `gr.HTML`. The component's value is the dict that
`evaluation.leaderboard.payload` returns, optionally with "strings" (see `strings`) and "locale" (a BCP 47 tag).
Clicking 'Compare on an image' triggers the event "compare" with {"checkpoints": [names]}.
"""

import json
from pathlib import Path

LANGUAGES = ("en", "pt-BR")

# One function body for the browser, so the order counts: later files use what earlier ones define.
SCRIPTS = (
    "script_base.js",
    "script_columns.js",
    "script_state.js",
    "script_table.js",
    "script_charts.js",
    "script_plots.js",
    "script_details.js",
    "script_export.js",
    "script_published.js",
    "script_main.js",
)

_FOLDER = Path(__file__).parent


def component_files() -> dict[str, str]:
    """Arguments html_template, css_template and js_on_load for `gr.HTML`, read from disk at call time."""
    scripts = ['"use strict";', f"const ENGLISH = {json.dumps(strings('en'))};"] + [_read(name) for name in SCRIPTS]
    return {
        "html_template": _read("template.html"),
        "css_template": _read("style.css"),
        "js_on_load": "\n".join(scripts),
    }


def strings(language: str) -> dict[str, str]:
    """Texts of the table for the value's "strings", in one of `LANGUAGES`; ValueError for another language."""
    return json.loads(_read(f"strings.{_checked(language)}.json"))


def how_we_measure(language: str = "en") -> str:
    """Markdown of the page 'How we measure' in one of `LANGUAGES`; ValueError for another language."""
    return _read(f"how_we_measure.{_checked(language)}.md")


def published() -> list[dict]:
    """Figures from papers and repositories, each with source and url; metrics are fractions in [0, 1] or None."""
    return json.loads(_read("published.json"))


def _checked(language: str) -> str:
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r} has no texts here; choose one of {', '.join(LANGUAGES)}")
    return language


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")
