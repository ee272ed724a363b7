#!/bin/sh
# pillow==12.3.0, Python 3.11, 2026-11-27
#
# ImageDraw.polygon(points, fill=1, outline=1) draws no outline: one of the same colour as the fill is skipped. It is no
# shortcut, for the outline runs through pixels that the fill leaves out. Drawn in two colours, the same polygon covers
# more. Whoever paints label masks with both set to the class id (labelme does, cityscapesScripts with the fill alone)
# gets regions that lack part of their border, most on small and slanted shapes.
#
# Seen:  fill=1: 113 pixels, fill=1 and outline=1: 113, fill=1 and outline=2: 126
set -e
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
${PYTHON:-python3} -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check pillow==12.3.0
"$work/venv/bin/python" - <<'PYTHON'
from PIL import Image, ImageDraw

points = [(2, 3), (25, 8), (12, 14)]
def covered(**colours):
    image = Image.new("L", (32, 20))
    ImageDraw.Draw(image).polygon(points, **colours)
    return sum(value > 0 for value in image.tobytes())

counts = covered(fill=1), covered(fill=1, outline=1), covered(fill=1, outline=2)
print("fill=1: %d pixels, fill=1 and outline=1: %d, fill=1 and outline=2: %d" % counts)
assert counts[0] == counts[1] < counts[2], "the behaviour has changed"
PYTHON
