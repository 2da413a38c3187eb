"""Tariffs and assignments as files: exactly what the filters of a list leave, all pages of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from litestar import Response
from litestar.exceptions import NotFoundException
from psycopg import Connection

from ledger.persons.store import names_in, readable
from projections.console.exports.exporting import Cells, csv_file, xlsx_file
from projections.console.page import ConsolePage
from projections.console.tariffs.filters import AssignmentFilter, TariffFilter
from projections.terms.held_assignments import HeldAssignment, held_assignments
from projections.terms.held_tariffs import HeldTariff, held_tariffs

_AT_ONCE: Final = 500
_TARIFFS: Final = (
    "tariff",
    "name",
    "currency",
    "version",
    "holds_from",
    "declared_at",
    "declared_by",
    "changes_at",
)
_ASSIGNMENTS: Final = (
    "site",
    "station",
    "token_group",
    "partner",
    "token",
    "tariff",
    "holds_from",
    "declared_at",
    "declared_by",
    "changes_at",
    "then_tariff",
)
Rows = Callable[[], Iterator[Cells]]


def tariffs_file(page: ConsolePage, kind: str, wanted: TariffFilter) -> Response[Any]:
    """Return the tariffs of a filter."""
    is_down = page.is_sorted_down("tariff")

    def rows() -> Iterator[Cells]:
        with page.console.exporting() as connection:
            after = ""
            while found := _tariffs(connection, wanted, after, is_down=is_down):
                yield from map(_tariff_row, found)
                after = found[-1].tariff_id

    return _file("tariffs", "Tariffs", kind, _TARIFFS, rows)


def assignments_file(page: ConsolePage, kind: str, wanted: AssignmentFilter) -> Response[Any]:
    """Return the assignments of a filter."""

    def rows() -> Iterator[Cells]:
        with page.console.exporting() as connection:
            after = ""
            while found := _assignments(connection, wanted, after):
                names = names_in(connection, [each.key for each in found])
                yield from (_assignment_row(each, names) for each in found)
                after = found[-1].key

    return _file("assignments", "Assignments", kind, _ASSIGNMENTS, rows)


def _tariffs(
    connection: Connection[Any], wanted: TariffFilter, after: str, *, is_down: bool
) -> Sequence[HeldTariff]:
    return held_tariffs(
        connection, **wanted._asdict(), after=after, limit=_AT_ONCE, is_down=is_down
    )


def _assignments(
    connection: Connection[Any], wanted: AssignmentFilter, after: str
) -> list[HeldAssignment]:
    return [*held_assignments(connection, **wanted._asdict(), after=after, limit=_AT_ONCE)]


def _file(name: str, title: str, kind: str, heading: Cells, rows: Rows) -> Response[Any]:
    if kind == "csv":
        return csv_file(name, heading, rows())
    if kind == "xlsx":
        return xlsx_file(name, title, [str(each) for each in heading], rows())
    raise NotFoundException(detail="a list is exported as csv or xlsx")


def _tariff_row(each: HeldTariff) -> Cells:
    held = each.held
    tariff = held.tariff if held else None
    return (
        each.tariff_id,
        (tariff.name or "") if tariff else "",
        tariff.currency if tariff else "",
        held.sha256 if held else "",
        _utc(held.valid_from if held else None),
        _utc(held.declared_at if held else None),
        held.declared_by if held else "",
        _utc(each.next_from),
    )


def _assignment_row(each: HeldAssignment, names: dict[str, str]) -> Cells:
    named = each.assignment
    return (
        named.site or "",
        named.station or "",
        named.token_group or "",
        named.partner or "",
        readable(named.token or "", names),
        named.tariff,
        _utc(each.valid_from),
        _utc(each.declared_at),
        each.declared_by,
        _utc(each.next_from),
        each.next_tariff,
    )


def _utc(at: datetime | None) -> str:
    return "" if at is None else f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
