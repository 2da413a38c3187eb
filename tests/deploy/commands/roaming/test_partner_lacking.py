"""`wattledger partner show`: what a partner does not get of our places and prices, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec.structs import replace

from deploy.cli import run
from deploy.roaming.condition import roaming_state
from deploy.settings import NAMES
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.master_data.partners import PartnerRole
from ledger.partners.bounds import Bound, PartnerBounds
from ledger.partners.told_counts import ToldCounts, note_refused
from roaming_ocpi.relay.outgoing import MessageKind, enqueue
from tests.roaming_ocpi.places.declared_places import (
    EMSP,
    SITE,
    STATION,
    change,
    declared_in,
    harbour,
)


@pytest.fixture
def known(database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The database of the commands, with one site and one station that partners see."""
    for name in NAMES:
        monkeypatch.delenv(f"WATTLEDGER_{name.upper()}", raising=False)
    monkeypatch.setenv("WATTLEDGER_DATABASE_URL", database)
    monkeypatch.setenv("WATTLEDGER_DATA", str(tmp_path / "data"))
    harbour(database)
    return database


def test_nothing_is_said_where_nothing_is_lacking(
    known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert known

    assert run(["partner", "show", "NL-TNM"]) == 0

    assert "does not get" not in capsys.readouterr().out


def test_each_reason_is_said_once_with_how_often(
    known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hidden = replace(SITE, latitude=None, longitude=None)
    bare = replace(STATION, plug=None, connectors=STATION.connectors[:1])
    declared_in(
        known,
        change(Kind.SITE, "depot", hidden),
        change(Kind.SITE, "yard", hidden),
        change(Kind.STATION, "HB-2", bare),
    )

    assert run(["partner", "show", "NL-TNM"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert run(["partner", "show", "NL-TNM", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["lacking"]

    assert "What it does not get of our places and prices" in text
    assert "declare latitude and longitude" in text
    assert [(each["code"], each["place"]) for each in found] == [
        ("site_incomplete", "sites.depot"),
        ("plug_unknown", "stations.HB-2"),
        ("site_incomplete", "sites.yard"),
    ]


def test_who_is_reached_through_a_hub_is_registered_by_it(
    known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    hub = replace(EMSP, roles=(PartnerRole.HUB,))
    declared_in(known, change(Kind.PARTNER, "FR-HUB", hub))
    declared_in(known, change(Kind.PARTNER, "BE-BHD", replace(EMSP, hub="FR-HUB")))

    assert run(["partner", "show", "BE-BHD"]) == 0

    text = " ".join(capsys.readouterr().out.split())
    assert "state declared: the handshake is its hub's, `wattledger partner show FR-HUB`" in text


def test_what_waits_for_a_partner_and_what_it_refused_is_shown(
    known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(known) as connection:
        for name in ("cdr-1", "cdr-2", "cdr-3"):
            enqueue(connection, "NL-TNM", MessageKind.CDR, name, lane=name)
        refused = "UPDATE outgoing SET state = 'dead', reason = 'refused 400/2001'"
        connection.execute(f"{refused} WHERE subject = 'cdr-2'")
        connection.execute(
            "INSERT INTO outgoing_party (party, failures, reason, next_at)"
            " VALUES ('NL-TNM', 4, 'unreachable', '2026-03-02T12:00:00Z')"
        )

    assert run(["partner", "show", "NL-TNM"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert run(["partner", "show", "NL-TNM", "--json"]) == 0
    outbox = json.loads(capsys.readouterr().out)["outbox"]

    assert "its outbox 2 waiting, 1 refused; CDRs: none" in text
    assert "not taken 4 times in a row (unreachable); again 2026-03-02" in text
    assert "refused 400/2001" in text
    assert (outbox["waiting"], outbox["dead"], outbox["failures"]) == (2, 1, 4)


def test_how_much_it_told_is_shown_beside_what_it_may(
    known: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATTLEDGER_ROAMING_BOUNDS", "tariffs=41")
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with connect(known) as connection:
        ToldCounts(PartnerBounds()).add_now(connection, "NL-TNM", {Bound.TARIFFS: 41}, at)
        note_refused(connection, "NL-TNM", Bound.TARIFFS, at, times=7)
        told = roaming_state(connection).too_much

    assert run(["partner", "show", "NL-TNM"]) == 0
    text = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert run(["partner", "show", "NL-TNM", "--json"]) == 0
    [found] = json.loads(capsys.readouterr().out)["told"]

    assert "tariffs 41 41 7 2026-03-02" in text
    assert (found["bound"], found["counted"], found["refused"]) == ("tariffs", 41, 7)
    assert told == {"tariffs": 7}


def test_what_was_not_taken_of_its_lists_is_said(
    known: str, capsys: pytest.CaptureFixture[str]
) -> None:
    at = datetime(2026, 3, 2, 12, tzinfo=UTC)
    with connect(known) as connection:
        connection.execute(
            "INSERT INTO place_pulled VALUES ('NL-TNM', 'locations', %s, 2, 'evses: too many')",
            [at],
        )
        connection.execute(
            "INSERT INTO place_pulled VALUES ('DE-ANY', 'tariffs', %s, 9, 'x')", [at]
        )
        connection.execute(
            "INSERT INTO partner_pull VALUES ('NL-TNM', 'cdrs', NULL, %s, 7, 0, NULL)", [at]
        )

    assert run(["partner", "show", "NL-TNM"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert run(["partner", "show", "NL-TNM", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["lists"]

    assert "Its lists, as we read them last" in text
    assert [(each["module"], each["refused"], each["trouble"]) for each in found] == [
        ("cdrs", 0, None),
        ("locations", 2, "evses: too many"),
    ]
