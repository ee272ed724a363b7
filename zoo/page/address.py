"""The page's address: which tab it opens, and how it names a row of the leaderboard."""

TABS = ("compare", "batch", "leaderboard", "learn", "code")


def tab_of(query: dict[str, str]) -> str:
    """The tab that an address opens: the one it names, else the leaderboard where any of its state is given."""
    if query.get("tab") in TABS:
        return query["tab"]
    return "leaderboard" if any(name.startswith("lb_") for name in query) else "compare"


def ticked(query: dict[str, str]) -> list[str]:
    """The checkpoints that an address names; a '+' that it did not encode arrives as a space, which no name holds."""
    return query.get("checkpoints", "").replace(" ", "+").split(",")


def row_key(rows: list[dict], row: dict) -> str:
    """'NAME@dataset/split', numbered from the second row of that name on, as the table names its rows."""
    bases = [f"{one['name']}@{one['dataset']}/{one['split']}" for one in rows]
    place = next(index for index, one in enumerate(rows) if one is row)
    number = bases[: place + 1].count(bases[place])
    return bases[place] if number == 1 else f"{bases[place]}#{number}"
