"""What partners say, as lines of the log: who stands in it is cut out, as it is of frames.

A body is JSON of OCPI's objects. Whose a value is, the object says in which it stands:

    {"cdr_token": {"uid": "04AA", "contract_id": "C1"}, "remark": "by phone"}
                   "04AA"                "C1"                "by phone"    -> all sealed for 04AA

`uid` names the token of its object and of those within; where none does, the object's other ids
are somebody of their own. What is said beside the object that names the token is the first named
one's within, and the party's if nobody is named. A text that is no JSON is the party's as a whole:
whom it names nobody can say. What is left is what settlement reads.

The caller finds or makes the subjects of the `holders` of a `cut_message`, and appends what is then
`sealed` to the partition of the party (`partition_of`).

Tests: tests/ledger/partners/test_messages.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from ledger.errors import LedgerError
from ledger.log.envelope import PartnerMessage, Sealed
from ledger.partners.party import check_party
from ledger.persons.holders import Holder, partner_holder, token_holder
from ledger.persons.sealing import Subject, SubjectCut, cut_text, frame_hmac

TEXT_MAX: Final = 1 << 20
"""Characters of a body or a reply: a page of a few hundred CDRs."""
HOLDERS_MAX: Final = 1_000
"""Tokens of one text that get a subject of their own; what is more is the party's."""

_TOKEN_IDS: Final = ("uid", "token_uid")
_OTHER_IDS: Final = ("auth_id", "contract_id", "visual_number", "group_id")
_PERSONAL: Final = frozenset({*_TOKEN_IDS, *_OTHER_IDS, "remark"})
"""Names that tell who somebody is. Source: OCPI 2.1.1 and 2.2.1: Token, CDR, Session, commands."""
_WHAT: Final = re.compile(r"[A-Za-z_]{1,40}(?: [A-Za-z_]{1,40})?")
_DEPTH: Final = 6


def _plain(depth: int) -> str:
    """Return what matches a member that tells nobody, of containers at most *depth* deep."""
    name = rf'"(?!(?:{"|".join(sorted(_PERSONAL))})")[^"\\]*+"\s*+:\s*+'
    value = scalar = r'(?:"[^"\\]*+"|[^\s\[\]{},:"]++)'
    for _ in range(depth):
        value = rf"(?:{scalar}|[\[{{]\s*+(?>(?:(?>(?:{name})?){value}\s*+,?+\s*+)*)[\]}}])"
    return rf"{name}{value}\s*+,?+\s*+"


# What tells nobody is passed over, and that is most: the text is known to be JSON.
_LEXEME: Final = re.compile(
    rf"\s*+(?>(?:{_plain(_DEPTH)})*)"
    r'("[^"\\]*+(?:\\.[^"\\]*+)*+"|[\[\]{},:]|[^\s\[\]{},:"]++)',
    re.DOTALL,
)
# What has none of these has no personal value: an escape may stand for a letter of a name.
_MAY_TELL: Final = re.compile(rf'"(?:{"|".join(sorted(_PERSONAL))})"|\\')
_DECODER: Final = msgspec.json.Decoder()
_OPENING, _CLOSING, _BETWEEN = frozenset("[{"), frozenset("]}"), frozenset(",:")


class UnfitMessageError(LedgerError):
    """A message of a partner that cannot be a line of the log."""


class _Value(NamedTuple):
    """A personal value: where its JSON text stands, and in which object, by number."""

    name: str
    start: int
    end: int
    within: int
    said: str


@dataclass(slots=True)
class _Container:
    """An object or list as the scan goes through it; a list bears the number of its object."""

    number: int
    is_object: bool
    name: str
    is_naming: bool = True


_NOWHERE: Final = _Container(-1, is_object=False, name="")


@dataclass(slots=True)
class _Scan:
    """The personal values of a text, and the object around each object (-1: none)."""

    values: list[_Value] = field(default_factory=list)
    around: list[int] = field(default_factory=list)


class MessageCuts(NamedTuple):
    """What is cut out of a text, and whose each is: in order, apart."""

    spans: Sequence[tuple[int, int]]
    holders: Sequence[Holder]


class CutMessage(NamedTuple):
    """A message as it came, and what is to be cut out of its body and its reply."""

    message: PartnerMessage
    body: MessageCuts
    reply: MessageCuts

    @property
    def holders(self) -> list[Holder]:
        """Whose subjects `sealed` needs, each once."""
        return list(dict.fromkeys((*self.body.holders, *self.reply.holders)))

    def sealed(self, subjects: Mapping[Holder, Subject]) -> PartnerMessage:
        """Return the message as the log keeps it."""
        message = self.message
        body, sealed = _cut(message.body, self.body, subjects)
        reply, reply_sealed = message.reply, tuple[Sealed, ...]()
        if reply is not None:
            reply, reply_sealed = _cut(reply, self.reply, subjects)
        holders = self.body.holders
        hmac = frame_hmac(subjects[holders[0]].key, message.body) if holders else None
        return replace(
            message, body=body, reply=reply, sealed=sealed, reply_sealed=reply_sealed, hmac=hmac
        )


def cut_message(message: PartnerMessage) -> CutMessage:
    """Return *message* with what tells of somebody in it found, but still there.

    Raises:
        UnfitMessageError: If *message* cannot be a line of the log.
        BadPartyError: If its party is none.
    """
    _check(message)
    party = message.party
    return CutMessage(message, cuts_of(message.body, party), cuts_of(message.reply or "", party))


def cuts_of(text: str, party: str) -> MessageCuts:
    """Return what tells who somebody is in a *text* of *party*. Total."""
    if not text:
        return MessageCuts((), ())
    try:
        _check_json(text)
        if not _MAY_TELL.search(text):
            return MessageCuts((), ())
        found = _scan(text)
    except (ValueError, RecursionError):
        return MessageCuts([(0, len(text))], [partner_holder(party)])
    owners = _owners(found, partner_holder(party))
    return MessageCuts([(value.start, value.end) for value in found.values], owners)


def _check_json(text: str) -> None:
    """Raise ValueError, or RecursionError, if *text* is no JSON."""
    try:
        # It takes less than json does, and what it takes soonest is nearly all.
        _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeEncodeError, RecursionError):
        json.loads(text)


def _check(message: PartnerMessage) -> None:
    check_party(message.party)
    if not _WHAT.fullmatch(message.what):
        problem = f"{message.what[:80]!a} does not say in a word or two what it is"
        raise UnfitMessageError(problem)
    for name, text in (("body", message.body), ("reply", message.reply or "")):
        if len(text) > TEXT_MAX:
            problem = f"the {name} has {len(text)} characters, at most {TEXT_MAX} are kept"
            raise UnfitMessageError(problem)
        try:
            text.encode()
        except UnicodeEncodeError as error:
            problem = f"the {name} has half a character at {error.start}: no UTF-8 says that"
            raise UnfitMessageError(problem) from error


def _cut(
    text: str, cuts: MessageCuts, subjects: Mapping[Holder, Subject]
) -> tuple[str, tuple[Sealed, ...]]:
    given = zip(cuts.spans, cuts.holders, strict=True)
    return cut_text(text, [SubjectCut(*span, subjects[holder]) for span, holder in given])


def _owners(found: _Scan, party: Holder) -> list[Holder]:
    """Return whose each value is: its own token's, its object's, or a nested object's."""
    tokens = {value.said: token_holder(value.said) for value in found.values}
    named, others = _named(found, _TOKEN_IDS, tokens), _named(found, _OTHER_IDS, tokens)
    holders: dict[int, Holder] = {}
    for number, outer in enumerate(found.around):  # what is around an object has a lower number
        holder = named.get(number) or named.get(outer)
        if holder is not None:
            named[number] = holders[number] = holder
        elif number in others:
            holders[number] = others[number]
    for number in sorted(holders):
        outer = found.around[number]
        while outer >= 0 and outer not in holders:
            holders[outer] = holders[number]
            outer = found.around[outer]
    allowed: set[Holder] = set()
    owners = []
    for value in found.values:
        own = tokens[value.said] if value.name in _TOKEN_IDS else None
        owner = own or holders.get(value.within, party)
        if len(allowed) < HOLDERS_MAX:
            allowed.add(owner)
        owners.append(owner if owner in allowed else party)
    return owners


def _named(
    found: _Scan, names: Sequence[str], tokens: Mapping[str, Holder | None]
) -> dict[int, Holder]:
    """Return whom each object names: under the first of *names* that it has, and there first."""
    named: dict[int, tuple[int, Holder]] = {}
    for value in found.values:
        holder = tokens[value.said] if value.name in names else None
        if holder is not None:
            rank = names.index(value.name)
            if value.within not in named or rank < named[value.within][0]:
                named[value.within] = rank, holder
    return {number: holder for number, (_, holder) in named.items()}


def _scan(text: str) -> _Scan:
    """Return the personal values of a *text* that is JSON."""
    found = _Scan()
    inside: list[_Container] = []
    whole: tuple[int, int] | None = None  # a personal value that is a container: where, how deep
    for start, end, lexeme in _lexemes(text):
        top = inside[-1] if inside else _NOWHERE
        if lexeme in _OPENING:
            if whole is None and top.name in _PERSONAL:
                whole = start, len(inside)
            number = top.number
            if lexeme == "{":
                found.around.append(number)
                number = len(found.around) - 1
            inside.append(_Container(number, lexeme == "{", "" if lexeme == "{" else top.name))
        elif lexeme in _CLOSING:
            inside.pop()
            if whole is not None and len(inside) == whole[1]:
                outer = inside[-1]
                found.values.append(_Value(outer.name, whole[0], end, outer.number, ""))
                whole = None
        elif lexeme in _BETWEEN:
            top.is_naming = lexeme == ","
        elif top.is_object and top.is_naming:
            top.name = lexeme[1:-1] if "\\" not in lexeme else json.loads(lexeme)
        elif whole is None and top.name in _PERSONAL and lexeme != "null":
            found.values.append(_Value(top.name, start, end, top.number, _said(lexeme)))
    return found


def _said(lexeme: str) -> str:
    """Return what a JSON value says that is no container: of a text the characters."""
    if not lexeme.startswith('"'):
        return lexeme
    said: str = json.loads(lexeme) if "\\" in lexeme else lexeme[1:-1]
    return said


def _lexemes(text: str) -> Iterator[tuple[int, int, str]]:
    for found in _LEXEME.finditer(text):
        start, end = found.span(1)
        yield start, end, text[start:end]
