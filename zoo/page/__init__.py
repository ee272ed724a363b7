"""Texts, styles and small components of the web page, each in a file of its own.

`strings/LANGUAGE.json` holds every sentence that the page shows; English is the reference and the fall-back for a
missing language. `NAME.html`, `NAME.css` and `NAME.js` make one component, `scripts/NAME.js` one expression for a
Gradio event, `snippets/NAME.txt` one program that calls the page. Nothing is read before it is asked for.
"""

import json
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
DEFAULT_LANGUAGE = "en"


class Message(str):
    """A sentence for the person at the page: a str in English that can be said in the other languages too.

    `Message("error_empty")` fills the placeholders of that string with the keyword arguments, which may be Messages
    themselves. Raises KeyError for a key or placeholder that does not exist.
    """

    def __new__(cls, key: str, **values):
        message = super().__new__(cls, texts()[key].format(**values))
        message.key, message.values = key, values
        return message

    def __getnewargs_ex__(self):
        return (self.key,), self.values  # so that copies and pickles are Messages too

    def translate(self, language: str) -> str:
        """The sentence in `language` ('en', 'pt-BR')."""
        values = {name: translate(value, language) for name, value in self.values.items()}
        return texts(language)[self.key].format(**values)


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a file in `strings/`, English first."""
    found = sorted(path.stem for path in (FOLDER / "strings").glob("*.json"))
    return (DEFAULT_LANGUAGE, *(name for name in found if name != DEFAULT_LANGUAGE))


@cache
def texts(language: str = DEFAULT_LANGUAGE) -> dict[str, str]:
    """Every string of one language by its key; English where a language has no file."""
    name = language if language in languages() else DEFAULT_LANGUAGE
    return json.loads((FOLDER / "strings" / f"{name}.json").read_text(encoding="utf-8"))


@cache
def viewer_texts(language: str) -> dict[str, str]:
    """The viewer's strings in one language; none in English, which its script holds."""
    path = FOLDER / "viewer" / f"{language}.json"
    return json.loads(path.read_text(encoding="utf-8")) if language != DEFAULT_LANGUAGE else {}


def choose_language(accept_language: str | None) -> str:
    """The first language of an HTTP Accept-Language header that we speak, as 'en' or 'pt-BR'; English for none.

    Any Portuguese is served the Brazilian strings. Order is the header's own: browsers list by preference.
    """
    for entry in (accept_language or "").split(","):
        primary = entry.split(";")[0].strip().lower().split("-")[0]
        for name in languages():
            if primary and primary == name.lower().split("-")[0]:
                return name
    return DEFAULT_LANGUAGE


def translate(message: object, language: str) -> object:
    """`message` in `language` when it is a Message, unchanged when it is anything else."""
    return message.translate(language) if isinstance(message, Message) else message


def component_files(name: str) -> dict[str, str]:
    """Arguments for `gr.HTML`: the template, style and script of the component `name`."""
    endings = {"html_template": "html", "css_template": "css", "js_on_load": "js"}
    return {argument: (FOLDER / f"{name}.{ending}").read_text(encoding="utf-8") for argument, ending in endings.items()}


def script(name: str) -> str:
    """The JavaScript expression in `scripts/NAME.js`, for the `js` argument of a Gradio event."""
    return (FOLDER / "scripts" / f"{name}.js").read_text(encoding="utf-8").strip()


def snippets(names: tuple[str, ...]) -> dict[str, str]:
    """Programs in `snippets/NAME.txt` that call the page, which fills in «ADDRESS» and «CHECKPOINTS»."""
    return {name: (FOLDER / "snippets" / f"{name}.txt").read_text(encoding="utf-8") for name in names}
