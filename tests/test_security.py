"""SECURITY.md says what the code does: every limit and setting, the headers, and that run history stays unmounted."""

import re
from dataclasses import fields
from importlib import import_module

import httpx
import pytest

from zoo.hub.settings import HubSettings
from zoo.page.headers import HUB_FRAMES, SecurityHeaders
from zoo.places import REPOSITORY

TEXT = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
LIMITS = re.findall(r"^\| [^|]+ \| ([\d.]+) \| `([\w.]+)\.([A-Z_]+)` \|$", TEXT, flags=re.M)
SETTINGS = re.findall(r"^\| `(FCN_ZOO_[A-Z_]+)` \| (\S+) \|$", TEXT, flags=re.M)


def test_the_tables_are_read():
    assert len(LIMITS) >= 15 and len(SETTINGS) >= 5


@pytest.mark.parametrize(("value", "module", "name"), LIMITS)
def test_a_limit_is_the_codes_own(value, module, name):
    assert getattr(import_module(module), name) == float(value)


@pytest.mark.parametrize(("variable", "default"), SETTINGS)
def test_a_setting_has_the_default_that_is_told(variable, default):
    (item,) = [item for item in fields(HubSettings) if item.metadata["variable"] == variable]
    assert str(item.default) == default


def test_every_answer_has_the_headers_that_are_told(server):
    address = server[1]
    for path in ("", "config", "gradio_api/info", "no/such/page"):
        headers = httpx.get(f"{address}{path}").headers
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
        assert headers["content-security-policy"] == "frame-ancestors 'self'"


def test_a_space_may_be_framed_by_the_hub(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "ana/space")
    assert dict(SecurityHeaders(None).headers)[b"content-security-policy"].decode().endswith(HUB_FRAMES)


def test_run_history_stays_unmounted(server):
    page, address = server
    paths = httpx.get(f"{address}openapi.json").json().get("paths", {}) if page else {}
    assert not [path for path in paths if "history" in path]
    assert httpx.get(f"{address}gradio_api/run-history/records").status_code == 404


def test_actions_are_pinned_by_commit_and_no_token_is_stored():
    text = (REPOSITORY / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    used = re.findall(r"uses: (\S+)", text)
    assert len(used) >= 4 and all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
    assert "secrets." not in text and "id-token: write" in text and "make audit" in text
