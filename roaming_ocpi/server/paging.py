"""Lists in pages: what is asked for, and the headers that lead on.

Source: OCPI 2.2.1, transport_and_format, pagination.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlencode

from roaming_ocpi.server.calls import ObjectPage, OcpiRefusedError, PageAsked
from tariffs.ocpi.fields import read_moment, shown

LIMIT: Final = 100
LIMIT_MAX: Final = 1_000
OFFSET_MAX: Final = 10**15
"""Behind every list."""
_NUMBER: Final = re.compile(r"\d{1,100}", re.ASCII)
_MOMENT: Final = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)


def page_asked(query: Mapping[str, str]) -> PageAsked:
    """Return which page of a list *query* asks for; moments without an offset are UTC.

    Raises:
        OcpiRefusedError: If a parameter says nothing that can be.
    """
    limit = _number(query, "limit", LIMIT)
    if limit < 1:
        message = "limit must be at least 1"
        raise OcpiRefusedError.invalid(message)
    return PageAsked(
        offset=min(_number(query, "offset", 0), OFFSET_MAX),
        limit=min(limit, LIMIT_MAX),
        date_from=_moment(query, "date_from"),
        date_to=_moment(query, "date_to"),
    )


def page_headers(page: ObjectPage, query: Mapping[str, str], url: str) -> dict[str, str]:
    """Return the headers of *page*, of the list at *url* with the filters of *query*."""
    headers = {"X-Total-Count": str(page.total), "X-Limit": str(page.limit)}
    if page.next_query is not None:
        rest = {**query, "limit": str(page.limit), **page.next_query}
        # What says where the next page begins takes the place of an offset.
        if "offset" not in page.next_query:
            rest.pop("offset", None)
        headers["Link"] = f'<{url}?{urlencode(rest, quote_via=quote)}>; rel="next"'
    return headers


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text):
        message = f"{name} must be a whole number that is not negative, not {shown(text)}"
        raise OcpiRefusedError.invalid(message)
    return int(text)


def _moment(query: Mapping[str, str], name: str) -> datetime | None:
    text = query.get(name)
    if text is None:
        return None
    # Many write the plus of an offset as it is, and that is a space in a query.
    written = text.replace(" ", "+")
    try:
        if _MOMENT.fullmatch(written):
            return read_moment(written)
    except ValueError:
        pass
    message = f"{name} must be a date and time like 2026-03-01T00:00:00Z, not {shown(text)}"
    raise OcpiRefusedError.invalid(message)
