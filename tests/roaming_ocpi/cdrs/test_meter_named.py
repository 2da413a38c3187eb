"""Which meter a CDR names: the one that all signed readings say, whatever else stations write."""

from __future__ import annotations

from typing import Final

import pytest

from ledger.facts.station_facts import ReadingContext, SignedReading
from roaming_ocpi.cdrs.telling.signed_data import meter_serial

OCMF: Final = 'OCMF|{"FV":"1.0","MS":"%s","RD":[]}|{"SD":"3045"}'


@pytest.mark.parametrize(
    ("texts", "serial"),
    [
        ([OCMF % "1EBZ0300034628"] * 2, "1EBZ0300034628"),
        ([OCMF % "1", OCMF % "2"], None),
        ([OCMF % "1", "no OCMF"], None),
        ([OCMF % ""], None),
        ([OCMF % ("9" * 256)], None),
        (['OCMF|{"MS":7}|{}'], None),
        (["OCMF|{}|{}"], None),
        (['OCMF|{"x":' + "[" * 100_000], None),
        (['{"x":' + "[" * 100_000], None),
        ([OCMF % "\\n"], None),
        ([OCMF % "\ud800"], None),
        ([], None),
    ],
)
def test_the_meter_is_named_where_all_that_it_signed_says_which(
    texts: list[str], serial: str | None
) -> None:
    readings = [SignedReading(None, ReadingContext.BEGIN, each) for each in texts]

    assert meter_serial(readings) == serial
