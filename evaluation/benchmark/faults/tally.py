"""What a family of attacks came to: how many were tried and refused in words, what broke, how long it took."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field

SHORTEST = 10  # characters of a sentence that tells a person what was wrong
SHOWN = 20


@dataclass
class Tally:
    """Counts of one family; `before` and `after` are megabytes of the processes that were attacked.

    faults: what broke, one line each; worst: seconds of the slowest attempt; note: a figure of this family, in words.
    """

    family: str
    tried: int = 0
    refused: int = 0
    faults: list[str] = field(default_factory=list)
    worst: float = 0.0
    before: float = 0.0
    after: float = 0.0
    note: str = ""

    def attempt(self, what: str, attack: Callable[[], object], refusals: type | tuple[type, ...] = ()) -> object:
        """Run one attack: what it gives passed, one of `refusals` with a sentence is refused, all else is a fault."""
        begin = time.perf_counter()
        self.tried += 1
        try:
            return attack()
        except refusals as error:
            self.refuse(what, str(error))
        except Exception as error:
            self.faults.append(f"{what}: {type(error).__name__}: {error}"[:300])
        finally:
            self.worst = max(self.worst, time.perf_counter() - begin)
        return None

    def refuse(self, what: str, sentence: object) -> None:
        """Note a refusal; one without a sentence is a fault."""
        if isinstance(sentence, str) and is_sentence(sentence):
            self.refused += 1
        else:
            self.faults.append(f"{what}: refused without a sentence ({sentence!r})"[:300])

    def require(self, what: str, kept: bool) -> None:
        """Note a promise that was tried: one that is not kept is a fault."""
        self.tried += 1
        if not kept:
            self.faults.append(what)


def is_sentence(text: str) -> bool:
    """Whether a text tells a person something: words, and nothing of the program's inside."""
    return len(text) >= SHORTEST and bool(re.search(r"\w+:? \w+", text)) and "Traceback" not in text


HEAD = [
    "| attacks | tried | refused in words | faults | slowest, s | MB before | MB after |",
    "|:--|--:|--:|--:|--:|--:|--:|",
]


def table(tallies: list[Tally], before: str = "") -> str:
    """The table in Markdown, one row per family; in `before` are rows and notes of other families, which stay."""
    rows = {line.split(" | ")[0]: line for line in before.splitlines() if line.startswith("| ") and line not in HEAD}
    notes = {line.partition(":")[0]: line for line in before.splitlines() if line.startswith("- ")}
    for tally in tallies:
        cells = (tally.family, tally.tried, tally.refused, len(tally.faults), f"{tally.worst:.1f}")
        rows[f"| {tally.family}"] = f"| {' | '.join(map(str, cells))} | {tally.before:.0f} | {tally.after:.0f} |"
        if tally.note:
            notes[f"- {tally.family}"] = f"- {tally.family}: {tally.note}"
    return "\n".join([*HEAD, *rows.values(), *([""] if notes else []), *notes.values()])
