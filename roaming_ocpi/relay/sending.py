"""One message over the wire, and what the partner made of it."""

from __future__ import annotations

from hashlib import sha256
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from roaming_ocpi.client.answers import PartnerAnswer
from roaming_ocpi.client.asking import PartnerClient
from roaming_ocpi.errors import RoamingError
from roaming_ocpi.registration.link import Link
from roaming_ocpi.relay.messages import MODULES, Prepared, endpoint_of
from roaming_ocpi.relay.outcomes import Arrival, AttemptOutcome, outcome_of_error
from roaming_ocpi.relay.outgoing import Outgoing
from tariffs.ocpi.documents import decode_json

LOOK_SECONDS: Final = 10.0
"""How long what was taken is looked for where the partner says that it is."""


class SentMessage(NamedTuple):
    """What was said to a partner and answered; `body` None: nothing was said."""

    outcome: AttemptOutcome
    what: str = ""
    body: bytes | None = None
    reply: str | None = None


async def exchange(
    client: PartnerClient, link: Link, message: Outgoing, prepared: Prepared
) -> SentMessage:
    """Send *prepared*, the form of *message*, and return what came of it. Never raises for it."""
    endpoint = endpoint_of(link, message.kind)
    assert endpoint is not None, "nothing is made for a partner that takes it nowhere"
    # What is posted goes where the partner said, to the last slash: another URL is another place.
    url = endpoint.rstrip("/") + prepared.path if prepared.path else endpoint
    reply: str | None = None
    try:
        answer = await client.ask(link, prepared.method, url, body=prepared.body)
    except RoamingError as error:
        outcome = outcome_of_error(error, is_again=message.is_again)
        said = getattr(error, "answer", None)
        reply = said.text if isinstance(said, PartnerAnswer) else None
    else:
        found = await _read_back(client, link, url, answer, prepared)
        outcome = AttemptOutcome(
            Arrival.DELIVERED, http=answer.http, status_code=answer.status_code, notes=found
        )
        reply = answer.text
    notes = (*prepared.notes, *outcome.notes)
    outcome = outcome._replace(notes=notes, sha256=sha256(prepared.body).digest())
    what = f"{MODULES[message.kind]} {prepared.method}"
    return SentMessage(outcome, what, prepared.body, reply)


async def _read_back(
    client: PartnerClient, link: Link, url: str, answer: PartnerAnswer, prepared: Prepared
) -> tuple[str, ...]:
    """Return what is odd about where the partner says that the object is, in codes.

    It took it: that it is not to be found there is worth a note, and no reason to send it again.
    Source: OCPI 2.2.1, mod_cdrs, Receiver POST: the Location can be asked with GET.
    """
    if not (prepared.seeks and answer.location):
        return ()
    if _origin(answer.location) != _origin(url):
        return ("location_elsewhere",)
    try:
        found = await client.ask(link, "GET", answer.location, timeout_s=LOOK_SECONDS)
    except RoamingError:
        return ("location_unreadable",)
    data: Any = found.data
    if not isinstance(data, dict):
        return ("location_odd",)
    sent = decode_json(prepared.body)
    differ = any(data.get(name) != sent.get(name) for name in prepared.seeks)
    return ("location_differs",) if differ else ()


def _origin(url: str) -> tuple[str, str]:
    try:
        parts = urlsplit(url)
    except ValueError:
        return "", ""
    return parts.scheme.lower(), parts.netloc.lower()
