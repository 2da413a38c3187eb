"""How a request is answered: who asks, what goes wrong, which key, what is done."""

from __future__ import annotations

import asyncio
import base64
import binascii
import itertools
import re
import threading
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec

from deploy.demo.provider.account.store import API_VERSION, ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.forms import read_form
from deploy.demo.provider.idempotency import IdempotencyKeys, KnownAnswer
from deploy.demo.provider.refusals import (
    BAD_REQUEST,
    BROKEN,
    THROTTLED,
    UNAUTHORIZED,
    Json,
    ProviderRefusalError,
)
from deploy.demo.provider.routes import answer
from deploy.demo.provider.wire import HttpRequest, ProviderReply
from ledger.persons.card_numbers import has_card_number

_OK: Final = 200
_SECRET_KEYS: Final = ("sk_", "rk_")
_PUBLISHABLE: Final = "pk_"
_WORD: Final = re.compile(r"\w*[^\W\d]\w*")
"""Ids and keys are such: by chance one has a card's digits in it."""
_BROKEN: Final = ProviderRefusalError(
    BROKEN, {"type": "api_error", "message": "Something went wrong on our end."}
)
_THROTTLED: Final = ProviderRefusalError(
    THROTTLED,
    {
        "type": "invalid_request_error",
        "code": "rate_limit",
        "message": "Too many requests hit the API too quickly: wait longer between them.",
    },
)


class Desk:
    """Answers the requests for one account, one at a time."""

    def __init__(self, account: ProviderAccount, lock: threading.RLock) -> None:
        self._account, self._lock = account, lock
        self._keys = IdempotencyKeys(account.terms.key_kept)
        self._numbers = itertools.count(1)
        self.card_numbers = 0
        self.answered = 0

    async def handle(self, request: HttpRequest) -> ProviderReply | None:
        """Answer one request; None: the connection is cut."""
        request_id = f"req_fake{next(self._numbers):010d}"
        self.answered += 1
        faults = self._account.faults
        if faults.strikes(ProviderFault.CUT_BEFORE, request.path):
            return None
        try:
            self._go_wrong(request)
            is_device = _is_device(request)
            known = self._known(request)
        except ProviderRefusalError as refused:
            return _reply(self._refused(refused, request_id))
        if known is not None:
            return _reply(known, request_id)
        made = await self._do(request, request_id, is_device=is_device)
        if faults.strikes(ProviderFault.CUT_AFTER, request.path):
            return None
        is_lost = faults.strikes(ProviderFault.FAILED_AFTER, request.path)
        return _reply(self._refused(_BROKEN, request_id) if is_lost else made)

    def _go_wrong(self, request: HttpRequest) -> None:
        """Refuse, where a fault has it, before anything is done.

        Raises:
            ProviderRefusalError: So.
        """
        if self._account.faults.strikes(ProviderFault.THROTTLED, request.path):
            raise _THROTTLED
        if self._account.faults.strikes(ProviderFault.FAILED_BEFORE, request.path):
            raise _BROKEN

    def _known(self, request: HttpRequest) -> KnownAnswer | None:
        with self._lock:
            self._account.pass_time()
            key = _key(request)
            return self._keys.find(key, _asked(request), self._account.now()) if key else None

    async def _do(self, request: HttpRequest, request_id: str, *, is_device: bool) -> KnownAnswer:
        """Do what is asked, and have its key remember what came of it."""
        faults, key = self._account.faults, _key(request)
        with self._keys.running(key):
            made, is_kept = self._make(request, request_id, key, is_device=is_device)
            if faults.strikes(ProviderFault.DELAYED, request.path):
                await asyncio.sleep(faults.delay_s)
        if for_good := faults.strikes(ProviderFault.FAILED_FOR_GOOD, request.path):
            made = self._refused(_BROKEN, request_id)
        if key and (is_kept or for_good):
            self._keys.keep(key, _asked(request), made, self._account.now())
        return made

    def _make(
        self, request: HttpRequest, request_id: str, key: str, *, is_device: bool
    ) -> tuple[KnownAnswer, bool]:
        """Do what is asked; return the answer, and whether the key remembers it."""
        text = request.body.decode("utf-8", "replace")
        with self._lock:
            self._account.request = {"id": request_id, "idempotency_key": key or None}
            try:
                self._refuse_card_numbers(text)
                form = read_form(request.query) | (read_form(text) if text else {})
                shown = answer(
                    self._account, request.method, request.path, form, is_device=is_device
                )
                body = msgspec.json.encode(shown)
            except ProviderRefusalError as refused:
                return self._refused(refused, request_id), refused.is_kept
            finally:
                self._account.request = {"id": None, "idempotency_key": None}
        return KnownAnswer(_OK, body, request_id), True

    def _refused(self, refused: ProviderRefusalError, request_id: str) -> KnownAnswer:
        error: Json = {**refused.error, "request_log_url": f"https://fake.invalid/{request_id}"}
        if words := self._account.faults.words:
            error["message"] = f"{error['message']} {words}"
        return KnownAnswer(refused.status, msgspec.json.encode({"error": error}), request_id)

    def _refuse_card_numbers(self, text: str) -> None:
        """Refuse what we never send.

        Raises:
            ProviderRefusalError: If a field is for a card's number, or looks like one.
        """
        for name, value in parse_qsl(text):
            if name.endswith("[number]") or has_card_number(_WORD.sub(" ", value)):
                self.card_numbers += 1
                message = "Card numbers are not sent to the API: the payer's device asks for them."
                raise ProviderRefusalError(
                    BAD_REQUEST,
                    {"type": "invalid_request_error", "message": message, "param": "card[number]"},
                )


def _key(request: HttpRequest) -> str:
    return request.headers.get("idempotency-key", "") if request.method == "POST" else ""


def _asked(request: HttpRequest) -> str:
    fields = sorted(parse_qsl(request.body.decode("utf-8", "replace"), keep_blank_values=True))
    return f"{request.path} {fields}"


def _is_device(request: HttpRequest) -> bool:
    """Whether a payer's device asks, and not we.

    Raises:
        ProviderRefusalError: If nobody says who it is.
    """
    scheme, _, said = request.headers.get("authorization", "").partition(" ")
    key = said.strip()
    if scheme.lower() == "basic":
        try:
            key = base64.b64decode(key).decode("latin-1").partition(":")[0]
        except binascii.Error:
            key = ""
    if not key:
        form: dict[str, Any] = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        key = form.get("key", "")
    if key.startswith(_SECRET_KEYS):
        return False
    if key.startswith(_PUBLISHABLE):
        return True
    message = "You did not provide an API key." if not key else "Invalid API Key provided"
    raise ProviderRefusalError(UNAUTHORIZED, {"type": "invalid_request_error", "message": message})


def _reply(made: KnownAnswer, replayed_as: str = "") -> ProviderReply:
    """Return *made* as it goes out; `replayed_as`: the request that hears it again."""
    headers = {"Request-Id": replayed_as or made.request_id, "Stripe-Version": API_VERSION}
    if replayed_as:
        headers |= {"Idempotent-Replayed": "true", "Original-Request": made.request_id}
    return ProviderReply(made.status, made.body, headers)
