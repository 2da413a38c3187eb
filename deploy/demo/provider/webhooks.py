"""Webhooks: events sent to an address of ours, signed as Stripe signs, and their faults.

Source: docs.stripe.com/webhooks (Verify manually): HMAC-SHA256 over "TIME.BODY".
"""

from __future__ import annotations

import hmac
import http.client
import threading
from collections import Counter
from typing import Final, NamedTuple
from urllib.parse import urlsplit

import msgspec

from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.refusals import Json

_TIMEOUT_S: Final = 10
_ATTEMPTS_MAX: Final = 12
_PAUSE_S: Final = 0.05
_PAUSE_MAX_S: Final = 2.0
_OK: Final = range(200, 300)


def sign(body: bytes, secret: str, second: int) -> str:
    """Return the header `Stripe-Signature` of *body*, sent at *second*."""
    signed = hmac.new(secret.encode(), f"{second}.".encode() + body, "sha256").hexdigest()
    return f"t={second},v1={signed}"


class SignedEvent(NamedTuple):
    """A webhook to be sent: its body, and whether it is signed rightly."""

    event_id: str
    body: bytes
    is_forged: bool = False
    is_held_back: bool = False
    is_foreign: bool = False


class Webhooks:
    """Sends events to one address, in the order of the events where no fault strikes.

    What is not answered with 2xx is sent again. `sent` counts answers by status (0: none).
    """

    def __init__(
        self, account: ProviderAccount, lock: threading.RLock, secret: str, url: str
    ) -> None:
        self._account, self._lock, self._secret = account, lock, secret
        self.url = url
        self.sent: Counter[int] = Counter()
        self._back: list[SignedEvent] = []
        self._attempts: Counter[str] = Counter()
        self._one_at_a_time = threading.Lock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def deliver(self) -> int:
        """Send all that is to be sent; return how many were answered with 2xx."""
        with self._one_at_a_time:
            with self._lock:
                letters = self._take()
            connection = _connect(self.url) if letters else None
            fine = 0
            for letter in letters:
                if self._stopping.is_set():
                    break
                fine += self._send(connection, letter)
            if connection is not None:
                connection.close()
        return fine

    def waiting(self) -> int:
        """Return how many are still to be sent."""
        with self._one_at_a_time, self._lock:
            return len(self._account.unsent) + len(self._back)

    def start(self) -> None:
        """Send by itself, from a thread."""
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End to send."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        pause = _PAUSE_S
        while not self._stopping.wait(pause):
            if self.url and (self._account.unsent or self._back):
                self.deliver()
                pause = min(pause * 2, _PAUSE_MAX_S) if self._back else _PAUSE_S

    def _take(self) -> list[SignedEvent]:
        """Return what is sent now, as the faults have it."""
        faults = self._account.faults
        events, self._account.unsent = self._account.unsent, []
        back, self._back = self._back, []
        letters = [letter._replace(is_held_back=False) for letter in back]
        for event in events:
            letter = SignedEvent(event["id"], msgspec.json.encode(event))
            if faults.strikes(ProviderFault.WEBHOOK_LOST):
                continue
            if faults.strikes(ProviderFault.WEBHOOK_DELAYED):
                self._back.append(letter)
                continue
            if faults.strikes(ProviderFault.WEBHOOK_FORGED):
                letters.append(letter._replace(is_forged=True))
            if faults.strikes(ProviderFault.WEBHOOK_FOREIGN):
                letters.append(_foreign(event))
            letters.append(letter)
            if faults.strikes(ProviderFault.WEBHOOK_REPEATED):
                letters.append(letter)
            if len(letters) > 1 and faults.strikes(ProviderFault.WEBHOOK_REORDERED):
                letters[-2:] = letters[:-3:-1]
        return letters

    def _send(self, connection: http.client.HTTPConnection | None, letter: SignedEvent) -> bool:
        with self._lock:
            second = self._account.second()
        secret = "whsec_of_somebody_else" if letter.is_forged else self._secret
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
            "Stripe-Signature": sign(letter.body, secret, second),
        }
        status = _post(connection, self.url, letter.body, headers)
        self.sent[status] += 1
        if status not in _OK and not letter.is_forged and not letter.is_foreign:
            self._attempts[letter.event_id] += 1
            if self._attempts[letter.event_id] < _ATTEMPTS_MAX:
                with self._lock:
                    self._back.append(letter)
        return status in _OK


def _foreign(event: Json) -> SignedEvent:
    """Return an event of an account that is not ours, of an object that nobody here knows."""
    about = msgspec.json.decode(event["data"]["object"])
    about["id"] = f"{about['id'].split('_')[0]}_foreign{about['id'][-10:]}"
    other = event | {
        "id": f"evt_foreign{event['id'][-10:]}",
        "account": "acct_foreign0001",
        "data": {"object": about},
    }
    return SignedEvent(other["id"], msgspec.json.encode(other), is_foreign=True)


def _connect(url: str) -> http.client.HTTPConnection:
    address = urlsplit(url)
    return http.client.HTTPConnection(
        address.hostname or "127.0.0.1", address.port or 80, timeout=_TIMEOUT_S
    )


def _post(
    connection: http.client.HTTPConnection | None, url: str, body: bytes, headers: dict[str, str]
) -> int:
    """Send *body*; return the status of the answer, 0 where none came."""
    if connection is None:
        return 0
    try:
        connection.request("POST", urlsplit(url).path or "/", body, headers)
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        connection.close()
        return 0
    return response.status
