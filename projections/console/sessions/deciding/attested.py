"""What is typed of a stop: when it was, by the clock of the site, and what the register showed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final, LiteralString, NamedTuple

from psycopg import Connection

from ledger.log.envelope import Attested
from ledger.sessions.states import SessionState
from projections.console.page import ConsolePage
from projections.console.sessions.words_of_sessions import kwh
from projections.sessions import SessionSummary

_METER: LiteralString = "SELECT meter_start_wh, meter_stop_wh FROM session WHERE session_id = %s"
_REGISTER: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?", re.ASCII)
_LONGEST: Final = 40


class TypedStop(NamedTuple):
    """What was typed, as it was typed, and what it means; None: nothing yet, or as `trouble` says.

    `start` is the register at the session's start, in words.
    """

    ended: str
    register: str
    start: str
    attested: Attested | None = None
    trouble: str = ""


def known_stop(
    page: ConsolePage, connection: Connection[Any], session: SessionSummary, zone: tzinfo
) -> TypedStop:
    """Return what is known of a session's stop, to be typed over."""
    [(start_wh, stop_wh)] = connection.execute(_METER, (session.session_id,)).fetchall()
    ended_at = session.ended_at
    at = "" if ended_at is None else ended_at.astimezone(zone).replace(tzinfo=None).isoformat(" ")
    start = kwh(page, start_wh) or page.text("not known")
    return TypedStop(at, register_text(stop_wh), start)


def read_stop(
    page: ConsolePage, known: TypedStop, session: SessionSummary, zone: tzinfo, typed: TypedStop
) -> TypedStop:
    """Return what *typed* means, else what is wrong with it."""
    typed = typed._replace(start=known.start)
    at = _moment_in(typed.ended, zone)
    if at is None:
        trouble = page.text("A time is meant, as 2026-03-31 14:05:00.")
        return typed._replace(trouble=trouble)
    if at.tzinfo is None:
        trouble = page.text(
            "That hour comes twice, or never, at its site: say it with its offset, as "
            "2026-10-25 02:30:00+02:00."
        )
        return typed._replace(trouble=trouble)
    if typed.register and not _REGISTER.fullmatch(typed.register):
        trouble = page.text("A register is meant, in kWh, as 12345.678.")
        return typed._replace(trouble=trouble)
    wh = Decimal(typed.register) * 1000 if typed.register else None
    of_held = session.state == SessionState.HELD
    return typed._replace(attested=Attested(ended_at=at, meter_stop_wh=wh, of_held=of_held))


def register_text(wh: Decimal | None) -> str:
    """Return a register as it is typed, in kWh; "" where there is none."""
    if wh is None:
        return ""
    whole, _, part = f"{wh / 1000:f}".partition(".")
    part = part.rstrip("0")
    return f"{whole}.{part}" if part else whole


def stop_words(page: ConsolePage, attested: Attested, zone: tzinfo) -> str:
    """Return what is attested, in words."""
    at = page.moment(attested.ended_at, zone, seconds=True)
    if attested.meter_stop_wh is None:
        return page.text("It ended {at}, by the readings that there are.", at=at)
    register = kwh(page, attested.meter_stop_wh)
    return page.text("It ended {at}, with a register of {register}.", at=at, register=register)


def _moment_in(text: str, zone: tzinfo) -> datetime | None:
    """Return a moment in UTC, one without zone where the site's clock shows it twice or never."""
    try:
        at = datetime.fromisoformat(text[:_LONGEST])
        if at.tzinfo is not None:
            return at.astimezone(UTC)
        early, late = (at.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    except (ValueError, OverflowError):
        return None
    return early if early == late else at
