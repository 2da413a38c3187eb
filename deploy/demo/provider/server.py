"""The provider as a server of its own on this machine, and what a test or the demo does with it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Final, Self

from deploy.demo.provider.account import balance, customers, disputes, intents, refunds
from deploy.demo.provider.account.store import ProviderAccount, ProviderTerms
from deploy.demo.provider.control import answer_control
from deploy.demo.provider.desk import Desk
from deploy.demo.provider.faults import Faults
from deploy.demo.provider.refusals import Json, ProviderRefusalError
from deploy.demo.provider.webhooks import Webhooks
from deploy.demo.provider.wire import HttpRequest, ProviderReply, serve_connection

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 256


def _system_time() -> datetime:
    return datetime.now(UTC)


async def _cancel_all() -> None:
    """End what is being answered, and let its connections close."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)


class FakeStripe:
    """A provider on 127.0.0.1, in a thread of its own; state in memory, behind one lock.

    Webhooks go to *webhook_url*, by themselves where there is one and `sends` is not False;
    `deliver` sends what waits, and comes back when it is sent. Use it as a context manager.
    """

    def __init__(
        self,
        *,
        secret: str = "whsec_fake",  # noqa: S107 - a fake's
        now: Callable[[], datetime] = _system_time,
        faults: Faults | None = None,
        terms: ProviderTerms | None = None,
        webhook_url: str = "",
        sends: bool = True,
        port: int = 0,
    ) -> None:
        self.account = ProviderAccount(now, faults or Faults(), terms or ProviderTerms())
        self.lock = threading.RLock()
        self.secret = secret
        self.webhooks = Webhooks(self.account, self.lock, secret, webhook_url)
        self.desk = Desk(self.account, self.lock)
        self._sends, self._wanted_port = sends, port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._failed: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="provider", daemon=True)
        self.port = 0

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://{HOST}:{self.port}"

    @property
    def faults(self) -> Faults:
        """What goes wrong."""
        return self.account.faults

    def __enter__(self) -> Self:
        """Serve.

        Raises:
            OSError: If the port is taken.
        """
        self._thread.start()
        self._ready.wait()
        if self._failed is not None:
            raise self._failed
        if self._sends:
            self.webhooks.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.webhooks.stop()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            server = self._loop.run_until_complete(
                asyncio.start_server(
                    lambda reader, writer: serve_connection(self._handle, reader, writer),
                    HOST,
                    self._wanted_port,
                    backlog=_BACKLOG,
                )
            )
        except OSError as error:
            self._failed = error
            self._ready.set()
            return
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        self._loop.run_until_complete(_cancel_all())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()

    async def _handle(self, request: HttpRequest) -> ProviderReply | None:
        if request.path.startswith("/control/"):
            return await asyncio.to_thread(answer_control, self, request)
        return await self.desk.handle(request)

    @contextmanager
    def _at_work(self) -> Iterator[ProviderAccount]:
        with self.lock:
            self.account.pass_time()
            yield self.account

    def send_to(self, url: str) -> None:
        """Send webhooks to *url* from now on."""
        self.webhooks.url = url

    def deliver(self) -> int:
        """Send the webhooks that wait; return how many were answered with 2xx."""
        return self.webhooks.deliver()

    def pass_time(self, by: timedelta = timedelta(0)) -> None:
        """Let time pass: debits end, holds expire, refunds come back, payouts arrive."""
        with self.lock:
            self.account.pass_time(by)

    def of(self, kind: str) -> list[Json]:
        """Return copies of the objects of *kind* ("payment_intent", "charge"), oldest first."""
        with self._at_work() as account:
            return deepcopy(account.all(kind))

    def find(self, object_id: str) -> Json:
        """Return a copy of an object."""
        with self._at_work() as account:
            return deepcopy(account.objects[object_id])

    def confirm(self, object_id: str, method: str | None = None, *, agrees: bool = True) -> Json:
        """Do what the payer's own device does: name a method, and tell the bank yes or no.

        It returns how the intent then is; a decline stands in it.
        """
        with self._at_work() as account:
            found = account.objects[object_id]
            is_setup = found["object"] == "setup_intent"
            confirm = customers.confirm_setup if is_setup else intents.confirm_intent
            hear = customers.hear_customer if is_setup else intents.hear_payer
            try:
                if method is not None or found["status"] != "requires_action":
                    form = {} if method is None else {"payment_method": method}
                    confirm(account, found, form, is_device=True)
                if found["status"] == "requires_action":
                    hear(account, found, agrees=agrees)
            except ProviderRefusalError as refused:
                if not refused.is_kept:
                    raise
            return deepcopy(found)

    def expire_hold(self, intent_id: str) -> Json:
        """Have the bank let go of what is held, before its time."""
        with self._at_work() as account:
            intents.expire_hold(account, account.objects[intent_id])
            return self.find(intent_id)

    def charge_of(self, object_id: str) -> Json:
        """Return the charge with that id, or the last one of that intent."""
        found = self.account.objects[object_id]
        if found["object"] == "payment_intent":
            return self.account.objects[found["latest_charge"]]
        return found

    def open_dispute(
        self,
        object_id: str,
        *,
        amount: int | None = None,
        reason: str = "fraudulent",
        is_inquiry: bool = False,
    ) -> Json:
        """Have a payer's bank take a charge back, or of an intent its last one."""
        with self._at_work() as account:
            charge = self.charge_of(object_id)
            made = disputes.open_dispute(
                account, charge, amount=amount, reason=reason, is_inquiry=is_inquiry
            )
            return deepcopy(made)

    def escalate(self, dispute_id: str) -> Json:
        """Have an inquiry become a dispute."""
        with self._at_work() as account:
            return deepcopy(disputes.escalate(account, account.objects[dispute_id]))

    def settle_dispute(self, dispute_id: str, *, won: bool) -> Json:
        """End a dispute."""
        with self._at_work() as account:
            dispute = account.objects[dispute_id]
            return deepcopy(disputes.settle_dispute(account, dispute, is_won=won))

    def fail_refund(self, refund_id: str) -> Json:
        """Have a refund come back."""
        with self._at_work() as account:
            return deepcopy(refunds.fail_refund(account, account.objects[refund_id]))

    def pay_out(self) -> list[Json]:
        """Sweep what is there to the bank, a payout for each currency."""
        with self._at_work() as account:
            return deepcopy(balance.pay_out(account))

    def arrive(self, payout_id: str) -> Json:
        """Have a payout arrive now."""
        with self._at_work() as account:
            return deepcopy(balance.arrive(account, account.objects[payout_id]))

    def fail_payout(self, payout_id: str) -> Json:
        """Have a payout come back."""
        with self._at_work() as account:
            return deepcopy(balance.fail_payout(account, account.objects[payout_id]))

    def charge_fee(self, amount: int, currency: str = "eur") -> Json:
        """Have the provider take something for itself."""
        with self._at_work() as account:
            return deepcopy(balance.charge_fee(account, amount, currency))

    def total_minor(self, currency: str = "eur") -> int:
        """Return our balance with the provider, there or not yet, in minor units."""
        with self._at_work() as account:
            lines = account.all("balance_transaction")
            return sum(line["net"] for line in lines if line["currency"] == currency)
