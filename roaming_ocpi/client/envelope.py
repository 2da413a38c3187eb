"""The envelope around every answer: taken off, and what it says made an answer or an error.

Source: OCPI 2.2.1, transport_and_format 4.1.7 (response format), status_codes.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from roaming_ocpi.client.addresses import joined_url
from roaming_ocpi.client.answers import (
    ForbiddenAddressError,
    PartnerAnswer,
    PartnerRefusedError,
    PartnerUnreachableError,
)
from roaming_ocpi.client.links import next_target
from roaming_ocpi.client.transport import WireReply
from roaming_ocpi.wire.status import Status
from tariffs.ocpi.documents import OcpiError, RepeatedKeys, decode_json

RETRY_AFTER_MAX: Final = 86_400.0
_REDIRECTS: Final = range(300, 400)
_LATER: Final = frozenset({408, 425, 429})
_SERVER_ERRORS: Final = range(500, 600)
_SUCCESSES: Final = range(200, 300)
_ERRORS: Final = range(400, 500)
_GOOD_CODES: Final = range(1000, 2000)
_CLIENT_CODES: Final = range(2000, 3000)
_COUNT: Final = re.compile(r"[0-9]{1,18}", re.ASCII)
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)


def answer_of(url: httpx.URL, reply: WireReply, now: datetime) -> PartnerAnswer:
    """Return what a partner answered to a request of *url*, its envelope taken off.

    Raises:
        PartnerUnreachableError: If the same request may be answered later.
        PartnerRefusedError: If it will not.
        ForbiddenAddressError: If the partner sends us elsewhere.
    """
    http = reply.http
    if http in _REDIRECTS:
        why = f"the partner redirects (HTTP {http}): nothing that it was asked goes elsewhere"
        raise ForbiddenAddressError(why)
    later = _retry_after(reply.header("retry-after"), now)
    answer = _read(url, reply)
    if http in _LATER or http in _SERVER_ERRORS:
        why = f"the partner answers HTTP {http}: try again later"
        raise PartnerUnreachableError(why, retry_after_s=later, answer=answer)
    if answer is None:
        if http not in _ERRORS:
            why = f"the partner's answer (HTTP {http}) is no OCPI"
            raise PartnerUnreachableError(why, retry_after_s=later)
        answer = PartnerAnswer(http, Status.CLIENT_ERROR, None, None, text=_text(reply))
    return _judged(answer, later)


def _judged(answer: PartnerAnswer, later: float | None) -> PartnerAnswer:
    http, code = answer.http, answer.status_code
    if http in _SUCCESSES and code in _GOOD_CODES:
        return answer
    is_refused = http in _ERRORS or code in _CLIENT_CODES or code == Status.HUB_UNKNOWN_RECEIVER
    if is_refused:
        why = f"the partner refuses: HTTP {http}, status code {code}"
        raise PartnerRefusedError(why, answer=answer)
    why = f"the partner cannot serve that now: HTTP {http}, status code {code}"
    raise PartnerUnreachableError(why, retry_after_s=later, answer=answer)


def _read(url: httpx.URL, reply: WireReply) -> PartnerAnswer | None:
    """Return the answer, None where it is no OCPI; an empty one of HTTP's successes is one."""
    text = _text(reply)
    code, message, data = _opened(reply)
    if code is None:
        return None
    total = (reply.header("x-total-count") or "").strip()
    return PartnerAnswer(
        http=reply.http,
        status_code=code,
        message=message,
        data=data,
        location=_joined(url, reply.header("location")),
        next_url=_joined(url, next_target(reply.said("link"))),
        total=int(total) if _COUNT.fullmatch(total) else None,
        text=text,
    )


def _opened(reply: WireReply) -> tuple[int | None, str | None, Any]:
    """Return status code, message and data; no status code where there is no envelope."""
    if not reply.body.strip():
        is_good = reply.http in _SUCCESSES
        return (Status.SUCCESS if is_good else None), None, None
    try:
        envelope = decode_json(reply.body)
    except OcpiError:
        return None, None, None
    # Which of two codes or lists holds, nobody can say: one of them would be lost.
    if not isinstance(envelope, dict) or isinstance(envelope, RepeatedKeys):
        return None, None, None
    code, message = envelope.get("status_code"), envelope.get("status_message")
    if isinstance(code, str) and _SECONDS.fullmatch(code):
        code = int(code)
    if not isinstance(code, int) or isinstance(code, bool):
        return None, None, None
    return code, message if isinstance(message, str) else None, envelope.get("data")


def _joined(url: httpx.URL, target: str | None) -> str | None:
    if not target:
        return None
    try:
        return str(joined_url(url, target))
    except ForbiddenAddressError:
        # It fails where it is asked: what was answered is worth more than where it leads.
        return target


def _retry_after(said: str | None, now: datetime) -> float | None:
    """Return the seconds of a Retry-After, None where it says none that are sane."""
    if said is None:
        return None
    said = said.strip()
    if _SECONDS.fullmatch(said):
        seconds = float(said)
    else:
        try:
            at = parsedate_to_datetime(said)
            seconds = (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() - now.timestamp()
        except (ValueError, OverflowError, TypeError):
            return None
    return min(max(seconds, 0.0), RETRY_AFTER_MAX)


def _text(reply: WireReply) -> str:
    return reply.body.decode("utf-8", "replace")
