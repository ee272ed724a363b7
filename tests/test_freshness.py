"""Results are never shown as the answer to what was not asked: the mark, the browser's history, files taken along."""

import gradio as gr
import pytest
from PIL import Image
from test_app import Request, uploaded

from zoo.images.examples import examples
from zoo.page.freshness import Asked, differences, stale_value
from zoo.page.uploads import cached_file
from zoo.page.visit import Visit, read_visit

SHOWN = Asked.of("a.png", ["x", "y"], None, "trained")


@pytest.mark.parametrize(
    ("now", "keys"),
    [
        (("a.png", ["y", "x"], None, "trained"), []),
        (("a.png", ["y", "x"], "", "trained"), []),
        (("b.png", ["x", "y"], None, "trained"), ["stale_photo"]),
        ((None, ["x", "y"], None, "trained"), ["stale_removed"]),
        (("a.png", ["x"], "t.png", "full"), ["stale_checkpoints", "stale_truth", "stale_size"]),
    ],
)
def test_every_change_since_the_comparison_is_told(now, keys):
    assert [reason.key for reason in differences(SHOWN, Asked.of(*now))] == keys


def test_a_mark_says_whether_another_comparison_is_possible():
    assert stale_value(None, SHOWN, "en") is None and stale_value(SHOWN, SHOWN, "en") is None
    for now, possible in ((("b.png", ["x"]), True), ((None, ["x"]), False), (("b.png", []), False)):
        assert stale_value(SHOWN, Asked.of(*now, None, "trained"), "pt-BR")["possible"] is possible


def test_a_visit_takes_only_uploads_along(tmp_path):
    photo = cached_file(examples()[0].photo.read_bytes(), "street.png")
    secret = tmp_path / "secret.png"
    secret.write_bytes(b"secret")
    assert read_visit(f'{{"photo": "{photo}"}}') == Visit(photo)
    gone = f"{photo}.gone"
    assert read_visit(f'{{"photo": "{gone}"}}') == Visit(expired=True)
    for text in (None, "", "{", "[1]", "3", '{"photo": 3}', '{"photo": ["a"]}', f'{{"photo": "{secret}"}}'):
        assert read_visit(text) == Visit()


def test_ground_truth_of_another_photo_goes_with_it(server, tmp_path):
    page, _ = server
    path = tmp_path / "labels.png"
    Image.new("L", (480, 360), 3).save(path)
    truth, first, second = (uploaded(one) for one in (path, examples()[0].photo, examples()[1].photo))
    names = [next(iter(page.infos))]
    *_, (_, _, work, _) = page.compare(first, {"selected": names}, truth, {}, "trained", Request())
    assert page.bring({"selected": "x"}, work, second, truth) == ({"selected": None}, None)
    assert page.bring({"selected": "x"}, work, None, truth)[1] == gr.skip()  # removed: the next one may be the same
    assert page.bring({"selected": "x"}, None, second, truth)[1] == gr.skip()
    assert page.stale(work, first, {"selected": names}, truth, "trained", Request()) is None
    mark = page.stale(work, first, {"selected": names}, None, "trained", Request("pt-BR"))
    assert mark["reasons"] == ["A anotação mudou."]
