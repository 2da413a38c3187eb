"""The chart of accounts: what an account of ours is called elsewhere, and what is wrong in it."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from beancount import loader
from beancount.core.data import Transaction

from ledger.books import accounts as our_accounts
from ledger.declared.declarations import BEGINNING, Declaration, Declarations, Kind
from ledger.master_data.charts import ANY, FAMILIES, POSTED, ChartAccount, ChartOfAccounts
from ledger.payments.movement import (
    CLEARING,
    STRIPE,
    UNMATCHED,
    bank_source,
    cash_account,
    disputes_account,
    exchange_account,
    fees_account,
)
from ledger.settlements import entries as settlement_accounts
from projections.journal.beancount_text import beancount_accounts, beancount_lines
from projections.journal.chart import (
    NO_ACCOUNT,
    NO_CHART,
    Chart,
    ChartIncompleteError,
    chart_of_file,
    declared_chart,
)
from projections.journal.csv_lines import csv_lines
from projections.journal.entries import BookedEntry, Leg
from tariffs.model.tariff import Dimension
from tests.tree import EXAMPLES

CHART = """
accounts:
  receivable:*: {number: "1400", name: Receivables}
  receivable:unbilled: {number: "1401", name: Unbilled}
  revenue:*: {number: "8400", name: Charging, tax_code: AM}
  revenue:parking*: {number: "8401", name: Parking}
"""


def chart(text: str = CHART) -> Chart:
    found, problems = chart_of_file(text, "books.yaml")
    assert found is not None, problems
    return found


def pairs(*accounts: str) -> list[tuple[str, str]]:
    return [("watt", account) for account in accounts]


@pytest.mark.parametrize(
    ("account", "number"),
    [
        ("receivable:unbilled", "1401"),
        ("receivable:invoiced", "1400"),
        ("receivable:", "1400"),
        ("receivable", None),
        ("revenue:energy", "8400"),
        ("revenue:parking_time", "8401"),
        ("vat:DE:19", None),
    ],
)
def test_the_account_itself_goes_first_and_then_the_longest_beginning(
    account: str, number: str | None
) -> None:
    found = chart().find(account)

    assert (found and found.number) == number


def test_one_line_may_stand_for_everything() -> None:
    found = chart('accounts: {"*": {number: 0400}}')

    assert found.of("vat:DE:19") == ChartAccount("0400")
    assert chart().of("vat:DE:19") == NO_ACCOUNT


def test_what_is_booked_and_not_in_the_chart_is_named() -> None:
    chart().check(pairs("revenue:energy", "receivable:unbilled"))
    with pytest.raises(ChartIncompleteError, match=r"lacks rounding, vat:DE:19: .*\(or vat:\*\)"):
        chart().check(pairs("revenue:energy", "rounding", "vat:DE:19"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("accounts: 7", "must be accounts of ours"),
        ("account: {}", "did you mean 'accounts'"),
        ("accounts: {revenu:energy: {number: 1}}", "did you mean 'revenue'"),
        ("accounts: {assets: {number: 1}}", "they begin with receivable"),
        ('accounts: {"revenue:*:x": {number: 1}}', "at the end alone"),
        ("accounts: {rounding: {name: R}}", "needs 'number'"),
        ("accounts: {rounding: {number: 1, nam: R}}", "did you mean 'name'"),
        ("accounts: {rounding: 1}", "must be keys with values"),
        ("accounts: {rounding: {number: 1}, rounding: {number: 2}}", "rounding"),
    ],
)
def test_what_is_wrong_is_told_with_its_spot(text: str, said: str) -> None:
    found, problems = chart_of_file(text, "books.yaml")

    assert found is None
    assert said in "\n".join(map(str, problems))
    assert str(problems[0]).startswith("books.yaml:1:")


MOVED = (
    cash_account(STRIPE),
    cash_account(bank_source("DE89")),
    CLEARING,
    UNMATCHED,
    fees_account(STRIPE),
    disputes_account(STRIPE),
    exchange_account(STRIPE),
    settlement_accounts.PARTNER_PAYABLE,
    settlement_accounts.ROAMING_COST,
    "payable:returns",
    "input_tax:DE:19",
)
"""What money and settlements with partners post to, beside what sessions and documents do."""


@pytest.mark.parametrize("account", MOVED)
def test_a_chart_may_name_every_account_of_money(account: str) -> None:
    assert account.partition(":")[0] in FAMILIES
    assert chart(f'accounts: {{"{account}": {{number: 1}}}}').of(account).number == "1"
    [name] = beancount_accounts([account]).values()
    assert not name.startswith("Equity:")


def test_every_account_that_a_decision_posts_to_is_of_a_known_family() -> None:
    named = [
        value
        for name, value in vars(our_accounts).items()
        if name.isupper() and isinstance(value, str)
    ]
    named += [our_accounts.revenue_account(each) for each in Dimension]

    assert {each.partition(":")[0] for each in named} | {"vat", "tax"} == set(POSTED)


def accounts(**numbers: str) -> ChartOfAccounts:
    return ChartOfAccounts(
        accounts={name: ChartAccount(number, f"of {number}") for name, number in numbers.items()}
    )


def declared(*charts: tuple[str, ChartOfAccounts | None]) -> Chart:
    rows = [
        Declaration(version, Kind.CHART, key, BEGINNING, entity)
        for version, (key, entity) in enumerate(charts, 1)
    ]
    return declared_chart(Declarations(rows))


def test_a_legal_entitys_own_chart_goes_before_the_one_of_all_and_lacks_nothing_that_has() -> None:
    found = declared(
        (ANY, accounts(rounding="1", expected_tax="2")),
        ("quay", accounts(rounding="8")),
        ("quay", accounts(rounding="9")),
    )

    assert found.of("rounding").number == "1"
    assert found.of("rounding", "watt").number == "1"
    assert found.of("rounding", "quay").number == "9"
    assert found.of("expected_tax", "quay").number == "2"
    found.check([("watt", "rounding"), ("quay", "expected_tax")])
    with pytest.raises(ChartIncompleteError, match="lacks vat:DE:19"):
        found.check([("quay", "vat:DE:19")])


def test_who_has_no_chart_lacks_nothing_and_one_that_is_withdrawn_is_none() -> None:
    found = declared(("quay", accounts(rounding="9")))

    found.check([("watt", "rounding")])
    assert found.of("rounding", "watt") == NO_ACCOUNT
    assert declared(("quay", accounts(rounding="9")), ("quay", None)) == NO_CHART


def test_files_call_an_account_as_its_legal_entity_does(tmp_path: Path) -> None:
    found = declared((ANY, accounts(rounding="1")), ("quay", accounts(rounding="9")))
    legs = (
        Leg(account="rounding", party="", currency="EUR", amount_minor=5),
        Leg(account="rounding", party="", currency="EUR", amount_minor=-5),
    )
    entries = [
        BookedEntry(
            period="2026-03",
            original_period="2026-03",
            booked_on=date(2026, 3, 2),
            booked_at=datetime(2026, 3, 2, tzinfo=UTC),
            entry=f"rated:{legal_entity}",
            legal_entity=legal_entity,
            session=None,
            revision=None,
            postings=legs,
        )
        for legal_entity in ("watt", "quay")
    ]
    written = "".join(csv_lines(entries, found))
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    assert [each["account_number"] for each in rows] == ["1", "1", "9", "9"]

    path = tmp_path / "books.beancount"
    path.write_text("".join(beancount_lines(entries, ["rounding"], found)), "utf-8")
    read, errors, _ = loader.load_file(str(path))
    assert errors == []
    assert read[0].meta["number"] == "1"
    numbers = [
        [(posting.meta or {}).get("number") for posting in each.postings]
        for each in read
        if isinstance(each, Transaction)
    ]
    assert sorted(numbers, key=str) == [["9", "9"], [None, None]]


def test_files_carry_number_name_and_tax_code(tmp_path: Path) -> None:
    legs = (
        Leg(account="receivable:unbilled", party="", currency="EUR", amount_minor=5),
        Leg(account="revenue:energy", party="", currency="EUR", amount_minor=-5),
    )
    moment = datetime(2026, 3, 2, tzinfo=UTC)
    entry = BookedEntry(
        booked_on=date(2026, 3, 2),
        booked_at=moment,
        entry="rated:1",
        legal_entity="watt",
        period="2026-03",
        original_period="2026-03",
        session=None,
        revision=None,
        postings=legs,
    )
    written = "".join(csv_lines([entry], chart()))
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    found = [(each["account_number"], each["account_name"], each["tax_code"]) for each in rows]
    assert found == [("1401", "Unbilled", ""), ("8400", "Charging", "AM")]

    path = tmp_path / "books.beancount"
    lines = beancount_lines([entry], [leg.account for leg in legs], chart())
    path.write_text("".join(lines), "utf-8")
    entries, errors, _ = loader.load_file(str(path))
    assert errors == []
    assert [(each.meta["number"], each.meta["name"]) for each in entries[:2]] == [
        ("1401", "Unbilled"),
        ("8400", "Charging"),
    ]
    assert (entries[1].meta["tax-code"], "tax-code" in entries[0].meta) == ("AM", False)


def test_the_example_names_every_account_that_a_decision_posts_to() -> None:
    found = chart((EXAMPLES / "books.yaml").read_text("utf-8"))

    named = [value for name, value in vars(our_accounts).items() if name.isupper() and value]
    posted = [value for value in named if isinstance(value, str)]
    posted += [our_accounts.revenue_account(each) for each in Dimension]
    found.check(pairs(*posted, *MOVED, "vat:DE:19", "vat:NL:21", "tax:CA:GST:5", "vat:DE:none"))
