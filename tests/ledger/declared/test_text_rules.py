"""No text of master data is more than a line, or turns how others are read."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from ledger.declared.changes import Change, plan_changes
from ledger.declared.declarations import BEGINNING, Entity, Kind
from ledger.declared.rules import problems_of
from ledger.declared.text_rules import text_problems
from ledger.desk.master_data_files import read_master_data
from ledger.master_data.addresses import Address
from ledger.master_data.charts import ChartAccount, ChartOfAccounts
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.partners import Partner, PartnerRole
from ledger.master_data.sites import Site
from ledger.master_data.stations import Station
from ledger.master_data.tokens import Token
from tests.depot import NOON, declared

SITE = Site(time_zone="Europe/Berlin", country="DE", legal_entity="depot", currency="EUR")
SELLER = LegalEntity(
    name="Depot GmbH", country="DE", time_zone="Europe/Berlin", invoice_prefix="D-"
)
PARTNER = Partner(name="TNM", legal_entity="depot", roles=(PartnerRole.EMSP,))
ODD = ["\r\n", "\n", "\r", "\0", "\x1b[31m", "\x85", "\u2028", "\u202e", "\u2066", "\ufeff"]


@pytest.mark.parametrize("odd", ODD)
def test_a_text_with_controls_is_refused_by_its_field_and_code(odd: str) -> None:
    text = f"Kai{odd}7"
    cases: list[tuple[Entity, str]] = [
        (replace(SITE, name=text), "name"),
        (replace(SITE, address=Address(city=text)), "address.city"),
        (replace(SITE, address=Address(street=text)), "address.street"),
        (replace(PARTNER, name=text), "name"),
        (replace(SELLER, name=text), "name"),
        (Token(group=text), "group"),
        (Station(site="quay", token_ignored=text), "token_ignored"),
    ]
    for entity, field in cases:
        [problem] = text_problems(entity)
        assert problem.startswith(f"{field} has "), problem
        assert f"(U+{ord(odd[0]):04X})" in problem
        assert problem.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        "Köln – Hafen 7 ",
        "ハンブルク",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "a\\nb",
        "",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    for entity in (
        replace(SITE, name=text),
        replace(PARTNER, name=text),
        replace(SELLER, name=text),
    ):
        assert list(text_problems(entity)) == []


@pytest.mark.parametrize(("text", "count"), [("a\nb", 0), ("a\r\nb", 1), ("a\n\u202eb", 1)])
def test_a_sellers_legal_text_alone_has_lines(text: str, count: int) -> None:
    assert len(list(text_problems(replace(SELLER, legal_text=text)))) == count


def test_names_within_tables_are_texts_too() -> None:
    chart: Any = ChartOfAccounts(accounts={"bank": ChartAccount(number="1200", name="a\nb")})

    [problem] = text_problems(chart)
    assert problem.startswith("accounts.bank.name has \\n (U+000A)")


def test_it_is_refused_when_it_is_declared_and_what_was_taken_before_holds_nobody_up() -> None:
    odd = replace(SITE, name="a\r\nb")
    change = Change(kind=Kind.SITE, key="quay", entity=odd)
    planned = plan_changes(declared(), [change], at=NOON)
    [problem] = problems_of(declared(), planned)
    assert str(problem).startswith("site quay: name has \\r (U+000D)")

    known = declared((Kind.SITE, "quay", odd, BEGINNING), (Kind.TOKEN, "p-1", Token(), BEGINNING))
    change = Change(kind=Kind.TOKEN, key="p-1", entity=None, valid_from=NOON)
    assert problems_of(known, plan_changes(known, [change], at=NOON)) == ()


@pytest.mark.parametrize("field", ["name", "buyer_reference", "order_reference"])
def test_a_customers_texts_are_refused_in_its_file(field: str) -> None:
    text = f'customers: {{ada: {{name: Ada, kind: business, {field}: "a\\r\\nSubject: b"}}}}'
    found = read_master_data(
        [(text.replace("name: Ada, kind: business, name", "kind: business, name"), "file.yaml")],
        declared(),
        None,
    )

    assert [str(each) for each in found.problems if "control character" in str(each)]
