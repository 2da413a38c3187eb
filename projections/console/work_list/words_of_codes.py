"""Why something waits, in words: what the ledger's own sentences do not say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from projections.console.console_words import ConsoleWords
from projections.console.parts.money_words import WAIT_WORDS
from projections.console.sentences import code_words

CODE_WORDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "line_unreadable": "The line could not be read.",
        "not_translated": "Its frame could not be translated.",
        "not_folded": "It could not be added to its session.",
        "not_taken": "It could not be taken.",
        "not_timed_out": "Its station's sessions could not be looked at as time passed.",
        **WAIT_WORDS,
        "inquiry": "The bank asks; no money has moved.",
        "open": "The money was taken back; nobody decided yet.",
        "match": "What a bank line was paid for.",
        "money": "What money at a provider is for.",
        "refund": "Money to be given back.",
        "number_gap": "These numbers before it have no document.",
        "energy_differs": "So much more was metered than is accounted for.",
        "unbalanced": "Debits and credits differ by so much.",
    }
)


def codes_in_words(words: ConsoleWords, codes: Iterable[str]) -> str:
    """Return what *codes* say, one sentence after the other."""
    return " ".join(
        words.text(CODE_WORDS[code]) if code in CODE_WORDS else code_words(words, code)
        for code in codes
    )
