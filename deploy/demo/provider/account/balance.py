"""The balance: one line for each thing that moved it, and payouts, which sweep what is there."""

from __future__ import annotations

from collections import defaultdict
from typing import Final

from deploy.demo.provider.account.store import ProviderAccount
from deploy.demo.provider.faults import ProviderFault
from deploy.demo.provider.refusals import Json, unfit

_CATEGORIES: Final = {
    "charge": "charge",
    "payment": "charge",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failure",
    "payment_failure_refund": "charge_failure",
    "adjustment": "dispute",
    "payout": "payout",
    "payout_failure": "payout_reversal",
    "payout_cancel": "payout_reversal",
    "stripe_fee": "fee",
}
_ON_THE_WAY: Final = {"pending", "in_transit"}


def add_line(
    account: ProviderAccount,
    kind: str,
    source: Json | None,
    amount: int,
    currency: str,
    *,
    fee: int = 0,
    category: str = "",
) -> Json:
    """Have the balance moved by *amount* less *fee*, both in minor units."""
    available = account.second() + int(account.terms.settles_after.total_seconds())
    fee_details = {
        "amount": fee,
        "application": None,
        "currency": currency,
        "description": "Fake processing fees",
        "type": "stripe_fee",
    }
    return account.add(
        "balance_transaction",
        {
            "amount": amount,
            "available_on": available,
            "balance_type": "payments",
            "currency": currency,
            "description": None,
            "exchange_rate": None,
            "fee": fee,
            "fee_details": [fee_details] if fee else [],
            "net": amount - fee,
            "reporting_category": category or _CATEGORIES[kind],
            "source": source and source["id"],
            "status": "available" if available <= account.second() else "pending",
            "type": kind,
        },
    )


def charge_fee(account: ProviderAccount, amount: int, currency: str) -> Json:
    """Have the provider take a fee for itself that no payment of ours is behind."""
    return add_line(account, "stripe_fee", None, -amount, currency)


def settle(account: ProviderAccount) -> None:
    """Have what was pending long enough be there."""
    for line in account.all("balance_transaction")[account.settled :]:
        if line["available_on"] > account.second():
            break
        line["status"] = "available"
        account.settled += 1


def balance(account: ProviderAccount) -> Json:
    """Return what is there and what is not yet, by currency."""
    settle(account)
    sums: dict[str, dict[str, int]] = {
        "available": defaultdict(int),
        "pending": defaultdict(int),
    }
    for line in account.all("balance_transaction"):
        sums[line["status"]][line["currency"]] += line["net"]
    shown = {
        state: [
            {"amount": amount, "currency": currency, "source_types": {"card": amount}}
            for currency, amount in sorted(amounts.items())
        ]
        for state, amounts in sums.items()
    }
    return {"object": "balance", "livemode": account.is_live, **shown}


def pay_out(account: ProviderAccount) -> list[Json]:
    """Sweep what is there to the bank, one payout a currency; below 0, it is taken from there."""
    settle(account)
    swept: dict[str, list[Json]] = defaultdict(list)
    for line in account.all("balance_transaction")[account.swept :]:
        if line["status"] == "pending":
            break
        account.swept += 1
        if line["type"] != "payout":
            account.unpaid.append(line)
    for line in account.unpaid:
        swept[line["currency"]].append(line)
    made = []
    for currency, lines in sorted(swept.items()):
        if total := sum(line["net"] for line in lines):
            made.append(_make_payout(account, currency, total, lines))
            account.unpaid = [line for line in account.unpaid if line["currency"] != currency]
    return made


def _make_payout(account: ProviderAccount, currency: str, total: int, lines: list[Json]) -> Json:
    arrives = account.now() + account.terms.arrives_after
    payout = account.add(
        "payout",
        {
            "amount": total,
            "arrival_date": int(arrives.timestamp()) // 86400 * 86400,
            "automatic": True,
            "currency": currency,
            "description": "STRIPE PAYOUT",
            "destination": "ba_fake0000000001",
            "failure_balance_transaction": None,
            "failure_code": None,
            "failure_message": None,
            "metadata": {},
            "method": "standard",
            "original_payout": None,
            "payout_method": None,
            "reconciliation_status": "completed",
            "reversed_by": None,
            "source_type": "card",
            "statement_descriptor": None,
            "status": "pending",
            "trace_id": None,
            "type": "bank_account",
        },
    )
    own = add_line(account, "payout", payout, -total, currency)
    payout["balance_transaction"] = own["id"]
    account.payout_lines[payout["id"]] = [*(line["id"] for line in lines), own["id"]]
    account.tell("payout.created", payout)
    account.tell("payout.reconciliation_completed", payout)
    account.later(account.terms.arrives_after, lambda: arrive(account, payout))
    return payout


def arrive(account: ProviderAccount, payout: Json) -> Json:
    """Have a payout arrive, or come back."""
    if payout["status"] in _ON_THE_WAY:
        if account.faults.strikes(ProviderFault.PAYOUT_FAILS):
            return fail_payout(account, payout)
        payout["status"] = "paid"
        account.tell("payout.paid", payout)
    return payout


def fail_payout(account: ProviderAccount, payout: Json) -> Json:
    """Have the bank send a payout back, even days after it was called paid."""
    if payout["status"] in {"failed", "canceled"}:
        raise unfit("This payout came back already.", "payout_unexpected_state")
    line = add_line(account, "payout_failure", payout, payout["amount"], payout["currency"])
    payout |= {
        "status": "failed",
        "failure_code": "account_closed",
        "failure_message": "The bank account has been closed.",
        "failure_balance_transaction": line["id"],
    }
    account.tell("payout.failed", payout)
    return payout
