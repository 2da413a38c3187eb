"""Adjustments in a tariff file: the key that an entry begins with says its type."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from tariffs.adjustments import Adjustment, GroupGrant, IdleGrace, ValidationGrant
from tariffs.files_elements import percent_of, seconds_of
from tariffs.tariff import COMPONENT_DIMENSIONS, Dimension
from tariffs.yaml_fields import Fields, Notebook, choice_of, read_scalar
from tariffs.yaml_reader import Mapping, Node

KINDS: Final = ("idle_grace", "group", "validation")
_DIMENSIONS: Final = [*(d.lower() for d in COMPONENT_DIMENSIONS), "reservation_time"]
_ALL: Final = Decimal(100)


def read_adjustment(node: Node, notebook: Notebook) -> Adjustment | None:
    """Read one adjustment."""
    fields = Fields(node, notebook, "an adjustment")
    kinds = [kind for kind in KINDS if fields.has(kind)]
    if len(kinds) != 1:
        if isinstance(node, Mapping):
            notebook.complain(node, f"an adjustment is one of {', '.join(KINDS)}")
        return None
    if kinds == ["idle_grace"]:
        seconds = fields.read("idle_grace", seconds_of)
        reason = fields.text("reason")
        fields.finish()
        return None if seconds is None else IdleGrace(seconds=seconds, reason=reason)
    return _grant(fields, kinds[0], notebook)


def _grant(fields: Fields, kind: str, notebook: Notebook) -> Adjustment | None:
    """Read `free: [energy]`, or `discount: 20 %` with `on: [energy]`."""
    who = fields.text(kind)
    free = _dimensions(fields, "free", notebook)
    discount = fields.read("discount", percent_of)
    lowered = _dimensions(fields, "on", notebook)
    kwh_max, minutes_max = fields.number("kwh_max"), fields.number("minutes_max")
    reason = fields.text("reason")
    fields.finish()
    if fields.has("free") == fields.has("discount"):
        notebook.complain(fields.node, "say either 'free: [...]' or 'discount: 20 %' with 'on'")
        return None
    if fields.has("discount") != fields.has("on"):
        notebook.complain(fields.node, "'discount' needs 'on: [...]', and 'on' needs 'discount'")
        return None
    if who is None:
        return None
    dimensions, percent = free or lowered, _ALL if discount is None else discount
    if kind == "group":
        return GroupGrant(
            group=who,
            dimensions=dimensions,
            percent=percent,
            kwh_max=kwh_max,
            minutes_max=minutes_max,
            reason=reason,
        )
    return ValidationGrant(
        code=who,
        dimensions=dimensions,
        percent=percent,
        kwh_max=kwh_max,
        minutes_max=minutes_max,
        reason=reason,
    )


def _dimensions(fields: Fields, key: str, notebook: Notebook) -> tuple[str, ...]:
    read = [
        read_scalar(node, lambda text: choice_of(text, _DIMENSIONS), notebook, key)
        for node in fields.items(key)
    ]
    return tuple(Dimension(name.upper()) for name in read if name is not None)
