"""The part `payments`: it decides what is asked of the provider, asks, and takes what it says.

One process does at a time, while it holds the lease; others stand by. It rests until it is clear
whose account it is. What webhooks lost is asked for in a thread of its own: that may take long.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from deploy.errors import DeployError
from deploy.observing.watch import Watch
from deploy.payments.account_holder import NoAccountHolderError, account_holder
from deploy.payments.condition import PaymentsCondition
from deploy.running.parts import PartContext
from deploy.running.processes import BEAT_SECONDS, Ready
from ledger.database import connect, is_of_content
from ledger.declared.store import load_declarations
from ledger.payments.hearing.catching_up import LITTLE, MUCH, read_events, read_payouts
from ledger.payments.provider import PaymentProvider, ProviderError

if TYPE_CHECKING:
    from deploy.payments.wiring import PaymentRound

IDLE_SECONDS: Final = 0.5
LOOK_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 30.0
"""After how long a round that failed runs again, and the provider is asked again."""
EVENTS_SECONDS: Final = 30.0
EVENTS_MUCH_SECONDS: Final = 900.0
PAYOUTS_SECONDS: Final = 3600.0
END_SECONDS_MAX: Final = 10.0
_LOGGER: Final = logging.getLogger("wattledger.payments")


class NoProviderError(DeployError):
    """No key of a provider is set."""

    def __init__(self) -> None:
        super().__init__(
            "there is nothing to do: no key of a payment provider is set (WATTLEDGER_STRIPE_KEY); "
            "without one invoices wait for bank transfer"
        )


def run_payments(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Ask the provider for what is decided, and take what it says, until *stop* is set.

    Raises:
        NoProviderError: If no key is set.
        psycopg.Error: If the database is away.
    """
    if not context.settings.stripe_key:
        raise NoProviderError
    from ledger.payments.stripe.provider import StripeProvider  # noqa: PLC0415 - only with a key

    provider = StripeProvider(context.settings.stripe_key, url=context.settings.stripe_url)
    with closing(provider), closing(PaymentsCondition(context.dsn, provider)) as condition:
        watch.begin(condition)
        ready(None)
        legal_entity = _wait_for_holder(context, stop, watch, condition)
        if legal_entity is not None:
            _work(context, stop, watch, condition, provider, legal_entity)


def _wait_for_holder(
    context: PartContext, stop: threading.Event, watch: Watch, condition: PaymentsCondition
) -> str | None:
    """Return whose account it is, once that is clear; None when it is time to stop."""
    waited = ""
    while not stop.is_set():
        try:
            with connect(context.dsn) as connection:
                declared = load_declarations(connection)
            found = account_holder(declared, context.settings, context.clock.now())
        except NoAccountHolderError as error:
            if str(error) != waited:
                waited = str(error)
                _LOGGER.warning("%s", waited)
            condition.waits(waited)
        else:
            condition.waits("")
            return found
        for _ in range(round(LOOK_SECONDS / BEAT_SECONDS)):
            watch.beat()
            if stop.wait(BEAT_SECONDS):
                break
    return None


def _work(
    context: PartContext,
    stop: threading.Event,
    watch: Watch,
    condition: PaymentsCondition,
    provider: PaymentProvider,
    legal_entity: str,
) -> None:
    from deploy.payments.wiring import payment_work  # noqa: PLC0415 - only once there is work
    from ledger.payments.runner import PaymentRunner  # noqa: PLC0415

    now, holder = context.clock.now, context.holder
    with ExitStack() as exits:
        connection = exits.enter_context(closing(connect(context.dsn)))
        work = payment_work(context, connection, legal_entity)
        runner = exits.enter_context(
            PaymentRunner(context.dsn, provider, work.takers, work.objects, now, holder)
        )
        condition.follow(runner)
        rounds = Rounds(work.rounds, now)
        loops = {"catching-up": _CatchUp(context.dsn, provider, now).run, **work.loops}
        threads = [
            threading.Thread(target=each, args=(stop,), name=name, daemon=True)
            for name, each in loops.items()
        ]
        for thread in threads:
            thread.start()
        try:
            while not stop.is_set():
                watch.beat()
                done = runner.run_once()
                if runner.leads:
                    done += rounds.run()
                condition.stuck(rounds.failing)
                if not done:
                    stop.wait(IDLE_SECONDS)
        finally:
            stop.set()
            for thread in threads:
                thread.join(END_SECONDS_MAX)


class _Due(NamedTuple):
    round: PaymentRound
    at: float


class Rounds:
    """Runs each round when it is due; one that fails stops no other, and is tried again."""

    def __init__(self, rounds: Sequence[PaymentRound], now: Callable[[], datetime]) -> None:
        self._due = [_Due(each, 0.0) for each in rounds]
        self._now = now
        self.failing: dict[str, str] = {}
        """Rounds that failed the last time, by name, with the kind of error."""

    def run(self) -> int:
        """Run what is due; return how much was decided.

        Raises:
            psycopg.Error: If the database is away.
        """
        done = 0
        for place, (each, at) in enumerate(self._due):
            if monotonic() < at:
                continue
            pause = each.seconds
            try:
                found = each.run(self._now())
                done += found
                self.failing.pop(each.name, None)
                # There may be more of it.
                pause = 0.0 if found else pause
            except Exception as error:
                if not is_of_content(error):
                    raise
                _LOGGER.exception("%s failed, and is tried again", each.name)
                self.failing[each.name] = type(error).__name__
                pause = AGAIN_SECONDS
            self._due[place] = _Due(each, monotonic() + pause)
        return done


class _CatchUp:
    """Asks for what webhooks should have told."""

    def __init__(self, dsn: str, provider: PaymentProvider, now: Callable[[], datetime]) -> None:
        self._dsn, self._provider, self._now = dsn, provider, now
        self._much_at = self._payouts_at = 0.0

    def run(self, stop: threading.Event) -> None:
        """Ask until *stop* is set; whatever is away is asked again."""
        while not stop.is_set():
            try:
                self._run_once()
            except ProviderError as error:
                _LOGGER.warning("events are asked for again: %s", error)
            except Exception as error:  # noqa: BLE001 - the next time may do
                _LOGGER.warning("events are asked for again: %s", type(error).__name__)
            stop.wait(EVENTS_SECONDS)

    def _run_once(self) -> None:
        at = monotonic()
        with connect(self._dsn) as connection:
            much = at >= self._much_at
            read_events(connection, self._provider, self._now(), MUCH if much else LITTLE)
            self._much_at = at + EVENTS_MUCH_SECONDS if much else self._much_at
            if at >= self._payouts_at:
                read_payouts(connection, self._provider, self._now())
                self._payouts_at = at + PAYOUTS_SECONDS
