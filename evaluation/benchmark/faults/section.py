"""The section `faults` of the benchmark: every family of attacks, their table, and where it goes."""

import sys
from collections.abc import Callable
from dataclasses import replace

from evaluation.benchmark.faults.crashes import crashes
from evaluation.benchmark.faults.crowd import crowd
from evaluation.benchmark.faults.decodes import decodes
from evaluation.benchmark.faults.promises import promises
from evaluation.benchmark.faults.records import records
from evaluation.benchmark.faults.tally import SHOWN, Tally, table
from evaluation.benchmark.measure import Row, Settings
from evaluation.benchmark.soak import soak
from evaluation.board.formats import between, put_table
from zoo.images import workers

SESSIONS, REQUESTS = 8, 200
MOST_MEGABYTES = 512


FAMILIES: dict[str, Callable[[Settings], list[Tally]]] = {
    "decodes": lambda settings: [decodes(settings.quick)],
    "records": lambda settings: [records(settings.quick)],
    "crowd": lambda settings: crowd(settings.quick),
    "memory": lambda settings: [remembered(settings)],
    "promises": lambda settings: [promises(settings.quick)],
    "crashes": lambda settings: [crashes(settings.quick)],
}


def faults(settings: Settings) -> list[Row]:
    """Run the families and print their table; with `settings.into`, its rows go between the marks of that file."""
    tallies: list[Tally] = []
    for name in settings.families or FAMILIES:
        for tally in FAMILIES[name](settings):
            tallies.append(tally)
            print(f"  {tally.family}: {tally.tried} tried, {len(tally.faults)} faults", file=sys.stderr)
            for fault in tally.faults[:SHOWN]:
                print(f"    {fault}", file=sys.stderr)
    print(f"\n{table(tallies)}")
    if settings.into and not settings.quick:
        put_table(settings.into, table(tallies, between(settings.into, "faults")), "faults")
    rows = []
    for tally in tallies:
        rows.append(Row(f"{tally.family}: tried", tally.tried))
        rows.append(Row(f"{tally.family}: refused in words", tally.refused))
        rows.append(Row(f"{tally.family}: faults", len(tally.faults), goal="0"))
        rows.append(Row(f"{tally.family}: slowest", tally.worst, "s", f"<= {workers.JOB_SECONDS + 20:.0f}"))
    return rows


def remembered(settings: Settings) -> Tally:
    """A short soak: memory of the page's processes after sessions with large photos and small requests."""
    tally = Tally("memory: sessions with large photos, small requests")
    rows = tally.attempt("the soak", lambda: soak(replace(settings, sessions=SESSIONS, requests=REQUESTS)))
    if rows:
        opened, failures, quiet, _, end, _ = (row.value for row in rows)
        tally.tried += int(opened) + (40 if settings.quick else REQUESTS)
        tally.require(f"{failures:.0f} requests failed", failures == 0)
        tally.require(f"{end - quiet:.0f} MB stayed", end - quiet <= MOST_MEGABYTES)
        tally.worst, tally.before, tally.after = 0.0, quiet, end
    return tally
