"""The leaderboard of a running page: the shipped rows at once, those of the Hub once a background thread has them.

What was downloaded before is used when the Hub is away; the note says how old it is and why there is nothing newer.
"""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation.board.hub_results import download_results, read_hub_results, stored_results
from evaluation.board.merging import Additions
from evaluation.board.rows import payload
from zoo.hub.catalog import Catalog
from zoo.hub.once import Once
from zoo.hub.renewal import Renewal, hub_note
from zoo.hub.requests import HubError, HubUnreachable, parse_repository
from zoo.text import Message

logger = logging.getLogger("evaluation")


@dataclass(frozen=True)
class LiveRows:
    """The payload with the Hub's rows; listed_at: when its oldest part was read; reason: why a part is old or missing.

    left_out: how many results of the Hub are not shown; the log says why.
    """

    payload: dict
    listed_at: float
    reason: str
    left_out: int


class LiveBoard:
    """`payload()` answers at once, `refresh()` reads the Hub's results in the background. Safe from any thread.

    assemble: makes the payload, of the shipped results alone or with `additions=Additions`.
    """

    def __init__(self, catalog: Catalog, assemble: Callable[..., dict] = payload):
        self.settings, self._catalog, self._assemble = catalog.settings, catalog, assemble
        self._shipped = Once(budget=1)
        self._rows = Renewal(self._read, self.settings.fresh_seconds, None, "zoo-results")

    def payload(self) -> dict:
        """The leaderboard now, as `evaluation.leaderboard.payload` gives it: the same dict until it changes."""
        rows = self._rows.now().value
        return rows.payload if rows else self._shipped.get("payload", self._assemble)

    def refresh(self, *, force: bool = False, wait: float = 0.0) -> dict:
        """Read the Hub's results again unless that was done lately; wait at most `wait` seconds for them."""
        if self.settings.reads_results:
            self._rows.refresh(force=force, wait=wait)
        return self.payload()

    @property
    def refreshing(self) -> bool:
        """Whether the Hub's results are being read."""
        return self._rows.now().refreshing

    def notes(self) -> tuple[str, ...]:
        """Sentences on the Hub's part, Messages; none where nothing of the Hub is named."""
        now = self._rows.now()
        rows, reason = now.value, now.reason or (now.value.reason if now.value else "")
        state = "failed" if reason else "listed" if rows else "waiting"
        state = state if self.settings.reads_results else "off"
        listed_at = rows.listed_at if rows and rows.listed_at else None
        notes = [hub_note("results", state, listed_at, reason, now.refreshing)]
        if rows and rows.left_out:
            notes.append(Message("results_left_out", number=rows.left_out))
        return tuple(note for note in notes if note)

    def _read(self) -> LiveRows:
        snapshot = self._catalog.refresh(wait=self.settings.list_seconds + 1)
        times, reasons = [snapshot.listed_at or 0.0], [snapshot.reason]
        if not self.settings.lists_hub:
            times, reasons = [], []
        found, problems = [], []
        for name in self.settings.results:
            folder, reason = self._folder_of(name, problems)
            times.append(folder.stat().st_mtime if folder else 0.0)
            reasons.append(reason)
            if folder:
                results, wrong = read_hub_results(folder, parse_repository(name)[0].split("/")[0])
                found += results
                problems += wrong
        for problem in problems:
            logger.warning("A result on the Hub is left out: %s", problem)
        additions = Additions(tuple(found), snapshot.checkpoints, snapshot.author_scores)
        board = self._assemble(additions=additions)
        shipped = self._shipped.get("payload", self._assemble)
        left_out = len(problems) + len(board["problems"]) - len(shipped["problems"])
        return LiveRows(board, min(times, default=time.time()), next(filter(None, reasons), ""), left_out)

    def _folder_of(self, name: str, problems: list[str]) -> tuple[Path | None, str]:
        """The folder of a results repository, an older one where the Hub is away, and why that is."""
        try:
            folder, wrong = download_results(name, self.settings)
            problems += wrong
            return folder, ""
        except HubUnreachable as error:
            return stored_results(name, self.settings), error.args[0]
        except HubError as error:
            return None, error.args[0]
