r"""Where a frame tells who somebody is: pure, by the names of its members, to the character.

The text is cut as it stands, never written anew, so that it comes back to the byte: with its
escapes, its blanks and its members that stand twice. Three kinds of value are cut, as a whole:

    "idTag":"04A1B2C3"                    a token, by the name of its member, in any action
    "value":"OCMF|{..\"ID\":\"04A1\"..}"  a text with a token in it, as JSON or in base64
    "data":"card 04A1B2C3"                what no rule understands: for the token that stands
                                          in it, else for the first of the frame, else the station

A frame that is no message tells no facts either and is cut whole, for its station: whom it names
nobody can say. What is left are names and texts that billing reads; in these no token is looked
for, as a token "2026" must not cut a time. Tests: tests/ingest/persons/test_cuts.py.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from ingest.facts.rpc_call import SetAside, call_of
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.persons.holders import Holder, token_holder

TOKENS_MAX: Final = 16
"""Tokens of one text that get a subject of their own; no message of a station holds more."""
PART_MIN: Final = 4
"""Characters from which on a token is looked for within other texts."""


class _Secret(NamedTuple):
    """Which member has a password's name, and which its value; or that of the object around."""

    named_by: str
    member: str
    is_below: bool = False


_LENGTH_MAX: Final[Mapping[str, int]] = {"idTag": 20, "parentIdTag": 20}
"""How long 1.6 lets a token be (CiString20Type); what is longer is odd."""
_TOKENS: Final = frozenset({"idTag", "parentIdTag", "idToken", "groupIdToken", "additionalIdToken"})
_FREE: Final = frozenset(
    {"data", "techInfo", "certificate", "exiRequest", "vatNumber", "vatCompany", "company"}
)
"""Texts of vendors, reports about customers, contract certificates: read by nobody here.

And whom a payment terminal asked for an address (2.1)."""
# A price as we tell it (`ingest.prices.words`), to the letter: it says of nobody who he is.
_COST: Final = re.compile(
    r'\{"transactionId":[0-9]{1,10},(?:"timestamp":"[-0-9T:.Z]{20,30}","meterValue":[0-9]{1,16},)?'
    r'"cost":-?[0-9]{1,16}(?:\.[0-9]{1,4})?,'
    r'(?:"priceText":"-?[0-9.]{1,21} [A-Z]{3}"'
    r'|"state":"(?:Idle|Charging)","chargingPrice":\{"kWhPrice":0\})\}'
)
_OF_ITS_TOKEN: Final = frozenset({"serialNumber"})
"""In a frame with a token, that of a contract certificate; in one without, the station's."""
# What a text must hold to be looked at: an escape or a part of a name of above. Few, as most texts
# hold none of them and are searched for each; a test holds them to the names.
_WORTH: Final = (
    "\\",
    "dT",
    'ata"',
    "techInfo",
    'ificate"',
    "exiReq",
    "SignedData",
    "vatN",
    "mpany",
)
_SECRETS: Final[Mapping[str, _Secret]] = {
    "authorizationkey": _Secret("key", "value"),
    "basicauthpassword": _Secret("name", "attributeValue", is_below=True),
}
"""The names of passwords, without case."""
_ADDRESSED: Final = frozenset({"location", "remoteLocation"})
_ONE_TIME: Final = re.compile(r"/[A-Za-z0-9_-]{43}(?:/|\Z)", re.ASCII)
"""In what `ingest.files.addresses` makes: who knows one needs no more, until it expires."""
_ID: Final = re.compile(r'\s*\[\s*"?[0-9]+"?\s*,\s*"')
_STRING: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_COLON: Final = re.compile(r"[ \t\r\n]*:[ \t\r\n]*")
_BRACKET: Final = re.compile(_STRING.pattern + r"|[\[\]{}]", re.DOTALL)
_NUMBER: Final = re.compile(r"[-+0-9.eE]+")
# Names of tokens in texts: OCPP's, and that of OCMF (the signed data of most meters).
_WITHIN: Final = re.compile(
    r'"(?:ID|idTag|id_tag|parentIdTag|idToken|uid|tokenUid)\\*"\s*:\s*(?:\\*"([^"\\]*)|([0-9]+))'
)
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]{16,}+")


class PersonCut(NamedTuple):
    """A value to cut out: where its JSON text stands, and whose it is (None: the station's)."""

    start: int
    end: int
    holder: Holder | None
    is_odd: bool = False
    is_secret: bool = False
    """A password of the station: nobody is shown it."""


class _Value(NamedTuple):
    """A member's value, or a string that is none's: its name, where it stands, what it says."""

    name: str
    start: int
    end: int
    text: str


def cuts_in(
    text: str,
    habits: TokenHabits = NO_HABITS,
    beside: Sequence[PersonCut] = (),
    *,
    is_ours: bool = False,
    tokens_max: int = TOKENS_MAX,
) -> list[PersonCut]:
    """Return what is to be cut out of *text*, in its order. Never raises.

    Args:
        text: A frame, or the reply to one.
        habits: What the station's model makes of tokens.
        beside: What is cut out of the frame, where *text* is the reply to it.
        is_ours: It is a call of ours, or the answer to one: passwords of the station, and
            addresses made for it, are cut out of it. In what a station says of itself nothing
            but readings would be lost.
        tokens_max: How many tokens of it get a subject of their own.
    """
    is_worth = any(map(text.__contains__, _WORTH))
    if is_ours:
        is_worth = is_worth or any(map(text.casefold().__contains__, (*_SECRETS, 'ocation"')))
    if not beside and not is_worth:
        return []
    values = list(_values(text))
    cuts = _secret_cuts(text, values) if is_ours else []
    taken = {cut.start for cut in cuts}
    cuts += [
        cut
        for value in values
        if value.start not in taken and (cut := _token_cut(value, habits)) is not None
    ]
    holders = _unique((*beside, *cuts), TOKENS_MAX)
    taken = {cut.start for cut in cuts}
    id_at = at.end() - 1 if (at := _ID.match(text)) else -1
    cuts += [
        cut
        for value in values
        if value.start not in taken
        and (cut := _text_cut(value, holders, habits, is_id=value.start == id_at)) is not None
    ]
    # A frame of a million tokens must not make a million rows: the others are the station's.
    known = set(_unique((*beside, *cuts), tokens_max))
    cuts = [cut if cut.holder in known else cut._replace(holder=None) for cut in cuts]
    return sorted(cuts, key=lambda cut: cut.start)


def _unique(cuts: Iterable[PersonCut], tokens_max: int) -> list[Holder]:
    """Return the first *tokens_max* tokens that are cut out, each once."""
    found = dict.fromkeys(cut.holder for cut in cuts if cut.holder is not None)
    return list(found)[:tokens_max]


def whole_cut(text: str) -> list[PersonCut]:
    """Return a cut of the whole *text* if it is no message; what it says tells no facts then."""
    if text and isinstance(call := call_of(text, None), SetAside) and call.reason is not None:
        return [PersonCut(0, len(text), None)]
    return []


def _secret_cuts(text: str, values: Sequence[_Value]) -> list[PersonCut]:
    """Return cuts of one-time addresses, and of passwords: members of the object that names one.

    {"key":"AuthorizationKey","value":"..."}
    {"attributeValue":"...","component":{...},"variable":{"name":"BasicAuthPassword"}}
    """
    within, around = _objects(text, values)
    secret: dict[int, str] = {}
    for value, own in zip(values, within, strict=True):
        named = _SECRETS.get(value.text.casefold())
        if named is None or value.name != named.named_by or own is None:
            continue
        whole = around[own] if named.is_below else own
        if whole is not None:
            secret[whole] = named.member
    return [
        PersonCut(value.start, value.end, None, is_secret=True)
        for value, own in zip(values, within, strict=True)
        if (own is not None and secret.get(own) == value.name)
        or (value.name in _ADDRESSED and _ONE_TIME.search(value.text))
    ]


def _objects(text: str, values: Sequence[_Value]) -> tuple[list[int | None], list[int | None]]:
    """Return the object that each value is a member of, and the one around each object.

    One pass: a station's answer may be a million brackets.
    """
    within: list[int | None] = []
    around: list[int | None] = []
    opened: list[int] = []
    for found in _BRACKET.finditer(text):
        if found[0] not in ("{", "}"):
            continue
        while len(within) < len(values) and values[len(within)].start < found.start():
            within.append(opened[-1] if opened else None)
        if found[0] == "{":
            around.append(opened[-1] if opened else None)
            opened.append(len(around) - 1)
        elif opened:
            opened.pop()
    return within + [None] * (len(values) - len(within)), around


def _token_cut(value: _Value, habits: TokenHabits) -> PersonCut | None:
    if value.name not in _TOKENS:
        return None
    holder = token_holder(value.text, habits)
    if holder is None:
        return None
    raw, length_max = value.text, _LENGTH_MAX.get(value.name)
    is_long = length_max is not None and len(raw) > length_max
    return PersonCut(value.start, value.end, holder, raw != raw.strip() or is_long)


def _text_cut(
    value: _Value, holders: list[Holder], habits: TokenHabits, *, is_id: bool
) -> PersonCut | None:
    """Return how a text is cut in which somebody stands, or may stand."""
    is_free = value.name in _FREE and _COST.fullmatch(value.text) is None
    if is_id or is_free:
        said = value.text.replace("\0", "").casefold()
        for holder in holders:
            written = {holder.name.casefold(), holder.spelt.casefold()}
            if any(len(each) >= PART_MIN and each in said for each in written):
                return PersonCut(value.start, value.end, holder)
    if is_id:
        return None
    within = _holder_within(value.text, habits)
    if within is not None:
        return PersonCut(value.start, value.end, within)
    if is_free and value.text:
        return PersonCut(value.start, value.end, holders[0] if holders else None)
    if value.name in _OF_ITS_TOKEN and holders:
        return PersonCut(value.start, value.end, holders[0])
    return None


def _holder_within(text: str, habits: TokenHabits) -> Holder | None:
    """Return the first token in a text that holds JSON, or JSON in base64."""
    for plain in (text, *map(_decoded, _BASE64.findall(text))):
        for found in _WITHIN.finditer(plain):
            holder = token_holder(found[1] or found[2], habits)
            if holder is not None:
                return holder
    return None


def _decoded(base64_text: str) -> str:
    """Return what a run of base64 says, but for its last characters: those name nobody."""
    whole = len(base64_text) // 4 * 4
    return base64.b64decode(base64_text[:whole]).decode("latin-1")


def _values(text: str) -> Iterator[_Value]:
    """Yield every string that is no name, every number that has one, and vendors' data whole.

    Strings are taken one after the other, so that what looks like a member within one is none.
    """
    at, name = 0, ""
    while (found := _STRING.search(text, at)) is not None:
        at = found.end()
        colon = _COLON.match(text, at)
        if colon is None:
            yield _Value(name, found.start(), at, _said(found[0]))
            name = ""
            continue
        name, at = _said(found[0]), colon.end()
        number = _NUMBER.match(text, at)
        if number is not None:
            yield _Value(name, at, number.end(), number[0])
            at = number.end()
        elif name in _FREE and text[at : at + 1] in {"[", "{"}:
            start, at = at, _end_of(text, at)
            yield _Value(name, start, at, text[start:at])
        if not text.startswith('"', at):
            name = ""


def _end_of(text: str, start: int) -> int:
    """Return where the object or list ends that begins at *start*."""
    depth = 0
    for found in _BRACKET.finditer(text, start):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(found[0], 0)
        if depth == 0:
            return found.end()
    return len(text)


def _said(string: str) -> str:
    """Return what a JSON string says; one that is broken says its own text."""
    if "\\" not in string and len(string) > 1 and string.endswith('"'):
        return string[1:-1]
    try:
        said = json.loads(string, strict=False)
    except ValueError:
        return string.strip('"')
    return said if isinstance(said, str) else ""
