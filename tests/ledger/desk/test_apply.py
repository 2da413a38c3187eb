from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest

from deploy.document_means import InstalledMeans
from deploy.running.opening import prepare
from deploy.settings import Settings
from ledger.database import connect
from ledger.declared.declarations import Kind
from ledger.declared.passwords import hash_password, password_matches
from ledger.declared.store import load_declarations
from ledger.desk.apply import Applied, ProblemsError, apply_files
from ledger.desk.publish import Holding, publish_files
from ledger.log.envelope import Declared
from ledger.log.postgres import PostgresEventLog
from ledger.master_data.assignments import Assignment
from ledger.master_data.customers import Customer
from projections.log_reading import LoggedLine, read_all
from tariffs.problems import Problem
from tests.at_the_edge import details_of
from tests.projections.console.crowded.asked_statements import statements_logged
from tests.tree import EXAMPLES

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SITE = """
legal_entities:
  acme: {name: Acme, country: NO, time_zone: Europe/Oslo, invoice_prefix: AC, tax_number: "123"}
sites:
  fjord: {time_zone: Europe/Oslo, country: NO, legal_entity: acme, currency: NOK}
"""


BY_CURRENCY = "policy: {payment_approval_above: {EUR: 1000, NOK: 10000}, variance_session: 2}\n"


@pytest.fixture
def connection(database: str, tmp_path: Path) -> Iterator[psycopg.Connection[Any]]:
    prepare(database, Settings(data=tmp_path, partitions=3))
    with connect(database) as connection:
        yield connection


class BesideExamples(InstalledMeans):
    """Finds the pictures of the examples, whatever the texts are called here."""

    def picture(self, source: str, name: str, /) -> bytes:
        """Return a file of the folder of examples."""
        return super().picture(str(EXAMPLES / source), name)


def apply(connection: psycopg.Connection[Any], *texts: str, is_dry: bool = False) -> Applied:
    files = [(text, f"{number}.yaml") for number, text in enumerate(texts, start=1)]
    with PostgresEventLog(connection.info.dsn) as log:
        return apply_files(
            connection, files, log=log, by="a test", at=NOW, is_dry=is_dry, means=BesideExamples()
        )


def logged(connection: psycopg.Connection[Any]) -> list[LoggedLine]:
    with PostgresEventLog(connection.info.dsn) as log:
        return list(read_all(log))


def problems(connection: psycopg.Connection[Any], *texts: str) -> list[str]:
    with pytest.raises(ProblemsError) as refused:
        apply(connection, *texts)
    return [str(problem) for problem in refused.value.problems]


def test_the_example_fleet_is_declared_once_and_then_changes_nothing(
    connection: psycopg.Connection[Any],
) -> None:
    files = sorted([*EXAMPLES.glob("tariffs/*.yaml"), *EXAMPLES.glob("demo/*.yaml")])
    tariffs = [(path.read_text(), path.name) for path in files]
    fleet = (EXAMPLES / "fleet.yaml").read_text()

    with PostgresEventLog(connection.info.dsn) as log:
        publish_files(connection, tariffs, log=log, by="a test", at=NOW)
    first = apply(connection, fleet)
    second = apply(connection, fleet)

    assert len(first.planned) > 80
    assert second.planned == ()
    assert second.version == first.version


def test_a_tariff_that_is_published_for_a_place_keeps_the_limits_there(
    connection: psycopg.Connection[Any],
) -> None:
    def publish(price: str, *assigned: Assignment, is_dry: bool = False) -> list[Any]:
        text = f"tariff: t\ncurrency: NOK\nelements:\n  - energy: {price} per kWh\n"
        with PostgresEventLog(connection.info.dsn) as log:
            done = publish_files(
                connection, [(text, "t.yaml")], log=log, by="a test", at=NOW,
                holding=Holding(assignments=assigned), is_dry=is_dry,
            )  # fmt: skip
        return [each.after for each in done.planned]

    apply(connection, SITE)
    fjord = Assignment(tariff="t", site="fjord")
    limited = Assignment(tariff="t", site="fjord", max_energy_wh=Decimal(9))
    assert publish("1", limited)[1:] == [limited]
    assert publish("1", fjord, is_dry=True) == []
    assert publish("2", fjord)[1:] == []
    found = load_declarations(connection).in_force(Kind.ASSIGNMENT, "site=fjord", NOW)
    assert found is not None
    assert found.entity == limited


def test_a_dry_run_says_what_would_change_and_changes_nothing(
    connection: psycopg.Connection[Any],
) -> None:
    planned = apply(connection, SITE, is_dry=True)

    assert [each.key for each in planned.planned] == ["acme", "fjord"]
    assert load_declarations(connection).version == 0
    assert logged(connection) == []


def test_every_partition_of_the_log_is_told_which_version_holds(
    connection: psycopg.Connection[Any],
) -> None:
    applied = apply(connection, SITE)

    told = [(each.at.partition, each.line) for each in logged(connection)]
    marker = Declared(received_at=NOW, version=applied.version)
    assert told == [(0, marker), (1, marker), (2, marker)]


def test_a_password_is_stored_as_a_hash_and_kept_when_applied_again(
    connection: psycopg.Connection[Any],
) -> None:
    station = "stations:\n  S-1: {site: fjord, password: correct horse, connectors: 2}\n"

    apply(connection, SITE, station)
    again = apply(connection, station)

    declared = load_declarations(connection).station("S-1", NOW)
    assert declared is not None
    assert declared.password_hash is not None
    assert password_matches("correct horse", declared.password_hash)
    assert [connector.evse_id for connector in declared.connectors] == [1, 2]
    assert again.planned == ()


def test_a_hash_that_no_password_would_match_is_reported(
    connection: psycopg.Connection[Any],
) -> None:
    hashed = hash_password("9f86d081884c7d659a2feaa0c55ad015")
    apply(connection, SITE, f"stations:\n  S-1: {{site: fjord, password_hash: {hashed}}}\n")

    (problem,) = problems(connection, "stations:\n  S-1: {site: fjord, password_hash: secret}\n")

    assert problem.startswith("1.yaml:2:22: a password hash must read scrypt$")


def test_words_that_yaml_guesses_at_stay_what_they_are(connection: psycopg.Connection[Any]) -> None:
    customer = "customers:\n  c: {name: Ola, address: {postal_code: 0150, country: NO}}\n"

    apply(connection, SITE, customer)

    known = load_declarations(connection)
    declared = known.customer(known.keys(Kind.CUSTOMER)[0], NOW)
    assert declared is not None
    address = details_of(connection, declared).address
    assert (address.postal_code, address.country) == ("0150", "NO")


def test_all_problems_are_reported_at_once_each_with_its_place(
    connection: psycopg.Connection[Any],
) -> None:
    text = (
        "stations:\n"
        "  S-1: {site: nowhere, max_power_w: lots}\n"
        "  S-2: {site: fjord, conectors: 2, password: short}\n"
        "  S-3:\n"
        "    connectors: 1\n"
        "tarifs: {}\n"
    )

    assert problems(connection, SITE, text) == [
        "2.yaml:2:24: expected a number",
        "2.yaml:3:22: unknown name conectors (did you mean connectors?)",
        "2.yaml:3:36: a password has at least 8 characters",
        "2.yaml:4:3: site is missing",
        "2.yaml:6:1: unknown section tarifs",
    ]
    assert load_declarations(connection).version == 0


def test_what_does_not_hold_together_is_a_problem_at_its_own_place(
    connection: psycopg.Connection[Any],
) -> None:
    text = "\ntokens:\n  AB12: {customer: nobody}\n"

    assert problems(connection, text) == ["1.yaml:3:3: there is no customer 'nobody'"]


def test_the_same_thing_in_two_files_is_a_problem(connection: psycopg.Connection[Any]) -> None:
    found = problems(connection, SITE, "sites:\n  fjord: null\n")

    assert found == ["2.yaml:2:3: site fjord is declared twice"]


def test_an_empty_body_withdraws(connection: psycopg.Connection[Any]) -> None:
    apply(connection, SITE, "customers:\n  c: {name: Ola}\n")

    apply(connection, "customers:\n  c:\n")

    known = load_declarations(connection)
    (customer,) = known.keys(Kind.CUSTOMER)
    assert known.customer(customer, NOW) is None


def test_a_file_says_from_when_it_holds(connection: psycopg.Connection[Any]) -> None:
    apply(connection, "customers:\n  c: {name: Before}\n")
    apply(connection, "valid_from: 2026-04-01T00:00:00+02:00\ncustomers:\n  c: {name: After}\n")

    known = load_declarations(connection)
    change = datetime(2026, 3, 31, 22, tzinfo=UTC)
    names = [
        details_of(connection, customer).name
        for at in (change - timedelta(seconds=1), change)
        if (customer := known.customer(known.keys(Kind.CUSTOMER)[0], at))
    ]
    assert names == ["Before", "After"]


def test_two_spellings_of_one_identity_are_a_problem(connection: psycopg.Connection[Any]) -> None:
    apply(connection, SITE, "stations:\n  CS-1: {site: fjord}\n")

    assert problems(connection, "stations:\n  cs-1: {site: fjord}\n") == [
        "1.yaml:2:3: station CS-1 differs in case alone: stations would be confused"
    ]


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ("stations:\n  S: {site: fjord, pasword: x}", "6:20: unknown name pasword (did you mean"),
        ("stations:\n  S: {site: fjord, connectors: -1}", "6:20: expected a number from 1 to 99"),
        ("stations:\n  S: {site: fjord, connectors: 100}", "6:20: expected a number from 1 to 99"),
        ("stations:\n  S: {site: fjord, max_power_w: lots}", "6:20: expected a number"),
        ("stations:\n  S: {site: fjord, max_power_w: -5}", "6:3: max_power_w must be above 0"),
        (
            "customers:\n  c: {name: C, invoicing: daily}",
            "(expected per_session, per_month, on_threshold)",
        ),
    ],
)
def test_a_value_that_cannot_be_meant_is_reported_with_what_can(
    connection: psycopg.Connection[Any], section: str, said: str
) -> None:
    [problem] = problems(connection, SITE.lstrip() + section)

    assert said in problem


def test_a_driver_needs_a_name(connection: psycopg.Connection[Any]) -> None:
    fleet = "customers:\n  k-1: {name: Ada}\ntokens:\n  04A1: {customer: k-1, driver: ' '}\n"

    assert problems(connection, fleet) == [
        "1.yaml:4:25: a driver needs a text of 1 to 100 characters on one line"
    ]


def test_a_miscopied_vat_id_is_named_where_its_customer_stands(
    connection: psycopg.Connection[Any],
) -> None:
    [problem] = problems(connection, "customers:\n  k-1: {name: Ada, vat_id: DE136695978}\n")

    assert problem.startswith("1.yaml:2:3: vat_id DE136695978: its check digits are wrong")


BOOKS = """
accounts:
  rounding: {number: "2450", name: Rounding}
"""


def test_a_chart_of_accounts_is_declared_for_all_or_for_one_and_withdrawn(
    connection: psycopg.Connection[Any],
) -> None:
    def charts() -> dict[str, Any]:
        known = load_declarations(connection)
        return {key: known.history(Kind.CHART, key)[-1].entity for key in known.keys(Kind.CHART)}

    apply(connection, SITE, BOOKS, f"legal_entity: acme\n{BOOKS.replace('2450', '77')}")
    again = apply(connection, BOOKS)
    found = charts()
    apply(connection, "legal_entity: acme\naccounts:\n")

    assert again.planned == ()
    assert found["*"].accounts["rounding"].number == "2450"
    assert found["acme"].accounts["rounding"].number == "77"
    assert charts()["acme"] is None


def test_what_is_wrong_with_a_chart_is_named_and_nothing_is_declared(
    connection: psycopg.Connection[Any],
) -> None:
    wrong = "accounts:\n  revenu:energy: {number: 1}\n  rounding: {name: R}\n"

    found = problems(connection, SITE, wrong, f"legal_entity: ghost\n{BOOKS}")

    assert [each.partition(": ")[0] for each in found] == [
        "2.yaml:2:3",
        "2.yaml:3:13",
        "3.yaml:3:1",
    ]
    assert "did you mean 'revenue'" in found[0]
    assert "there is no legal entity 'ghost'" in found[2]
    assert load_declarations(connection).version == 0


def test_the_example_contracts_and_books_are_declared(connection: psycopg.Connection[Any]) -> None:
    texts = [(EXAMPLES / name).read_text("utf-8") for name in ("contracts.yaml", "books.yaml")]

    applied = apply(connection, *texts)

    assert len(applied.planned) == 1 + 8 + 6 + 1
    assert apply(connection, *texts).planned == ()


def test_a_currency_without_a_limit_of_its_own_is_warned_of_by_policy_and_by_site(
    connection: psycopg.Connection[Any],
) -> None:
    def warned(*texts: str) -> list[Problem]:
        return [each for each in apply(connection, *texts).warnings if "names no" in each.message]

    assert warned(SITE, BY_CURRENCY) == []

    [by_policy] = warned(BY_CURRENCY.replace(", NOK: 10000", ""))
    [by_site] = warned(SITE.replace("fjord", "sund").replace(" NOK", " DKK"))

    said = "payment_approval_above names no {}, in which sites sell: 0 holds there, so whatever"
    assert said.format("NOK") in by_policy.message
    assert said.format("DKK") in by_site.message
    assert (by_policy.line, by_site.line) == (1, 5)
    held = load_declarations(connection).policy(NOW)
    assert held.payment_approval_above == {"EUR": Decimal(1000)}
    assert held.variance_session == Decimal(2)


@pytest.mark.parametrize(
    ("said", "so"),
    [
        ("correct_from: {EUR: 1}", "every difference is corrected"),
        ("station_cost_limit: {EUR: 1}", "whatever a station reckons otherwise is held"),
        ("visits: true, visit_hold_max: {EUR: 150}", "nobody pays there by card"),
        ("visits: false, visit_hold_max: {EUR: 150}", ""),
        ("correct_from: 1, station_cost_limit: 1", ""),
    ],
)
def test_each_limit_by_currency_says_what_0_comes_to(
    connection: psycopg.Connection[Any], said: str, so: str
) -> None:
    found = apply(connection, SITE, f"policy: {{{said}}}").warnings

    assert [each.message.partition("so ")[2] for each in found if "NOK" in each.message] == (
        [so] if so else []
    )


def test_many_are_declared_with_as_few_statements_as_one(
    connection: psycopg.Connection[Any], database: str
) -> None:
    apply(connection, SITE)
    with statements_logged(database) as asked, connect(database) as logged:
        counts = []
        for first, many in ((0, 1), (1, 40)):
            names = [f"k-{number}" for number in range(first, first + many)]
            customers = "".join(f"  {name}: {{name: {name.upper()}}}\n" for name in names)
            tokens = "".join(f"  04{name}: {{customer: {name}}}\n" for name in names)
            applied = apply(logged, f"customers:\n{customers}tokens:\n{tokens}")
            assert len(applied.planned) == 2 * many
            counts.append(len(asked.new()))

    assert counts[1] <= counts[0] + 2, counts
    # In the order of the file, each with a version of its own.
    known = load_declarations(connection)
    histories = [known.history(Kind.CUSTOMER, each) for each in known.keys(Kind.CUSTOMER)]
    in_order = sorted((row for history in histories for row in history), key=lambda r: r.version)
    declared = [each.entity for each in in_order if isinstance(each.entity, Customer)]
    assert [details_of(connection, each).name for each in declared] == [
        f"K-{number}" for number in range(41)
    ]
    assert len({row.version for row in in_order}) == 41
