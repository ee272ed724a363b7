"""The catalogue of texts: nothing is missing, English steps in where something is, numbers read as in each language."""

import json
import re
import string

import pytest

from zoo import text
from zoo.labels import LABEL_SETS
from zoo.text import (
    Message,
    choose_language,
    class_title,
    class_titles,
    counted,
    dataset_named,
    document,
    in_language,
    languages,
    missing,
    number,
    texts,
)

OTHERS = [language for language in languages() if language != "en"]


@pytest.fixture
def spanish(tmp_path, monkeypatch):
    """A Spanish file that says two things, beside the shipped languages."""
    for path in text.FOLDER.iterdir():
        if path.suffix in (".json", ".md"):
            (tmp_path / path.name).write_bytes(path.read_bytes())
    said = {"language": "Español", "page": {"compare": "Comparar", "status_done": "{total} máscaras en {seconds} s"}}
    (tmp_path / "es.json").write_text(json.dumps(said), encoding="utf-8")
    monkeypatch.setattr(text, "FOLDER", tmp_path)
    kept = (text.languages, text.texts, text._catalogue)
    for function in kept:
        function.cache_clear()
    yield
    for function in kept:
        function.cache_clear()


def test_the_shipped_languages():
    assert languages() == ("en", "pt-BR")
    assert [text.language_name(language) for language in languages()] == ["English", "Português"]


@pytest.mark.parametrize("language", OTHERS)
def test_a_language_says_everything(language):
    assert missing(language) == []


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("section", text.SECTIONS)
def test_texts_have_the_places_of_the_english_ones_and_no_other_keys(language, section):
    english, other = texts(section=section), texts(language, section)
    assert other.keys() == english.keys()
    for key in english:
        assert sorted(places(other[key])) == sorted(places(english[key])), key
        assert other[key].strip() and not re.search(r"</?[a-z]", other[key]), key


def places(pattern):
    """The placeholders that a text fills, without those that choose a word."""
    return [name for _, name, words, _ in string.Formatter().parse(pattern) if name and "|" not in words]


@pytest.mark.parametrize("language", languages())
@pytest.mark.parametrize("section", text.SECTIONS)
def test_a_word_is_chosen_by_a_number_that_the_text_names(language, section):
    for key, pattern in texts(language, section).items():
        choices = [(name, words) for _, name, words, _ in string.Formatter().parse(pattern) if words]
        for name, words in choices:
            assert name in places(pattern) and words.count("|") == 1 and all(words.split("|")), key


# Each is followed by a number of things; a text that counts them has to know the word for one.
COUNTED = {
    "en": "images|masks|frames|photos|videos|checkpoints|seeds|epochs|steps|threads|days|cells|requests|entries",
    "pt-BR": "imagens|máscaras|quadros|fotos|vídeos|checkpoints|sementes|épocas|passos|threads|dias|células|pedidos",
}
ALWAYS_MORE = {  # a number that a document or the code fixes, or that is refused below two
    *("caveat_seeds", "effort_epochs", "ask_split_answer", "split_told_video", "split_told_frame", "ask_first_answer"),
    *("pad_step_skip", "ask_pad_answer", "seeds_all", "seeds_some", "cells_all", "cells_some"),
}


@pytest.mark.parametrize("language", languages())
def test_no_text_counts_one_thing_in_the_plural(language):
    plural = re.compile(rf"\{{\w+\}} (?:training |different )?(?:{COUNTED[language]})\b")
    for section in text.SECTIONS:
        for key, pattern in texts(language, section).items():
            assert key in ALWAYS_MORE or not plural.search(pattern), key


def test_a_message_chooses_its_words_by_the_number():
    said = {count: Message("batch_stopped", done=count, total=count) for count in (0, 1, 2)}
    assert said[0] == "Stopped: 0 of 0 images are in the zip." and said[2] == "Stopped: 2 of 2 images are in the zip."
    assert said[1] == "Stopped: 1 of 1 image is in the zip."
    assert said[1].in_language("pt-BR") == "Parado: 1 de 1 imagem está no zip."
    assert said[2].in_language("pt-BR") == "Parado: 2 de 2 imagens estão no zip."
    assert Message("error_unknown_checkpoint", name="a'b", names="c") == 'There is no checkpoint "a\'b". There are: c.'


def test_what_is_counted_in_english():
    assert [counted(number, "mask") for number in (0, 1, 2, 1000)] == ["0 masks", "1 mask", "2 masks", "1,000 masks"]
    assert counted(1, "class", "classes") == "1 class" and counted(11, "class", "classes") == "11 classes"


def test_every_class_of_the_label_sets_has_a_name_in_every_language():
    known = {name for labels in LABEL_SETS.values() for name in labels.classes}
    assert texts(section="classes").keys() == known | {"crack", "vessel", "pavement beside crack"}  # our own data
    assert {name: class_title(name) for name in known} == {name: name for name in known}
    assert class_title("sky", "pt-BR") == "céu" and class_title("potted plant", "pt-BR") == "planta em vaso"
    assert class_title("my own class", "pt-BR") == "my own class"


def test_a_data_set_is_called_by_a_word_of_the_language_or_by_its_name():
    said = Message("trained_on", dataset=dataset_named("cracks"))
    assert said == "trained on cracks" and said.in_language("pt-BR") == "treinado com rachaduras"
    assert dataset_named("CamVid") == "CamVid" and not isinstance(dataset_named("CamVid"), Message)


def test_a_word_of_two_meanings_is_named_by_what_it_stands_beside():
    assert class_titles(["pavement", "crack"], "pt-BR") == ["pavimento", "rachadura"]
    assert class_titles(["road", "pavement"], "pt-BR") == ["rua", "calçada"]
    assert class_titles(["pavement", "crack"]) == ["pavement", "crack"]


def test_classes_of_one_label_set_keep_different_names():
    for language in languages():
        for labels in LABEL_SETS.values():
            titles = [class_title(name, language) for name in labels.classes]
            assert len(set(titles)) == len(titles), (language, labels.name)


def test_half_a_language_is_filled_up_with_english(spanish):
    assert languages() == ("en", "es", "pt-BR")
    assert texts("es")["compare"] == "Comparar" and texts("es")["stop"] == "Stop"
    assert texts("es", "viewer") == texts("en", "viewer") and class_title("sky", "es") == "sky"
    assert document("how_we_measure", "es") == document("how_we_measure")
    assert "page.stop" in missing("es") and "page.compare" not in missing("es") and "viewer.mask" in missing("es")
    assert Message("error_no_image").in_language("es") == str(Message("error_no_image"))
    assert choose_language("es-MX,en;q=0.5") == "es"


def test_the_page_is_built_with_half_a_language(spanish):
    from zoo.page.controls import code_value, language_value, strip_value

    assert [entry["title"] for entry in language_value()["languages"]] == ["English", "Español", "Português"]
    assert strip_value(None, "es")["strings"]["examples"] == texts()["examples"]
    assert code_value({}, [], False, "es")["strings"]["compare"] == "Comparar"


def test_a_language_without_a_file_is_english():
    assert texts("xx") == texts("en") and document("how_we_measure", "../xx") == document("how_we_measure")


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("pt-BR,pt;q=0.9,en;q=0.8", "pt-BR"),
        ("pt-PT", "pt-BR"),
        ("en-GB,pt", "en"),
        ("de,pt;q=0.5", "pt-BR"),
        ("*", "en"),
        (None, "en"),
    ],
)
def test_language_is_chosen_from_the_header(header, language):
    assert choose_language(header) == language


@pytest.mark.parametrize(
    ("value", "digits", "english", "portuguese"),
    [
        (0.5, None, "0.5", "0,5"),
        (8.0, None, "8", "8"),
        (2048, None, "2048", "2048"),
        (500_000, None, "500,000", "500.000"),
        (12.34, 1, "12.3", "12,3"),
        (7, 2, "7.00", "7,00"),
        (1234567.891, 0, "1,234,568", "1.234.568"),
    ],
)
def test_numbers_are_written_as_in_the_language(value, digits, english, portuguese):
    assert number(value, "en", digits) == english and number(value, "pt-BR", digits) == portuguese
    assert number(value, "xx", digits) == english


def test_a_message_says_its_numbers_in_each_language_and_remains_a_str():
    message = Message("hub_silent", subject=Message("hub_subject_models", author="ana"), seconds=0.5)
    assert message == "Models of ana: the server has not answered for 0.5 s; try again later"
    assert message.in_language("pt-BR") == "Modelos de ana: o servidor não responde há 0,5 s; tente de novo mais tarde"
    assert in_language(message, "pt-BR") == message.in_language("pt-BR")
    assert in_language("plain text", "pt-BR") == "plain text"
    assert message.translate(str.maketrans("M", "m")).startswith("models of ana")  # str's own


@pytest.mark.parametrize("language", languages())
def test_how_we_measure_names_the_rules(language):
    said = document("how_we_measure", language)
    for fact in ("TP / (TP + FP + FN)", "void", "0016E5", "Seq05VD", "101", "204", "367", "171", "233", "bootstrap"):
        assert fact in said
