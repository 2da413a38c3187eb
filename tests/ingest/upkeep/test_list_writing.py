"""How a list is written for a station: in parts of its size, what is gone before what is new."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ingest.upkeep.list_limits import ITEMS_MAX, ListLimits, limits_in
from ingest.upkeep.local_lists import ListEntry, changed_entries, differential_updates, full_updates

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("answer", "limits"),
    [
        ({}, ListLimits()),
        ({"configurationKey": [{"key": "SendLocalListMaxLength", "value": "7"}]}, ListLimits(7)),
        ({"configurationKey": [{"key": "SendLocalListMaxLength", "value": "0"}]}, ListLimits()),
        (
            {"configurationKey": [{"key": "SendLocalListMaxLength", "value": "9999"}]},
            ListLimits(ITEMS_MAX),
        ),
        ({"configurationKey": [{"key": "LocalAuthListMaxLength", "value": "x"}, 7]}, ListLimits()),
        ({"configurationKey": [{"key": ["x"], "value": "1"}, {"key": {}}]}, ListLimits()),
        ([], ListLimits()),
    ],
)
def test_limits_are_what_a_station_says_within_reason(answer: object, limits: ListLimits) -> None:
    assert limits_in("ocpp1.6", answer) == limits


def test_an_empty_list_is_one_full_message_without_entries() -> None:
    (update,) = full_updates([], {}, "ocpp2.0.1", version=4, items_max=9)

    assert update.payload == {"versionNumber": 4, "updateType": "Full"}


def test_changes_take_off_before_they_add() -> None:
    a, b, c = (ListEntry(name, None, None) for name in "abc")
    later = a._replace(expires_at=NOON + timedelta(days=1))

    found = changed_entries({"a": a, "b": b}, {"a": later, "c": c})

    assert found == [("b", None), ("a", later), ("c", c)]
    assert differential_updates(found, {"a": "A"}, "ocpp1.6", version=2, items_max=1) is None
    uids = {"a": "A", "b": "B", "c": "C"}
    updates = differential_updates(found, uids, "ocpp1.6", version=2, items_max=2)
    assert updates is not None
    assert [each.version for each in updates] == [2, 3]
