#!/bin/sh
# pillow==12.3.0, Python 3.11, 2026-11-27
#
# A TIFF with an EXIF orientation is turned by Pillow itself: Image.open gives the size after turning, and the pixels are
# turned when they are loaded. JPEG, PNG, WebP and AVIF are left as stored, for ImageOps.exif_transpose to turn. The
# orientation can still be read from a TIFF until its pixels are loaded. So code that asks for it first, as for JPEG, and
# turns the image or its size afterwards, turns a TIFF twice: an upright photo lies on its side, without any error.
#
# Seen:  JPEG: 24x36 orientation 6, loaded 24x36 orientation 6; TIFF: 36x24 orientation 6, loaded 36x24 orientation None
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==12.3.0
"$work/venv/bin/python" - <<'PYTHON'
import io

from PIL import Image

seen = {}
for format in ("JPEG", "TIFF"):
    stored = Image.new("RGB", (24, 36))  # lies on its side: a photo of 36 x 24
    exif = stored.getexif()
    exif[0x0112] = 6
    content = io.BytesIO()
    stored.save(content, format, exif=exif)
    image = Image.open(content)
    before = (image.size, image.getexif().get(0x0112))
    image.load()
    seen[format] = (*before, image.size, image.getexif().get(0x0112))
    words = "{}: {[0]}x{[1]} orientation {}, loaded {[0]}x{[1]} orientation {}"
    print(words.format(format, before[0], before[0], before[1], image.size, image.size, seen[format][3]))
assert seen == {"JPEG": ((24, 36), 6, (24, 36), 6), "TIFF": ((36, 24), 6, (36, 24), None)}, "the behaviour has changed"
PYTHON
