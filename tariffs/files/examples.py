"""Golden examples in a tariff file: short sessions with the total that they must cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import Final

import msgspec

from tariffs.adjustments.phrases import amount_text
from tariffs.errors import TariffError
from tariffs.files.session_file import zone_of
from tariffs.files.yaml.fields import (
    Fields,
    Notebook,
    in_utc,
    moment_of_text,
    read_scalar,
    signed_of,
)
from tariffs.files.yaml.reader import Mapping, Node, read_yaml
from tariffs.kernel.compiled import CompiledTariff
from tariffs.kernel.pricing import compile_tariff, price_session
from tariffs.kernel.timeline import UnusableUsageError, timeline_of
from tariffs.model.tariff import Tariff
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.phrases.english import ENGLISH
from tariffs.problems import Problem
from tariffs.zones import zone

_LINES_TOLD: Final = 20
NO_ENERGY: Final = "an example needs kwh or readings; if nothing was drawn, say kwh: 0"


class Example(msgspec.Struct, frozen=True, kw_only=True):
    """A session and its expected totals, with the spot where the total stands."""

    name: str
    usage: SessionUsage
    total: Decimal
    before_taxes: Decimal | None
    line: int
    column: int


def read_examples(nodes: list[Node], notebook: Notebook) -> tuple[Example, ...]:
    """Read `examples`; a time zone holds for the examples after it as well."""
    examples: list[Example] = []
    time_zone: str | None = None
    for number, node in enumerate(nodes, start=1):
        fields = Fields(node, notebook, "an example")
        time_zone = fields.read("time_zone", zone_of) or time_zone
        if time_zone is None:
            notebook.complain(node, "the first example needs 'time_zone'")
            time_zone = "UTC"
        example = _example(fields, notebook, time_zone, number)
        if example is not None:
            examples.append(example)
    return tuple(examples)


class ExampleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an example: `why` it is not as it says, "" where it is."""

    example: Example
    why: str


def example_outcomes(
    tariff: Tariff, text: str, source: str, *, work_max: int | None = None
) -> tuple[list[ExampleOutcome], list[Problem]]:
    """Return what *tariff* makes of each example in the file *text*, and what is no example.

    Examples that are more work together than *work_max* (elements times days) are a problem, and
    none of them is priced: a text may come from anybody.
    """
    root, problems = read_yaml(text, source)
    if not isinstance(root, Mapping) or "examples" not in root.entries:
        return [], []
    notebook = Notebook(source, problems)
    fields = Fields(root, notebook, "the tariff")
    examples = read_examples(fields.items("examples"), notebook)
    work = len(tariff.elements) * sum(map(_days, examples))
    if work_max is not None and work > work_max:
        why = (
            f"the examples are too much work: {len(tariff.elements):,} elements times their days "
            f"are {work:,}, at most {work_max:,}; take fewer or shorter ones"
        )
        spot = examples[0]
        return [], [*problems, Problem(source, spot.line, spot.column, why)]
    compiled = compile_tariff(tariff)
    outcomes = [
        ExampleOutcome(example=each, why=_failure(each, compiled) or "") for each in examples
    ]
    return outcomes, problems


def failing_examples(
    tariff: Tariff, text: str, source: str, *, work_max: int | None = None
) -> list[Problem]:
    """Return a problem for each example in the file *text* that *tariff* prices otherwise."""
    outcomes, problems = example_outcomes(tariff, text, source, work_max=work_max)
    return problems + [
        Problem(source, each.example.line, each.example.column, each.why)
        for each in outcomes
        if each.why
    ]


def _days(example: Example) -> int:
    """Return how many days an example lasts, one that is begun among them."""
    return max((example.usage.ends_at - example.usage.starts_at).days, 0) + 1


def _failure(example: Example, compiled: CompiledTariff) -> str | None:
    try:
        priced = price_session(example.usage, compiled)
    except TariffError as error:
        return f"example {example.name!r}: {error}"
    for what, expected, found in (
        ("before taxes", example.before_taxes, priced.total_before_taxes.amount),
        ("in total", example.total, priced.total_after_taxes.amount),
    ):
        if expected is not None and expected != found:
            currency = priced.currency
            wanted, got = amount_text(expected, currency), amount_text(found, currency)
            owed = [line for line in priced.lines if line.before_minor or line.tax_minor]
            told = [
                f"{line.dimension.lower()} {line.before_minor + line.tax_minor}"
                for line in owed[:_LINES_TOLD]
            ]
            more = [f"and {len(owed) - _LINES_TOLD} more"] if len(owed) > _LINES_TOLD else []
            parts = ", ".join([*told, *more])
            return (
                f"example {example.name!r} costs {got} {what}, not {wanted} "
                f"(its lines in minor units, with tax: {parts or 'none'})"
            )
    return None


def _example(fields: Fields, notebook: Notebook, time_zone: str, number: int) -> Example | None:
    known = len(notebook.problems)

    def moment(key: str, *, required: bool = False) -> datetime | None:
        node = fields.node_of(key, required=required)
        if node is None:
            return None
        return read_scalar(node, lambda text: moment_in(text, time_zone), notebook, key)

    name = fields.text("name") or f"example {number}"
    starts_at, ends_at = moment("starts", required=True), moment("ends", required=True)
    parking, reserved_until = moment("parking_from"), moment("reserved_until")
    expired = bool(fields.flag("reservation_expired"))
    kwh, readings = _drawn(fields, notebook, time_zone)
    groups, validations = fields.texts("groups"), fields.texts("validations")
    payment, vat_id = fields.text("payment_method"), fields.text("reverse_charge_vat_id")
    total, before = (
        fields.read("total", signed_of, required=True),
        fields.read("before_taxes", signed_of),
    )
    fields.finish()
    if len(notebook.problems) == known and kwh is None and not (readings or expired):
        # A key that is misspelt was named above.
        notebook.complain(fields.node, NO_ENERGY)
    if len(notebook.problems) > known or starts_at is None or ends_at is None or total is None:
        return None
    spot = fields.key_node("total")
    if ends_at < starts_at:
        notebook.complain(fields.key_node("ends"), "it ends before it starts")
        return None
    usage = SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=time_zone,
        points=readings or tuple(_points(starts_at, ends_at, reserved_until, parking, kwh)),
        spans=tuple(_spans(starts_at, ends_at if expired else reserved_until, parking)),
        reservation_expired=expired,
        groups=groups,
        validations=validations,
        payment_method=payment,
        reverse_charge_vat_id=vat_id,
    )
    try:
        timeline_of(usage, 0)
    except UnusableUsageError as error:
        notebook.complain(fields.node, ENGLISH.words(error.why))
        return None
    return Example(
        name=name, usage=usage, total=total, before_taxes=before, line=spot.line, column=spot.column
    )


def _drawn(
    fields: Fields, notebook: Notebook, time_zone: str
) -> tuple[Decimal | None, tuple[UsagePoint, ...]]:
    """Read what was drawn: all of it, or register by register."""
    kwh = fields.number("kwh")
    readings = [_reading(each, notebook, time_zone) for each in fields.items("readings")]
    if readings and fields.has("kwh"):
        notebook.complain(fields.key_node("kwh"), "say either kwh or readings")
    return kwh, tuple(point for point in readings if point is not None)


def _reading(node: Node, notebook: Notebook, time_zone: str) -> UsagePoint | None:
    """Read a register in kWh since the start, and the power and current that hold from there on."""
    fields = Fields(node, notebook, "a reading")
    at = fields.read("at", lambda text: moment_in(text, time_zone), required=True)
    kwh = fields.number("kwh", required=True)
    power_kw, current = fields.number("power_kw"), fields.number("current_a")
    fields.finish()
    if at is None or kwh is None:
        return None
    power_w = None if power_kw is None else power_kw.scaleb(3)
    return UsagePoint(at, kwh.scaleb(3), power_w, current)


def _points(
    start: datetime,
    end: datetime,
    reserved: datetime | None,
    parking: datetime | None,
    kwh: Decimal | None,
) -> Iterator[UsagePoint]:
    """Yield readings: the energy flows evenly from the end of the reservation until parking."""
    wh = (kwh or Decimal(0)).scaleb(3)
    yield UsagePoint(start, Decimal(0))
    if reserved is not None and start < reserved < end:
        yield UsagePoint(reserved, Decimal(0))
    if parking is not None and start <= parking < end:
        yield UsagePoint(parking, wh)
    yield UsagePoint(end, wh)


def _spans(
    start: datetime, reserved: datetime | None, parking: datetime | None
) -> Iterator[UsageSpan]:
    if reserved is not None:
        yield UsageSpan(start, Activity.RESERVATION)
        yield UsageSpan(reserved, Activity.CHARGING)
    if parking is not None:
        yield UsageSpan(parking, Activity.PARKING)


def moment_in(text: str, time_zone: str) -> datetime:
    """Read a moment with its offset, or the site's own time: 2026-03-02 21:00.

    Raises:
        ValueError: If it is neither, or a time that the site's clock shows twice or never.
    """
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        message = f"{text!r} is not a moment; write it as 2026-03-29 21:00"
        raise ValueError(message) from None
    if local.tzinfo is not None:
        return moment_of_text(text)
    first, second = (in_utc(local.replace(tzinfo=zone(time_zone), fold=fold)) for fold in (0, 1))
    # Before and after a change of the clock: the two readings differ in the gap, too.
    if first != second:
        message = f"{text!r} comes twice or never where clocks change; write its offset as well"
        raise ValueError(message)
    return first
