"""Moments as OCPI writes them. Source: OCPI 2.2.1, types, DateTime: at most 25 characters."""

from __future__ import annotations

from datetime import UTC, datetime

from tariffs.ocpi.tariff_writer import said_moment


def to_millisecond(moment: datetime) -> datetime:
    """Return *moment* in UTC without what OCPI has no room for."""
    if moment.tzinfo is UTC and not moment.microsecond:
        return moment
    return moment.astimezone(UTC).replace(microsecond=moment.microsecond // 1000 * 1000)


def wire_moment(moment: datetime) -> str:
    """Return *moment* as it is sent: in UTC, with milliseconds where there are any."""
    return said_moment(to_millisecond(moment))
