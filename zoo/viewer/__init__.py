"""The viewer: a linked side-by-side view of segmentation masks, drawn in the browser.

HTML, CSS and JavaScript live in files beside this one; `component_files()` reads them for a `gr.HTML` component.
The page gives the component one JSON value (photo, panels, optional ground truth); everything else, from zoom to the
legend, happens in the browser without a round trip.
"""

from pathlib import Path

FOLDER = Path(__file__).parent

# The order matters: the files share one function scope, and constants must stand before their first use.
SCRIPTS = (
    "strings.js",
    "png.js",
    "state.js",
    "layers.js",
    "view.js",
    "cards.js",
    "swipe.js",
    "legend.js",
    "toolbar.js",
    "pointer.js",
    "keyboard.js",
    "main.js",
)


def component_files() -> dict[str, str]:
    """The keyword arguments `html_template`, `css_template` and `js_on_load` of a `gr.HTML` component.

    Files are read at each call, so nothing touches the disk when the module is imported. Mount it with
    `gr.HTML(value=None, apply_default_css=False, **component_files())`.
    """
    scripts = [(FOLDER / "script" / name).read_text(encoding="utf-8") for name in SCRIPTS]
    return {
        "html_template": (FOLDER / "template.html").read_text(encoding="utf-8"),
        "css_template": (FOLDER / "style.css").read_text(encoding="utf-8"),
        "js_on_load": "\n".join(['"use strict";', *scripts]),
    }
