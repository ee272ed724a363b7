"""Three photos labelled with every shape of labelme 6.3.1, one of them a phone's portrait (EXIF orientation 6).

`expected/` holds the masks that `labelme.utils.shapes_to_label` draws of them, `__ignore__` as 255.
"""

from pathlib import Path

import numpy as np
from labelme import LabelFile, utils
from PIL import Image

HERE = Path(__file__).parent
LABELS = {"__ignore__": 255, "_background_": 0, "car": 1, "road": 2}


def shape(label, kind, points, mask=None):
    item = {"label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {}}
    return item | {"mask": utils.img_arr_to_b64(mask.astype(np.uint8)) if mask is not None else None}


def write(name, shapes, image_data, **save):
    photo = HERE / name
    pixels = LabelFile.load_image_file(str(photo))
    width, height = utils.img_data_to_pil(pixels).size
    LabelFile().save(
        str(photo.with_suffix(".json")),
        shapes=shapes,
        image_path=name,
        image_height=height,
        image_width=width,
        image_data=pixels if image_data else None,
        flags={},
    )
    read = LabelFile(str(photo.with_suffix(".json")))
    drawn, _ = utils.shapes_to_label((height, width), read.shapes, LABELS)
    (HERE / "expected").mkdir(exist_ok=True)
    Image.fromarray(drawn.astype(np.uint8)).save(HERE / "expected" / f"{photo.stem}.png")


noise = np.random.default_rng(0).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
Image.fromarray(noise).save(HERE / "a_001.png")
write(
    "a_001.png",
    [
        shape("road", "rectangle", [[40.0, 28.0], [2.0, 10.0]]),
        shape("car", "polygon", [[4.0, 4.0], [20.0, 4.0], [20.0, 12.0], [4.0, 12.0]]),
        shape("road", "circle", [[30.0, 16.0], [34.0, 19.0]]),
        shape("__ignore__", "polygon", [[33.5, 2.5], [46.2, 3.0], [40.0, 14.7]]),
        shape("car", "mask", [[10.0, 15.0], [17.0, 19.0]], np.indices((5, 8)).sum(0) % 3 > 0),
    ],
    image_data=False,
)
Image.fromarray(255 - noise).save(HERE / "a_002.png")
write(
    "a_002.png",
    [
        shape("car", "linestrip", [[5.0, 25.0], [20.0, 20.0], [24.0, 8.0]]),
        shape("road", "line", [[2.0, 2.0], [40.0, 6.0]]),
        shape("car", "point", [[40.0, 20.0]]),
        shape("_background_", "oriented_rectangle", [[10.0, 1.0], [16.0, 7.0], [13.0, 10.0], [7.0, 4.0]]),
    ],
    image_data=True,
)
exif = Image.Exif()
exif[0x0112] = 6
Image.fromarray(noise).save(HERE / "b_001.jpg", exif=exif)
write("b_001.jpg", [shape("car", "polygon", [[3.0, 30.0], [20.0, 30.0], [20.0, 44.0], [3.0, 44.0]])], image_data=False)
