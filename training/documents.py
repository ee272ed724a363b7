"""Figures of comparisons as JSON files, which the lesson of the page and others read.

NaN, which JSON has not, becomes null. Lists of numbers stay on one line, so that a file can be read and compared.
"""

import json
import math
from pathlib import Path

from zoo.atomic import write_text


def write_document(path: Path, document: dict) -> None:
    """Replace the file with the document; raises WriteError where it cannot be written."""
    write_text(path, in_lines(without_nan(document)) + "\n")


def without_nan(value):
    """The same with None for NaN, in dicts, lists and tuples of any depth."""
    if isinstance(value, dict):
        return {key: without_nan(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(part) for part in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def in_lines(value, indent: str = "") -> str:
    """JSON in which each key of a dict, and each dict in a list, has lines of its own."""
    deeper = f"{indent} "
    if isinstance(value, dict) and value:
        parts = [f"{deeper}{json.dumps(key)}: {in_lines(part, deeper)}" for key, part in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    if isinstance(value, list) and any(isinstance(part, dict) for part in value):
        return "[\n" + ",\n".join(deeper + in_lines(part, deeper) for part in value) + f"\n{indent}]"
    return json.dumps(value, allow_nan=False)
