"""Many photos at once: zips that are safe and unsafe, masks with their photos, scores counted over all of them."""

import csv
import io
import json
import struct
import zipfile

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score
from test_app import Request, uploaded

from zoo.images import archive as zips
from zoo.images.archive import Limits, zip_entries
from zoo.images.examples import examples
from zoo.images.pairs import mask_of
from zoo.images.photo import LONG_SIDE, ImageError, decode_image
from zoo.page import brought as limits
from zoo.page.batch import Row, disagreement, facts, guarded, mask_names
from zoo.page.batch_tab import BatchDesk, row_value
from zoo.page.brought import read_batch
from zoo.page.uploads import cached_file


def png(size=(64, 48), value=90) -> bytes:
    with io.BytesIO() as buffer:
        Image.new("RGB", size, (value, 40, 120)).save(buffer, "PNG")
        return buffer.getvalue()


def packed(entries: dict[str, bytes], compression=zipfile.ZIP_STORED) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w", compression) as archive:
            for name, content in entries.items():
                archive.writestr(name, content)
        return buffer.getvalue()


def stored(folder, name: str, content: bytes) -> str:
    (folder / name).write_bytes(content)
    return str(folder / name)


def test_photos_come_in_order_with_their_masks_and_nothing_else(tmp_path):
    entries = {"b/two.png": png(value=2), "a.jpg": png(value=1), "masks/two.png": png(value=3), "notes.txt": b"x"}
    entries |= {"a_mask.png": png(value=4), "__MACOSX/a.jpg": b"x", ".DS_Store": b"x", "b/.hidden.png": b"x"}
    photos = read_batch([stored(tmp_path, "all.zip", packed(entries)), stored(tmp_path, "a.jpg", png(value=5))]).photos
    assert [photo.name for photo in photos] == ["a (2).jpg", "a.jpg", "b/two.png"]
    assert [photo.read() for photo in photos] == [png(value=5), png(value=1), png(value=2)]
    assert [photo.read_truth and photo.read_truth() for photo in photos] == [None, png(value=4), png(value=3)]


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.png", None),
        ("masks/a.png", "a"),
        ("set/valannot/A.png", "a"),
        ("SegmentationClass/x_mask.png", "x"),
        ("a.label.png", "a"),
        ("b_gtFine_labelIds.png", "b_gtfine"),
        ("masks.png", None),
    ],
)
def test_masks_are_told_by_folder_or_ending(name, stem):
    assert mask_of(name) == stem


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"../a.png": png()}, "unsafe name"),
        ({"/etc/a.png": png()}, "unsafe name"),
        ({"a\\..\\b.png": png()}, "unsafe name"),
        ({"a\nb.png": png()}, "unsafe name"),
        ({"notes.txt": b"x"}, "no image"),
        ({f"{number}.png": b"x" for number in range(limits.MAXIMUM_IMAGES + 1)}, "at most 60"),
        ({f"{number}.txt": b"x" for number in range(zips.PAGE.entries + 1)}, "501 entries; at most 500"),
        ({"bomb.png": bytes(2_000_000)}, "far more than a photo"),
    ],
)
def test_unsafe_zips_are_refused_whole(tmp_path, entries, words):
    path = stored(tmp_path, "all.zip", packed(entries, zipfile.ZIP_DEFLATED))
    with pytest.raises(ImageError, match=words):
        read_batch([path])


def test_links_passwords_sizes_and_damage_are_refused(tmp_path, monkeypatch):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(tmp_path / "link.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    locked = bytearray(packed({"a.png": png()}))
    locked[locked.rfind(b"PK\1\2") + 8] |= 1
    for name, content, words in (
        ("link.zip", (tmp_path / "link.zip").read_bytes(), "unsafe name"),
        ("locked.zip", bytes(locked), "password"),
        ("cut.zip", packed({"a.png": png()})[:-30], "damaged zip"),
    ):
        with pytest.raises(ImageError, match=words):
            read_batch([stored(tmp_path, name, content)])
    much = stored(tmp_path, "much.zip", packed({f"{one}.png": bytes(400) for one in range(3)}))
    assert len(zip_entries(much, Limits(total_bytes=1200))) == 3
    with pytest.raises(ImageError, match="unpacked"):
        zip_entries(much, Limits(total_bytes=1000))
    monkeypatch.setattr(zips, "ENTRY_BYTES", 0)
    with pytest.raises(ImageError, match="1 entry; at most 500 are"):
        read_batch([stored(tmp_path, "list.zip", packed({"a.png": png()}))])


def zip64(entries: dict[str, bytes], gap: int = 0) -> bytes:
    """A zip whose list is told by a zip64 record alone, `gap` bytes before its locator; the end tells of none."""
    content = packed(entries)
    at = content.rfind(b"PK\5\6")
    number, _, length, place = struct.unpack("<HHII", content[at + 8 : at + 20])
    record = zips.RECORD.pack(b"PK\6\6", 44 + gap, 45, 45, 0, 0, number, number, length, place) + bytes(gap)
    return content[:at] + record + zips.LOCATOR.pack(b"PK\6\7", 0, at, 1) + b"PK\5\6" + bytes(18)


def test_the_list_of_a_zip64_is_bounded_before_it_is_read(tmp_path, monkeypatch):
    entries = {f"{one}.png": png() for one in range(3)}
    path = stored(tmp_path, "large.zip", zip64(entries))
    assert zip_entries(path).keys() == entries.keys()
    monkeypatch.setattr(zips, "ENTRY_BYTES", 50)  # each takes 51
    apart = stored(tmp_path, "apart.zip", zip64(entries, gap=8))
    monkeypatch.setattr(zips.zipfile, "ZipFile", None)  # what is refused is not opened
    for refused in (path, apart):
        with pytest.raises(ImageError, match="zip has 3 entries; at most 2"):
            zip_entries(refused, Limits(entries=2))


def test_an_entry_that_holds_more_than_it_claims_is_refused(tmp_path):
    content = bytearray(packed({"a.png": bytes(5000)}, zipfile.ZIP_DEFLATED))
    at = content.rfind(b"PK\1\2")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    photos = read_batch([stored(tmp_path, "liar.zip", bytes(content))]).photos
    with pytest.raises(ImageError, match="damaged"):
        photos[0].read()


def test_disagreement_counts_pixels_on_which_not_all_agree():
    one = np.array([[0, 1], [2, 3]], np.uint8)
    assert disagreement([one]) is None and disagreement([one, one.copy()]) == 0
    assert disagreement([one, one.copy(), np.array([[0, 1], [2, 0]], np.uint8)]) == 0.25
    assert disagreement([one, one + 1, one + 2]) == 1


def test_names_are_no_formulas():
    assert guarded("=cmd()") == "'=cmd()" and guarded("street.png") == "street.png"


def test_photos_that_differ_in_ending_or_case_alone_get_masks_of_their_own():
    photos = ["a/x.jpg", "IMG_1 (2).png", "IMG_1.JPG", "IMG_1.png", "img_1.webp", "x.jpg"]
    masks = ["a/x.png", "IMG_1 (2).png", "IMG_1.png", "IMG_1 (3).png", "img_1 (4).png", "x.png"]
    assert mask_names(photos) == dict(zip(photos, masks, strict=True))


def test_photos_that_differ_in_the_form_of_an_accent_alone_get_masks_of_their_own():
    assert mask_names(["pra\u00e7a.jpg", "prac\u0327a.jpg"]) == {
        "pra\u00e7a.jpg": "pra\u00e7a.png",
        "prac\u0327a.jpg": "prac\u0327a (2).png",
    }


def test_no_mask_of_a_batch_is_lost_and_the_table_names_each(server, tmp_path):
    desk, names = BatchDesk(server[0]), list(server[0].infos)[:2]
    files = [{"path": cached_file(packed({"x.jpg": png(), "x.png": png((32, 16)), "bad.png": b"x"}), "all.zip")}]
    batch = desk.prepare(files, names, {})
    list(desk.work(batch, tmp_path / "masks.zip"))
    with zipfile.ZipFile(tmp_path / "masks.zip") as archive:
        lines = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode())))
        images = json.loads(archive.read("summary.json"))["images"]
        told = {line["mask"]: line["image"] for line in lines if line["mask"]}
        assert sorted(name for name in archive.namelist() if name.startswith("masks/")) == sorted(told)
        assert len(told) == 4 and [line["image"] for line in lines if line["error"]] == ["bad.png"]
        for mask, image in told.items():
            assert Image.open(archive.open(mask)).size == ((64, 48) if image == "x.jpg" else (32, 16))
    assert {entry["mask"]: one["name"] for one in images for entry in one["checkpoints"].values()} == told


def batch_zip() -> bytes:
    """Two example photos with masks, a photo without, one that is damaged, and one whose mask has another size."""
    entries = {f"{one.name}.png": one.photo.read_bytes() for one in examples()[:2]}
    entries |= {f"masks/{one.name}.png": one.truth.read_bytes() for one in examples()[:2]}
    return packed(
        entries | {"plain.png": png(), "broken.png": png()[:60], "odd.png": png(), "masks/odd.png": png((9, 9))}
    )


def test_a_batch_gives_exact_masks_one_count_and_reasons(server, tmp_path):
    page, _ = server
    names = list(page.infos)[:2]
    files = [{"path": cached_file(batch_zip(), "all.zip")}]
    *steps, (value, button, _) = BatchDesk(page).run(files, {"selected": names}, {}, "trained", Request("pt-BR"))
    assert [len(step[0]["rows"]) for step in steps] == [0, 1, 2, 3, 4, 5] and value["finished"]
    problems = {row["name"]: row["problem"] for row in value["rows"] if row["problem"]}
    assert problems.keys() == {"broken.png", "odd.png"} and "danificado" in problems["broken.png"]
    with zipfile.ZipFile(button.value["path"] if isinstance(button.value, dict) else button.value) as archive:
        summary = json.loads(archive.read("summary.json"))
        lines = list(csv.DictReader(io.StringIO(archive.read("table.csv").decode())))
        masks, truths = {name: [] for name in names}, []
        for example in examples()[:2]:
            image = decode_image(example.photo, LONG_SIDE).image
            truths.append(np.array(Image.open(example.truth)).ravel())
            for name in names:
                mask = np.array(Image.open(archive.open(f"masks/{name}/{example.name}.png")))
                assert (mask == page.segmenter.segment(page.infos[name], image).mask).mean() > 0.999
                masks[name].append(mask.ravel())
    truth = np.concatenate(truths)
    seen = truth != 11
    for name in names:
        mask = np.concatenate(masks[name])
        classes = np.union1d(truth[seen], mask[seen])
        expected = jaccard_score(truth[seen], mask[seen], labels=classes, average="macro", zero_division=0)
        assert summary["scores_over_images_with_truth"][name]["miou"] == pytest.approx(expected, abs=1e-9)
    assert summary["images_with_truth"] == 2 and summary["not_reached"] == []
    first = next(image for image in summary["images"] if image["name"] == f"{examples()[0].name}.png")
    assert first["disagreement"] == pytest.approx((masks[names[0]][0] != masks[names[1]][0]).mean())
    assert len(lines) == 4 * 2 + 1  # of the damaged one its reason alone
    for line in lines:
        shares = [float(line[title]) for title in page.infos[names[0]].labels.classes if line[title]]
        assert line["error"] or sum(shares) == pytest.approx(1)


def test_a_mask_without_photo_is_named_on_the_page_and_in_the_summary(server):
    page, _ = server
    first = examples()[0]
    entries = {"street.png": first.photo.read_bytes()}
    entries |= {f"masks/{name}.png": first.truth.read_bytes() for name in ("street", "Street (2)", "rua")}
    files = [{"path": cached_file(packed(entries), "all.zip")}]
    *_, (value, _, batch) = BatchDesk(page).run(
        files, {"selected": list(page.infos)[:1]}, {}, "trained", Request("pt-BR")
    )
    (note,) = value["notes"]
    assert "masks/Street (2).png, masks/rua.png" in note and "Deixadas de fora" in note and "(2):" in note
    assert facts(batch)["masks_without_image"] == ["masks/Street (2).png", "masks/rua.png"]
    assert facts(batch)["images_with_truth"] == 1


def test_a_stopped_batch_gives_back_what_is_done_and_leaves_no_part(server, tmp_path):
    page, _ = server
    desk = BatchDesk(page)
    files = [{"path": cached_file(batch_zip(), "all.zip")}]
    steps = desk.run(files, {"selected": list(page.infos)[:1]}, {}, "trained", Request())
    for _ in range(2):
        _, _, batch = next(steps)
    desk.stop(batch)
    *_, (value, button, _) = steps
    assert value["finished"] and value["stopped"] and len(value["rows"]) == 1
    path = button.value["path"] if isinstance(button.value, dict) else button.value
    with zipfile.ZipFile(path) as archive:
        assert len(json.loads(archive.read("summary.json"))["not_reached"]) == 4
    desk.stop(None)


def test_the_api_takes_several_files(server):
    from gradio_client import Client, handle_file

    client = Client(server[1], verbose=False)
    photos = [handle_file(one.photo) for one in examples()[:2]]
    (path,), summary = client.predict(photos, list(server[0].infos)[:2], api_name="/segment_batch")
    assert [image["error"] for image in summary["images"]] == [None, None]
    assert all(0 < image["disagreement"] < 1 for image in summary["images"])
    with zipfile.ZipFile(path) as archive:
        assert sum(name.startswith("masks/") for name in archive.namelist()) == 4


def test_a_batch_is_seen_at_the_size_that_is_chosen(server):
    page, _ = server
    info, desk = next(iter(page.infos.values())), BatchDesk(page)
    photo = {"path": cached_file(png((1500, 900)), "large.png")}
    for size, seen in (("trained", LONG_SIDE), ("full", 1500)):  # this checkpoint says nothing of its size
        batch = desk.prepare([photo], [info.offered_as], {}, size)
        result = batch.segment(info, batch.decode(batch.photos[0].read()))
        assert max(result.working_size) == seen and max(result.mask.shape) == LONG_SIDE
    with pytest.raises(ImageError, match="size huge is unknown"):
        desk.prepare([photo], [info.offered_as], {}, "huge")


@pytest.mark.parametrize(
    ("distances", "unlike"), [((1.2, 1.3, 0.9), True), ((1.2, 0.8, None), False), ((None, None, None), False)]
)
def test_a_row_says_that_a_photo_is_unlike_the_training_photos(server, distances, unlike):
    names = list(server[0].infos)[:3]
    batch = BatchDesk(server[0]).prepare([uploaded(examples()[0].photo)], names, {})
    entries = {
        name: {"shares": {}, "mean_confidence": 0.5, "distance_from_training": distance}
        for name, distance in zip(names, distances, strict=True)
    }
    assert row_value(batch, Row("a.png", checkpoints=entries), "en")["unlike"] is unlike


def test_uploads_only(server):
    desk = BatchDesk(server[0])
    with pytest.raises(Exception, match="not uploaded"):
        desk.prepare([{"path": "/etc/passwd"}], list(server[0].infos)[:1], {})
    assert desk.prepare([uploaded(examples()[0].photo)], list(server[0].infos)[:1], {}).photos
