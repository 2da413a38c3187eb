"""Mutants that change nothing that anybody could see, each with the reason."""

from __future__ import annotations

from typing import Final

EQUIVALENT: Final[dict[str, str]] = {
    "ledger.facts.station_clock:_moved: by > _ZERO -> by >= _ZERO": (
        "Nothing that is moved by no time leaves the calendar."
    ),
    "ledger.meter.checks:_is_against: _ZERO -> _ZERO + 1": (
        "Less the tolerance, which is 10 Wh or more, one Wh is as far below any power as none."
    ),
    "ledger.meter.measure:_bounded: reading.value_wh > stop.value_wh -> "
    "reading.value_wh >= stop.value_wh": (
        "A sample that says what the stop says is counted, and what is counted is not dropped."
    ),
}
"""By `Mutant.key`."""
