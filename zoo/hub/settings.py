"""Which parts of the Hugging Face Hub the zoo shows, and its limits: one frozen dataclass read from the environment.

Nothing is named by default: whoever hosts the page says once whose checkpoints it shows.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import field, fields
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from huggingface_hub import constants
from pydantic import AfterValidator, Field, ValidationError
from pydantic.dataclasses import dataclass

from zoo.checkpoints.information import CheckpointError
from zoo.numbers import PORTS, whole_number

DEFAULT_CACHE = Path(constants.HF_HOME) / "fcn-zoo"


def _setting(variable: str, default: Any, explanation: str):
    return field(default=default, metadata={"variable": variable, "help": explanation})


def _names_a_repository(text: str) -> str:
    if not re.fullmatch(r"[^/\s]+/[^/\s]+", text.partition("@")[0]):
        raise ValueError(f"{text!r} does not name a repository; write OWNER/NAME")
    return text


Repository = Annotated[str, AfterValidator(_names_a_repository)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
LISTS = ("authors", "repos", "collections", "results")  # written with commas or spaces between the names


@dataclass(frozen=True)
class HubSettings:
    """Which parts of the Hub the zoo shows, and its limits. Raises ValueError.

    Nothing is listed from the Hub unless authors, repositories or collections are named.
    """

    authors: tuple[str, ...] = _setting(
        "FCN_ZOO_AUTHORS", (), "users and organisations whose tagged models are listed; * lists everyone's"
    )
    repos: tuple[Repository, ...] = _setting(
        "FCN_ZOO_REPOS", (), "repositories that are listed, as OWNER/NAME or OWNER/NAME@REVISION"
    )
    collections: tuple[str, ...] = _setting(
        "FCN_ZOO_COLLECTIONS", (), "collections whose models are listed, as OWNER/TITLE-ID"
    )
    results: tuple[Repository, ...] = _setting(
        "FCN_ZOO_RESULTS", (), "dataset repositories whose results the leaderboard adds, as OWNER/NAME"
    )
    benchmark: Repository | None = _setting(
        "FCN_ZOO_BENCHMARK", None, "your dataset repository that pushed cards and scores name, as OWNER/NAME"
    )
    visitors: Literal["any", "listed", "off"] = _setting(
        "FCN_ZOO_VISITORS", "any", "repositories a visitor may add: any, listed (of the owners above), off"
    )
    baselines: Literal["on", "off"] = _setting(
        "FCN_ZOO_BASELINES", "on", "torchvision's networks in the list, downloaded when a visitor picks one: on, off"
    )
    checkpoints: Path | None = _setting(
        "FCN_ZOO_CHECKPOINTS", None, "folder whose checkpoint folders the page shows too, such as runs/"
    )
    images: Path | None = _setting(
        "FCN_ZOO_IMAGES", None, "folder of a data set, or of several, whose images the leaderboard's figures lead to"
    )
    cache: Path = field(
        default=DEFAULT_CACHE,
        metadata={"variable": "FCN_ZOO_CACHE", "help": "folder of the stored listing and of downloads"},
    )
    cache_megabytes: Positive = _setting(
        "FCN_ZOO_CACHE_MEGABYTES", 4000.0, "downloads above this are removed, oldest use first"
    )
    file_megabytes: Positive = _setting("FCN_ZOO_FILE_MEGABYTES", 600.0, "largest weights file that is downloaded")
    limit: Annotated[int, Field(gt=0, le=10_000)] = _setting(
        "FCN_ZOO_LIMIT", 100, "largest number of checkpoints listed per author"
    )
    fresh_seconds: Positive = _setting("FCN_ZOO_FRESH_SECONDS", 900.0, "age at which the stored listing is renewed")
    answer_seconds: Positive = _setting("FCN_ZOO_ANSWER_SECONDS", 8.0, "longest silence before a request is given up")
    list_seconds: Positive = _setting("FCN_ZOO_LIST_SECONDS", 30.0, "longest time for the whole listing")
    pull_seconds: Positive = _setting("FCN_ZOO_PULL_SECONDS", 900.0, "longest time for one download or upload")
    memory_megabytes: Positive = _setting(
        "FCN_ZOO_MEMORY_MEGABYTES", 512.0, "memory for visitors' results and sessions; oldest use goes first"
    )
    endpoint: str = _setting("HF_ENDPOINT", constants.ENDPOINT, "address of the Hub")

    @classmethod
    def from_environment(cls, environment: dict[str, str] | None = None) -> "HubSettings":
        """The settings that the environment variables name; an empty or absent variable keeps the default.

        Raises CheckpointError, a sentence that names the variable.
        """
        environment = os.environ if environment is None else environment
        variables = {item.name: item.metadata["variable"] for item in fields(cls)}
        texts = {name: environment.get(variable, "").strip() for name, variable in variables.items()}
        texts = {name: text for name, text in texts.items() if text}
        values = {
            name: re.split(r"[\s,]+", text.strip(", ")) if name in LISTS else text for name, text in texts.items()
        }
        try:
            return cls(**values)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            name = str(first["loc"][0])
            reason = first.get("ctx", {}).get("error") or f"{texts[name]!r}: {first['msg']}"
            raise CheckpointError(f"{variables[name]}: {reason}") from None

    @cached_property
    def lists_hub(self) -> bool:
        """Whether any part of the Hub is named."""
        return bool(self.authors or self.repos or self.collections)

    @cached_property
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


def page_port(environment: Mapping[str, str] | None = None) -> int | None:
    """The port that the host names in PORT, None where it leaves that to Gradio. Raises ValueError in a sentence."""
    return whole_number("PORT", *PORTS, environment)
