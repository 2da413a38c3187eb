"""Whatever goes wrong between us and the provider, over real HTTP: each invoice is paid once."""

from __future__ import annotations

from contextlib import closing
from datetime import datetime

from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.server import FakeStripe
from ledger.payments.stripe.provider import StripeProvider
from tests.ledger.payments.collecting.payers import BILLED_AT, Payers

HOURS_MAX = {
    ProviderFault.THROTTLED: 2,
    ProviderFault.FAILED_BEFORE: 2,
    ProviderFault.FAILED_AFTER: 2,
    # For as long as the provider says the same of the key; then what bears the key is looked for.
    ProviderFault.FAILED_FOR_GOOD: 24,
    ProviderFault.CUT_BEFORE: 2,
    ProviderFault.CUT_AFTER: 2,
    ProviderFault.DELAYED: 0,
    ProviderFault.DECLINED: 80,
}
"""After how long at most an invoice is paid that met with each."""


def test_each_invoice_is_paid_once_whatever_goes_wrong(database: str) -> None:
    # The provider's clock is an hour behind ours.
    clock = [BILLED_AT]

    def now() -> datetime:
        return clock[0]

    with (
        FakeStripe(now=now) as fake,
        closing(StripeProvider("sk_test_fake", url=fake.url)) as provider,
        closing(Payers(database, provider)) as payers,
    ):
        payers.method(method="pm_card_visa")
        payers.run()
        for count, (fault, hours_max) in enumerate(HOURS_MAX.items(), 1):
            number = payers.bill()
            fake.faults.plan(fault, path="/v1/payment_intents")
            hours = 0
            payers.run()
            while payers.open_minor(number) and hours < hours_max:
                hours += 1
                clock[0] = payers.now
                payers.run(hours=1)

            assert payers.open_minor(number) == 0, fault
            assert fake.faults.struck[fault] == 1
            taken = sum(each["amount_received"] for each in fake.of("payment_intent"))
            assert (fault, taken) == (fault, count * 476)
