"""Tariff files: YAML that a pricing manager writes, into the model, with all problems at once."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Final

import msgspec

from tariffs.adjustments.adjustment import Adjustment
from tariffs.currencies import CURRENCY_EXPONENTS
from tariffs.files.adjustments import read_adjustment
from tariffs.files.elements import read_element
from tariffs.files.series import read_price_series
from tariffs.files.taxes import read_holidays, read_taxes, read_vat
from tariffs.files.yaml.fields import Fields, Notebook, amount_of, read_scalar, text_of
from tariffs.files.yaml.reader import Node, Scalar, read_yaml
from tariffs.model.checking import UnpriceableTariffError, check_tariff
from tariffs.model.policy import FlatPolicy, RoundingUnit, StepPolicy
from tariffs.model.tariff import PriceLimit, Tariff, TaxIncluded
from tariffs.problems import Problem
from tariffs.quantities import RoundingMode

ITEMS_MAX: Final = 1_000
"""How many elements, adjustments and examples a text may have that *is_alone*."""

ID_MAX: Final = 255


def read_tariff_file(
    text: str, source: str, *, is_alone: bool = False
) -> tuple[Tariff | None, list[Problem]]:
    """Read one tariff from YAML. One that *is_alone* names no file beside it.

    Returns:
        The tariff, or None if there is any problem; and all problems, in the file's order.
    """
    root, problems = read_yaml(text, source)
    if root is None:
        return None, problems
    tariff = read_tariff(root, Notebook(source, problems, is_alone=is_alone))
    problems.sort()
    return (None if problems else tariff), problems


def read_tariff(root: Node, notebook: Notebook) -> Tariff | None:
    """Read a tariff from its node; problems go to *notebook*."""
    fields = Fields(root, notebook, "the tariff")
    identity = fields.read("tariff", _id_of, required=True)
    currency = fields.choice("currency", CURRENCY_EXPONENTS.keys(), required=True)
    sales_taxes, quantity_taxes = read_taxes(fields, notebook)
    vat = read_vat(fields, notebook, sales_taxes)
    below_zero = bool(fields.flag("below_zero"))
    series = read_price_series(fields, notebook, below_zero=below_zero)
    holidays = read_holidays(fields, notebook)
    included = fields.choice("tax_included", [choice.value for choice in TaxIncluded])
    limits = {name: _limit(fields, name, notebook) for name in ("min_price", "max_price")}
    preauthorized = fields.number("preauthorize_amount")
    starts, ends = _validity(fields)
    days = () if holidays is None else holidays.days
    read = partial(read_element, notebook=notebook, vat=vat, holidays=days, below_zero=below_zero)
    elements = [read(node) for node in _elements(fields)]
    adjustments = _adjustments(fields, below_zero=below_zero)
    _items(fields, "examples")  # tariffs.files.examples reads them
    choices = _choices(fields)
    name, kind, alt_url = fields.text("name"), fields.text("type"), fields.text("alt_url")
    fields.finish()
    if notebook.problems or identity is None or currency is None:
        return None
    tariff = Tariff(
        id=identity,
        currency=currency,
        elements=tuple(element for element in elements if element is not None),
        tax_included=TaxIncluded(included or TaxIncluded.NO),
        min_price=limits["min_price"],
        max_price=limits["max_price"],
        preauthorize_amount=preauthorized,
        start_date_time=starts,
        end_date_time=ends,
        adjustments=adjustments,
        name=name,
        type=kind,
        alt_url=alt_url,
        price_series=series,
        sales_taxes=sales_taxes,
        quantity_taxes=quantity_taxes,
        holidays=holidays,
        below_zero=below_zero,
    )
    return _checked(msgspec.structs.replace(tariff, **choices), root, notebook)


def _checked(tariff: Tariff, root: Node, notebook: Notebook) -> Tariff | None:
    try:
        check_tariff(tariff)
    except UnpriceableTariffError as error:
        notebook.complain(root, error.why)
        return None
    return tariff


def _adjustments(fields: Fields, *, below_zero: bool) -> tuple[Adjustment, ...]:
    nodes = _items(fields, "adjustments")
    read = (read_adjustment(node, fields.notebook, below_zero=below_zero) for node in nodes)
    return tuple(adjustment for adjustment in read if adjustment is not None)


def _validity(fields: Fields) -> tuple[datetime | None, datetime | None]:
    starts, ends = fields.moment("start_date_time"), fields.moment("end_date_time")
    if starts is not None and ends is not None and ends <= starts:
        fields.notebook.complain(fields.key_node("end_date_time"), "it ends before it starts")
    return starts, ends


def _choices(fields: Fields) -> dict[str, StrEnum]:
    """Return what the tariff chooses itself of a policy, by the names of its fields."""
    kinds: dict[str, type[StrEnum]] = {
        "step_policy": StepPolicy,
        "rounding": RoundingUnit,
        "rounding_mode": RoundingMode,
        "flat_policy": FlatPolicy,
    }
    chosen = {
        key: fields.choice(key, [choice.value for choice in kind]) for key, kind in kinds.items()
    }
    return {key: kinds[key](word) for key, word in chosen.items() if word is not None}


def _elements(fields: Fields) -> list[Node]:
    """Return the nodes of the elements, of which there must be one."""
    nodes = _items(fields, "elements", required=True)
    if fields.has("elements") and not nodes:
        fields.notebook.complain(fields.key_node("elements"), "there must be an element")
    return nodes


def _id_of(text: str) -> str:
    """Read what a tariff is called, of which addresses and indexes are made."""
    if len(text_of(text)) > ID_MAX:
        message = f"has {len(text):,} characters; an id has at most {ID_MAX}"
        raise ValueError(message)
    return text


def _items(fields: Fields, key: str, *, required: bool = False) -> list[Node]:
    """Return the nodes of a list; of a text that comes from anybody only so many are taken."""
    nodes = fields.items(key, required=required)
    if fields.notebook.is_alone and len(nodes) > ITEMS_MAX:
        message = f"{key!r} has {len(nodes):,} entries; a tariff has at most {ITEMS_MAX:,}"
        fields.notebook.complain(fields.key_node(key), message)
        return nodes[:1]
    return nodes


def _limit(fields: Fields, name: str, notebook: Notebook) -> PriceLimit | None:
    """Read `0.50` (before taxes) or both amounts by name."""
    node = fields.node_of(name)
    if node is None:
        return None
    if isinstance(node, Scalar):
        amount = read_scalar(node, amount_of, notebook, name)
        return None if amount is None else PriceLimit(before_taxes=amount)
    inner = Fields(node, notebook, name)
    before = inner.number("before_taxes", required=True)
    after = inner.number("after_taxes")
    inner.finish()
    if before is not None and after is not None and after < before:
        notebook.complain(inner.key_node("after_taxes"), "it is less than before_taxes")
    return None if before is None else PriceLimit(before_taxes=before, after_taxes=after)
