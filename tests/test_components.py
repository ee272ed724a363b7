"""How the page's scripts, styles and texts are put together; what they do is tested in a browser and with Node."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from zoo.page.components import FOLDER, component_files, component_texts, modules, script
from zoo.text import texts

NODE = str(Path(sys.executable).with_name("node"))  # of tests/requirements.txt
COMPONENTS = [path.stem for path in FOLDER.glob("*.js")] + ["viewer", "table"]
EVENTS = [path.stem for path in (FOLDER / "scripts").glob("*.js")]
DEFINED = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)
# Beginnings of keys that scripts put together from a value: "variant_fcn8s".
COMPOSED = {
    "table": "class_ variant_ loss_ dataset_ source_ provenance_ facet_ preset_ column_ hint_ export_ save_ drill_ "
    "corruption_",
    "viewer": "swipe_ panel_",
    "learn": "ask_ sum_ up_ loss_ split_ pad_ first_ field_ quiz_ path_",
}


def entry(name: str) -> Path:
    return FOLDER / name / "script" / "main.js" if (FOLDER / name).is_dir() else FOLDER / f"{name}.js"


@pytest.mark.parametrize("name", COMPONENTS)
def test_a_component_is_one_text_that_gradio_can_run(name):
    files = component_files(name)
    assert set(files) == {"html_template", "css_template", "js_on_load"}
    assert files["js_on_load"].startswith('"use strict";') and not re.search("^(im|ex)port ", files["js_on_load"], re.M)
    for part in ("html_template", "css_template"):  # Gradio passes both through Handlebars and a template string
        assert not re.search(r"`|\$\{|\{\{|\\", files[part])


@pytest.mark.parametrize("name", [*COMPONENTS, "learn"])
def test_modules_of_a_component_share_no_name(name):
    found = [one for text in modules(entry(name)) for one in DEFINED.findall(text)]
    assert sorted(found) == sorted(set(found))


@pytest.mark.parametrize("name", EVENTS)
def test_an_event_is_one_function(name):
    code = script(name)
    assert code.startswith("(...given) =>") and "export" not in code and "import {" not in code


def test_a_browser_can_read_every_script():
    wrapped = [component_files(name)["js_on_load"] for name in COMPONENTS]
    wrapped += [f"return ({script(name)})(...given)" for name in EVENTS]  # as Gradio wraps them
    read = "for (const code of JSON.parse(require('fs').readFileSync(0))) new Function('...given', code)"
    # A component's text begins with a directive, which Gradio's own wrapper allows.
    functions = [code.removeprefix('"use strict";') for code in wrapped]
    done = subprocess.run([NODE, "-e", read], input=json.dumps(functions), text=True, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["viewer", "table", "learn"])
def test_every_module_of_a_folder_is_used_once(name):
    used = modules(entry(name))
    assert len(used) == len(set(used))
    own = [path for path in (FOLDER / name / "script").glob("*.js")]
    assert sum(path.read_text(encoding="utf-8").splitlines()[0] in "\n".join(used) for path in own) == len(own)


def test_scripts_never_parse_data_as_html():
    for path in FOLDER.rglob("*.js"):
        source = path.read_text(encoding="utf-8")
        assert not any(word in source for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "eval(")), path.name


@pytest.mark.parametrize("name", ["viewer", "table", "learn"])
def test_every_text_is_used_and_every_text_used_is_there(name):
    markup = "" if name == "learn" else component_files(name)["html_template"]  # the lesson has none of its own
    code = "\n".join(modules(entry(name)))
    own = texts(section=name)
    composed = tuple(COMPOSED[name].split())
    assert [key for key in own if f'"{key}"' not in code + markup and not key.startswith(composed)] == []
    asked = re.findall(r'\btext\(\s*"(\w+)"', code) + re.findall(r'data-(?:text|label|title)="(\w+)"', markup)
    assert [key for key in asked if key not in own] == []


def test_the_table_names_classes_in_each_language():
    assert component_texts("table", "pt-BR")["class_sky"] == "céu"
    assert component_texts("picker", "pt-BR") == texts("pt-BR")
