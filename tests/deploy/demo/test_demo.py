"""The demo with a small fleet and a short day: it must reconcile, and say so to machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy.demo.play import UsedFolderError, demo_settings
from tests.deploy.running_wattledger import Wattledger

KEYS = {
    "frames": {"sent", "answered", "logged"},
    "sessions": set(),
    "flags": set(),
    "invoices": {"count", "total_by_currency"},
    "energy_balance": {
        "metered_wh",
        "billed_wh",
        "free_wh",
        "held_wh",
        "unattributed_wh",
        "difference_wh",
    },
    "trial_balance": {"difference_minor"},
    "replay": {"compared", "differences"},
}


@pytest.mark.timeout(180)
def test_a_short_day_reconciles_and_its_figures_are_there_for_machines(tmp_path: Path) -> None:
    figures_path = tmp_path / "figures.json"
    wattledger = Wattledger(tmp_path / "data")

    output = wattledger.done("demo", "--stations", 9, "--seconds", 15, "--json", figures_path)

    figures = json.loads(figures_path.read_text())
    assert {name: keys - figures[name].keys() for name, keys in KEYS.items()} == {
        name: set() for name in KEYS
    }
    assert figures["problems"] == []
    assert figures["sessions"].keys() <= {"rated", "held"}
    assert figures["replay"]["compared"] > figures["visits"]
    assert "Everything reconciles." in output
    assert "  Why this price" in output


def test_the_demo_does_not_touch_a_folder_that_is_in_use(tmp_path: Path) -> None:
    (tmp_path / "wattledger.toml").write_text("")

    with pytest.raises(UsedFolderError):
        demo_settings(tmp_path)
