"""`wattledger payments method|collect|refund`: a provider is asked for money, or gives it back.

What is decided here is asked by the part `payments`; leave is asked for at once, so that the
customer's device can go on.
"""

from __future__ import annotations

import os
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from deploy.commands.data_folder import PLAIN, READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import complain, print_json, say
from deploy.running.opening import opened

if TYPE_CHECKING:
    from psycopg import Connection

    from deploy.settings import Settings
    from ledger.payments.provider import PaymentProvider, SetupState
    from ledger.payments.requests import ProviderRequest

WAIT_SECONDS: Final = 30.0
_LOOK_SECONDS: Final = 0.2
_COLLECTION_SAID: Final = {
    "under_way": "is being collected",
    "no_method": "waits: its customer gave no leave, `wattledger payments method` asks for it",
    "given_up": "cannot be collected",
}


class NothingToAskError(DeployError):
    """Something is to be asked of a provider, and none is set."""

    def __init__(self) -> None:
        super().__init__(
            "no payment provider is set: WATTLEDGER_STRIPE_KEY is its key; without one invoices "
            "wait for bank transfer"
        )


def method(
    customer: str,
    /,
    *,
    method: str | None = None,
    way: Literal["card", "sepa_debit"] = "card",
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Ask a customer for leave to be charged while away: by card, or direct debit.

    It prints what the customer's own device needs to agree. No number of a card or account is typed
    here: the device tells the provider, and we get an id for it.

    Args:
        customer: The customer's key.
        method: The provider's id of a method that was agreed to already; of a test: pm_card_visa.
        way: By card, or by direct debit in euros.
        by: Who asks (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.payments.account_holder import account_holder
    from ledger.declared.store import load_declarations
    from ledger.desk.paying.leave import LeaveWish, ask_leave
    from ledger.payments.movement import STRIPE
    from ledger.payments.provider import PaymentWay
    from ledger.payments.stripe.provider import StripeProvider

    settings = _with_provider(folder)
    provider = StripeProvider(settings.stripe_key, url=settings.stripe_url)
    try:
        with opened(settings) as connection:
            at = SystemClock().now()
            holder = account_holder(load_declarations(connection), settings, at)
            wish = LeaveWish(customer, holder, PaymentWay(way), method)
            key = ask_leave(connection, STRIPE, wish, by=acting(by), at=at)
            request, setup = _answered(connection, provider, key)
    finally:
        provider.close()
    return _tell_leave(customer, request, setup, settings, is_json=folder.json)


def collect(invoice: str, /, *, by: str | None = None, folder: ReadingFolder = READ_FOLDER) -> int:
    """Collect an invoice now, whatever its day, by what its customer gave leave for.

    Whatever the payer's bank said before; never while nobody knows what came of the last time.

    Args:
        invoice: Its number.
        by: Who wants it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.payments.collecting.collecting import collect_now
    from ledger.payments.movement import STRIPE

    with opened(_with_provider(folder)) as connection:
        at = SystemClock().now()
        standing = collect_now(connection, STRIPE, invoice, by=acting(by), now=at)
    if folder.json:
        print_json(standing._asdict())
    else:
        said = _COLLECTION_SAID.get(standing.state, standing.state)
        why = f" ({standing.reason})" if standing.reason else ""
        say(f"{invoice} {said}{why}")
    return 0 if standing.state == "under_way" else 1


def refund(
    invoice: str,
    /,
    *,
    amount: Annotated[Decimal | None, PLAIN] = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Give back what was paid too much for an invoice; above an amount two persons say so.

    To the card or account that it came from. What a credit note says is given back by itself: this
    is for what did not arrive, and for less at a time. Above the policy's payment_approval_above it
    is proposed, until another person says the same.

    Args:
        invoice: Its number.
        amount: How much, as 12.50 (default: all that was paid too much).
        by: Who says so (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from ledger.desk.paying.giving_back import give_back
    from ledger.payments.movement import STRIPE
    from projections.invoice_list import amount as words

    with opened(_with_provider(folder)) as connection:
        at = SystemClock().now()
        given = give_back(connection, STRIPE, invoice, amount, by=acting(by), at=at)
    if folder.json:
        print_json({**given._asdict(), "waits": given.waits})
    elif given.waits:
        say(
            f"{words(given.amount_minor, given.currency)} of {invoice}: above what one person "
            "gives back; it waits until another says the same"
        )
    else:
        say(f"{words(given.amount_minor, given.currency)} of {invoice} are given back")
    return 0


def _with_provider(folder: ReadingFolder) -> Settings:
    settings = folder.settings()
    if not settings.stripe_key:
        raise NothingToAskError
    return settings


def _answered(
    connection: Connection[Any], provider: PaymentProvider, key: str
) -> tuple[ProviderRequest, SetupState | None]:
    """Have the request *key* asked, here or by who does it now; return what came of it so far."""
    from deploy.clock import SystemClock
    from ledger.database import dsn_of
    from ledger.payments.collecting.setting_up import SetUpTaker
    from ledger.payments.provider import PaymentObjectKind, SetupState
    from ledger.payments.requests import RequestKind, RequestState, find_request
    from ledger.payments.runner import PaymentRunner

    takers, until = {RequestKind.SET_UP: SetUpTaker()}, time.monotonic() + WAIT_SECONDS
    holder = f"command-{os.getpid()}"
    dsn, now = dsn_of(connection), SystemClock().now
    with PaymentRunner(dsn, provider, takers, {}, now, holder) as runner:
        while True:
            runner.run_once()
            request = find_request(connection, key)
            assert request is not None
            if request.state not in (RequestState.NEW, RequestState.ASKED):
                break
            if time.monotonic() > until:
                return request, None
            time.sleep(_LOOK_SECONDS)
    if request.object_id is None:
        return request, None
    found = provider.look_up(PaymentObjectKind.SETUP, request.object_id)
    return request, found if isinstance(found, SetupState) else None


def _tell_leave(
    customer: str,
    request: ProviderRequest,
    setup: SetupState | None,
    settings: Settings,
    *,
    is_json: bool,
) -> int:
    is_ready = setup is not None and setup.is_ready
    secret = "" if setup is None or is_ready else setup.client_secret
    if is_json:
        print_json(
            {
                "customer": customer,
                "request": request.key,
                "state": request.state,
                "reason": request.reason,
                "is_ready": is_ready,
                "client_secret": secret,
                "publishable_key": settings.stripe_publishable_key,
            }
        )
    elif is_ready:
        say(f"{customer} may be charged while away ({request.body['way']})")
    elif secret and request.state != "failed":
        say(f"{customer} must agree, on a device of its own, which needs:")
        say(f"client_secret: {secret}")
        say(f"publishable_key: {settings.stripe_publishable_key or '(not set)'}")
        say("once it agreed, its open invoices are collected as they are due")
    else:
        complain(
            f"{customer}: {request.state}, {request.reason or 'no answer yet'} ({request.key})"
        )
    return 0 if is_ready or (secret and request.state != "failed") else 1
