"""A back-test session by session: a row of CSV for each, as the sessions are re-rated."""

from __future__ import annotations

import csv
from typing import IO, Final

import numpy as np

from tariffs.bulk.columns import Flags, Integers
from tariffs.currencies import currency_exponent
from tariffs.model.usage import moment_of
from tariffs.phrases.printable import csv_text
from tariffs.quantities import minor_text, ratio_text
from tariffs.simulate.history import HistoryChunk, Unread

HEADING: Final = (
    *("session", "place", "started_at", "customer", "site", "energy_kwh", "currency"),
    *("old_before_taxes", "new_before_taxes", "old", "new", "change", "left_out"),
)
_UNITS_PER_KWH: Final = 10**12


class SessionRows:
    """Writes the rows; one that is left out of the totals has its reason in the last column."""

    def __init__(self, file: IO[str], currency: str) -> None:
        self._writer = csv.writer(file, lineterminator="\n")
        self._currency, self._exponent = currency, currency_exponent(currency)
        self._writer.writerow(HEADING)

    def add(
        self,
        chunk: HistoryChunk,
        is_rated: Flags,
        old: tuple[Integers, Integers],
        new: tuple[Integers, Integers],
    ) -> None:
        """Write the sessions of *chunk* that are rated; (before, after taxes) in minor units."""
        energy = chunk.columns.energy_units()
        for row in np.flatnonzero(is_rated).tolist():
            amounts = [int(each[row]) for each in (old[0], new[0], old[1], new[1])]
            started_at = moment_of(int(chunk.columns.starts_us[row]))
            self._writer.writerow(
                (
                    csv_text(chunk.ids[row]),
                    csv_text(chunk.spots[row]) if chunk.spots else "",
                    started_at.isoformat().replace("+00:00", "Z"),
                    csv_text(chunk.customers[int(chunk.customer[row])]),
                    csv_text(chunk.sites[int(chunk.site[row])]),
                    ratio_text(int(energy[row]), _UNITS_PER_KWH),
                    self._currency,
                    *(minor_text(minor, self._exponent) for minor in amounts),
                    minor_text(amounts[3] - amounts[2], self._exponent),
                    "",
                )
            )

    def left_out(self, unread: Unread) -> None:
        """Write a session that is in no total."""
        empty = [""] * (len(HEADING) - 3)
        self._writer.writerow(("", csv_text(unread.spot), *empty, csv_text(unread.why)))
