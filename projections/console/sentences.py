"""What sessions are flagged and held for, in a reader's language: also what no document says.

Documents have no words for why a session waits, as it stands on none. The console has: the English
sentences of the ledger, by the catalogues of its rooms.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Final

from ledger.facts.flags import RULES, Flag, meaning_of
from ledger.persons.store import readable
from ledger.rating import english
from ledger.rating.decisions import RatedLine
from projections.console.console_words import ConsoleWords, words_of
from projections.documents.languages.sentences import NOT_TOLD
from tariffs.phrases import english as tariffs
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.phrases.wording import Wording

_ALL: Final = {**tariffs.SENTENCES, **tariffs.WORDS, **english.SENTENCES, **english.WORDS}
UNTOLD: Final[Mapping[str, str]] = {
    code: _ALL[code] for codes in NOT_TOLD.values() for code in codes if code in _ALL
}
"""By code what the console has to say and documents have not, in English."""

_WAITS: Final = "why a session waits or is held: such a session stands on no document"
HOLDING: Final = tuple(
    sorted(
        code
        for code in (*NOT_TOLD[_WAITS], "pricing_refused", "rating_failed", "rating_inconsistent")
        if code in UNTOLD and "." not in code
    )
)
"""The codes for which sessions are held, as lists are filtered by them."""


def sentences() -> frozenset[str]:
    """Return every English text that `flag_words` and `reason_words` may have to translate."""
    return frozenset(UNTOLD.values()) | {rule.meaning for rule in RULES.values()}


@cache
def _wording(tag: str) -> Wording:
    words = words_of(tag)
    return words.language.extended({code: words.text(text) for code, text in UNTOLD.items()})


def flag_words(words: ConsoleWords, flag: str) -> str:
    """Return what a flag means."""
    return words.text(meaning_of(flag))


def reason_words(
    words: ConsoleWords, reasons: Iterable[Phrase], names: Mapping[str, str]
) -> list[str]:
    """Return why a session is held; *names* stand in place of subject ids (`names_in`)."""
    wording = _wording(words.tag)
    return [readable(wording.words(each), names) for each in reasons]


def line_words(words: ConsoleWords, line: RatedLine, currency: str) -> str:
    """Return why a rated line stands where it stands."""
    return _wording(words.tag).joined(line.reasons, line.context(currency))


def code_words(words: ConsoleWords, code: str) -> str:
    """Return what a bare code says: a flag's meaning, a reason's sentence, else the code itself.

    A sentence that needs what the code does not carry is its code in words.
    """
    if code in RULES:
        return flag_words(words, Flag(code))
    text = UNTOLD.get(code)
    if text is None or "{" in text:
        return code.replace("_", " ")
    return _wording(words.tag).words(phrase(code))
