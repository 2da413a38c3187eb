"""Codes and their words: nothing is said without a code, and no code without its words."""

from __future__ import annotations

import ast
from collections import defaultdict
from enum import StrEnum
from string import Formatter

import pytest

from ledger.approvals import english as approvals
from ledger.facts.flags import RULES, Flag
from ledger.invoices import english as invoices
from ledger.invoices.checks import english as checks
from ledger.master_data.policies import TimeEnds
from ledger.rating import english as rating
from roaming_ocpi.incoming.verdicts import english as incoming
from tariffs.adjustments.adjustment import CapPeriod
from tariffs.adjustments.shared import Per, SharedBy
from tariffs.calendar import english as calendar
from tariffs.calendar.week import Fee
from tariffs.diff import english as diff
from tariffs.lint import english as lint
from tariffs.model.policy import NoDataPolicy
from tariffs.model.tariff import Dimension, ReservationRestriction, TaxIncluded, Weekday
from tariffs.phrases import english as tariffs
from tariffs.phrases.phrase import phrase
from tests.test_tidy import SOURCES

OF_TARIFFS = (calendar, diff, lint)
"""What people are told of a tariff, of which no decision keeps a word."""
WORDING = checks.ENGLISH.extended(approvals.SENTENCES).extended(incoming.SENTENCES)
for each in OF_TARIFFS:
    WORDING = WORDING.extended({**each.SENTENCES, **each.WORDS})
SENTENCES = {
    **tariffs.SENTENCES,
    **rating.SENTENCES,
    **invoices.SENTENCES,
    **checks.SENTENCES,
    **approvals.SENTENCES,
    **incoming.SENTENCES,
    **{code: text for each in OF_TARIFFS for code, text in each.SENTENCES.items()},
}
CONTEXT = {"element", "name", "dimension", "currency"}
"""What a line says itself, for the words of its reasons."""
PLAIN = {flag.value for flag, rule in RULES.items() if rule.blocks} | {
    kind.value.lower() for kind in ReservationRestriction
}
"""Codes that are words of the model; they have no parameters."""


def said_in_the_sources() -> dict[str, set[frozenset[str]]]:
    """Return the parameters that each code is given, wherever a phrase is made of it."""
    found: dict[str, set[frozenset[str]]] = defaultdict(set)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in {"phrase", "Phrase"}
                and node.args
                and isinstance(code := node.args[0], ast.Constant)
            ):
                names = (keyword.arg for keyword in node.keywords)
                found[str(code.value)].add(frozenset(name for name in names if name))
    return found


SAID = said_in_the_sources()


def test_each_code_has_words_and_all_words_have_a_code() -> None:
    assert SAID.keys() | PLAIN == SENTENCES.keys()
    assert tariffs.LABELS.keys() <= SAID.keys()


@pytest.mark.parametrize("code", sorted(SAID))
def test_a_code_is_given_exactly_the_parameters_that_its_words_name(code: str) -> None:
    """What the context of a line has, it need not be given; two places may each give a part."""
    wanted = WORDING.parameters_of(code)
    given = frozenset[str]().union(*SAID[code])

    assert given <= wanted
    assert wanted - given <= CONTEXT


@pytest.mark.parametrize("code", sorted(PLAIN - SAID.keys()))
def test_a_flag_and_a_kind_of_reservation_need_no_parameters(code: str) -> None:
    assert WORDING.parameters_of(code) == frozenset()


def test_a_flag_says_the_same_as_a_reason() -> None:
    for flag, rule in RULES.items():
        if rule.blocks and flag is not Flag.STOP_LOST:
            assert rating.SENTENCES[flag] == rule.meaning
    lost = rating.ENGLISH.words(phrase("stop_lost", shown_by="next_session"))
    assert lost == RULES[Flag.STOP_LOST].meaning


@pytest.mark.parametrize(
    ("kind", "enums"),
    [
        ("dimension", [Dimension]),
        ("fee", [Dimension]),
        ("day", [Weekday]),
        ("period", [Per, CapPeriod]),
        ("sharing", [SharedBy]),
        ("short_day", [Weekday]),
        ("meant", [TaxIncluded]),
        ("no_data", [NoDataPolicy]),
        ("time_ends", [TimeEnds]),
    ],
)
def test_each_word_of_the_model_has_a_word(kind: str, enums: list[type[StrEnum]]) -> None:
    for member in (member for enum in enums for member in enum):
        assert WORDING.word(kind, member.value) is not None


def test_each_fee_of_a_week_has_a_word() -> None:
    assert {fee.name: calendar.WORDS[f"charged.{fee.name}"] for fee in Fee} == {
        fee.name: fee.value for fee in Fee
    }


def test_no_two_tables_have_one_code() -> None:
    tables = (tariffs, rating, invoices, checks, approvals, incoming, *OF_TARIFFS)

    assert sum(len(each.SENTENCES) for each in tables) == len(SENTENCES)


def test_each_kind_of_word_that_a_sentence_asks_for_is_known() -> None:
    kinds = {
        spec.partition("?")[0].partition("/")[0].removeprefix("word ")
        for text in (*SENTENCES.values(), *tariffs.LABELS.values())
        for _, _, spec, _ in Formatter().parse(text)
        if spec and spec.startswith("word ")
    }

    assert kinds == {
        "dimension",
        "fee",
        "day",
        "period",
        "sharing",
        "no_data",
        "charged",
        "short_day",
        "tax",
        "setting",
        "meant",
        "priced_per",
        "tariff_part",
        "lost_stop",
        "time_ends",
    }
