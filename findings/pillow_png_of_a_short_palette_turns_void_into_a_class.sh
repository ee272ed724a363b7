#!/bin/sh
# pillow==13.0.0 and 12.3.0, Python 3.11, 2026-11-27
#
# Void is 255 in label masks, and Pillow takes it as the fill of a palette image also where the palette is shorter: pad
# or turn a mask with it, and those pixels are 255 until it is saved. A PNG is then written with as many bits a pixel as
# the colours of the palette need, whatever the pixels hold, and of each pixel only the lowest are kept: with 5 to
# 16 colours 255 comes back as 15, with 4 as 3, and with 2, background and one class, as 1, which is the class. No error,
# no warning. From 17 colours on, and as TIFF, 255 stays. `bits=8` kept it in 12.3.0 and no longer does in 13.0.0; a
# palette filled up to 256 colours does in both.
#
# Seen:  border of 255 around a mask, saved as PNG: 2 colours 1, 4 colours 3, 11 colours 15, 17 colours 255
#        11 colours as TIFF 255, padded to 256 colours 255; with bits=8: 13.0.0 15, 12.3.0 255
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for version in 12.3.0 13.0.0; do
    ${PYTHON:-python3} -m venv --clear "$work/venv"
    "$work/venv/bin/pip" install --quiet --disable-pip-version-check "pillow==$version"
    "$work/venv/bin/python" -W error - "$version" <<'PYTHON'
import io, sys

from PIL import Image, ImageOps

def stored(image, format="PNG", **options):
    content = io.BytesIO()
    image.save(content, format, **options)
    return Image.open(content)

def padded(colours):  # as a mask from a file, with a border of void
    mask = Image.new("P", (4, 2), 1)
    mask.putpalette([value for index in range(colours) for value in (index, 255 - index, 7 * index % 256)])
    mask = stored(mask)
    assert mask.mode == "P" and len(mask.getpalette()) == 3 * colours and set(mask.tobytes()) == {1}
    mask = ImageOps.expand(mask, border=1, fill=255)
    assert set(mask.tobytes()) == {1, 255}
    return mask

def border(mask):
    assert mask.mode == "P" and mask.getpixel((1, 1)) == 1
    return mask.getpixel((0, 0))

png = {colours: border(stored(padded(colours))) for colours in (2, 4, 11, 16, 17, 256)}
tiff, bits = border(stored(padded(11), "TIFF")), border(stored(padded(11), bits=8))
print(f"pillow {sys.argv[1]}: border of 255, by colours of the palette, as PNG {png}")
print(f"    of 11 colours as TIFF {tiff}, as PNG with bits=8 {bits}")
assert png == {2: 1, 4: 3, 11: 15, 16: 15, 17: 255, 256: 255}, "the behaviour has changed"
assert tiff == 255 and bits == {"12.3.0": 255, "13.0.0": 15}[sys.argv[1]], "the behaviour has changed"
PYTHON
done
