"""What the viewer draws: every mode pixel for pixel, the files it is made of."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from viewer_page import (
    COLOURS,
    HEIGHT,
    MARK,
    MASKS,
    WIDTH,
    expected_colours,
    labels,
    ladder,
    mask_url,
    panel,
    rgb,
    staircase,
    value,
)

# Gradio and its server leave sockets, event loops and deprecations behind that are not ours to mend.
pytestmark = [
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def test_mask_mode_shows_exactly_the_palette(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    for index, key in enumerate("abc"):
        shown = viewer.centres(index)
        assert (shown[..., :3] == expected_colours(MASKS[key])).all()
        assert (shown[..., 3] == 255).all()


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_masks_of_every_bit_depth_are_read(viewer, bits):
    mask = np.minimum(MASKS["c"], 2**bits - 1)
    viewer.send(value(panel("c", "FCN-8s", mask, mask=mask_url(mask, bits=bits))))
    viewer.mode("mask")
    assert (viewer.centres(0)[..., :3] == expected_colours(mask)).all()


def filtered_png(mask: np.ndarray, colours) -> str:
    """An indexed PNG whose rows take turns with the five row filters (PNG specification, section 9.2)."""
    rows, above = [], np.zeros(mask.shape[1], dtype=int)
    for y, row in enumerate(mask.astype(int)):
        left = np.concatenate([[0], row[:-1]])
        corner = np.concatenate([[0], above[:-1]])
        estimate = left + above - corner
        far = np.abs(np.stack([estimate - left, estimate - above, estimate - corner]))
        paeth = np.choose(far.argmin(axis=0), [left, above, corner])
        guesses = [0 * row, left, above, (left + above) // 2, paeth]
        rows.append(bytes([y % 5]) + ((row - guesses[y % 5]) % 256).astype(np.uint8).tobytes())
        above = row

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    packed = zlib.compress(b"".join(rows))
    header = struct.pack(">IIBBBBB", mask.shape[1], mask.shape[0], 8, 3, 0, 0, 0)
    palette = bytes(part for colour in colours for part in rgb(colour))
    parts = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", packed[:99]), (b"IDAT", packed[99:]), (b"IEND", b"")]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    return "data:image/png;base64," + base64.b64encode(content).decode()


def test_every_row_filter_is_undone(viewer):
    mask = np.random.default_rng(5).integers(0, 200, (HEIGHT, WIDTH)).astype(np.uint8)
    names = [f"class {i}" for i in range(200)]
    colours = [f"#{i:02x}{255 - i:02x}{(i * 7) % 256:02x}" for i in range(200)]
    url = filtered_png(mask, colours)
    decoded = Image.open(io.BytesIO(base64.b64decode(url.partition(",")[2])))
    assert (np.array(decoded) == mask).all()  # Pillow reads the hand-made file alike
    viewer.send(value(panel("a", "FCN-32s", mask, mask=url, labels=labels(names, colours), shares=None)))
    viewer.mode("mask")
    assert (viewer.centres(0)[..., :3] == expected_colours(mask, colours)).all()


def test_overlay_mixes_photo_and_palette_by_opacity(viewer):
    viewer.send(ladder())
    viewer.page.locator(".opacity input").fill("50")
    viewer.settle()
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    below = np.stack([rows * 5, columns * 4, np.full_like(rows, 90)], axis=-1).astype(float)
    wanted = 0.5 * below + 0.5 * expected_colours(MASKS["c"])
    shown = viewer.centres(2)[..., :3].astype(float)
    assert np.abs(shown - wanted).max() <= 2  # rounding of the blend


def test_contours_mark_both_sides_of_every_boundary(viewer):
    viewer.send(ladder())
    viewer.page.locator(".opacity input").fill("0")
    viewer.mode("contours")
    mask = MASKS["b"]
    border = np.zeros_like(mask, dtype=bool)
    across, down = mask[:, 1:] != mask[:, :-1], mask[1:] != mask[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    shown = viewer.centres(1)[..., :3]
    same = (shown == expected_colours(mask)).all(axis=-1)
    assert (same == border).all()


def test_confidence_mode_is_bright_where_the_network_is_unsure(viewer):
    viewer.send(ladder())
    viewer.page.locator(".opacity input").fill("100")
    viewer.mode("confidence")
    shown = viewer.centres(0)[..., :3].astype(float)
    light = shown @ [0.299, 0.587, 0.114]
    assert (np.diff(light, axis=1) < 0).mean() > 0.9  # confidence grows to the right, so light falls
    assert shown[0, -1].max() <= 6  # 255 is certain: the dark end of the scale
    assert viewer.page.locator(".heat").is_visible()


def test_difference_between_panels_marks_exactly_the_pixels_that_differ(viewer):
    viewer.send(ladder())
    viewer.mode("difference")
    differ = (MASKS["a"] != MASKS["b"]) | (MASKS["a"] != MASKS["c"])
    assert 0 < differ.sum() < differ.size
    for index in range(3):
        marked = (viewer.centres(index)[..., :3] == MARK).all(axis=-1)
        assert (marked == differ).all()
        assert viewer.card(index).locator(".differing").inner_text() == f"{differ.mean():.1%} differ"


def test_difference_from_one_panel(viewer):
    viewer.send(ladder())
    viewer.mode("difference")
    viewer.page.select_option(".reference select", "panel:model-c#0")
    viewer.settle()
    marked = (viewer.centres(0)[..., :3] == MARK).all(axis=-1)
    assert (marked == (MASKS["a"] != MASKS["c"])).all()
    assert not (viewer.centres(2)[..., :3] == MARK).all(axis=-1).any()


def test_difference_from_ground_truth_leaves_void_out(viewer):
    truth = staircase(1)
    truth[:, :5] = 255
    palette = [*COLOURS, *["#000000"] * 252]
    viewer.send(ladder(truth={"mask": mask_url(truth, palette), "labels": labels()}))
    viewer.mode("difference")
    wrong = (MASKS["a"] != truth) & (truth != 255)
    marked = (viewer.centres(0)[..., :3] == MARK).all(axis=-1)
    assert (marked == wrong).all()
    share = wrong.sum() / (truth != 255).sum()
    assert viewer.card(0).locator(".differing").inner_text() == f"{share:.1%} wrong"
    assert viewer.card(3).locator(".title").inner_text() == "Ground truth"


def test_classes_of_different_label_sets_meet_by_name(viewer):
    swapped = np.array([1, 0, 2, 3], dtype=np.uint8)[MASKS["a"]]  # the same picture, ids of sky and road exchanged
    other = labels(("road", "sky", "bus", "tree"), ("#111111", "#222222", "#333333", "#808000"))
    shares = [float((swapped == i).mean()) for i in range(4)]
    viewer.send(value(panel("a", "FCN-32s"), panel("b", "FCN-16s", swapped, labels=other, shares=shares)))
    viewer.mode("difference")
    marked = (viewer.centres(0)[..., :3] == MARK).all(axis=-1)
    assert (marked == (MASKS["a"] == 2)).all()  # only car against bus
    assert set(viewer.pressed()) == {"sky", "road", "car", "tree", "bus"}
    row = viewer.page.locator(".shares tbody tr", has_text="bus").locator("td").all_inner_texts()
    assert row == ["–", f"{(MASKS['a'] == 2).mean():.1%}"]
    viewer.mode("mask")
    viewer.page.locator(".chip[data-name=sky]").click()
    viewer.settle()
    for index in range(2):
        assert ((viewer.centres(index)[..., 3] == 0) == (MASKS["a"] == 0)).all()


def test_patterns_change_the_picture_and_the_swatches(viewer):
    viewer.send(ladder())
    viewer.mode("mask")
    plain = viewer.centres(0)
    viewer.page.click("[data-action=patterns]")
    viewer.settle()
    shown = viewer.centres(0)
    assert (shown[MASKS["a"] == 0] == plain[MASKS["a"] == 0]).all()  # the first class stays plain
    for index in (1, 2, 3):
        colours = {tuple(pixel) for pixel in shown[MASKS["a"] == index]}
        assert len(colours) == 2  # the class's colour and its lines
