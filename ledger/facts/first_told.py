"""When each thing was told first: a message that is told again shows nothing of a clock or a way.

start 10:00 received 10:00, and again at 11:00 and 20:00 by a station that reconnects
    -> one pair, 10:00 received 10:00; an hour's or ten hours' delay is no evidence
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from ledger.facts.station_clock import Pair
from ledger.facts.station_facts import ConnectorStatusChanged, SessionFact


def first_told(facts: Iterable[SessionFact | ConnectorStatusChanged]) -> list[Pair]:
    """Return the device times of *facts* with the first receipt of each content, in no order.

    Facts that name no time say nothing of a clock.
    """
    timed = [(fact.occurred_at, fact) for fact in facts if fact.occurred_at is not None]
    # A naive time and one in UTC are unequal, as they are two tellings.
    once = {told_at: fact.received_at for told_at, fact in timed}
    if len(once) == len(timed):  # nearly always
        return list(once.items())
    at_once: dict[datetime, list[SessionFact | ConnectorStatusChanged]] = {}
    for told_at, fact in timed:
        at_once.setdefault(told_at, []).append(fact)
    pairs: list[Pair] = []
    for told_at, some in at_once.items():
        if len(some) == 1:  # nobody else tells of that moment, so nothing of it is told again
            pairs.append((told_at, some[0].received_at))
            continue
        received: dict[object, datetime] = {}
        for fact in some:
            content = _content_of(fact)
            received[content] = min(received.get(content, fact.received_at), fact.received_at)
        pairs += [(told_at, first) for first in received.values()]
    return pairs


def _content_of(fact: SessionFact | ConnectorStatusChanged) -> tuple[object, ...]:
    """Return what a message that is sent again repeats beside its time.

    That it was queued it may say anew.
    """
    place = fact.evse_id, fact.connector_id
    if isinstance(fact, ConnectorStatusChanged):
        said: tuple[object, ...] = (fact.error_code,)
    else:
        said = fact.transaction_ref, fact.token_uid, fact.seq_no, fact.readings
    return type(fact), fact.charging_state, place, said
