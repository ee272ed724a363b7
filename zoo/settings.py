"""Which parts of the Hugging Face Hub the zoo shows, and its limits: one frozen dataclass read from the environment.

Nothing is named by default: whoever hosts the page says once whose checkpoints it shows.
"""

import os
import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from huggingface_hub import constants

TAG = "fcn-zoo"  # on the Hub, a model with this tag is a checkpoint folder of this zoo
VISITOR_RULES = ("any", "listed", "off")
DEFAULT_CACHE = Path(constants.HF_HOME) / "fcn-zoo"


def _setting(variable: str, default: Any, explanation: str):
    return field(default=default, metadata={"variable": variable, "help": explanation})


@dataclass(frozen=True)
class HubSettings:
    """Which parts of the Hub the zoo shows, and its limits. Raises ValueError naming the environment variable.

    Nothing is listed from the Hub unless authors, repositories or collections are named.
    """

    authors: tuple[str, ...] = _setting(
        "FCN_ZOO_AUTHORS", (), "users and organisations whose tagged models are listed; * lists everyone's"
    )
    repos: tuple[str, ...] = _setting(
        "FCN_ZOO_REPOS", (), "repositories that are listed, as OWNER/NAME or OWNER/NAME@REVISION"
    )
    collections: tuple[str, ...] = _setting(
        "FCN_ZOO_COLLECTIONS", (), "collections whose models are listed, as OWNER/TITLE-ID"
    )
    results: tuple[str, ...] = _setting(
        "FCN_ZOO_RESULTS", (), "dataset repositories whose results the leaderboard adds, as OWNER/NAME"
    )
    visitors: str = _setting(
        "FCN_ZOO_VISITORS", "any", "repositories a visitor may add: any, listed (of the owners above), off"
    )
    baselines: str = _setting(
        "FCN_ZOO_BASELINES", "on", "torchvision's networks in the list, downloaded when a visitor picks one: on, off"
    )
    cache: Path = field(
        default=DEFAULT_CACHE,
        metadata={"variable": "FCN_ZOO_CACHE", "help": "folder of the stored listing and of downloads"},
    )
    cache_megabytes: float = _setting(
        "FCN_ZOO_CACHE_MEGABYTES", 4000.0, "downloads above this are removed, oldest use first"
    )
    file_megabytes: float = _setting("FCN_ZOO_FILE_MEGABYTES", 600.0, "largest weights file that is downloaded")
    limit: int = _setting("FCN_ZOO_LIMIT", 100, "largest number of checkpoints listed per author")
    fresh_seconds: float = _setting("FCN_ZOO_FRESH_SECONDS", 900.0, "age at which the stored listing is renewed")
    answer_seconds: float = _setting("FCN_ZOO_ANSWER_SECONDS", 8.0, "longest silence before a request is given up")
    list_seconds: float = _setting("FCN_ZOO_LIST_SECONDS", 30.0, "longest time for the whole listing")
    pull_seconds: float = _setting("FCN_ZOO_PULL_SECONDS", 900.0, "longest time for one download or upload")
    endpoint: str = _setting("HF_ENDPOINT", constants.ENDPOINT, "address of the Hub")

    def __post_init__(self):
        if self.visitors not in VISITOR_RULES:
            raise ValueError(f"FCN_ZOO_VISITORS: {self.visitors!r} is not one of {', '.join(VISITOR_RULES)}")
        if self.baselines not in ("on", "off"):
            raise ValueError(f"FCN_ZOO_BASELINES: {self.baselines!r} is not one of on, off")
        for item in fields(self):
            if item.type in (int, float) and not getattr(self, item.name) > 0:
                raise ValueError(f"{item.metadata['variable']}: must be above zero, is {getattr(self, item.name)}")
        for variable, names in (("FCN_ZOO_REPOS", self.repos), ("FCN_ZOO_RESULTS", self.results)):
            for repository in names:
                if not re.fullmatch(r"[^/\s]+/[^/\s]+", repository.partition("@")[0]):
                    raise ValueError(f"{variable}: {repository!r} does not name a repository; write OWNER/NAME")

    @classmethod
    def from_environment(cls, environment: dict[str, str] | None = None) -> "HubSettings":
        """The settings that the environment variables name; an empty or absent variable keeps the default."""
        environment = os.environ if environment is None else environment
        values = {}
        for item in fields(cls):
            text = environment.get(item.metadata["variable"], "").strip()
            if not text:
                continue
            if item.type in (int, float, str, Path):
                try:
                    values[item.name] = item.type(text)
                except ValueError:
                    raise ValueError(f"{item.metadata['variable']}: {text!r} is not a number") from None
            else:
                values[item.name] = tuple(re.split(r"[\s,]+", text.strip(", ")))
        return cls(**values)

    @property
    def lists_hub(self) -> bool:
        """Whether any part of the Hub is named."""
        return bool(self.authors or self.repos or self.collections)

    @property
    def reads_results(self) -> bool:
        """Whether the Hub may add rows to the leaderboard: results repositories, or models whose cards have scores."""
        return bool(self.results or self.lists_hub)


def environment_help() -> str:
    """One line per environment variable: name, meaning, default."""
    lines = []
    for item in fields(HubSettings):
        default = ", ".join(item.default) if isinstance(item.default, tuple) else item.default
        lines.append(f"{item.metadata['variable']:<24} {item.metadata['help']} (default: {default or 'none'})")
    return "\n".join(lines)
