"""A project with bitmaps, a polygon with a hole, a rectangle and a line, written and drawn by supervisely 6.74.51."""

import shutil
from pathlib import Path

import numpy as np
import supervisely as sly
from PIL import Image

HERE = Path(__file__).parent
shutil.rmtree(HERE / "project", ignore_errors=True)
car = sly.ObjClass("car", sly.AnyGeometry)
road = sly.ObjClass("road", sly.AnyGeometry)
meta = sly.ProjectMeta(obj_classes=sly.ObjClassCollection([car, road]))
project = sly.Project(str(HERE / "project"), sly.OpenMode.CREATE)
project.set_meta(meta)
blob = (np.indices((9, 12)) - np.array([4, 6])[:, None, None]).__pow__(2).sum(0) < 18
ring = sly.Polygon(
    exterior=[sly.PointLocation(y, x) for x, y in ((5, 4), (25, 4), (25, 20), (5, 20))],
    interior=[[sly.PointLocation(y, x) for x, y in ((10, 8), (16, 8), (16, 14), (10, 14))]],
)
slanted = sly.Polygon(exterior=[sly.PointLocation(y, x) for x, y in ((30, 2), (46, 9), (35, 24))], interior=[])
line = sly.Polyline([sly.PointLocation(1, 1), sly.PointLocation(9, 30)])
labels = [
    sly.Label(ring, road),
    sly.Label(sly.Bitmap(blob, origin=sly.PointLocation(12, 20)), car),
    sly.Label(slanted, car),
    sly.Label(sly.Rectangle(25, 2, 30, 40), road),
    sly.Label(line, car),
]
(HERE / "expected").mkdir(exist_ok=True)
for folder, name, kept in (("train", "s_001.png", labels), ("val", "s_002.png", labels[1:2])):
    dataset = project.create_dataset(folder)
    noise = np.random.default_rng(len(kept)).integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80
    Image.fromarray(noise).save(HERE / name)
    dataset.add_item_file(name, str(HERE / name), ann=sly.Annotation((32, 48), kept))
    (HERE / name).unlink()
    mask = np.zeros((32, 48), np.uint8)
    for label in kept:
        if label.geometry.geometry_name() != "line":
            label.geometry.draw(mask, {"car": 2, "road": 3}[label.obj_class.name])
    Image.fromarray(np.maximum(mask, 1) - 1).save(HERE / "expected" / f"{Path(name).stem}.png")
