"""What a group of records changed: each session once, as it is at the end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from ledger.rating.decisions import Moment
from ledger.worker.judging.findings import Findings
from tests.depot import NOON, rated, session
from tests.ledger.worker.in_mind.rows_of_sessions import row


def test_a_session_is_changed_or_gone_and_never_both() -> None:
    findings, known = Findings(), row()

    findings.change(known)
    assert (findings.changed, findings.gone) == ({known.session_id: known}, set())
    findings.drop(known)
    assert (findings.changed, findings.gone) == ({}, {known.session_id})
    findings.change(known)
    assert (findings.changed, findings.gone) == ({known.session_id: known}, set())


@pytest.mark.parametrize(
    ("session_id", "position", "has"),
    [("ST-1/1", 5, True), ("ST-1/1", 6, False), ("ST-1/2", 5, False)],
)
def test_a_record_decides_once_about_a_session(
    session_id: str, position: int, *, has: bool
) -> None:
    findings = Findings()
    moment = Moment(partition=0, position=5, at=NOON)
    findings.decide(row(), replace(rated(session()), session_id="ST-1/1", moment=moment))

    assert findings.has_decided(session_id, replace(moment, position=position)) is has


def test_the_next_group_begins_with_nothing() -> None:
    findings = Findings()
    findings.change(row("A"))
    findings.drop(row("B"))
    decision = rated(session())
    findings.decide(row(), decision)
    assert findings.decisions == [decision]

    findings.clear()

    assert not findings.changed
    assert not findings.gone
    assert not findings.decisions
    assert not findings.has_decided(decision.session_id, decision.moment)
