"""A data set with an image and a mask column, saved as parquet by datasets 5.2.0, and its id2label.json."""

import json
from pathlib import Path

import numpy as np
from datasets import Dataset, Features
from datasets import Image as ImageFeature
from PIL import Image

HERE = Path(__file__).parent
(HERE / "expected").mkdir(exist_ok=True)
(HERE / "data").mkdir(exist_ok=True)
for split, count in (("train", 3), ("validation", 1)):
    rows = {"pixel_values": [], "label": []}
    for number in range(count):
        random = np.random.default_rng(number)
        mask = np.zeros((32, 48), np.uint8)
        mask[4 : 10 + number, 5:30], mask[20:, :8] = 1, 255
        rows["pixel_values"].append(Image.fromarray(random.integers(0, 4, (32, 48, 3)).astype(np.uint8) * 80))
        rows["label"].append(Image.fromarray(mask))
        Image.fromarray(mask).save(HERE / "expected" / f"{split}-{number}.png")
    features = Features({"pixel_values": ImageFeature(), "label": ImageFeature()})
    Dataset.from_dict(rows, features=features).to_parquet(HERE / "data" / f"{split}-00000-of-00001.parquet")
(HERE / "data" / "id2label.json").write_text(json.dumps({"0": "ground", "1": "plant"}))
