"""`wattledger tariff import|export`: partners' tariffs as files, files in partners' words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.cli import run
from tariffs.files.tariff_file import read_tariff_file
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tests.tree import EXAMPLES

TARIFFS = EXAMPLES / "tariffs"
PARTNER: dict[str, Any] = {
    "country_code": "DE",
    "party_id": "ABC",
    "id": "partner/1",
    "currency": "EUR",
    "elements": [
        {
            "price_components": [{"type": "ENERGY", "price": "0.45", "vat": 19, "step_size": 100}],
            "restrictions": {"start_time": "07:00", "end_time": "19:59:59"},
        },
        {"price_components": [{"type": "PARKING_TIME", "price": 6, "vat": 19, "step_size": 60}]},
    ],
    "tax_included": "NO",
    "last_updated": "2026-01-01T00:00:00Z",
}


@pytest.fixture
def partner(tmp_path: Path) -> Path:
    path = tmp_path / "partner.json"
    path.write_text(json.dumps(PARTNER), "utf-8")
    return path


def test_a_partner_s_tariff_becomes_a_file_and_says_what_was_repaired(
    partner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["tariff", "import", str(partner)]) == 0

    out, err = capsys.readouterr()
    tariff, problems = read_tariff_file(out, "imported")
    assert problems == []
    assert tariff is not None
    assert tariff.elements == read_ocpi_tariff(partner.read_bytes())[0].elements
    assert "elements[0].restrictions.end_time" in err
    assert "was sent as text" in err


def test_several_tariffs_go_to_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "several.json"
    path.write_text(json.dumps([PARTNER, PARTNER | {"id": "b"}]), "utf-8")

    assert run(["tariff", "import", str(path)]) == 1
    assert run(["tariff", "import", str(path), "--output", str(tmp_path / "files")]) == 0

    assert sorted(p.name for p in (tmp_path / "files").iterdir()) == ["b.yaml", "partner-1.yaml"]
    assert "has 2 tariffs" in capsys.readouterr().err


@pytest.mark.parametrize("version", ["2.1.1", "2.2.1", "2.3.0"])
def test_a_file_is_said_in_every_version_of_ocpi(
    version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(TARIFFS / "time-of-use.yaml")
    party = ["--country-code", "DE", "--party-id", "ABC"]

    assert run(["tariff", "export", path, "--to", f"ocpi-{version}", *party]) == 0

    written = json.loads(capsys.readouterr().out)
    assert written["currency"] == "EUR"
    assert ("tax_included" in written) is (version == "2.3.0")
    assert ("country_code" in written) is (version != "2.1.1")


def test_what_ocpi_cannot_say_is_noted_and_stands_in_the_text_that_partners_see(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = str(TARIFFS / "resident-amenity.yaml")

    assert run(["tariff", "export", path, "--to", "ocpi-2.3.0", "--json"]) == 0

    shown = json.loads(capsys.readouterr().out)
    assert shown["tariff"]["tariff_alt_text"][0]["text"].startswith("Not all of the price is shown")
    assert "adjustments[0]" in [note["place"] for note in shown["notes"]]


def test_a_file_goes_to_ocpp_and_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    exported = run(["tariff", "export", str(TARIFFS / "energy-only.yaml"), "--to", "ocpp-2.1"])
    path = tmp_path / "ocpp.json"
    path.write_text(capsys.readouterr().out, "utf-8")

    assert exported == 0
    assert run(["tariff", "import", str(path), "--from", "ocpp-2.1"]) == 0

    tariff, problems = read_tariff_file(capsys.readouterr().out, "imported")
    assert tariff is not None
    assert problems == []
