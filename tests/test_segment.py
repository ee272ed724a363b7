"""Decoding of uploads, good and bad, and masks: checked against pixels computed here and against a network by hand."""

import gc
import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from zoo.images import photo
from zoo.images.encoding import confidence_levels, encode_confidence, encode_mask
from zoo.images.examples import examples
from zoo.images.photo import ImageError, decode_image
from zoo.labels import CAMVID, PASCAL_VOC
from zoo.models.fcn import FCN, FCNConfig
from zoo.models.segmentation import segment
from zoo.text import texts


def gradient(width=48, height=32) -> np.ndarray:
    """(height, width, 3) uint8 in which no two pixels of a row or column are the same."""
    rows, columns = np.mgrid[:height, :width]
    return np.stack([columns * 5 % 256, rows * 7 % 256, (rows + columns) * 3 % 256], -1).astype(np.uint8)


def encode(image: Image.Image, format: str, **options) -> bytes:
    with io.BytesIO() as buffer:
        image.save(buffer, format, **options)
        return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and holds no pixels: whoever decodes it fails, whoever reads the header does not."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + header + struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 1000) + b"IDAT"


@pytest.mark.parametrize("format", ["PNG", "BMP", "TIFF"])
def test_lossless_formats_arrive_unchanged(format, tmp_path):
    content = encode(Image.fromarray(gradient()), format)
    path = tmp_path / "photo"
    path.write_bytes(content)
    for source in (content, path, str(path)):
        decoded = decode_image(source)
        assert np.array_equal(np.array(decoded.image), gradient())
        assert decoded.notes == () and decoded.original_size == (48, 32)


@pytest.mark.parametrize("source", [None, b"", ""])
def test_no_image_is_refused(source):
    with pytest.raises(ImageError, match="no image yet"):
        decode_image(source)


@pytest.mark.parametrize(
    "content", [b"hello", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>"]
)
def test_what_is_not_an_accepted_format_is_refused(content):
    with pytest.raises(ImageError, match="not an image that can be read"):
        decode_image(content)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "GIF", "TIFF"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_file_is_refused(format, kept, tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    content = encode(Image.fromarray(noise), format)
    with pytest.raises(ImageError, match=r"damaged|not an image"):
        decode_image(content[: int(len(content) * kept)])
    path = tmp_path / "cut"
    path.write_bytes(content[: int(len(content) * kept)])
    with pytest.raises(ImageError, match=r"damaged|not an image"):
        decode_image(path)
    gc.collect()  # a file left open would be a warning here, and warnings are errors


def heic(image: Image.Image, **options) -> bytes:
    photo.learn_heif()  # Pillow writes it then too
    return encode(image, "HEIF", **options)


def test_heic_of_a_phone_is_read_upright_and_a_cut_one_refused():
    exif = Image.Exif()
    exif[photo.EXIF_ORIENTATION] = 6  # to be turned by 90 degrees clockwise
    image = Image.fromarray(np.kron(np.array([[0, 255], [90, 180]], np.uint8), np.ones((64, 96), np.uint8)))
    content = heic(
        image.convert("RGB"), quality=95, exif=exif.tobytes()
    )  # as a turn of the picture, which alone counts in HEIF
    decoded = decode_image(content)
    assert decoded.image.size == decoded.original_size == (128, 192) and decoded.notes == ()
    expected = np.rot90(np.asarray(image), -1)
    assert np.abs(np.asarray(decoded.image.convert("L")).astype(int) - expected).mean() < 3
    for kept in (0.3, 0.6, 0.9):
        with pytest.raises(ImageError, match=r"damaged|not an image"):
            decode_image(content[: int(len(content) * kept)])


def test_oversized_image_is_refused_by_its_header():
    # The file has no pixel data: only a refusal that does not decode can name the size instead of the damage.
    with pytest.raises(ImageError, match="144 megapixels; at most 64"):
        decode_image(png_header(12_000, 12_000))
    with pytest.raises(ImageError, match="> 179 megapixels"):
        decode_image(png_header(60_000, 60_000))
    with pytest.raises(ImageError, match="damaged"):
        decode_image(png_header(800, 800))


def test_one_pixel_image_is_accepted_with_a_note():
    decoded = decode_image(encode(Image.new("RGB", (1, 1), (9, 8, 7)), "PNG"))
    assert decoded.image.getpixel((0, 0)) == (9, 8, 7)
    assert "only 1 × 1 pixels" in decoded.notes[0]


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame_and_says_so(format):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    options = {"lossless": True} if format == "WEBP" else {}
    decoded = decode_image(encode(frames[0], format, save_all=True, append_images=frames[1:], **options))
    assert decoded.image.getpixel((5, 5)) == (255, 0, 0)
    assert decoded.notes == (texts()["note_first_frame"],)


def test_cmyk_becomes_rgb():
    cyan = Image.new("CMYK", (40, 40), (255, 0, 0, 0))
    red, green, blue = decode_image(encode(cyan, "JPEG")).image.getpixel((3, 3))
    assert red < 10 and green > 245 and blue > 245


def test_sixteen_bit_grey_is_scaled_not_clipped():
    values = np.linspace(0, 65535, 64 * 40).reshape(40, 64).astype(np.uint16)
    decoded = decode_image(encode(Image.fromarray(values), "PNG"))
    expected = np.round(values / 65535 * 255)
    assert np.abs(np.array(decoded.image)[..., 0] - expected).max() <= 1
    assert (np.diff(np.array(decoded.image).astype(int), axis=2) == 0).all()


def test_numbers_of_unknown_range_are_refused():
    with pytest.raises(ImageError, match="32-bit"):
        decode_image(encode(Image.fromarray(np.full((40, 40), 1e6, np.float32)), "TIFF"))


def test_transparency_is_laid_on_white():
    layer = np.dstack([gradient(), np.full((32, 48), 255, np.uint8)])
    opaque = decode_image(encode(Image.fromarray(layer), "PNG"))
    assert np.array_equal(np.array(opaque.image), gradient()) and opaque.notes == ()
    layer[4, 4, 3] = 0
    decoded = decode_image(encode(Image.fromarray(layer), "PNG"))
    assert decoded.image.getpixel((4, 4)) == (255, 255, 255)
    assert decoded.notes == (texts()["note_transparency"],)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("alpha", [False, True])
def test_exif_rotation_is_applied(orientation, alpha):
    upright = gradient()
    # What a camera stores so that the viewer's transformation restores `upright` (EXIF 2.3, tag 0x0112).
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(stored))
    if alpha:
        image.putalpha(255)
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode_image(encode(image, "PNG", exif=exif))
    assert np.array_equal(np.array(decoded.image), upright)
    assert decoded.original_size == (48, 32)


def test_large_image_is_reduced_and_says_so():
    for name in ("JPEG", "PNG"):
        decoded = decode_image(encode(Image.new("RGB", (1900, 1425), "teal"), name))
        assert decoded.image.size == (1024, 768) and decoded.original_size == (1900, 1425)
        assert decoded.notes == ("Image reduced from 1900 × 1425 to 1024 × 768 pixels.",)
    assert decode_image(encode(Image.new("L", (9000, 2)), "PNG")).image.size == (1024, 1)


@pytest.mark.parametrize(("size", "reduced"), [((4000, 3000), (1000, 750)), ((2016, 1512), (1008, 756))])
def test_a_jpeg_that_its_decoder_brings_near_the_limit_is_not_resized(size, reduced):
    with Image.open(examples()[0].photo) as photo:
        large = photo.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    decoded = decode_image(encode(large, "JPEG", quality=90))
    assert decoded.image.size == reduced and decoded.original_size == size
    assert decoded.notes == (f"Image reduced from {size[0]} × {size[1]} to {reduced[0]} × {reduced[1]} pixels.",)
    expected = large.resize(reduced, Image.Resampling.BOX)
    assert np.abs(np.asarray(decoded.image, int) - np.asarray(expected, int)).mean() < 2


def test_memory_for_photos_at_their_own_size_is_bounded(monkeypatch):
    content = encode(Image.new("RGB", (400, 100)), "PNG")
    assert decode_image(content, photo.FULL_LONG_SIDE).image.size == (400, 100)
    monkeypatch.setattr(photo, "FULL_PIXELS", 10_000)
    reduced = decode_image(content, photo.FULL_LONG_SIDE)
    assert reduced.image.size == (200, 50) and "200 × 50" in reduced.notes[0]


def small_model(classes=CAMVID.classes) -> FCN:
    torch.manual_seed(0)
    config = FCNConfig(
        variant="fcn8s", backbone="vgg16_bn", width=0.0625, head_channels=16, head_kernel=3, classes=classes
    )
    model = FCN(config).eval()
    for parameter in model.parameters():  # score layers start at zero: give every class its own answer
        if not parameter.any():
            torch.nn.init.normal_(parameter, std=0.5)
    return model


@pytest.mark.parametrize("size", [(1, 1), (37, 53), (96, 64)])
def test_segment_agrees_with_softmax_of_the_logits(size):
    model = small_model()
    image = Image.fromarray(gradient(*size))
    result = segment(model, image, precision="fp32")
    pixels = torch.tensor(gradient(*size).tolist(), dtype=torch.float32).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        probabilities = torch.softmax(model(pixels)[0], 0).numpy()
    assert result.mask.shape == size[::-1] and result.mask.dtype == np.uint8
    assert result.confidence.dtype == np.float32 and result.milliseconds > 0
    assert np.allclose(result.confidence, probabilities.max(0), atol=1e-4)
    picked = np.take_along_axis(probabilities, result.mask[None].astype(int), 0)[0]
    assert np.allclose(picked, probabilities.max(0), atol=1e-4)
    assert np.array_equal(segment(model, gradient(*size), precision="fp32").mask, result.mask)


def test_segment_leaves_threads_gradients_and_precision_alone():
    model, threads = small_model(), torch.get_num_threads()
    segment(model, gradient())
    reduced = segment(model, gradient(), precision="bf16")
    assert torch.get_num_threads() == threads and torch.is_grad_enabled()
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())
    assert reduced.confidence.dtype == np.float32 and reduced.confidence.max() <= 1
    with pytest.raises(ValueError, match="fp16"):
        segment(model, gradient(), precision="fp16")


def test_segment_refuses_logits_that_are_not_finite():
    model = small_model()
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    with pytest.raises(ValueError, match="not finite"):
        segment(model, gradient())


@pytest.mark.parametrize("labels", [CAMVID, PASCAL_VOC])
def test_mask_png_is_indexed_and_bit_exact(labels):
    values = np.arange(len(labels.classes), dtype=np.uint8)
    mask = np.resize(np.append(values, labels.void), (29, 31)).astype(np.uint8)
    with Image.open(io.BytesIO(encode_mask(mask, labels))) as image:
        assert image.mode == "P" and image.format == "PNG"
        assert np.array_equal(np.array(image), mask)
        colours = np.array(image.convert("RGB"))
    for value in values:
        assert (colours[mask == value] == labels.palette[value]).all()
    assert (colours[mask == labels.void] == 0).all()


def test_confidence_png_holds_255_levels():
    confidence = np.array([[0.0, 0.5, 1.0]], np.float32)
    with Image.open(io.BytesIO(encode_confidence(confidence_levels(confidence)))) as image:
        assert image.mode == "L" and np.array(image).tolist() == [[0, 128, 255]]
