"""Master data as people write it: YAML sections of sites, stations, tokens, customers, tariffs.

A section maps keys to what is declared of them; null withdraws. Stations have two conveniences
that never reach the books: `password` becomes a salted hash, `connectors: 2` two connectors.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum, EnumType, auto
from typing import Any, Final, get_args

import msgspec

from ledger.declared.changes import Change
from ledger.declared.chart_file import ACCOUNTS, LEGAL_ENTITY, read_chart
from ledger.declared.declarations import ENTITY_OF, POLICY_KEY, Declarations, Entity, Kind
from ledger.declared.identities import canonical
from ledger.declared.passwords import (
    LENGTH_MIN,
    BadHashError,
    check_hash,
    hash_password,
    password_matches,
)
from ledger.desk.yaml_spots import Path, YamlDocument, read_document
from ledger.facts.token_uid import canonical_token
from ledger.master_data.assignments import Assignment
from ledger.master_data.charts import ANY
from ledger.master_data.customers import CustomerEntry, PersonDetails
from ledger.master_data.documents.findings import findings_of
from ledger.master_data.documents.logos import data_uri
from ledger.master_data.documents.means import DocumentMeans
from ledger.master_data.legal_entities import LegalEntity
from ledger.master_data.stations import Station
from ledger.master_data.tokens import A_NAME, AN_ID, Token, is_a_name, is_an_id
from tariffs.problems import Problem

SECTIONS: Final[Mapping[str, Kind]] = {
    "legal_entities": Kind.LEGAL_ENTITY,
    "sites": Kind.SITE,
    "stations": Kind.STATION,
    "customers": Kind.CUSTOMER,
    "tokens": Kind.TOKEN,
    "tariff_assignments": Kind.ASSIGNMENT,
    "partners": Kind.PARTNER,
    "policy": Kind.POLICY,
}
VALID_FROM = "valid_from"
CONNECTORS_MAX: Final = 99
WORDS: Final[Mapping[str, str]] = {"Invalid decimal string": "expected a number"}
"""What msgspec says, as people say it."""
_STEP = re.compile(r"\.([^.\[\]`]+)|\[(\d+)\]")


class _Broken(Enum):
    """What stands where an entity would, had it no problem."""

    BROKEN = auto()


@dataclass(slots=True)
class MasterData:
    """What files declare: the changes, where each stands, and every problem.

    `spelt` says how the files write the tokens that they declare, `details` who the customers are.
    `warnings` are what documents will lack: no reason to refuse it.
    """

    changes: list[Change] = field(default_factory=list)
    passwords: dict[str, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    means: DocumentMeans | None = None
    spelt: dict[str, str] = field(default_factory=dict)
    details: dict[str, PersonDetails] = field(default_factory=dict)
    _spots: dict[tuple[Kind, str], tuple[YamlDocument, Path]] = field(default_factory=dict)

    def report(self, kind: Kind, key: str, message: str) -> Problem:
        """Return a problem about a declared thing, with the spot where it stands."""
        document, path = self._spots.get((kind, key), (YamlDocument("declared"), ()))
        document.report(path, message)
        return document.problems.pop()

    def add(self, change: Change, document: YamlDocument, path: Path) -> None:
        """Take *change* unless the same thing stands in the files already."""
        name = (change.kind, change.key)
        if change.kind is Kind.TOKEN:
            self.spelt[change.key] = str(path[-1])
        if name in self._spots:
            document.report(path, f"{change.kind} {change.key} is declared twice")
            return
        self._spots[name] = (document, path)
        self.changes.append(change)

    def report_twins(self, known: Declarations) -> None:
        """Report stations whose identities differ in case alone: on the wire they are one."""
        spelt = {canonical(key): key for key in known.keys(Kind.STATION)}
        for change in self.changes:
            if change.kind is not Kind.STATION:
                continue
            twin = spelt.setdefault(canonical(change.key), change.key)
            if twin != change.key:
                message = f"station {twin} differs in case alone: stations would be confused"
                self.problems.append(self.report(change.kind, change.key, message))


def read_master_data(
    files: Iterable[tuple[str, str]], known: Declarations, means: DocumentMeans | None = None
) -> MasterData:
    """Return what *files* (text, source) declare; passwords that *known* has keep their hash.

    *means*: what documents can be made with, against which texts and languages are held.
    """
    data = MasterData(means=means)
    for text, source in files:
        document = read_document(text, source)
        if isinstance(document.value, dict) and ACCOUNTS in document.value:
            _read_chart(text, source, document, data)
        else:
            _read_document(document, known, data)
        data.problems += document.problems
    data.report_twins(known)
    data.problems.sort()
    return data


def _read_document(document: YamlDocument, known: Declarations, data: MasterData) -> None:
    if document.value is None:
        return
    if not isinstance(document.value, dict):
        document.report((), f"expected sections: {', '.join(SECTIONS)}")
        return
    valid_from = _valid_from(document)
    for section, content in document.value.items():
        kind = SECTIONS.get(section)
        if section == VALID_FROM:
            continue
        if kind is None:
            document.report((section,), f"unknown section {section}{_hint(section, SECTIONS)}")
            continue
        for path, key, body in _bodies(document, section, kind, content):
            if kind is Kind.STATION:
                body = _station_body(document, path, body, known, key, data)  # noqa: PLW2901
            if kind is Kind.LEGAL_ENTITY:
                body = _seller_body(document, path, body, data.means)  # noqa: PLW2901
            entity = _entity(document, path, kind, body)
            if entity is _Broken.BROKEN:
                continue
            _report_findings(document, path, entity, data)
            key, declared = _declared(key, entity, data)  # noqa: PLW2901 - see there
            change = Change(kind=kind, key=key, entity=declared, valid_from=valid_from)
            data.add(change, document, path)


def _read_chart(text: str, source: str, document: YamlDocument, data: MasterData) -> None:
    """Read a chart of accounts, which is a file of its own; null accounts withdraw it."""
    if document.value[ACCOUNTS] is None:
        key = document.value.get(LEGAL_ENTITY) or ANY
        data.add(Change(kind=Kind.CHART, key=key, entity=None), document, (ACCOUNTS,))
        return
    found, problems = read_chart(text, source)
    document.problems = problems
    if found is not None:
        change = Change(kind=Kind.CHART, key=found.legal_entity, entity=found.chart)
        data.add(change, document, (ACCOUNTS,))


def _declared(
    key: str, entity: Entity | CustomerEntry | None, data: MasterData
) -> tuple[str, Entity | None]:
    """Return what is declared under which key: an assignment is known by its conditions."""
    match entity:
        case Assignment():
            assignment = _with_canonical_token(entity)
            return assignment.key(), assignment
        case CustomerEntry():
            data.details.setdefault(key, entity.details())
            return key, entity.customer()
        case _:
            return key, entity


def _with_canonical_token(assignment: Assignment) -> Assignment:
    token = canonical_token(assignment.token)
    return msgspec.structs.replace(assignment, token=token)


def _bodies(
    document: YamlDocument, section: str, kind: Kind, content: object
) -> Iterable[tuple[Path, str, object]]:
    """Yield path, key and body of each thing in a section."""
    if kind is Kind.POLICY:
        yield (section,), POLICY_KEY, content
    elif kind is Kind.ASSIGNMENT:
        if not isinstance(content, list):
            document.report((section,), f"{section} must be a list")
            return
        for index, body in enumerate(content):
            yield (section, index), str(index), body
    elif isinstance(content, dict):
        for name, body in content.items():
            key = canonical_token(name) if kind is Kind.TOKEN else name
            if key is None:
                stands_for_none = f"stations send {name!r} where there is no token: it names nobody"
                document.report((section, name), stands_for_none)
                continue
            # One that stands there already may still be withdrawn.
            if body is not None and not is_an_id(key):
                document.report((section, name), f"an id is {AN_ID}")
                continue
            yield (section, name), key, body
    elif content is not None:
        document.report((section,), f"{section} must map each key to what is declared of it")


def _entity(
    document: YamlDocument, path: Path, kind: Kind, body: object
) -> Entity | CustomerEntry | _Broken | None:
    """Return the entity that *body* describes, None to withdraw, BROKEN after a problem."""
    if body is None:
        return None
    if not isinstance(body, dict):
        document.report(path, "expected names and values")
        return _Broken.BROKEN
    wanted = CustomerEntry if kind is Kind.CUSTOMER else ENTITY_OF[kind]
    entity = _converted(document, path, wanted, body)
    if isinstance(entity, CustomerEntry) and not entity.name.strip():
        document.report((*path, "name"), "a customer needs a name")
        return _Broken.BROKEN
    if isinstance(entity, Token) and entity.driver is not None and not is_a_name(entity.driver):
        document.report((*path, "driver"), f"a driver needs {A_NAME}")
        return _Broken.BROKEN
    return entity


def _station_body(
    document: YamlDocument,
    path: Path,
    body: object,
    known: Declarations,
    key: str,
    data: MasterData,
) -> object:
    """Return a station's *body* in the words of the books."""
    if not isinstance(body, dict):
        return body
    body = dict(body)
    count = body.get("connectors")
    if isinstance(count, str):
        body["connectors"] = _connectors(document, path, count)
    password = body.pop("password", None)
    if password is None:
        _check_hash(document, (*path, "password_hash"), body.get("password_hash"))
        return body
    if not isinstance(password, str) or len(password) < LENGTH_MIN:
        at_least = f"a password has at least {LENGTH_MIN} characters"
        document.report((*path, "password"), at_least)
    elif "password_hash" in body:
        document.report((*path, "password"), "give password or password_hash, not both")
    else:
        data.passwords[key] = password
        body["password_hash"] = _kept_hash(known, key, password) or hash_password(password)
    return body


def _seller_body(
    document: YamlDocument, path: Path, body: object, means: DocumentMeans | None
) -> object:
    """Return a seller's *body* with its logo, which a file may be, as the picture itself."""
    logo = body.get("logo") if isinstance(body, dict) else None
    if not isinstance(body, dict) or not isinstance(logo, str) or logo.startswith("data:"):
        return body
    if means is None:
        return body
    try:
        picture = means.picture(document.source, logo)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", None) or error
        document.report((*path, "logo"), f"cannot read {logo}: {why}")
        return {**body, "logo": None}
    return {**body, "logo": data_uri(picture)}


def _report_findings(document: YamlDocument, path: Path, entity: object, data: MasterData) -> None:
    """Report what the documents of *entity* would fail at, and warn of what they will lack."""
    if not isinstance(entity, LegalEntity | CustomerEntry):
        return
    for spot, message, is_warning in findings_of(entity, data.means):
        document.report((*path, *spot), message)
        if is_warning:
            data.warnings.append(document.problems.pop())


def _connectors(document: YamlDocument, path: Path, count: str) -> list[dict[str, int]]:
    """Return *count* connectors, one an EVSE, after reporting a count that is none."""
    if not count.isdecimal() or not 1 <= int(count) <= CONNECTORS_MAX:
        wanted = f"expected a number from 1 to {CONNECTORS_MAX}, or a list of connectors"
        document.report((*path, "connectors"), wanted)
        return []
    return [{"evse_id": number, "connector_id": 1} for number in range(1, int(count) + 1)]


def _check_hash(document: YamlDocument, path: Path, given: object) -> None:
    """Report a hash that no password would ever match."""
    if not isinstance(given, str):
        return
    try:
        check_hash(given)
    except BadHashError as error:
        document.report(path, str(error))


def _kept_hash(known: Declarations, key: str, password: str) -> str | None:
    """Return the declared hash if it is *password*'s, so that applying again changes nothing."""
    history = known.history(Kind.STATION, key)
    entity = history[-1].entity if history else None
    held = entity.password_hash if isinstance(entity, Station) else None
    return held if held and password_matches(password, held) else None


def _converted(
    document: YamlDocument, path: Path, wanted: type[Entity | CustomerEntry], body: dict[str, Any]
) -> Entity | CustomerEntry | _Broken:
    """Return *body* as *wanted*, after reporting what about it does not fit."""
    names = {each.name: each for each in msgspec.structs.fields(wanted)}
    wrong = [name for name in body if name not in names]
    for name in wrong:
        known = [*names, "password"] if wanted is Station else names
        document.report((*path, name), f"unknown name {name}{_hint(name, known)}")
    missing = [name for name, each in names.items() if each.required and name not in body]
    for name in missing:
        document.report(path, f"{name} is missing")
    if missing:
        return _Broken.BROKEN
    try:
        fitting = {name: value for name, value in body.items() if name in names}
        entity = msgspec.convert(fitting, wanted, strict=False)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        inner = tuple(int(index) if index else name for name, index in _STEP.findall(where))
        kind = names[str(inner[0])].type if len(inner) == 1 else None
        document.report((*path, *inner), WORDS.get(what, what) + _choices(what, kind))
        return _Broken.BROKEN
    return _Broken.BROKEN if wrong else entity


def _choices(what: str, kind: object) -> str:
    """Return what may stand where a value of the enumeration *kind* was expected."""
    if not what.startswith("Invalid enum value"):
        return ""
    choices: list[str] = []
    for each in (kind, *get_args(kind)):
        if isinstance(each, EnumType):
            choices += each.__members__
    return f" (expected {', '.join(name.lower() for name in choices)})" if choices else ""


def _valid_from(document: YamlDocument) -> datetime | None:
    text = document.value.get(VALID_FROM)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is None:
        document.report((VALID_FROM,), "expected a time with its zone: 2026-04-01T00:00:00+02:00")
        return None
    return moment.astimezone(UTC)


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""
