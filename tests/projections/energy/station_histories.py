"""Made histories of one station: plain sessions mostly, and whatever goes wrong with stations."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import msgspec
from hypothesis import strategies as st

from ledger.facts.station_facts import (
    NO_ID,
    ChargingState,
    ConnectorStatusChanged,
    Measurand,
    Reading,
    SessionEnded,
    SessionStarted,
    SessionUpdated,
    StationBooted,
    StationFact,
)
from tests.station_story import MORNING

STATION: Final = "CS-1"
_PAUSES: Final = (200,) * 8 + (0, 1, 20, 40, 70, 700, 3000)
_LATE: Final = (0,) * 60 + (1, 90, 1500, 20_000)
_ODD: Final = ("plain",) * 16 + ("no_stop", "low_stop", "false_start", "dip", "twice", "elsewhere")


class History(msgspec.Struct):
    """Facts in the order in which they came."""

    facts: list[StationFact]


@st.composite
def histories(draw: st.DrawFn, sessions: int = 14) -> list[StationFact]:
    """Draw what one station told, in the order in which it came; positions are not numbered yet."""
    made = _Made(draw)
    for number in range(draw(st.integers(sessions // 2, sessions))):
        made.session(number)
    made.told.sort(key=lambda each: each[0])
    return [fact for _, fact in made.told]


class _Made:
    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._at = MORNING
        self._registers = {1: 1000, 2: 50_000}
        self.told: list[tuple[datetime, StationFact]] = []

    def session(self, number: int) -> None:
        draw = self._draw
        place = draw(st.sampled_from([1, 1, 1, 2]))
        odd = draw(st.sampled_from(_ODD))
        self._pass(draw(st.sampled_from(_PAUSES)))
        self._around(place)
        ref = draw(st.sampled_from([str(number)] * 20 + ["0"]))
        if draw(st.integers(0, 20)) == 20:
            self._registers[place] = draw(st.sampled_from([0, 10, 700, 100_000]))
        began, level = self._at, self._registers[place]
        begin = level + 40_000 if odd == "false_start" else level
        self._tell(SessionStarted, place, ref, meter_start_wh=Decimal(begin), token_uid="p-1")
        for _ in range(draw(st.integers(0, 2))):
            self._pass(draw(st.sampled_from([5, 10, 30])))
            level += draw(st.sampled_from([0, 100, 1500]))
            told = 0 if odd == "dip" else level
            reference = draw(st.sampled_from([ref] * 16 + [NO_ID, "", "999"]))
            self._sample(place, reference, told)
        self._pass(draw(st.sampled_from([1, 10, 60])))
        level += draw(st.sampled_from([0, 5, 1000]))
        self._registers[place] = level
        if odd != "no_stop":
            stop = level - 600 if odd == "low_stop" else level
            where = 2 if odd == "elsewhere" else place
            reference = draw(st.sampled_from([ref] * 20 + [NO_ID, "998"]))
            for _ in range(2 if odd == "twice" else 1):
                self._tell(
                    SessionEnded, where, reference, meter_stop_wh=Decimal(stop), token_uid=None
                )
        if draw(st.integers(0, 9)) == 9:  # the next one begins beside it, or before it
            self._at = began + timedelta(minutes=draw(st.sampled_from([0, 3, 15])))
            self._registers[place] = draw(
                st.sampled_from([level, level - 300, self._registers[place]])
            )

    def _around(self, place: int) -> None:
        """Say what is no session's: readings, states, a boot."""
        for kind in self._draw(st.lists(st.sampled_from("rrsbx"), max_size=2)):
            if kind == "b":
                self._append(StationBooted(**self._head()))
            elif kind == "s":
                state = self._draw(
                    st.sampled_from([ChargingState.AVAILABLE, ChargingState.CHARGING])
                )
                self._append(
                    ConnectorStatusChanged(
                        **self._head(),
                        evse_id=place,
                        connector_id=place,
                        occurred_at=self._at,
                        charging_state=state,
                        error_code=None,
                    )
                )
            else:
                level = self._registers[place]
                told = self._draw(st.sampled_from([level, level + 20, level + 20, 0, level + 9000]))
                if told == level + 20:
                    self._registers[place] = told
                self._sample(place, "" if kind == "r" else NO_ID, told)
            self._pass(self._draw(st.sampled_from([0, 2, 30, 600])))

    def _sample(self, place: int, reference: str, value: int) -> None:
        reading = Reading(self._at, Measurand.ENERGY_REGISTER_WH, Decimal(value))
        self._tell(SessionUpdated, place, reference, readings=(reading,))

    def _tell(self, kind: Any, place: int, reference: str, **said: Any) -> None:  # noqa: ANN401 - fields
        self._append(
            kind(
                **self._head(),
                transaction_ref=reference,
                evse_id=place,
                connector_id=place,
                occurred_at=self._at,
                **said,
            )
        )

    def _head(self) -> dict[str, Any]:
        return {"station_id": STATION, "position": 0, "line": 0, "received_at": self._at}

    def _append(self, fact: StationFact) -> None:
        late = timedelta(minutes=self._draw(st.sampled_from(_LATE)))
        received = fact.received_at + late
        self.told.append((received, msgspec.structs.replace(fact, received_at=received)))

    def _pass(self, minutes: int) -> None:
        self._at += timedelta(minutes=minutes)
