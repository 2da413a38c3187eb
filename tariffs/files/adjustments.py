"""Adjustments in a tariff file: the key that an entry begins with says its type."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from tariffs.adjustments.adjustment import (
    Adjustment,
    AtLeast,
    CapPeriod,
    FeeCap,
    FreeBelow,
    FreeFirst,
    GroupGrant,
    IdleGrace,
    RoundDown,
    Surcharge,
    ValidationGrant,
)
from tariffs.adjustments.checking import adjustment_faults
from tariffs.files.elements import percent_of, seconds_of
from tariffs.files.shared import Granted, read_allowance, read_coupon, read_period_cap
from tariffs.files.yaml.fields import (
    Fields,
    Notebook,
    amount_of,
    choice_of,
    read_scalar,
    signed_of,
    time_of,
    whole_of,
)
from tariffs.files.yaml.reader import Mapping, Node
from tariffs.model.tariff import COMPONENT_DIMENSIONS, Dimension

DIMENSIONS: Final = (*(d.lower() for d in COMPONENT_DIMENSIONS), "reservation_time")
_ALL: Final = Decimal(100)

# Energy in kWh, or seconds.
_Size = tuple[Decimal | None, int | None]


def read_adjustment(
    node: Node, notebook: Notebook, *, below_zero: bool = False
) -> Adjustment | None:
    """Read one adjustment; with *below_zero* a surcharge may be negative."""
    fields = Fields(node, notebook, "an adjustment")
    kinds = [kind for kind in KINDS if fields.has(kind)]
    if len(kinds) != 1:
        if isinstance(node, Mapping):
            notebook.complain(node, f"an adjustment is one of {', '.join(KINDS)}")
        return None
    known = len(notebook.problems)
    adjustment = KINDS[kinds[0]](fields, fields.text("reason"))
    fields.finish()
    if adjustment is None or len(notebook.problems) > known:
        return None
    for fault in adjustment_faults(adjustment, below_zero=below_zero):
        notebook.complain(fields.key_node(kinds[0]), fault)
    return adjustment


def _idle_grace(fields: Fields, reason: str | None) -> Adjustment | None:
    seconds = fields.read("idle_grace", seconds_of)
    return None if seconds is None else IdleGrace(seconds=seconds, reason=reason)


def _group(fields: Fields, reason: str | None) -> Adjustment | None:
    group, grant = fields.text("group"), _granted(fields)
    if group is None or grant is None:
        return None
    dimensions, percent, kwh_max, minutes_max = grant
    return GroupGrant(
        group=group,
        dimensions=dimensions,
        percent=percent,
        kwh_max=kwh_max,
        minutes_max=minutes_max,
        reason=reason,
    )


def _validation(fields: Fields, reason: str | None) -> Adjustment | None:
    code, grant = fields.text("validation"), _granted(fields)
    if code is None or grant is None:
        return None
    dimensions, percent, kwh_max, minutes_max = grant
    return ValidationGrant(
        code=code,
        dimensions=dimensions,
        percent=percent,
        kwh_max=kwh_max,
        minutes_max=minutes_max,
        reason=reason,
    )


def _granted(fields: Fields) -> Granted | None:
    """Read `free: [energy]`, or `discount: 20 %` with `on: [energy]`, and their limits."""
    free, lowered = _dimensions(fields, "free"), _dimensions(fields, "on")
    discount = fields.read("discount", percent_of)
    kwh_max, minutes_max = fields.number("kwh_max"), fields.number("minutes_max")
    if fields.has("free") == fields.has("discount"):
        message = "say either 'free: [...]' or 'discount: 20 %' with 'on'"
        fields.notebook.complain(fields.node, message)
        return None
    if fields.has("discount") != fields.has("on"):
        message = "'discount' needs 'on: [...]', and 'on' needs 'discount'"
        fields.notebook.complain(fields.node, message)
        return None
    percent = _ALL if discount is None else discount
    return Granted(free or lowered, percent, kwh_max, minutes_max)


def _free_first(fields: Fields, reason: str | None) -> Adjustment | None:
    size = fields.read("free_first", _size_of)
    dimensions = _dimensions(fields, "on")
    before_steps = bool(fields.flag("before_steps"))
    if size is None:
        return None
    kwh, seconds = size
    if kwh is not None:
        dimensions = dimensions or (Dimension.ENERGY,)
    return FreeFirst(
        dimensions=dimensions, kwh=kwh, seconds=seconds, reason=reason, before_steps=before_steps
    )


def _free_below(fields: Fields, reason: str | None) -> Adjustment | None:
    sizes = [
        read_scalar(node, _size_of, fields.notebook, "free_below")
        for node in fields.items("free_below")
    ]
    energies = [size[0] for size in sizes if size and size[0] is not None]
    times = [size[1] for size in sizes if size and size[1] is not None]
    if max(len(energies), len(times)) > 1:
        message = "'free_below' takes one amount of energy and one of time"
        fields.notebook.complain(fields.key_node("free_below"), message)
    return FreeBelow(
        kwh=energies[0] if energies else None,
        seconds=times[0] if times else None,
        reason=reason,
    )


def _round_down(fields: Fields, reason: str | None) -> Adjustment | None:
    dimensions = _dimensions(fields, "on", required=True)
    step = fields.read("round_down", _step_reader(dimensions))
    return None if step is None else RoundDown(dimensions=dimensions, step=step, reason=reason)


def _cap(fields: Fields, reason: str | None) -> Adjustment | None:
    amount, dimensions = fields.number("cap"), _dimensions(fields, "on")
    per = fields.choice("per", [period.value for period in CapPeriod])
    start, end = fields.read("from", time_of), fields.read("to", time_of)
    if amount is None:
        return None
    return FeeCap(
        amount=amount,
        dimensions=dimensions,
        per=CapPeriod(per or CapPeriod.SESSION),
        start_time=start,
        end_time=end,
        reason=reason,
    )


def _at_least(fields: Fields, reason: str | None) -> Adjustment | None:
    amount, dimensions = fields.number("at_least"), _dimensions(fields, "on", required=True)
    if amount is None:
        return None
    return AtLeast(amount=amount, dimensions=dimensions, reason=reason)


def _surcharge(fields: Fields, reason: str | None) -> Adjustment | None:
    """Read `surcharge: 5 %` or `surcharge: 0.35`; either may be negative."""
    percent, amount = fields.read("surcharge", _share_of) or (None, None)
    dimensions, methods = _dimensions(fields, "on"), fields.texts("payment_method")
    vat = fields.read("vat", percent_of)
    if percent is not None and vat is not None:
        message = "a percentage bears the taxes of what it is taken from"
        fields.notebook.complain(fields.key_node("vat"), message)
    return Surcharge(
        percent=percent,
        amount=amount,
        dimensions=dimensions,
        payment_methods=methods,
        vat=vat,
        reason=reason,
    )


KINDS: Final[dict[str, Callable[[Fields, str | None], Adjustment | None]]] = {
    "idle_grace": _idle_grace,
    "group": _group,
    "validation": _validation,
    "free_first": _free_first,
    "free_below": _free_below,
    "round_down": _round_down,
    "cap": _cap,
    "at_least": _at_least,
    "surcharge": _surcharge,
    "allowance": lambda fields, reason: read_allowance(fields, _granted(fields), reason),
    "shared_cap": lambda fields, reason: read_period_cap(fields, _dimensions(fields, "on"), reason),
    "coupon": lambda fields, reason: read_coupon(fields, _granted(fields), reason),
}


def _dimensions(fields: Fields, key: str, *, required: bool = False) -> tuple[str, ...]:
    read = [
        read_scalar(node, lambda text: choice_of(text, DIMENSIONS), fields.notebook, key)
        for node in fields.items(key, required=required)
    ]
    return tuple(Dimension(name.upper()) for name in read if name is not None)


def _size_of(text: str) -> _Size:
    """Read 5 kWh or 30 min."""
    if text.strip().endswith("kWh"):
        return amount_of(text.strip().removesuffix("kWh")), None
    if text.strip().isdecimal():
        message = f"{text!r} needs its unit: {text} min, {text} h or {text} kWh"
        raise ValueError(message)
    return None, seconds_of(text)


def _step_reader(dimensions: tuple[str, ...]) -> Callable[[str], int]:
    """Return what reads 500 Wh for energy, 5 min for times."""
    if Dimension.ENERGY in dimensions:
        return lambda text: whole_of(text.strip().removesuffix("Wh"))
    return seconds_of


def _share_of(text: str) -> tuple[Decimal | None, Decimal | None]:
    """Read a percentage, which must have its sign, or an amount."""
    shown = text.strip()
    if not shown.endswith("%"):
        return None, signed_of(text)
    percent = percent_of(shown.removeprefix("-"))
    return (-percent if shown.startswith("-") else percent), None
