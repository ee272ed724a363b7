"""The page's functions and its API: called directly, and through gradio_client against a launched app."""

import json
import re
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import parse_qsl, quote

import gradio as gr
import httpx
import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from hub_client import save_checkpoint
from page_server import FOCAL, GRADIO_WARNINGS, LADDER, make_page, serve, write_checkpoints
from PIL import Image

import app
from evaluation.metrics import LabelRangeError
from zoo.catalog import Catalog
from zoo.examples import examples
from zoo.page.address import row_key, ticked
from zoo.segment import segment
from zoo.settings import HubSettings

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


def test_a_file_that_is_written_again_is_never_seen_in_part():
    content = bytes(range(256)) * 8000
    path = Path(app.cached_file(content, "mask.png"))
    with ThreadPoolExecutor(4) as pool:
        writers = [pool.submit(app.cached_file, content, "mask.png") for _ in range(100)]
        while not all(writer.done() for writer in writers):
            assert path.read_bytes() == content
    assert {writer.result() for writer in writers} == {str(path)} and [path] == list(path.parent.iterdir())


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
    held = [key for key in page.segmenter.results.entries if key[3] == (64, 64)]
    assert not held  # the image was never segmented


def test_events_of_the_page_are_not_part_of_the_api(page):
    named = {function.api_name for function in app.build(page).fns.values() if function.api_visibility == "public"}
    assert named == {"segment", "segment_full_resolution", "checkpoints", "leaderboard", "leaderboard_details"}


def test_compare_streams_one_mask_after_the_other(page):
    steps = list(page.compare(str(examples()[0].photo), {"selected": LADDER}, None, {}, False, Request()))
    statuses = [[panel["status"] for panel in viewer["panels"]] for viewer, *_ in steps]
    assert statuses == [
        ["running", "waiting", "waiting"],
        ["done", "running", "waiting"],
        ["done", "done", "running"],
        ["done", "done", "done"],
    ]
    viewer, iou, work, status = steps[-1]
    assert viewer["truth"] is not None and len(iou["columns"]) == 3 and status.startswith("3 masks in")
    assert work.name == "0016E5_07961"


def test_image_scores_agree_with_counting_by_hand(page):
    *_, (_, _, work, _) = page.compare(str(examples()[1].photo), {"selected": LADDER[2:]}, None, {}, False, Request())
    truth, mask = work.truth.mask, work.results[LADDER[2]].mask
    kept = truth != 11
    for index, name in enumerate(work.truth.labels.classes):
        both = ((truth == index) & (mask == index) & kept).sum()
        either = (((truth == index) | (mask == index)) & kept).sum()
        expected = pytest.approx(both / either) if either else None
        assert app.image_scores(work)[LADDER[2]]["class_iou"][name] == expected


def test_inside_the_network_is_computed_only_when_opened_and_once(page):
    *_, (_, _, work, _) = page.compare(str(examples()[0].photo), {"selected": LADDER}, None, {}, False, Request())
    calls, climb = [], page.segmenter.climb
    page.segmenter.climb = lambda *arguments: calls.append(arguments) or climb(*arguments)
    try:
        choice, value = page.inside(work, None, False, Request())
        assert value is None and not calls
        assert choice.value == LADDER[2] and [name for _, name in choice.choices] == LADDER
        opened, _, value = page.open_inside(work, LADDER[2], Request("pt-BR"))
        assert opened and len(calls) == 1 and page.inside(work, LADDER[2], True, Request("pt-BR"))[1] == value
        assert len(calls) == 1
    finally:
        page.segmenter.climb = climb
    assert [panel["name"] for panel in value["panels"]] == RUNGS
    assert value["panels"][2]["title"] == "Soma 16" and "passo 32" in value["panels"][2]["subtitle"]
    assert value["truth"] and value["panels"][-1]["miou"] == app.image_scores(work)[LADDER[2]]["miou"]
    rung = page.segmenter.rungs(page.infos[LADDER[2]], work.decoded.image)[0]
    assert rung.mask.shape == (360, 480) and (rung.mask[:32, :32] == rung.mask[0, 0]).all()


def test_inside_of_nothing_is_empty(page):
    assert page.inside(None, None, True, Request())[1] is None


def test_uploaded_labels_replace_those_of_the_example(page, tmp_path):
    path = tmp_path / "labels.png"
    Image.new("L", (480, 360), 3).save(path)
    *_, (_, iou, work, _) = page.compare(
        str(examples()[0].photo), {"selected": LADDER}, str(path), {}, False, Request()
    )
    assert (work.truth.mask == 3).all() and len(iou["columns"]) == 3
    Image.new("L", (480, 361), 3).save(path)
    with pytest.raises(gr.Error, match="Both must have the same size"):
        next(page.compare(str(examples()[0].photo), {"selected": LADDER}, str(path), {}, False, Request()))


@pytest.mark.parametrize(("language", "words"), [("en", "no image yet"), ("pt-BR,en", "Ainda não há imagem")])
def test_errors_are_in_the_visitors_language(page, language, words):
    with pytest.raises(gr.Error, match=words) as caught:
        next(page.compare(None, {"selected": LADDER}, None, {}, False, Request(language)))
    assert not caught.value.print_exception


def test_an_upload_that_was_deleted_meanwhile_is_asked_for_again(page, tmp_path):
    photo, gone = str(examples()[0].photo), str(tmp_path / "gone.png")
    for paths in ((gone, None), (photo, gone)):
        with pytest.raises(gr.Error, match="Please bring it again"):
            next(page.compare(paths[0], {"selected": LADDER}, paths[1], {}, False, Request()))


def test_restore_reads_the_address_and_ignores_nonsense(page):
    photo, picker, strip, board, text, code, waiting, tab = page.restore(
        Request("pt", example="0016E5_08121", checkpoints=f"{FOCAL},../../etc,{LADDER[0]}")
    )
    assert photo.endswith("0016E5_08121.png") and strip["selected"] == "0016E5_08121"
    assert picker["selected"] == [FOCAL, LADDER[0]] and picker["strings"]["compare"] == "Comparar"
    assert board["locale"] == "pt-BR" and len(board["rows"]) == 4 and len(text) > 200 and tab.selected == "compare"
    assert code["checkpoints"] == [FOCAL, LADDER[0]] and set(code["offered"]) == {*LADDER, FOCAL}
    assert waiting["strings"]["queue_place"].startswith("Na fila")
    photo, picker, strip, *_ = page.restore(Request(example="../app", checkpoints="x"))
    assert photo.endswith("0016E5_07961.png") and picker["selected"] == LADDER


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
        ({"tab": "elsewhere", "lb": "1"}, "compare"),
    ],
)
def test_the_address_chooses_the_tab(page, query, tab):
    assert page.restore(Request(**query))[-1].selected == tab


def test_links_name_the_row_as_the_table_does(page):
    assert page.row_key(Event(name=FOCAL)) == f"{FOCAL}@camvid/val"
    assert page.row_key(Event(name="unknown")) == ""
    rows = [{"name": "a", "dataset": "camvid", "split": split} for split in ("val", "test", "val")]
    assert [row_key(rows, row) for row in rows] == ["a@camvid/val", "a@camvid/test", "a@camvid/val#2"]


def test_a_visitors_checkpoint_is_theirs_alone(page, hub, tmp_path, monkeypatch):
    save_checkpoint(tmp_path / "remote", seed=7)
    hub.add("ana/net", tmp_path / "remote")
    settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache")
    own = app.Page(Catalog(settings, root=page.catalog._root), lambda: page.board)
    *steps, (box, text, picker, added) = own.add("ana/net", {"selected": LADDER}, {}, Request("pt-BR"))
    assert steps[0][1] == "Lendo o repositório …" and "ana/net está na lista" in text
    assert box == "" and picker["selected"] == [*LADDER, "ana/net"] and list(added) == ["ana/net"]
    item = next(item for item in picker["items"] if item["name"] == "ana/net")
    assert item["subtitle"].endswith(f"ana/net@{added['ana/net'].revision[:7]}")
    photo, ticked = str(examples()[0].photo), {"selected": ["ana/net"]}
    *_, (viewer, _, work, _) = own.compare(photo, ticked, None, added, False, Request())
    assert viewer["panels"][0]["status"] == "done" and work.infos[0].source == "hub"
    with pytest.raises(gr.Error, match="no checkpoint 'ana/net'"):  # another visitor who knows the name
        next(own.compare(photo, ticked, None, {}, False, Request()))
    assert "ana/net" not in {entry["name"] for entry in own.checkpoints()}
    assert [item["name"] for item in own.relist(picker, added, Request())[0]["items"]].count("ana/net") == 1


@pytest.mark.parametrize(("text", "words"), [("", "No repository"), ("a b", "OWNER/NAME"), ("bo/gone", "not found")])
def test_a_repository_that_cannot_be_added_says_why(page, hub, tmp_path, text, words):
    settings = HubSettings(endpoint=hub.endpoint, cache=tmp_path / "cache")
    own = app.Page(Catalog(settings, root=page.catalog._root), lambda: page.board)
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
    own = app.Page(Catalog(settings, root=page.catalog._root), lambda: page.board)
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
    blocks = app.build(app.Page(Catalog(settings, root=page.catalog._root), lambda: page.board))
    parts = {block.elem_id: block for block in blocks.blocks.values() if getattr(block, "elem_id", None)}

    def visible(block):
        return block is None or (getattr(block, "visible", True) is True and visible(block.parent))

    assert {name: visible(parts[name]) for name in shown} == shown


def test_stopping_marks_what_has_not_finished(page):
    steps = page.compare(str(examples()[0].photo), {"selected": LADDER}, None, {}, False, Request())
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


def test_confusion_of_label_sets_is_not_scored(page):
    *_, (_, _, work, _) = page.compare(str(examples()[0].photo), {"selected": LADDER}, None, {}, False, Request())
    work.truth.mask[:] = 12  # neither a class nor void: the metric must refuse it rather than count it
    with pytest.raises(LabelRangeError):
        app.image_scores(work)
