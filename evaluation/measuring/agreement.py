"""Whether figures of a result agree: with what is recomputed, and with the whole numbers that stand beside them."""

import numpy as np

from evaluation.counting.calibration import BINS, calibration
from evaluation.measuring.record import Corruptions, Sizes
from zoo.records import RecordError

TOLERANCE = 1e-6
NUMBER = (int, float)
CELLS = range(3 * BINS)  # of a calibration: pixels, confidence and hits of each bin
PARTS = {"sizes": Sizes, "corruptions": Corruptions}  # what is measured apart and added to a result


def wrong_parts(document: dict) -> list[str]:
    """What of `sizes` and `corruptions` cannot be right, or does not follow from the whole numbers beside it."""
    wrong = []
    for part, kind in PARTS.items():
        if document.get(part) is not None:
            try:
                kind.read(document[part], part)
            except RecordError as error:
                wrong.append(str(error))
    if wrong:
        return wrong
    for part, place in (("sizes", "curve"), ("sizes", "photos"), ("corruptions", "found")):
        for index, entry in enumerate((document.get(part) or {}).get(place, ())):
            name = f"{part}.{place}[{index}]"
            if len(entry["intersection"]) != len(entry["union"]) or len(entry.get("calibration", CELLS)) != len(CELLS):
                wrong.append(f"{name}: its lists of counts do not fit together")
                continue
            shares = [hits / union for hits, union in zip(entry["intersection"], entry["union"], strict=True) if union]
            expected = sum(shares) / len(shares) if shares else None
            wrong += differences(entry["miou"], expected, f"{name}.miou")
            if "calibration" in entry:
                counts = np.array(entry["calibration"]).reshape(BINS, 3)
                field = "expected_calibration_error"
                wrong += differences(entry[field], calibration(counts)[field], f"{name}.{field}")
    return wrong


def differences(stored: object, computed: object, name: str) -> list[str]:
    """Where two JSON values differ by more than TOLERANCE, as sentences that name the field."""
    if isinstance(computed, dict) and isinstance(stored, dict):
        wrong = [f"{name}.{key} does not belong here" for key in stored.keys() - computed.keys()]
        for key, value in computed.items():
            missing = [f"{name}.{key} is missing"]
            wrong += differences(stored[key], value, f"{name}.{key}") if key in stored else missing
        return wrong
    if isinstance(computed, list) and isinstance(stored, list) and len(stored) == len(computed):
        pairs = enumerate(zip(stored, computed, strict=True))
        return [line for index, (old, new) in pairs for line in differences(old, new, f"{name}[{index}]")]
    numbers = all(isinstance(value, NUMBER) and not isinstance(value, bool) for value in (stored, computed))
    if stored == computed or (numbers and abs(stored - computed) <= TOLERANCE):
        return []
    return [f"{name} is {stored!r}, recomputed from the counts it is {computed!r}"]
