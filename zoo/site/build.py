"""Writes the static page: networks as ONNX files, the engine, the examples, data and scripts, all in one folder."""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from zoo.atomic import whole_folder
from zoo.checkpoints.export import export
from zoo.checkpoints.information import CheckpointError, CheckpointInfo
from zoo.checkpoints.web_runtime import MODULE, SCRIPT, WASM, runtime_folder
from zoo.config import FCNConfig
from zoo.hub.catalog import load, scan
from zoo.images.examples import examples
from zoo.page.components import FOLDER, component_files, modules
from zoo.page.components import script as act
from zoo.site.data import LIMITS, example_path, page_data, ticked_first, write_json
from zoo.site.lesson import write_lesson
from zoo.text import languages, texts

COMPONENTS = ("language", "examples", "picker", "stale", "viewer", "iou", "rungs", "batch", "table", "code")
# Selectors of the components' elements where these are not their names.
PLACES = {"batch": "#batch-table", "table": "#leaderboard", "viewer": ":is(#viewer, #inside-viewer)"}
ACTS = {"saveView": "save_view", "showRow": "board_row"}  # what an event of Gradio does in the browser
LARGEST = 10_000_000  # bytes of a network that a phone is asked to fetch, unless it is named
THREADS = 4
SOURCE = FOLDER / "site"
MARK = "fcn-site.json"  # tells a folder that may be replaced


@dataclass(frozen=True)
class Site:
    """What `build_site` wrote: the folder, its networks, its bytes in all, and those that the first mask needs."""

    folder: Path
    networks: tuple[str, ...]
    total_bytes: int
    first_mask_bytes: int


def build_site(
    out: str | Path,
    names: Sequence[str] = (),
    *,
    board: dict,
    chance: float,
    lesson: Callable[[str], dict],
    weights: str = "fp16",
    runtime: str | Path | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> Site:
    """Write the static page into the folder `out`, in place of an earlier one there.

    names: bundled checkpoints, by default all FCNs whose file has at most `LARGEST` bytes. board: the leaderboard's
    payload. chance: kappa below which a mask and a ground truth have nothing in common. lesson: the value of the tab
    'Learn' by language. weights: 'fp16' or 'fp32'.
    runtime: the folder of onnxruntime-web, see `runtime_folder`. `report` is told what is done. Raises
    CheckpointError for a name that is not bundled, a folder that holds something else, or where the engine is missing.
    """
    out = Path(out)
    if weights not in ("fp16", "fp32"):
        raise CheckpointError(f"weights is {weights!r}; choose fp16 or fp32")
    if out.is_dir() and any(out.iterdir()) and not (out / MARK).is_file():
        raise CheckpointError(f"{out}: holds something other than a static page; name another folder")
    infos, engine = chosen(names), runtime_folder(runtime)
    with whole_folder(out) as folder:
        write_engine(engine, folder / "engine")
        files = write_networks(infos, folder, weights, report)
        write_data(infos, files, board, folder)
        write_lesson(lesson, ticked_first(infos, board), folder)
        write_page(infos, chance, folder)
        check_only_a_site(out, folder)
        return measured(out, folder, infos, files)


def check_only_a_site(out: Path, new: Path) -> None:
    """Raise CheckpointError where `out` holds what the `new` site does not, such as a repository: it would be lost."""
    names = sorted(
        {path.name for path in out.iterdir()} - {path.name for path in new.iterdir()} if out.is_dir() else ()
    )
    if names:
        raise CheckpointError(
            f"{out}: holds {', '.join(names[:3])} beside a static page, which would be lost; move it away or name "
            "another folder"
        )


def chosen(names: Sequence[str]) -> list[CheckpointInfo]:
    """The bundled checkpoints of these names, by default the small ones. Raises CheckpointError."""
    known = {info.name: info for info in scan()[0] if isinstance(info.config, FCNConfig)}
    if unknown := [name for name in names if name not in known]:
        raise CheckpointError(f"no bundled FCN is called {unknown[0]}; there are: {', '.join(known)}")
    small = [name for name, info in known.items() if info.file_bytes <= LARGEST]
    return [known[name] for name in dict.fromkeys(names or small)]


def packed(content: bytes) -> bytes:
    """Compressed, for servers that compress nothing; the worker unpacks it. Equal content gives equal bytes."""
    return gzip.compress(content, 9, mtime=0)


def write_engine(engine: Path, folder: Path) -> None:
    """The engine's files; its WebAssembly packed, under a name of which no server makes a content encoding."""
    folder.mkdir()
    for name in (SCRIPT, MODULE):
        shutil.copyfile(engine / name, folder / name)
    (folder / f"{WASM}.packed").write_bytes(packed((engine / WASM).read_bytes()))


def write_networks(infos: list[CheckpointInfo], folder: Path, weights: str, report: Callable) -> dict[str, dict]:
    """One packed ONNX file each, which gives logits and score maps; 'file' and 'bytes' by checkpoint name."""
    (folder / "networks").mkdir()
    files = {}
    for info in infos:
        with tempfile.TemporaryDirectory() as place:
            done = export(load(info.name), Path(place) / "network.onnx", weights=weights, logits=True, score_maps=True)
            content = packed(done.path.read_bytes())
        name = f"networks/{info.name}.onnx.packed"
        (folder / name).write_bytes(content)
        files[info.name] = {"file": name, "bytes": len(content)}
        report(f"{info.name}: {len(content) / 1e6:.1f} MB, the checkpoint's masks on {100 * done.agreement:.2f} %")
    return files


def write_data(infos: list[CheckpointInfo], files: dict[str, dict], board: dict, folder: Path) -> None:
    """Examples, what the page shows in each language, and the leaderboard."""
    (folder / "examples").mkdir()
    for example in examples():
        for path in filter(None, (example.photo, example.truth)):
            shutil.copyfile(path, folder / example_path(path))
    for language in languages():
        write_json(folder / f"data.{language}.json", page_data(infos, files, board, language))
    write_json(folder / "leaderboard.json", board)


def write_page(infos: list[CheckpointInfo], chance: float, folder: Path) -> None:
    """Styles and scripts, beside all that they use, and last the mark that tells the folder from others."""
    page = (SOURCE / "index.html").read_text(encoding="utf-8").replace("«TEMPLATES»", templates())
    (folder / "index.html").write_text(page, encoding="utf-8")
    (folder / "page.css").write_text(styles(), encoding="utf-8")
    shared = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    site = site_facts(folder, [path for path in shared if not path.name.endswith(".packed")]) | {"chance": chance}
    site["version"] = version([*shared, *sorted(SOURCE.glob("*.js"))], site)
    (folder / "page.js").write_text(script("main", site, mounts=True), encoding="utf-8")
    for name in ("worker", "service"):
        (folder / f"{name}.js").write_text(script(name, site), encoding="utf-8")
    write_json(folder / MARK, {"version": site["version"], "networks": [info.name for info in infos]})


def site_facts(folder: Path, kept: list[Path]) -> dict:
    """What the scripts know beforehand: files that are kept for the next visit, limits, and where the engine lies."""
    names = [path.relative_to(folder).as_posix() for path in kept]
    wasm = f"engine/{WASM}.packed"
    return {
        "files": sorted(["./", *set(names) - {"index.html"}, "page.js", "worker.js"]),
        "languages": languages(),
        "missing": {tag: texts(tag)["site_not_here"] for tag in languages()},
        "limits": LIMITS,
        "threads": THREADS,
        "engine": {"script": f"engine/{SCRIPT}", "wasm": wasm, "bytes": (folder / wasm).stat().st_size},
    }


def version(paths: list[Path], site: dict) -> str:
    """A few digits of a hash of everything: another edition gets another place in the browser's cache."""
    digest = hashlib.sha256(json.dumps(site).encode())
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:16]


def script(name: str, site: dict, *, mounts: bool = False) -> str:
    """A module of the static page with all that it imports as one text; with `mounts` also the components."""
    parts = ['"use strict";', f"const site = {json.dumps(site)};"]
    if mounts:
        acts = ", ".join(f"{key}: {act(place)}" for key, place in ACTS.items())
        parts += [language_script(), components_script(), f"const acts = {{ {acts} }};"]
    return "\n".join([*parts, *modules(SOURCE / f"{name}.js")])


def language_script() -> str:
    """What the served page does first in an element of its own."""
    text = (FOLDER / "language_head.html").read_text(encoding="utf-8")
    return "{\n" + text.replace("<script>", "").replace("</script>", "") + "}"


def components_script() -> str:
    """The components' scripts by name, each in a scope of its own: functions of element, props, watch and trigger."""
    scripts = {name: component_files(name)["js_on_load"] for name in COMPONENTS}
    parts = [f"{name}(element, props, watch, trigger) {{\n{source}\n}}," for name, source in scripts.items()]
    return "\n".join(["const components = {", *parts, "};"])


def templates() -> str:
    """The components' markup, which `mount` copies."""
    parts = [
        f'<template id="template-{name}">{component_files(name)["html_template"]}</template>' for name in COMPONENTS
    ]
    return "\n".join(parts)


def styles() -> str:
    """The page's styles, and each component's within its element, as Gradio nests them."""
    parts = [(SOURCE / "site.css").read_text(encoding="utf-8"), (FOLDER / "page.css").read_text(encoding="utf-8")]
    parts += [f"{PLACES.get(name, f'#{name}')} {{\n{component_files(name)['css_template']}\n}}" for name in COMPONENTS]
    return "\n".join(parts)


def measured(out: Path, folder: Path, infos: list[CheckpointInfo], files: dict[str, dict]) -> Site:
    """The sizes of what was written; text counts as a compressing server sends it."""
    sizes = {path: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    first = files[infos[0].name]["bytes"] + (folder / "engine" / f"{WASM}.packed").stat().st_size
    pages = ("index.html", "page.css", "page.js", "worker.js", f"data.{languages()[0]}.json", f"engine/{SCRIPT}")
    first += sum(len(packed((folder / name).read_bytes())) for name in (*pages, f"engine/{MODULE}"))
    example = examples()[0]
    first += sum(path.stat().st_size for path in (example.photo, example.truth))
    return Site(out, tuple(info.name for info in infos), sum(sizes.values()), first)
