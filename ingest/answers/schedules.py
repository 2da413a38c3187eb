"""What stations took as schedules for the vehicles of their transactions.

A schedule is above another one where it wants more at some time than that one gives at any: with
what begins when of two schedules only the station is sure.
"""

from __future__ import annotations

from collections import OrderedDict
from decimal import Decimal
from typing import Final, NamedTuple

import msgspec

from ingest.rpc.codec import CallError, CallResult, PayloadError, decode
from ingest.rpc.fields import PayloadFields

SET: Final = "SetChargingProfile"
CLEAR: Final = "ClearChargingProfile"
TRANSACTIONS_MAX: Final = 64
"""Transactions of a station that are kept in mind: it has no more plugs than that."""
PROFILE_MAX: Final = 16 * 1024
"""Bytes of a profile that is kept in mind, to be set once more."""
VOLTS: Final = 230
"""Of a phase, where a schedule speaks of amperes."""
PHASES: Final = 3
"""Where a schedule does not say how many (ChargingSchedulePeriodType.numberPhases)."""
_ENDLESS_W: Final = Decimal(10**12)
_TRANSACTION_ID_MAX: Final = 36
_PEEK: Final = 80


class _Period(msgspec.Struct, rename="camel"):
    limit: Decimal | None = None
    number_phases: int | None = None


class ChargingSchedule(msgspec.Struct, rename="camel"):
    """What may be drawn when."""

    charging_rate_unit: str = "W"
    charging_schedule_period: tuple[_Period, ...] = ()

    def most_w(self) -> Decimal | None:
        """Return what it gives at most, in watts; None where it does not say."""
        limits = [
            min(each.limit, _ENDLESS_W)
            * (1 if self.charging_rate_unit == "W" else VOLTS * _phases(each))
            for each in self.charging_schedule_period
            if each.limit is not None and each.limit.is_finite()
        ]
        return max(limits, default=None)


class _Profile(msgspec.Struct, rename="camel"):
    charging_profile_purpose: str = ""
    transaction_id: str | None = None
    charging_schedule: tuple[ChargingSchedule, ...] = ()


class _Setting(msgspec.Struct, rename="camel"):
    evse_id: int = 0
    charging_profile: msgspec.Raw = msgspec.Raw(b"{}")


class SetProfile(NamedTuple):
    """A profile that a station took for a transaction, and what it gives at most, in watts."""

    profile: msgspec.Raw
    most_w: Decimal | None


class VehicleSchedules:
    """The transactions of a station and what was set for them, over all its connections.

    After a restart of ours it knows none until the next event: a vehicle that tells its needs just
    then charges by what else limits it.
    """

    def __init__(self) -> None:
        self._running: OrderedDict[str, int] = OrderedDict()
        self._set: dict[str, SetProfile] = {}
        self._promised: set[int] = set()

    def promise(self, evse_id: int) -> None:
        """Note that a vehicle at an EVSE waits for its transaction, to be set a schedule then."""
        if len(self._promised) < TRANSACTIONS_MAX:
            self._promised.add(evse_id)

    def promised(self) -> tuple[int, str] | None:
        """Return an EVSE that was promised a schedule and the transaction there, once."""
        for evse_id in self._promised:
            if (reference := self.at(evse_id)) is not None:
                self._promised.discard(evse_id)
                return evse_id, reference
        return None

    def hear(self, event: PayloadFields) -> None:
        """Take what a TransactionEvent says of where a transaction goes on."""
        reference = event.nested("transactionInfo").text("transactionId")
        if reference is None or len(reference) > _TRANSACTION_ID_MAX:
            return
        if event.text("eventType") == "Ended":
            self._forget(reference)
            return
        evse_id = event.nested("evse").integer("id")
        if evse_id is not None:
            self._running[reference] = evse_id
        if reference in self._running:
            self._running.move_to_end(reference)
        if len(self._running) > TRANSACTIONS_MAX:
            self._forget(next(iter(self._running)))

    def at(self, evse_id: int | None) -> str | None:
        """Return the transaction that an EVSE told of last; None where none goes on."""
        return next((ref for ref, evse in reversed(self._running.items()) if evse == evse_id), None)

    def set_for(self, reference: str) -> SetProfile | None:
        """Return what the station took for a transaction."""
        return self._set.get(reference)

    def note(self, call: str, answer: CallResult | CallError | None) -> None:
        """Take what a call of ours set, if the station accepted it; *call* is its frame."""
        head = call[:_PEEK]
        is_cleared = f'"{CLEAR}"' in head
        if not is_cleared and f'"{SET}"' not in head:
            return
        if not isinstance(answer, CallResult):
            return
        if PayloadFields(answer.payload).text("status") != "Accepted":
            return
        if is_cleared:
            self._set.clear()
            return
        _, _, _, payload = msgspec.json.decode(call, type=tuple[int, str, str, msgspec.Raw])
        try:
            raw = decode(payload, _Setting).charging_profile
            profile = decode(raw, _Profile)
        except PayloadError:
            return  # of 1.6, which has other members
        reference = profile.transaction_id
        if reference is not None and reference in self._running and len(bytes(raw)) <= PROFILE_MAX:
            most = [each.most_w() for each in profile.charging_schedule]
            known = [each for each in most if each is not None]
            # A copy: the frame that it stands in is not kept.
            self._set[reference] = SetProfile(raw.copy(), max(known, default=None))

    def _forget(self, reference: str) -> None:
        self._running.pop(reference, None)
        self._set.pop(reference, None)


def _phases(period: _Period) -> int:
    return PHASES if period.number_phases is None else period.number_phases
