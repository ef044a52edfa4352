"""Limits and origins, before anything is loaded."""

import json
import math
from dataclasses import fields
from pathlib import Path

import pytest

from heed.cli.serve import Settings, serve
from heed.errors import UserError
from heed.serving.limits import Limits
from heed.serving.models import Models
from heed.serving.origins import check_origins
from heed.translator import load
from tests.support.model_folder import write
from tests.support.settings import settings_of


@pytest.mark.parametrize("name", [field.name for field in fields(Limits)])
def test_a_limit_below_its_minimum_is_named_once(name: str) -> None:
    """Catches a message that begins with `limits: limits.seconds=-1`."""
    with pytest.raises(UserError, match=rf"^limits\.{name}=-1(\.0)?: expected more than 0$"):
        settings_of("serve", Settings, "model=x", f"limits.{name}=-1")


@pytest.mark.parametrize(
    "origin",
    ["*", "https://example.org", "http://localhost:8080", "http://[::1]:81", "https://xn--t-9fab.fr", "app://bundle"],
)
def test_origins_that_browsers_send_are_accepted(origin: str) -> None:
    """Catches a check that refuses ports, addresses or schemes that browsers have."""
    check_origins([origin])


@pytest.mark.parametrize(
    ("origin", "meant"),
    [
        ("foo", None),
        ("example.org", None),
        ("//example.org", None),
        ("https://", None),
        ("https://a b", None),
        ("http://x:99999", None),
        ("", None),
        ("https://example.org/", "https://example.org"),
        ("https://example.org/demo.html?x#y", "https://example.org"),
        ("HTTPS://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"),
        ("http://me@example.org:8080", "http://example.org:8080"),
        ("https://été.fr", "https://xn--t-9fab.fr"),
    ],
)
def test_other_origins_are_refused_with_what_a_browser_sends(origin: str, meant: str | None) -> None:
    """Catches a server that starts with an origin that never matches, so that browsers refuse all its answers."""
    with pytest.raises(UserError) as refused:
        check_origins(["https://good.example", origin])
    line = str(refused.value)
    assert line.startswith(f"origins=[{origin}]: expected an origin, scheme://host or scheme://host:port")
    assert line.endswith(f"did you mean {meant}?" if meant else "or * for every page")


def test_a_score_that_is_no_finite_number_is_left_out(tmp_path: Path) -> None:
    """Catches a server that ends because JSON has no infinity, which Python's own JSON writes."""
    about = {"valid": {"bleu": 12.5, "loss": math.nan, "perplexity": math.inf, "steps": 10**400}}
    models = Models({"small": load(write(tmp_path / "model", about))}, Limits())
    [shown] = json.loads(json.dumps(models.about(), allow_nan=False))["models"]
    assert shown["valid"] == {"bleu": 12.5, "steps": 10**400}


def test_origins_are_checked_before_a_model_is_loaded(tmp_path: Path) -> None:
    """Catches a mistake on the command line that is found only after loading the models."""
    with pytest.raises(UserError, match=r"^origins="):
        serve(settings_of("serve", Settings, f"model={tmp_path / 'nowhere'}", "origins=[foo]", "port=0"))
