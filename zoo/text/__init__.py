"""What people read: `Message`, the languages, and everything that is said in each of them in one file beside this one.

`LANGUAGE.json` has the sections 'page', 'viewer', 'table', 'learn', 'classes' and 'gradio' (what Gradio itself says in
English whatever the language). English is the reference: what a language lacks is said in English, and `missing` lists
it. A text may choose between two words by a number: `{total} {total:mask|masks}` says "1 mask" and "2 masks".
Nothing is read before it is asked for, nothing of ours is imported.
"""

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from babel.core import UnknownLocaleError
from babel.numbers import format_decimal

FOLDER = Path(__file__).parent
DEFAULT_LANGUAGE = "en"
SECTIONS = ("page", "viewer", "table", "learn", "classes", "gradio")


class Message(str):
    """A sentence for the person at the page: a str in English that can be said in the other languages too.

    `Message("error_empty")` fills the placeholders of that string with the keyword arguments, which may be Messages
    themselves or numbers. Raises KeyError for a key or placeholder that does not exist.
    """

    def __new__(cls, key: str, **values):
        message = super().__new__(cls, _filled(key, values, DEFAULT_LANGUAGE))
        message.key, message.values = key, values
        return message

    def __getnewargs_ex__(self):
        return (self.key,), self.values  # so that copies and pickles are Messages too

    def in_language(self, language: str) -> str:
        """The sentence in `language` ('en', 'pt-BR'), its numbers written as there."""
        return _filled(self.key, self.values, language)


def _filled(key: str, values: dict[str, object], language: str) -> str:
    def said(value: object) -> object:
        plain = isinstance(value, (int, float)) and not isinstance(value, bool)
        return number(value, language) if plain else in_language(value, language)

    return fill(texts(language)[key], **{name: said(value) for name, value in values.items()})


def fill(pattern: str, **values: object) -> str:
    """A text with its placeholders filled, and its words that depend on a number chosen. Raises KeyError."""
    return pattern.format(
        **{name: _Filling(value) if isinstance(value, (str, int)) else value for name, value in values.items()}
    )


class _Filling(str):
    """What stands in a placeholder; `{total:mask|masks}` chooses a word by it."""

    def __format__(self, specification: str) -> str:
        one, bar, many = specification.partition("|")
        return word_for(self, one, many) if bar else super().__format__(specification)


def word_for(number: object, one: str, many: str) -> str:
    """`one` for the number 1, written or not, `many` for all others."""
    return one if str(number) == "1" else many


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number and what is counted, in English: '1 mask', '2 masks'; `many` where it is not `one` with an s."""
    return f"{number:,} {word_for(number, one, f'{one}s' if many is None else many)}"


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a file here, English first."""
    found = sorted(path.stem for path in FOLDER.glob("*.json"))
    return (DEFAULT_LANGUAGE, *(name for name in found if name != DEFAULT_LANGUAGE))


@cache
def texts(language: str = DEFAULT_LANGUAGE, section: str = "page") -> dict[str, str]:
    """The strings of one section by their key; in English what the language lacks, or all where it has no file."""
    return _catalogue(DEFAULT_LANGUAGE)[section] | _catalogue(language).get(section, {})


@cache
def _catalogue(language: str) -> dict:
    name = language if language in languages() else DEFAULT_LANGUAGE
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def language_name(language: str) -> str:
    """What a language calls itself: 'English', 'Português'."""
    return _catalogue(language).get("language", language)


def missing(language: str) -> list[str]:
    """What a language does not say yet, as 'section.key'."""
    wanted, own = _catalogue(DEFAULT_LANGUAGE), _catalogue(language)
    return [f"{section}.{key}" for section in SECTIONS for key in wanted[section] if key not in own.get(section, {})]


def document(name: str, language: str = DEFAULT_LANGUAGE) -> str:
    """The Markdown text `NAME.LANGUAGE.md`, in English where a language has none."""
    own = FOLDER / f"{name}.{language}.md"
    path = own if language in languages() and own.is_file() else FOLDER / f"{name}.{DEFAULT_LANGUAGE}.md"
    return path.read_text(encoding="utf-8")


def dataset_named(name: str) -> str:
    """What people call a data set: a Message where its name is a word and no proper name, else the name as it is."""
    key = f"dataset_{name}"
    return Message(key) if key in texts() else name


def class_title(name: str, language: str = DEFAULT_LANGUAGE) -> str:
    """What people call a class of a data set: 'céu' for 'sky'; a name that no language file knows as it is."""
    return texts(language, "classes").get(name, name)


def class_titles(names: Iterable[str], language: str = DEFAULT_LANGUAGE) -> list[str]:
    """`class_title` of each name; of a word with two meanings by what it stands beside: 'pavement beside crack'."""
    known, names = texts(language, "classes"), list(names)
    beside = [
        next((known[key] for other in names if (key := f"{name} beside {other}") in known), None) for name in names
    ]
    return [title or known.get(name, name) for name, title in zip(names, beside, strict=True)]


def number(value: float, language: str = DEFAULT_LANGUAGE, digits: int | None = None) -> str:
    """A number as the language writes it, with `digits` decimals or up to three: '1.5', '1,5'.

    Thousands are set apart from five digits on, as the SI has it: 2048 pixels, 500,000 bytes.
    """
    whole = "#,##0" if abs(value) >= 10_000 else "0"
    pattern = f"{whole}.###" if digits is None else f"{whole}.{digits * '0'}".rstrip(".")
    try:
        return format_decimal(value, pattern, locale=language.replace("-", "_"))
    except UnknownLocaleError:  # a language that the Unicode consortium's data does not know
        return format_decimal(value, pattern, locale=DEFAULT_LANGUAGE)


def choose_language(accept_language: str | None) -> str:
    """The first language of an HTTP Accept-Language header that we speak, as 'en' or 'pt-BR'; English for none.

    Any Portuguese is served the Brazilian strings. Order is the header's own: browsers list by preference.
    """
    for entry in (accept_language or "").split(","):
        wanted = entry.split(";")[0].strip().lower()
        same = [name for name in languages() if name.lower() == wanted]
        alike = [name for name in languages() if name.lower().split("-")[0] == wanted.split("-")[0]]
        if same or alike:
            return (same or alike)[0]
    return DEFAULT_LANGUAGE


def in_language(message: object, language: str) -> object:
    """`message` in `language` when it is a Message, unchanged when it is anything else."""
    return message.in_language(language) if isinstance(message, Message) else message
