"""The page's functions and its API: called directly, and through gradio_client against a launched app."""

import json
import re
import struct
import zlib
from pathlib import Path
from urllib.parse import parse_qsl, quote

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio.route_utils import delete_files_created_by_app
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from hub_client import save_checkpoint
from page_server import FOCAL, GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image

import app
from evaluation.counting.confusion import LabelRangeError
from zoo.hub.catalog import Catalog
from zoo.hub.settings import HubSettings
from zoo.images.examples import examples
from zoo.models.segmentation import segment
from zoo.page.address import row_key, ticked
from zoo.page.api import Api
from zoo.page.uploads import cached_file, delete_files

pytestmark = GRADIO_WARNINGS
RUNGS = ["score 32", "score 16", "fused 16", "score 8", "fused 8", "output"]


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    root = tmp_path_factory.mktemp("checkpoints")
    write_checkpoints(root)
    return make_page(root)


@pytest.fixture(scope="module")
def address(page):
    with serve(page) as url:
        yield url


@pytest.fixture(scope="module")
def client(address):
    return Client(address, verbose=False)


class Request:
    """The two parts of a gr.Request that the page reads."""

    def __init__(self, language: str = "en", **query: str):
        self.headers, self.query_params = {"accept-language": language}, query


def uploaded(path: Path) -> dict:
    """A file as the browser names it once it is uploaded."""
    return {"path": cached_file(Path(path).read_bytes(), Path(path).name)}


class Event:
    """A gr.EventData with the given facts."""

    def __init__(self, **facts):
        vars(self).update(facts)


def test_api_segments_and_returns_exact_masks(client, page):
    photo = examples()[2].photo
    files, facts = client.predict(handle_file(photo), LADDER, api_name="/segment")
    with Image.open(photo) as image:
        for path, name, entry in zip(files, LADDER, facts["checkpoints"], strict=True):
            expected = segment(page.catalog.load(name), image.convert("RGB"))
            with Image.open(path) as mask:
                assert mask.format == "PNG" and mask.mode == "P"
                assert (np.array(mask) == expected.mask).mean() > 0.9999  # channels-last may tip a tie
                values = np.array(mask)
            assert Path(path).name == f"{name}.png" and entry["name"] == name and entry["milliseconds"] > 0
            assert [one["pixels"] for one in entry["classes"]] == np.bincount(values.ravel(), minlength=11).tolist()
            assert entry["mean_confidence"] == pytest.approx(float(expected.confidence.mean()), abs=1e-3)
    assert set(facts["scores_on_this_image"]) == set(LADDER)


def test_equal_files_have_addresses_that_nobody_can_guess():
    paths = [Path(cached_file(b"content", "ana/mask.png")) for _ in range(20)]
    folders = {path.parent.name for path in paths}
    assert len(folders) == 20 and all(len(name) >= 32 for name in folders)  # 24 random bytes
    assert all(path.name == "mask.png" and [path] == list(path.parent.iterdir()) for path in paths)
    delete_files([*map(str, paths), None, str(paths[0])])
    assert not any(path.parent.exists() for path in paths)


def test_what_the_api_gives_out_is_deleted_as_uploads_are(page):
    path = Path(cached_file(b"content", "mask.png"))
    blocks = app.build(page)
    delete_files_created_by_app(blocks, 3600)
    assert path.exists()
    delete_files_created_by_app(blocks, -1)
    assert not path.exists()


def test_api_keeps_the_photos_own_size_when_asked(client, tmp_path):
    path = tmp_path / "wide.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 1200, 3), np.uint8)).save(path)
    for name, size in (("/segment", (1024, 55)), ("/segment_full_resolution", (1200, 64))):
        files, facts = client.predict(handle_file(path), LADDER[:1], api_name=name)
        with Image.open(files[0]) as mask:
            assert mask.size == size
        assert len(facts["image"]["notes"]) == (1 if name == "/segment" else 0)


def test_api_lists_checkpoints_and_leaderboard(client, page):
    listed = client.predict(api_name="/checkpoints")
    assert {entry["name"] for entry in listed} == {*LADDER, FOCAL}
    assert all(len(entry["sha256"]) == 64 and len(entry["classes"]) == 11 for entry in listed)
    assert client.predict(api_name="/leaderboard_details") == json.loads(json.dumps(page.board))
    short = client.predict(api_name="/leaderboard")
    assert [row["name"] for row in short["rows"]] == [row["name"] for row in page.board["rows"]]
    assert short["rows"][0]["miou_interval"] == pytest.approx([0.6, 0.64]) and "training" not in short["rows"][0]


def test_api_endpoints_are_described_and_take_nothing_optional(client, address):
    """Plain HTTP must give every parameter, also one with a default."""
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert all(endpoint["description"] for endpoint in endpoints.values())
    photo = ["image", "checkpoints"]
    assert {
        name: [parameter["parameter_name"] for parameter in endpoint["parameters"]]
        for name, endpoint in endpoints.items()
    } == {
        "/segment": photo,
        "/segment_full_resolution": photo,
        "/segment_batch": ["images", "checkpoints"],
        "/segment_video": ["video", "checkpoints"],
        "/checkpoints": [],
        "/leaderboard": [],
        "/leaderboard_details": [],
    }
    for name in ("checkpoints", "leaderboard"):
        started = httpx.post(f"{address}gradio_api/call/{name}", json={"data": []}).json()
        answer = httpx.get(f"{address}gradio_api/call/{name}/{started['event_id']}", timeout=60).text
        assert "event: complete" in answer and LADDER[0] in answer


@pytest.mark.parametrize(
    ("content", "names", "message"),
    [
        (b"no image at all", LADDER, "not an image"),
        (None, ["fcn8s-of-nobody"], "no checkpoint 'fcn8s-of-nobody'"),
        (None, [], "No checkpoint is ticked"),
        (None, [str(number) for number in range(10)], "At most 9"),
    ],
)
def test_api_refuses_bad_input_in_words(client, tmp_path, content, names, message):
    path = examples()[0].photo
    if content is not None:
        path = tmp_path / "upload.png"
        path.write_bytes(content)
    with pytest.raises(AppError, match=message):
        client.predict(handle_file(path), names, api_name="/segment")


def test_api_refuses_a_huge_image_without_decoding_it(client, tmp_path):
    header = b"IHDR" + struct.pack(">IIBBBBB", 12_000, 12_000, 8, 2, 0, 0, 0)
    path = tmp_path / "huge.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header)))
    path.write_bytes(path.read_bytes() + struct.pack(">I", 9) + b"IDAT")
    with pytest.raises(AppError, match="144 megapixels; at most 64"):
        client.predict(handle_file(path), LADDER, api_name="/segment")


@pytest.mark.parametrize("meta", [{"meta": {"_type": "gradio.FileData"}}, {}])
@pytest.mark.parametrize("target", ["segment", "compare"])
def test_no_file_of_the_server_can_be_asked_for(address, page, tmp_path, meta, target):
    secret = tmp_path / "secret.png"
    Image.new("RGB", (64, 64)).save(secret)
    file = {"path": str(secret), "orig_name": "x.png"} | meta
    data = [file, LADDER[:1]] if target == "segment" else [file, {"selected": LADDER[:1]}, None]
    started = httpx.post(f"{address}gradio_api/call/{target}", json={"data": data})
    if started.status_code == 200:
        answer = httpx.get(f"{address}gradio_api/call/{target}/{started.json()['event_id']}", timeout=60).text
        assert "event: error" in answer and "event: complete" not in answer and "data:image" not in answer
    held = [key for key in page.segmenter.results.slots if key[3].startswith("64x64 ")]
    assert not held  # the image was never segmented


def test_events_of_the_page_are_not_part_of_the_api(page):
    named = {function.api_name for function in app.build(page).fns.values() if function.api_visibility == "public"}
    segment = {"segment", "segment_full_resolution", "segment_batch", "segment_video"}
    assert named == segment | {"checkpoints", "leaderboard", "leaderboard_details"}


def test_compare_streams_one_mask_after_the_other(page):
    steps = list(page.compare(uploaded(examples()[0].photo), {"selected": LADDER}, None, {}, "trained", Request()))
    statuses = [[panel["status"] for panel in viewer["panels"]] for viewer, *_ in steps]
    assert statuses == [
        ["running", "waiting", "waiting"],
        ["done", "running", "waiting"],
        ["done", "done", "running"],
        ["done", "done", "done"],
    ]
    viewer, iou, work, status = steps[-1]
    assert viewer["truth"] is not None and len(iou["columns"]) == 3 and status.startswith("3 masks in")
    assert work.name == "0016E5_08041"


def test_image_scores_agree_with_counting_by_hand(page):
    *_, (_, _, work, _) = page.compare(
        uploaded(examples()[1].photo), {"selected": LADDER[2:]}, None, {}, "trained", Request()
    )
    truth, mask = work.truth.mask, work.results[LADDER[2]].mask
    kept = truth != 11
    for index, name in enumerate(work.truth.labels.classes):
        both = ((truth == index) & (mask == index) & kept).sum()
        either = (((truth == index) | (mask == index)) & kept).sum()
        expected = pytest.approx(both / either) if either else None
        assert page.image_scores(work)[LADDER[2]]["class_iou"][name] == expected


def test_inside_the_network_is_computed_once_for_strip_and_viewer(page):
    *_, (_, _, work, _) = page.compare(
        uploaded(examples()[1].photo), {"selected": LADDER}, None, {}, "trained", Request()
    )
    calls, climb = [], page.segmenter.climb
    page.segmenter.climb = lambda *arguments, **view: calls.append(arguments) or climb(*arguments, **view)
    try:
        strip, choice, value = page.inside(work, None, False, Request())
        assert value is None and len(calls) == 1
        assert choice.value == LADDER[2] and [name for _, name in choice.choices] == LADDER
        opened, _, _, value = page.open_inside(work, LADDER[2], Request("pt-BR"))
        assert opened and page.inside(work, LADDER[2], True, Request("pt-BR"))[2] == value
        assert len(calls) == 1
    finally:
        page.segmenter.climb = climb
    assert [panel["name"] for panel in value["panels"]] == RUNGS
    assert value["panels"][2]["title"] == "Soma 16" and "passo 32" in value["panels"][2]["subtitle"]
    assert value["truth"] and value["panels"][-1]["miou"] == page.image_scores(work)[LADDER[2]]["miou"]
    rung = page.segmenter.rungs(page.infos[LADDER[2]], work.decoded.image)[0]
    assert rung.mask.shape == (360, 480) and (rung.mask[:32, :32] == rung.mask[0, 0]).all()
    said = [step.get("sign") or step["title"] for step in strip["steps"]]
    assert " ".join(said) == "Score 32 ×2 + Score 16 = Fused 16 ×2 + Score 8 = Fused 8 ×8 = Output"
    pictures = [step for step in strip["steps"] if "src" in step]
    assert [step["miou"] for step in pictures] == [panel["miou"] for panel in value["panels"]]
    assert [step["src"] for step in pictures] == [panel["mask"] for panel in value["panels"]]


def test_the_strip_ends_where_its_variant_does(page):
    *_, (_, _, work, _) = page.compare(
        uploaded(examples()[1].photo), {"selected": LADDER}, None, {}, "trained", Request()
    )
    said = [
        " ".join(step.get("sign") or step["title"] for step in page.inside(work, name, False, Request())[0]["steps"])
        for name in LADDER[:2]
    ]
    assert said == ["Score 32 ×32 = Output", "Score 32 ×2 + Score 16 = Fused 16 ×16 = Output"]


def test_inside_of_nothing_is_empty(page):
    assert page.inside(None, None, True, Request())[::2] == (None, None)


def test_a_stopped_comparison_has_no_strip(page):
    work = page.prepare(str(examples()[1].photo), LADDER)
    work.stop("stopped")
    strip, choice, value = page.inside(work, None, False, Request())
    assert strip is None and value is None and choice.value == LADDER[2]


def test_uploaded_labels_replace_those_of_the_example(page, tmp_path):
    path = tmp_path / "labels.png"
    Image.new("L", (480, 360), 3).save(path)
    *_, (_, iou, work, _) = page.compare(
        uploaded(examples()[0].photo), {"selected": LADDER}, uploaded(path), {}, "trained", Request()
    )
    assert (work.truth.mask == 3).all() and len(iou["columns"]) == 3
    Image.new("L", (480, 361), 3).save(path)
    with pytest.warns(UserWarning, match="Both must have the same size"):
        *_, (viewer, iou, work, _) = page.compare(
            uploaded(examples()[0].photo), {"selected": LADDER}, uploaded(path), {}, "trained", Request()
        )
    assert viewer["truth"] is None and iou is None and work.truth is None  # not even the example's own
    assert viewer["notes"][0].startswith("Compared without your ground truth. The label image is 480 × 361")
    assert page.facts(work)["image"]["notes"] == viewer["notes"] and page.facts(work)["scores_on_this_image"] == {}


@pytest.mark.parametrize(("language", "words"), [("en", "no image yet"), ("pt-BR,en", "Ainda não há imagem")])
def test_errors_are_in_the_visitors_language(page, language, words):
    with pytest.raises(gr.Error, match=words) as caught:
        for *results, status in page.compare(None, {"selected": LADDER}, None, {}, "trained", Request(language)):
            assert words in status and all(result == gr.skip() for result in results)
    assert not caught.value.print_exception


def test_an_upload_that_was_deleted_meanwhile_is_asked_for_again(page):
    photo, gone = uploaded(examples()[0].photo), uploaded(examples()[1].photo)
    Path(gone["path"]).unlink()
    for paths in ((gone, None), (photo, gone)):
        with pytest.raises(gr.Error, match="Please bring it again"):
            list(page.compare(paths[0], {"selected": LADDER}, paths[1], {}, "trained", Request()))


def test_restore_reads_the_address_and_ignores_nonsense(page):
    with pytest.warns(UserWarning, match=re.escape("não estão disponíveis aqui: ../../etc.")):
        photo, truth, picker, strip, missing, board, text, code, waiting, tab = page.restore(
            "{}", Request("pt", example="0016E5_08121", checkpoints=f"{FOCAL},../../etc,{LADDER[0]}")
        )
    assert truth is None and missing == ["../../etc"]
    assert photo.endswith("0016E5_08121.png") and strip["selected"] == "0016E5_08121"
    assert picker["selected"] == [FOCAL, LADDER[0]] and picker["strings"]["compare"] == "Comparar"
    assert board["locale"] == "pt-BR" and len(board["rows"]) == 4 and len(text) > 200 and tab.selected == "compare"
    assert code["checkpoints"] == [FOCAL, LADDER[0]] and set(code["offered"]) == {*LADDER, FOCAL}
    assert waiting["strings"]["queue_place"].startswith("Na fila")
    with pytest.warns(UserWarning, match="no example '../app'|not on offer here: x"):
        photo, truth, picker, strip, *_ = page.restore("{", Request(example="../app", checkpoints="x"))
    assert photo.endswith("0016E5_08041.png") and picker["selected"] == LADDER


def test_an_address_may_leave_the_plus_of_a_name_as_it_is():
    names = ["fcn8s-vgg16bn-w25-ce+dice-camvid", FOCAL]
    for written in (",".join(names), quote(",".join(names))):
        assert ticked(dict(parse_qsl(f"checkpoints={written}"))) == names


@pytest.mark.parametrize(
    ("query", "tab"),
    [
        ({"lb_open": "x@camvid/val"}, "leaderboard"),
        ({"lb_sort": "dice.desc", "checkpoints": FOCAL}, "leaderboard"),
        ({"tab": "compare", "lb_sort": "dice.desc"}, "compare"),
        ({"tab": "leaderboard"}, "leaderboard"),
        ({"tab": "code", "lb_sort": "dice.desc"}, "code"),
        ({"tab": "learn", "learn": "sum"}, "learn"),
        ({"tab": "elsewhere", "lb": "1"}, "compare"),
    ],
)
def test_the_address_chooses_the_tab(page, query, tab):
    assert page.restore("", Request(**query))[-1].selected == tab


def test_links_name_the_row_as_the_table_does(page):
    assert page.row_key(Event(name=FOCAL)) == f"{FOCAL}@camvid/val"
    assert page.row_key(Event(name="unknown")) == ""
    rows = [{"name": "a", "dataset": "camvid", "split": split} for split in ("val", "test", "val")]
    assert [row_key(rows, row) for row in rows] == ["a@camvid/val", "a@camvid/test", "a@camvid/val#2"]


def test_a_visitors_checkpoint_is_theirs_alone(page, hub, tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "remote", seed=7)
    hub.add("ana/net", tmp_path / "remote")
    settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache")
    own = app.make_page(Catalog(settings, root=page.catalog._root), lambda: page.board)
    *steps, (box, text, picker, added) = own.add("ana/net", {"selected": LADDER}, {}, Request("pt-BR"))
    assert steps[0][1] == "Lendo o repositório …" and "ana/net está na lista" in text
    assert box == "" and picker["selected"] == [*LADDER, "ana/net"] and list(added) == ["ana/net"]
    item = next(item for item in picker["items"] if item["name"] == "ana/net")
    assert item["subtitle"].endswith(f"ana/net@{added['ana/net'].revision[:7]}")
    photo, ticked = uploaded(examples()[0].photo), {"selected": ["ana/net"]}
    *_, (viewer, _, work, _) = own.compare(photo, ticked, None, added, "trained", Request())
    assert viewer["panels"][0]["status"] == "done" and work.infos[0].source == "hub"
    with pytest.raises(gr.Error, match="no checkpoint 'ana/net'"):  # another visitor who knows the name
        list(own.compare(photo, ticked, None, {}, "trained", Request()))
    assert "ana/net" not in {entry["name"] for entry in Api(own).checkpoints()}
    relisted, _, missing = own.relist(picker, added, [], Request())
    assert [item["name"] for item in relisted["items"]].count("ana/net") == 1 and missing == []


@pytest.mark.parametrize(("text", "words"), [("", "No repository"), ("a b", "OWNER/NAME"), ("bo/gone", "not found")])
def test_a_repository_that_cannot_be_added_says_why(page, hub, tmp_path, text, words):
    settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache")
    own = app.make_page(Catalog(settings, root=page.catalog._root), lambda: page.board)
    with pytest.raises(gr.Error, match=words) as caught:
        list(own.add(text, {"selected": LADDER}, {}, Request()))
    assert not caught.value.print_exception


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "bo/net: sem config.json"),
        ({"config.json": b"{}", "model.pth": b"x"}, "bo/net: sem model.safetensors; model.pth não é aberto"),
        ({"config.json": b"{", "model.safetensors": b"x"}, "bo/net: config.json: não é JSON válido"),
        ({"config.json": b"[]", "model.safetensors": b"x"}, "config.json: a configuração precisa ser um objeto JSON"),
        ({"config.json": b"{}", "model.safetensors": b"x"}, "config.json: model_type: ausente"),
    ],
)
def test_errors_of_the_hub_are_said_in_the_visitors_language(page, hub, tmp_path, files, words):
    settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache")
    own = app.make_page(Catalog(settings, root=page.catalog._root), lambda: page.board)
    hub.add("bo/net", files)
    with pytest.raises(gr.Error, match=re.escape(words)):
        list(own.add("bo/net", {"selected": LADDER}, {}, Request("pt-BR")))
    hub.fault("bo/net", "429")
    with pytest.raises(gr.Error, match="limita o número de pedidos; tente de novo em 7 s"):
        list(own.add("bo/net", {"selected": LADDER}, {}, Request("pt-BR")))


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        ({}, {"hub": True, "hub-note": False}),
        ({"visitors": "off"}, {"hub": False}),
        ({"visitors": "listed"}, {"hub": False}),
        ({"visitors": "off", "authors": ("ana",)}, {"hub": True, "hub-note": True, "hub-name": False}),
    ],
)
def test_the_hub_is_hidden_where_it_has_no_use(page, tmp_path, options, shown):
    settings = HubSettings(endpoint="http://127.0.0.1:9", cache=tmp_path, **options)
    blocks = app.build(app.make_page(Catalog(settings, root=page.catalog._root), lambda: page.board))
    parts = {block.elem_id: block for block in blocks.blocks.values() if getattr(block, "elem_id", None)}

    def visible(block):
        return block is None or (getattr(block, "visible", True) is True and visible(block.parent))

    assert {name: visible(parts[name]) for name in shown} == shown


def test_stopping_marks_what_has_not_finished(page):
    steps = page.compare(uploaded(examples()[0].photo), {"selected": LADDER}, None, {}, "trained", Request())
    next(steps)
    _, _, work, _ = next(steps)
    viewer, status = page.stop(work, Request())
    assert [panel["status"] for panel in viewer["panels"]] == ["done", "failed", "failed"]
    assert status == "Stopped."


def test_download_needs_a_result(page):
    with pytest.raises(gr.Error, match="nothing to download"):
        page.download(None, Request())


def test_leaderboard_link_ticks_known_checkpoints(page):
    picker, tab = page.compare_from_board({}, Request(), Event(checkpoints=[FOCAL, "unknown"]))
    assert picker["selected"] == [FOCAL] and tab.selected == "compare"


def test_warm_up_leaves_the_first_comparison_ready(page):
    page.warm_up()
    with Image.open(examples()[0].photo) as photo:
        result = page.segmenter.segment(page.infos[LADDER[0]], photo)
        assert page.segmenter.segment(page.infos[LADDER[0]], photo) is result


def test_warm_up_passes_no_network_while_a_visitors_photo_does(page, monkeypatch):
    held = []

    def watched(engine, photo):
        held.append(page.segmenter.turn.locked())
        return segment(engine, photo)

    monkeypatch.setattr("zoo.page.offer.segment", watched)
    page.warm_up()
    assert held == [True] * len(page.default_names())


def test_confusion_of_label_sets_is_not_scored(page):
    *_, (_, _, work, _) = page.compare(
        uploaded(examples()[0].photo), {"selected": LADDER}, None, {}, "trained", Request()
    )
    work.truth.mask[:] = 12  # neither a class nor void: the metric must refuse it rather than count it
    with pytest.raises(LabelRangeError):
        page.image_scores(work)
