"""What is told again shows nothing of a clock: the first telling of each content counts."""

from __future__ import annotations

from itertools import permutations

import pytest

from ledger.facts.first_told import first_told
from ledger.facts.station_facts import ConnectorStatusChanged, SessionUpdated
from tests.station_story import at


def update(minute: float, received: float, **more: object) -> SessionUpdated:
    facts: dict[str, object] = {"transaction_ref": "1", "evse_id": 1, "connector_id": 1}
    facts |= {"station_id": "CS-1", "position": int(received), "line": 0} | more
    return SessionUpdated(occurred_at=at(minute), received_at=at(received), **facts)  # type: ignore[arg-type]


def test_of_each_content_the_first_receipt_counts_in_any_order() -> None:
    tellings = [update(0, 1), update(0, 60), update(0, 600, offline=True), update(5, 7)]

    for order in permutations(tellings):
        assert sorted(first_told(order)) == [(at(0), at(1)), (at(5), at(7))]


@pytest.mark.parametrize(
    "other", [{"seq_no": 1}, {"evse_id": 2}, {"token_uid": "T"}, {"transaction_ref": "2"}]
)
def test_what_says_something_else_at_the_same_time_is_a_telling_of_its_own(
    other: dict[str, object],
) -> None:
    assert len(first_told([update(0, 1), update(0, 9, **other)])) == 2


def test_what_names_no_time_says_nothing() -> None:
    status = ConnectorStatusChanged(
        station_id="CS-1", position=0, line=0, received_at=at(0), evse_id=1, connector_id=1,
        occurred_at=None, charging_state=None,
    )  # fmt: skip

    assert first_told([status]) == []
