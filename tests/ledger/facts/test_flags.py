"""Flags: each is explained, and what blocks is a decision that stands in one table."""

from __future__ import annotations

import pytest

from ledger.facts.flags import RULES, Flag, blockers_of, meaning_of


@pytest.mark.parametrize("flag", list(Flag))
def test_every_flag_has_a_meaning_that_is_a_sentence(flag: Flag) -> None:
    meaning = meaning_of(flag)

    assert meaning[0].isupper()
    assert meaning[-1] in ".?"


def test_only_flags_are_explained() -> None:
    assert set(RULES) == set(Flag)


def test_blockers_are_those_that_forbid_automatic_rating_and_unknown_ones() -> None:
    flags = ["stop_lost", "offline", "seq_gap", "seq_gap_closed", "from_the_future"]

    assert blockers_of(flags) == ("from_the_future", "seq_gap", "stop_lost")
    assert meaning_of("from_the_future") == "Unknown flag."
