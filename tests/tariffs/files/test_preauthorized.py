"""What is put aside before a start without contract, as our files and partners say it."""

from __future__ import annotations

from decimal import Decimal

from tariffs.files.tariff_file import read_tariff_file
from tariffs.files.writing.tariff import write_tariff_file
from tariffs.ocpi.tariff_reader import read_ocpi_tariff
from tariffs.ocpi.tariff_writer import encode_ocpi, write_tariff
from tariffs.ocpi.versions import OcpiVersion

FILE = """tariff: day
currency: EUR
preauthorize_amount: 42.10
elements:
  - energy: 0.40 per kWh
"""


def test_it_is_read_and_written_in_our_files_and_in_ocpi_2_3_0_alone() -> None:
    tariff, problems = read_tariff_file(FILE, "day.yaml")
    assert tariff is not None, problems
    assert tariff.preauthorize_amount == Decimal("42.10")

    assert read_tariff_file(write_tariff_file(tariff)[0], "again.yaml")[0] == tariff
    newest, _ = write_tariff(tariff, OcpiVersion.V2_3_0)
    assert read_ocpi_tariff(encode_ocpi(newest))[0].preauthorize_amount == Decimal("42.10")
    older, notes = write_tariff(tariff, OcpiVersion.V2_2_1)
    assert "preauthorize_amount" not in older
    assert "preauthorize_amount" in {note.spot for note in notes}


def test_one_of_nothing_is_refused_with_its_line() -> None:
    for wrong in ("0", "-1", "many"):
        read, problems = read_tariff_file(FILE.replace("42.10", wrong), "day.yaml")
        assert read is None
        assert "day.yaml" in str(problems[0])
