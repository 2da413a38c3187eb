"""Sessions as YAML files: for golden examples, explanations and back-tests by hand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Final

from tariffs.files.yaml.fields import Fields, Notebook
from tariffs.files.yaml.reader import Node, read_yaml
from tariffs.kernel.timeline import UnusableUsageError, timeline_of
from tariffs.model.usage import Activity, SessionUsage, UsagePoint, UsageSpan
from tariffs.phrases.english import ENGLISH
from tariffs.problems import Problem
from tariffs.zones import zone_names

NO_ENERGY: Final = "it has neither energy_wh nor readings; if it drew nothing, say energy_wh: 0"


def read_session_file(text: str, source: str) -> tuple[SessionUsage | None, list[Problem]]:
    """Read one session from YAML.

    `energy_wh` alone is a session with readings at its ends only; `readings` are registers since
    the start in Wh. One of them must be there, but for a reservation that expired. `activities`
    begin at their moment and last until the next.

    Returns:
        The usage, or None if there is any problem; and all problems, in the file's order.
    """
    root, problems = read_yaml(text, source)
    if root is None:
        return None, problems
    usage = read_session(root, Notebook(source, problems))
    problems.sort()
    return (None if problems else usage), problems


def read_session(root: Node, notebook: Notebook) -> SessionUsage | None:
    """Read a session from its node; problems go to *notebook*."""
    fields = Fields(root, notebook, "the session")
    starts_at = fields.moment("starts_at", required=True)
    ends_at = fields.moment("ends_at", required=True)
    time_zone = fields.read("time_zone", zone_of, required=True)
    energy = fields.number("energy_wh")
    points = [_point(node, notebook) for node in fields.items("readings")]
    spans = [_span(node, notebook) for node in fields.items("activities")]
    groups, validations = fields.texts("groups"), fields.texts("validations")
    expired = fields.flag("reservation_expired")
    payment, vat_id = fields.text("payment_method"), fields.text("reverse_charge_vat_id")
    fields.finish()
    if energy is not None and points:
        notebook.complain(fields.key_node("energy_wh"), "say either energy_wh or readings")
    if not notebook.problems and energy is None and not points and not expired:
        # A key that is misspelt was named above.
        notebook.complain(root, NO_ENERGY)
    if notebook.problems or starts_at is None or ends_at is None or time_zone is None:
        return None
    usage = SessionUsage(
        starts_at=starts_at,
        ends_at=ends_at,
        time_zone=time_zone,
        points=_points(starts_at, ends_at, energy, points),
        spans=tuple(span for span in spans if span is not None),
        groups=groups,
        validations=validations,
        reservation_expired=bool(expired),
        payment_method=payment,
        reverse_charge_vat_id=vat_id,
    )
    try:
        timeline_of(usage, 0)
    except UnusableUsageError as error:
        notebook.complain(root, ENGLISH.words(error.why))
    return usage


def _points(
    starts_at: datetime,
    ends_at: datetime,
    energy: Decimal | None,
    points: list[UsagePoint | None],
) -> tuple[UsagePoint, ...]:
    if energy is not None:
        return (UsagePoint(starts_at, Decimal(0)), UsagePoint(ends_at, energy))
    return tuple(point for point in points if point is not None)


def _point(node: Node, notebook: Notebook) -> UsagePoint | None:
    fields = Fields(node, notebook, "a reading")
    at, energy = fields.moment("at", required=True), fields.number("wh", required=True)
    power, current = fields.number("power_w"), fields.number("current_a")
    fields.finish()
    if at is None or energy is None:
        return None
    return UsagePoint(at, energy, power, current)


def _span(node: Node, notebook: Notebook) -> UsageSpan | None:
    fields = Fields(node, notebook, "an activity")
    at = fields.moment("from", required=True)
    activity = fields.choice("is", [activity.value for activity in Activity], required=True)
    fields.finish()
    return None if at is None or activity is None else UsageSpan(at, Activity(activity))


def zone_of(text: str) -> str:
    """Return the name of a time zone that exists."""
    if text not in zone_names():
        message = f"there is no time zone {text!r}"
        raise ValueError(message)
    return text
