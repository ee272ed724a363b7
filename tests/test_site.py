"""The static page: its masks are the served page's, nothing leaves the browser, it works without a network."""

import base64
import hashlib
import io
import re
import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from PIL import Image, ImageOps
from site_page import NETWORKS, RECORD, in_node, masks, needs_engine, served, wait_until_done

from evaluation.benchmark.browser import visits
from zoo.__main__ import main
from zoo.checkpoints import web_runtime
from zoo.checkpoints.information import CheckpointError
from zoo.checkpoints.web_runtime import BUNDLE, cache_folder, runtime_folder
from zoo.hub.catalog import load
from zoo.images.examples import examples
from zoo.images.photo import decode_image
from zoo.models.segmentation import segment
from zoo.page.components import FOLDER, modules
from zoo.site import build


@pytest.fixture(scope="module")
def phone_photo(tmp_path_factory) -> Path:
    """A JPEG of 12 megapixels as a phone writes it: lying, with the orientation in its EXIF."""
    path = tmp_path_factory.mktemp("photo") / "IMG_0001.jpg"
    with Image.open(examples()[1].photo) as photo:
        large = photo.convert("RGB").resize((4000, 3000), Image.Resampling.BICUBIC)
    exif = Image.Exif()
    exif[0x0112] = 6
    large.transpose(Image.Transpose.ROTATE_90).save(path, quality=90, exif=exif)
    return path


def on_server(name: str, photo: Path) -> np.ndarray:
    """The mask (H, W) that the served page shows of a photo, computed in float32."""
    decoded = decode_image(photo)
    seen = decoded.seen(load(name).info.working_size)
    return segment(load(name), seen, mask_size=decoded.display.size, precision="fp32").mask


@needs_engine
def test_static_page_on_a_phone_and_without_a_network(site_folder, phone_photo, browser):
    asked, wrong = [], []
    with served(site_folder) as address:
        context = browser.new_context(viewport={"width": 1440, "height": 1000}, locale="en-US")
        context.add_init_script(RECORD)
        page = context.new_page()
        context.on("request", lambda request: asked.append(request))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address)
        wait_until_done(page, 2)
        for name, mask in zip(NETWORKS, masks(page, 2), strict=True):
            assert (mask == on_server(name, examples()[0].photo)).mean() >= 0.999
        told = float(page.locator("#iou tbody tr").last.locator("td").last.inner_text().replace("★", ""))
        assert told == pytest.approx(100 * example_miou(), abs=0.1)
        assert "non-commercial" in (terms := page.inner_text("#licences")) and "CC BY-NC 4.0" in terms
        page.wait_for_selector("body[data-offline=yes]", state="attached")
        violations = Axe().run(page).response["violations"]
        assert [found["id"] for found in violations] == []
    without_network(page, phone_photo)
    assert {request.url.split("/")[2] for request in asked if request.url.startswith("http")} == {address.split("/")[2]}
    assert all(request.method == "GET" and not request.post_data for request in asked)
    assert wrong == []
    context.close()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["WEBP", "PNG"])
def test_pixels_are_turned_as_on_a_server(kind, orientation):
    """Whatever a browser does with the mark: it is taken out of the file, which remains sound."""
    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    exif, file = Image.Exif(), io.BytesIO()
    exif[0x010F], exif[0x0112] = "maker", orientation
    Image.fromarray(pixels).save(file, kind, exif=exif, lossless=True)
    code = """
      const chunks = [];
      for await (const chunk of process.stdin) chunks.push(chunk);
      const [kind, data] = ["KIND", new Blob([Buffer.concat(chunks)])];
      const { orientation, content } = await withoutOrientation(data, kind);
      const pixels = Uint8Array.from({ length: 105 }, (_, at) => at);
      const image = turned({ data: pixels, width: 7, height: 5 }, orientation);
      const head = [orientation, image.width, image.height, ...image.data];
      process.stdout.write(Buffer.concat([Buffer.from(head), Buffer.from(await content.arrayBuffer())]));
    """
    imports = {"site/orientation.js": "{ turned, withoutOrientation }"}
    said = in_node(code.replace("KIND", kind.lower()), file.getvalue(), imports)
    assert said[0] == orientation
    numbers = Image.fromarray(np.arange(105, dtype=np.uint8).reshape(5, 7, 3))
    numbers.getexif()[0x0112] = orientation
    expected = np.array(ImageOps.exif_transpose(numbers))
    assert [said[2], said[1]] == [*expected.shape[:2]] and list(said[3:108]) == expected.ravel().tolist()
    with Image.open(io.BytesIO(said[108:])) as without:
        assert without.getexif().get(0x0112, 1) == 1 and (np.array(without) == pixels).all()


@needs_engine
@pytest.mark.parametrize(("kind", "options"), [("WEBP", {"lossless": True}), ("PNG", {})])
def test_a_photo_is_turned_as_its_exif_says(site_folder, browser, tmp_path, kind, options):
    path, exif = tmp_path / f"held.{kind.lower()}", Image.Exif()
    exif[0x0112] = 6
    with Image.open(examples()[0].photo) as photo:
        photo.convert("RGB").transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, **options)
    with served(site_folder) as address, browser.new_context(locale="en-US") as context:
        context.add_init_script(RECORD)
        page = context.new_page()
        page.goto(f"{address}?checkpoints={NETWORKS[1]}")
        wait_until_done(page, 1)
        page.set_input_files("#photo-file", path)
        page.wait_for_selector("#status[data-done='0']", state="attached")
        wait_until_done(page, 1)
        (mask,) = masks(page, 1)
        expected = on_server(NETWORKS[1], path)
        assert mask.shape == expected.shape == (360, 480) and (mask == expected).mean() >= 0.999


@needs_engine
def test_benchmark_measures_both_visits(site_folder, browser):
    rows = {row.what: row.value for row in visits(browser, site_folder)}
    assert all(np.isfinite(value) and value > 0 for value in rows.values()) and len(rows) == 5
    assert 6 < rows["bytes until the first mask, compressed"] < 7 + 2.5  # the second network may be on its way


def without_network(page, phone_photo: Path) -> None:
    """The server is gone: a phone's photo in the other language on a phone, and files that are no photos."""
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(page.url.split("?")[0] + "?lang=pt-BR")
    wait_until_done(page, 2)
    assert page.evaluate("document.documentElement.lang") == "pt-BR" and page.evaluate("crossOriginIsolated")
    page.set_input_files("#photo-file", phone_photo)
    page.wait_for_selector("#status[data-done='0']", state="attached")
    wait_until_done(page, 2)
    mask = masks(page, 2)[-1]
    expected = on_server(NETWORKS[1], phone_photo)
    assert mask.shape == expected.shape == (750, 1000)
    assert (mask == expected).mean() >= 0.99  # the decoders of a large JPEG are not the same
    assert "4000" in page.inner_text("#viewer .notes") and "máscaras" in page.inner_text("#status")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    for content, words in REFUSED:
        page.set_input_files("#photo-file", {"name": "a.jpg", "mimeType": "image/jpeg", "buffer": content})
        page.wait_for_selector(f"#status >> text={words}")
    page.click("#camera-open")
    page.wait_for_selector(".camera-rate >> text=quadros por segundo")
    page.click("#camera-take")
    page.wait_for_selector("#status >> text=2 máscaras")
    page.click("#open-leaderboard")
    page.wait_for_selector("#leaderboard tr[data-key]")
    page.click("#open-code")
    for title in ("ONNX Runtime", "OpenVINO", "ONNX Runtime Web"):
        page.locator("#code").get_by_role("button", name=title, exact=True).click()
        source = page.inner_text("#code pre code")
        assert f'"{NETWORKS[0]}.onnx"' in source and "«" not in source
    assert page.locator("#code h3").is_hidden() and page.evaluate("document.documentElement.scrollWidth") <= 390


def png_header(width: int, height: int) -> bytes:
    """The first bytes of a PNG that would be so large."""
    return b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + width.to_bytes(4) + height.to_bytes(4) + b"\x08\x02\0\0\0"


REFUSED = [
    (b"%PDF-1.7 nothing", "a.jpg é um documento"),
    (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "não abre arquivos HEIC"),
    (png_header(9000, 9000), "81 megapixels"),
    (b"\xff\xd8\xff\xe0\0\x10JFIF", "danificado"),
    (b"no picture at all", "não é uma imagem"),
]


def example_miou() -> float:
    """The mIoU of FCN-8s on the first example, counted by hand."""
    with Image.open(examples()[0].truth) as stored:
        truth = np.array(stored)
    mask = on_server(NETWORKS[1], examples()[0].photo)
    known = truth < 11
    found = []
    for label in range(11):
        target, said = (truth == label) & known, (mask == label) & known
        if (union := (target | said).sum()) > 0:
            found.append((target & said).sum() / union)
    return float(np.mean(found))


# --- numbers of the scripts, against Pillow and torch ---


@pytest.mark.parametrize("size", [(48, 36), (64, 20), (7, 61), (97, 53), (1, 1)])
def test_photos_are_resized_as_by_pillow_byte_for_byte(size):
    pixels = np.random.default_rng(3).integers(0, 256, (53, 97, 3), np.uint8)
    expected = Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC)
    code = f"""
      import {{ readFileSync, writeSync }} from "node:fs";
      const image = {{ data: new Uint8Array(readFileSync(0)), width: 97, height: 53 }};
      writeSync(1, resample.resizePhoto(image, {size[0]}, {size[1]}).data);
    """
    assert in_node(code, pixels.tobytes()) == expected.tobytes()


def test_logits_are_enlarged_as_by_torch():
    logits = np.random.default_rng(5).normal(0, 3, (4, 9, 12)).astype(np.float32)
    code = """
      import { readFileSync, writeSync } from "node:fs";
      const data = new Float32Array(new Uint8Array(readFileSync(0)).buffer);
      const found = resample.winners({ data, classes: 4, width: 12, height: 9 }, 25, 20);
      writeSync(1, found.mask);
      writeSync(1, found.confidence);
    """
    found = np.frombuffer(in_node(code, logits.tobytes()), np.uint8).reshape(2, 20, 25)
    large = torch.nn.functional.interpolate(torch.from_numpy(logits)[None], (20, 25), mode="bilinear")[0]
    assert np.array_equal(found[0], large.argmax(0))
    assert np.abs(found[1] - (255 * large.softmax(0).amax(0)).numpy()).max() <= 0.51


@pytest.mark.parametrize(
    ("size", "to"), [((97, 53), (31, 22)), ((5244, 874), (1024, 171)), ((332, 5537), (61, 1024)), ((2310, 9), (645, 9))]
)
def test_masks_are_reduced_as_by_pillow(size, to):
    mask = np.random.default_rng(7).integers(0, 12, size[::-1], np.uint8)
    expected = Image.fromarray(mask).resize(to, Image.Resampling.NEAREST)
    code = f"""
      import {{ readFileSync, writeSync }} from "node:fs";
      const image = {{ data: new Uint8Array(readFileSync(0)), width: {size[0]}, height: {size[1]} }};
      writeSync(1, resample.resizeMask(image, {to[0]}, {to[1]}).data);
    """
    assert in_node(code, mask.tobytes()) == expected.tobytes()


@pytest.mark.parametrize("name", ["main", "worker", "service"])
def test_modules_of_one_script_give_no_name_twice(name):
    declared = re.compile(r"^(?:async )?(?:function|class|const|let) (\w+)", re.MULTILINE)
    names = [found for source in modules(FOLDER / "site" / f"{name}.js") for found in declared.findall(source)]
    assert len(names) > 5 and sorted(names) == sorted(set(names))


# --- what is refused when it is built ---


def fake_engine(root: Path) -> Path:
    """A folder with files of the engine's names."""
    root.mkdir()
    for name in BUNDLE:
        (root / name).write_bytes(b"no engine")
    return root


def test_a_site_replaces_an_earlier_one_and_nothing_that_was_put_beside_it(tmp_path, monkeypatch):
    for name in ("write_engine", "write_networks", "write_data", "write_lesson", "measured"):
        monkeypatch.setattr(build, name, lambda *_: None)
    monkeypatch.setattr(build, "runtime_folder", lambda _: tmp_path)
    monkeypatch.setattr(build, "ticked_first", lambda *_: [])
    monkeypatch.setattr(build, "write_page", lambda infos, chance, folder: (folder / build.MARK).write_text("new"))
    out = tmp_path / "docs"
    for earlier in (False, True):
        assert out.exists() == earlier
        build.build_site(out, board={}, chance=0.0, lesson=dict)
    (out / build.MARK).write_text("old")
    (out / ".git").mkdir()
    (out / ".git" / "HEAD").write_text("years of work")
    with pytest.raises(CheckpointError, match=r"docs: holds \.git beside a static page, which would be lost"):
        build.build_site(out, board={}, chance=0.0, lesson=dict)
    assert (out / ".git" / "HEAD").read_text() == "years of work" and (out / build.MARK).read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {"docs"}


def test_a_folder_of_something_else_and_unknown_networks_are_refused(tmp_path, capsys):
    engine = fake_engine(tmp_path / "engine")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "a.png").write_bytes(b"mine")
    assert main(["site", str(tmp_path / "photos"), "--runtime", str(engine)]) == 1
    assert "holds something other than a static page" in capsys.readouterr().err
    assert main(["site", str(tmp_path / "out"), "fcn9s", "--runtime", str(engine)]) == 1
    assert "no bundled FCN is called fcn9s; there are: fcn16s" in capsys.readouterr().err
    assert main(["site", str(tmp_path / "out"), "--runtime", str(tmp_path)]) == 1
    assert "has no ort.wasm.min.js; name the folder dist" in capsys.readouterr().err
    assert not (tmp_path / "out").exists() and (tmp_path / "photos" / "a.png").read_bytes() == b"mine"


def test_default_networks_are_those_that_a_phone_can_fetch():
    names = [info.name for info in build.chosen([])]
    assert set(NETWORKS) < set(names) and "fcn8s-vgg16-in-ce+dice-camvid+street" not in names


def test_engine_that_cannot_be_fetched_is_said_with_the_way_around(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CheckpointError, match=r"npm is needed.*--runtime"):
        runtime_folder()
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error network is down' >&2\nexit 1\n")
    npm.chmod(0o755)
    with pytest.raises(CheckpointError, match=r"could not be fetched \(npm error network is down\).*--runtime"):
        runtime_folder()
    assert not cache_folder().exists()


def test_another_archive_than_the_pinned_one_is_refused(tmp_path):
    archive = tmp_path / "package.tgz"
    with tarfile.open(archive, "w:gz") as files:
        for name in BUNDLE:
            entry = tarfile.TarInfo(f"package/dist/{name}")
            entry.size = 6
            files.addfile(entry, io.BytesIO(b"engine"))
    with pytest.raises(CheckpointError, match="its sha512 differs; nothing is kept"):
        web_runtime.unpack(archive, tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
    digest = hashlib.sha512(archive.read_bytes()).digest()
    web_runtime.unpack(archive, tmp_path / "kept", "sha512-" + base64.b64encode(digest).decode())
    assert sorted(path.name for path in (tmp_path / "kept").iterdir()) == sorted(BUNDLE)
