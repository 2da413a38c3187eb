"""Back-tests: history re-rated, added up and shown."""

from __future__ import annotations

import csv
import io
import json
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from html.parser import HTMLParser

import msgspec
import numpy as np
import pytest

from tariffs.adjustments.shared import Allowance
from tariffs.bulk.checks import BrokenColumnsError
from tariffs.bulk.rating import bulk_tariff
from tariffs.kernel.pricing import compile_tariff
from tariffs.model.tariff import Dimension, PriceComponent, Tariff, TariffElement
from tariffs.simulate.columns_file import read_columns_file, write_columns_file
from tariffs.simulate.history import HistoryChunk, chunks_of
from tariffs.simulate.html import simulation_html
from tariffs.simulate.lines import (
    CSV_COLUMNS,
    CsvHeadingError,
    read_csv_lines,
    read_json_lines,
    read_yaml_session,
)
from tariffs.simulate.session_rows import SessionRows
from tariffs.simulate.simulation import (
    OtherCurrencyError,
    Sign,
    Simulation,
    SimulationResult,
    extremes,
)
from tariffs.simulate.spread import STEPS
from tariffs.simulate.tables import result_csv, result_tables, sentences
from tests.tree import DOCS


def _tariff(price: str, currency: str = "EUR") -> Tariff:
    component = PriceComponent(
        dimension=Dimension.ENERGY, price=Decimal(price), vat=Decimal(25), step_size=0
    )
    element = TariffElement(price_components=(component,))
    return Tariff(id="NEW", currency=currency, elements=(element,))


def _line(number: int, customer: str, site: str, kwh: int, billed: str | None) -> str:
    line = {
        "id": f"s{number}",
        "customer": customer,
        "site": site,
        "time_zone": "Europe/Berlin",
        "starts_at": f"2025-{number:02}-01T10:00:00Z",
        "ends_at": f"2025-{number:02}-01T12:00:00+00:00",
        "energy_wh": kwh * 1000,
    }
    if billed is not None:
        line["billed_after_taxes"] = billed
    return json.dumps(line)


# 0.50 a kWh and 25 % VAT: 0.625 a kWh, taxes included.
LINES = [
    _line(1, "anna", "harbour", 10, "6.00"),  # becomes 6.25
    _line(2, "anna", "depot", 20, "13.00"),  # becomes 12.50
    _line(3, "ben", "depot", 40, "0"),  # becomes 25.00: free to paid
    _line(4, "<i>eve</i>", "harbour", 0, "1.00"),  # becomes 0: paid to free
    _line(5, "carl", "harbour", 4, "2.50"),  # stays
]


def _chunks(lines: list[str], size: int = 2) -> Iterator[HistoryChunk]:
    raw = (line.encode() for line in lines)
    return chunks_of(read_json_lines(raw, "past.jsonl"), "EUR", size)


def _simulated(lines: list[str], *, against: Tariff | None = None) -> SimulationResult:
    old = None if against is None else bulk_tariff(compile_tariff(against))
    simulation = Simulation(bulk_tariff(compile_tariff(_tariff("0.5"))), old)
    for chunk in _chunks(lines):
        simulation.add(chunk)
    return simulation.result


def test_totals_customers_sites_months_and_signs_add_up_over_chunks() -> None:
    result = _simulated(LINES)

    assert (result.total.old_minor, result.total.new_minor) == (2250, 4625)
    assert result.total.energy_milli_wh == 74_000_000
    changes = {name: each.difference_minor for name, each in result.customers.items()}
    assert changes == {"anna": -25, "ben": 2500, "<i>eve</i>": -100, "carl": 0}
    sites = {name: each.difference_minor for name, each in result.sites.items()}
    assert sites == {"harbour": -75, "depot": 2450}
    assert sorted(result.months) == [f"2025-{month:02}" for month in range(1, 6)]
    assert result.signs[Sign.FREE_TO_PAID].new_minor == 2500
    assert result.signs[Sign.PAID_TO_FREE].old_minor == 100
    assert (result.dearer, result.cheaper, result.left_out) == (2, 2, 0)
    spread = {STEPS[int(name)]: each.difference_minor for name, each in result.spread.items()}
    assert spread == {(-1, 50, 100): -100, (-1, 10, 50): -50, (0, 0, 0): 0, (1, 10, 50): 25,
                      (1, 2000, 5000): 2500}  # fmt: skip
    assert result.stations == {}


def test_what_sessions_share_is_said_not_to_be_counted_up() -> None:
    shared = Allowance(name="home", dimensions=("ENERGY",), kwh_max=Decimal(50))
    new = msgspec.structs.replace(_tariff("0.5"), adjustments=(shared,))

    result = Simulation(bulk_tariff(compile_tariff(new))).result

    assert any("as if each session were the first" in line for line in sentences(result))
    assert "as if each session were the first" in simulation_html(result, "t")
    assert _simulated([]).notes == ()


def test_winners_and_losers_are_the_largest_changes_first() -> None:
    result = _simulated(LINES)

    assert [each.id for each in result.losers] == ["s3", "s1"]
    assert [each.id for each in result.winners] == ["s4", "s2"]
    winners, losers = extremes(result.customers, 1)
    assert [each.name for each in winners] == ["<i>eve</i>"]
    assert [each.name for each in losers] == ["ben"]
    assert extremes(result.customers, 0) == ([], [])


def test_another_tariff_can_be_the_old_side() -> None:
    result = _simulated([_line(1, "anna", "x", 10, None)], against=_tariff("0.4"))

    assert (result.total.old_minor, result.total.new_minor) == (500, 625)
    assert result.before_minor == (400, 500)


def test_sessions_without_an_old_price_and_lines_that_cannot_be_read_are_left_out_by_name() -> None:
    bad = [
        "{",
        _line(6, "x", "y", 1, None),
        _line(7, "x", "y", -1, "1"),
        _line(8, "x", "y", 1, "NaN"),
        _line(9, "x", "y", 1, "1").replace("Europe/Berlin", "Mars/Base"),
        _line(9, "x", "y", 1, "1").replace("12:00:00+00:00", "12:00:00"),
        _line(9, "x", "y", 1, "1").replace("customer", "costumer"),
    ]

    result = _simulated([*LINES, *bad])

    assert result.total.sessions == 5
    assert result.left_out == len(bad)
    said = "\n".join(sentences(result))
    places = [unread.spot for unread in result.unread]
    assert set(places) == {f"past.jsonl:{n}" for n in (6, 7, 8, 9, 10, 11, 12)}
    assert "past.jsonl:7: s6: it says nothing about what was billed" in said
    assert "Mars/Base" in said


@pytest.mark.parametrize("billed", ["1.00", None])
def test_a_session_that_neither_side_prices_is_left_out_once(billed: str | None) -> None:
    absurd = bulk_tariff(compile_tariff(_tariff("1E+15")))
    file = io.StringIO()
    simulation = Simulation(absurd, None if billed else absurd, rows=SessionRows(file, "EUR"))
    unbilled = [_line(1, "x", "y", 1, None), _line(2, "x", "y", 1, billed)]

    for chunk in _chunks(unbilled):
        simulation.add(chunk)

    assert (simulation.result.total.sessions, simulation.result.left_out) == (0, 2)
    assert len(simulation.result.unread) == len(file.getvalue().splitlines()) - 1 == 2


def test_a_history_in_another_currency_is_refused() -> None:
    simulation = Simulation(bulk_tariff(compile_tariff(_tariff("0.5", "USD"))))

    with pytest.raises(OtherCurrencyError, match="EUR"):
        simulation.add(next(_chunks(LINES)))


def test_csv_has_exact_amounts_and_no_formula() -> None:
    result = _simulated([*LINES, _line(6, "=1+1", "depot", 2, "1")])

    rows = list(csv.DictReader(io.StringIO(result_csv(result))))
    by_name = {(row["kind"], row["name"]): row for row in rows}
    assert by_name["total", "total"]["change"] == "24.00"
    assert by_name["customer", "'=1+1"]["new"] == "1.25"
    assert by_name["customer", "'=1+1"]["energy_kwh"] == "2"


class _Words(HTMLParser):
    """Collects tags and text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not any(name in {"src", "href"} or name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_stands_alone_and_shows_names_as_text() -> None:
    parser = _Words()

    parser.feed(simulation_html(_simulated(LINES), "Back-test of <NEW>"))

    assert "i" not in parser.tags
    assert "script" not in parser.tags
    assert "<i>eve</i>" in parser.words
    assert parser.tags.count("rect") == 2 * 5 + 2
    assert any("22.50 become 46.25 EUR" in words for words in parser.words)


def test_no_name_is_obeyed_on_the_page_or_in_a_spreadsheet() -> None:
    hostile = _line(1, "ann\u202ea\x1b[2J", "de\x9bpot\n=1", 10, "6.00")
    result = _simulated([hostile, "\x1b]0;owned\x07"])

    page, table = simulation_html(result, "New\u202e"), result_csv(result)

    rows = io.StringIO()
    writer = SessionRows(rows, "EUR")
    [chunk] = _chunks([hostile])
    amounts = (np.array([1]), np.array([1]))
    writer.add(chunk, np.array([True]), amounts, amounts)
    for text in (page, table, rows.getvalue()):
        assert r"ann\u202ea\x1b[2J" in text
        assert r"de\x9bpot\n=1" in text
        assert not [each for each in text.replace("\n", "") if not each.isprintable()]


def test_tables_of_an_empty_history_are_empty() -> None:
    tables = result_tables(_simulated([]))

    assert all(not table.rows for table in tables[1:-1])
    assert "<svg" not in simulation_html(_simulated([]), "Nothing")


def test_a_columnar_file_gives_back_what_was_written() -> None:
    file = io.BytesIO()
    shown = '"groups": ["a", "b,\\"c"], "validations": ["V", "W"], "id"'
    lines = [*LINES, _line(6, "x", "y", 1, "1").replace('"id"', shown)]
    paid = _line(7, "x", "y", 1, "1").replace('"id"', '"payment_method": "card", "id"')

    assert write_columns_file(file, _chunks([*lines, paid])) == 6

    file.seek(0)
    simulation, read = Simulation(bulk_tariff(compile_tariff(_tariff("0.5")))), []
    for chunk in read_columns_file(file):
        simulation.add(chunk)
        read += [chunk.columns.usage(row) for row in range(len(chunk.columns))]
    assert simulation.result == _simulated(lines)
    assert [(each.groups, each.validations) for each in read[-2:]] == [
        ((), ()),
        (("a", 'b,"c'), ("V", "W")),
    ]


def test_a_file_that_is_none_or_broken_is_refused() -> None:
    with pytest.raises(BrokenColumnsError):
        list(read_columns_file(io.BytesIO(b"nothing")))
    other = io.BytesIO()
    np.savez(other, format=np.array("something"))
    other.seek(0)
    with pytest.raises(BrokenColumnsError, match="something"):
        list(read_columns_file(other))


@pytest.mark.parametrize("text", ["staff", "[]", '[["a"], "b"]', '[["a"], [1]]', "{}"])
def test_a_privilege_that_is_no_two_lists_is_refused(text: str) -> None:
    file, other = io.BytesIO(), io.BytesIO()
    write_columns_file(file, _chunks(LINES))
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(other, "w") as broken:
        for name in good.namelist():
            with broken.open(name, "w") as member:
                if name == "00000.privileges.npy":
                    np.lib.format.write_array(member, np.array([text]))
                else:
                    member.write(good.read(name))
    other.seek(0)

    with pytest.raises(BrokenColumnsError, match=r"00000\.privileges"):
        list(read_columns_file(other))


def test_csv_sessions_are_read_with_their_parking() -> None:
    text = (
        "id,customer,site,time_zone,starts_at,ends_at,energy_wh,parked_from,billed_after_taxes\n"
        "s1,anna,depot,UTC,2025-01-01T10:00Z,2025-01-01T12:00Z,10000,2025-01-01T11:00Z,6\n"
        "s2,anna,depot,UTC,2025-01-01T10:00,2025-01-01T12:00Z,10000,,6\n"
        "s3,anna,depot,UTC,2025-01-01T10:00Z,2025-01-01T12:00Z,much,,6\n"
        "s4,anna\n"
    )

    (chunk,) = chunks_of(read_csv_lines(io.StringIO(text), "past.csv"), "EUR")

    assert chunk.ids == ("s1",)
    assert len(chunk.columns.usage(0).spans) == 2
    assert [unread.spot for unread in chunk.unread] == [f"past.csv:{n}" for n in (3, 4, 5)]


@pytest.mark.parametrize(
    ("column", "text", "why"),
    [
        pytest.param("energy_wh", "1_000", "energy_wh: '1_000' is not a number", id="underscores"),
        pytest.param("energy_wh", "\uff11\uff12", "is not a number", id="other digits"),
        pytest.param("energy_wh", "NaN", "energy_wh: 'NaN' is not a finite number", id="no number"),
        pytest.param("energy_wh", "-1", "energy_wh: -1 is negative", id="less than nothing"),
        pytest.param("energy_wh", "", "energy_wh", id="no energy"),
        pytest.param("billed_after_taxes", "1_0", "billed_after_taxes: '1_0'", id="an amount"),
        pytest.param("id", "s1", "it is already on line 2", id="an id again"),
        pytest.param("id", "", "id has no value", id="no id"),
    ],
)
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_cell_that_is_not_clearly_what_it_should_be_is_refused_with_its_place(
    kind: str, column: str, text: str, why: str
) -> None:
    good = {
        "id": "s1",
        "time_zone": "UTC",
        "starts_at": "2025-01-01T10:00:00Z",
        "ends_at": "2025-01-01T12:00:00Z",
        "energy_wh": "1000.5",
        "billed_after_taxes": "6",
    }
    rows = [good, good | {"id": "s2", column: text}]
    if kind == "csv":
        lines = "\n".join(
            ",".join(row.values()) for row in [dict(zip(good, good, strict=True)), *rows]
        )
        read = read_csv_lines(io.StringIO(lines), "past")
    else:
        # A key that is not there is JSON's empty cell.
        said = [{key: value for key, value in row.items() if value or key == "id"} for row in rows]
        read = read_json_lines([b"", *(json.dumps(row).encode() for row in said)], "past")

    (chunk,) = chunks_of(read, "EUR")

    assert chunk.ids == ("s1",)
    [unread] = chunk.unread
    assert unread.spot == "past:3"
    assert why in unread.why


def test_a_session_file_without_energy_is_left_out_with_its_place() -> None:
    text = (
        "starts_at: 2026-03-11T19:10:00+01:00\nends_at: 2026-03-11T21:30:00+01:00\ntime_zone: UTC\n"
    )

    (without,) = chunks_of(read_yaml_session(text, "s.yaml", "s"), "EUR")
    (with_none,) = chunks_of(read_yaml_session(f"{text}energy_wh: 0\n", "s.yaml", "s"), "EUR")

    assert [unread.spot for unread in without.unread] == ["s.yaml:1:1"]
    assert "energy_wh" in without.unread[0].why
    assert with_none.ids == ("s",)


def test_a_csv_with_another_heading_is_refused() -> None:
    with pytest.raises(CsvHeadingError, match="unknown columns kwh; missing columns id"):
        list(read_csv_lines(io.StringIO("kwh,customer\n"), "past.csv"))


def test_the_page_on_back_testing_names_every_column_and_its_example_is_read() -> None:
    page = (DOCS / "back-testing.md").read_text("utf-8")

    assert all(f"`{name}`" in page for name in CSV_COLUMNS)
    arrays = columns_file_of(next(_chunks(LINES)))
    assert all(f"`{name}`" in page for name in arrays)
    example = next(line for line in page.splitlines() if line.startswith('{"id"'))
    assert _simulated([example]).total.old_minor == 595


def columns_file_of(chunk: HistoryChunk) -> set[str]:
    """Return the names of the arrays in a columnar file."""
    file = io.BytesIO()
    write_columns_file(file, [chunk])
    with zipfile.ZipFile(file) as archive:
        members = [name.removesuffix(".npy").split(".") for name in archive.namelist()]
    return {member[-1] for member in members}
