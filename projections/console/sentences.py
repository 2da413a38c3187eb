"""What is said by codes, in a reader's language: also what no document says.

Documents have no words for why a session waits, as it stands on none, nor for what looks odd in a
tariff or differs between two. The console has: the English sentences of the ledger and of the
tools for tariffs, by the catalogues of its rooms.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from string import Formatter
from typing import Final

from ledger.approvals import english as approvals
from ledger.facts.flags import RULES, Flag, meaning_of
from ledger.persons.store import readable
from ledger.rating import english
from ledger.rating.decisions import RatedLine
from projections.console.console_words import ConsoleWords, words_of
from projections.documents.languages.sentences import NOT_TOLD
from tariffs.calendar import english as calendar
from tariffs.diff import english as diff
from tariffs.lint import english as lint
from tariffs.phrases import english as tariffs
from tariffs.phrases.phrase import Phrase
from tariffs.phrases.wording import Wording

_ALL: Final = {**tariffs.SENTENCES, **tariffs.WORDS, **english.SENTENCES, **english.WORDS}
_OF_TARIFFS: Final[Mapping[str, str]] = {
    code: text
    for table in (calendar, diff, lint)
    for code, text in {**table.SENTENCES, **table.WORDS}.items()
}
UNTOLD: Final[Mapping[str, str]] = {
    **{code: _ALL[code] for codes in NOT_TOLD.values() for code in codes if code in _ALL},
    **_OF_TARIFFS,
    **approvals.SENTENCES,
}
"""By code what the console has to say and documents have not, in English."""

_DOTS: Final = "…"
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
    """Return every English text of a code that may have to be translated."""
    texts = {*UNTOLD.values(), *(rule.meaning for rule in RULES.values())}
    return frozenset(text for text in texts if _has_words(text))


def _has_words(template: str) -> bool:
    """Say whether a template has words, of fields those that stand around and between them."""
    parsed = Formatter().parse(template)
    around = (re.sub(r"^[^/?]*", "", spec or "") for _, _, spec, _ in parsed)
    own = "".join(before for before, *_ in Formatter().parse(template)) + "".join(around)
    return re.search(r"[^\W\d_]{2,}", own.replace("kW", "")) is not None


@cache
def _wording(tag: str) -> Wording:
    words = words_of(tag)
    said = {code: words.text(text) for code, text in UNTOLD.items()}
    return words.language.extended(said, words.told)


def phrase_words(words: ConsoleWords, said: Phrase) -> str:
    """Return what a whole phrase says (`Wording.whole`)."""
    return _wording(words.tag).words(said)


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

    Where a sentence needs what the code does not carry, dots stand.
    """
    if code in RULES:
        return flag_words(words, Flag(code))
    text = UNTOLD.get(code)
    if text is None:
        return code.replace("_", " ")
    missing = dict.fromkeys(_needed(text), _DOTS)
    return _wording(words.tag).words(Phrase(code, missing))


def _needed(template: str) -> Iterator[str]:
    """Yield the fields without which a sentence is none; words of the model are left out."""
    for _, name, spec, _ in Formatter().parse(template):
        if name is not None and "?" not in (spec or "") and not (spec or "").startswith("word "):
            yield name
