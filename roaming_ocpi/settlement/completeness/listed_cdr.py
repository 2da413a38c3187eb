"""A CDR as a list names it: what two parties compare, and nobody's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final, NamedTuple

from ledger.partners.party import BadPartyError, check_party
from roaming_ocpi.errors import RoamingError
from tariffs.currencies import UnknownCurrencyError, currency_exponent
from tariffs.ocpi.fields import read_moment
from tariffs.quantities import BadNumberError, is_sane, plain, read_number

ID_MAX: Final = 255
_ID: Final = re.compile(r"[\x20-\x7e]{1,255}", re.ASCII)
_KINDS: Final = ("cdr", "credit")
COLUMNS: Final = (
    "issuer",
    "cdr_id",
    "kind",
    "credits",
    "session_ref",
    "currency",
    "energy_kwh",
    "net",
    "tax",
    "started_at",
    "ended_at",
    "sha256",
)
"""Of a list, in this order. docs/settlement.md says what stands in each."""


class ListedCdr(NamedTuple):
    """One CDR. `issuer` is the party that made it; of a credit, amounts and energy are below 0."""

    issuer: str
    cdr_id: str
    kind: str
    credits: str | None
    session_ref: str | None
    currency: str
    energy_kwh: Decimal
    net: Decimal
    tax: Decimal | None
    started_at: datetime | None
    ended_at: datetime

    @property
    def key(self) -> str:
        """Return its id without case (OCPI: CiString)."""
        return self.cdr_id.lower()

    def texts(self) -> tuple[str, ...]:
        """Return what a list says of it, by `COLUMNS`; the last one is the hash of the others."""
        said = (
            self.issuer,
            self.cdr_id,
            self.kind,
            self.credits or "",
            self.session_ref or "",
            self.currency,
            f"{plain(self.energy_kwh):f}",
            f"{plain(self.net):f}",
            "" if self.tax is None else f"{plain(self.tax):f}",
            "" if self.started_at is None else moment_text(self.started_at),
            moment_text(self.ended_at),
        )
        return (*said, sha256("\n".join(said).encode()).hexdigest())


class UnfitRowError(RoamingError):
    """A line of a list, or of an invoice, that says nothing that can be compared."""

    def __init__(self, *, column: str, why: str) -> None:
        super().__init__(f"{column}: {why}")
        self.column, self.why = column, why


def listed_cdr(said: Mapping[str, Any]) -> ListedCdr:
    """Return what a line *said*: texts, or numbers of JSON as int or Decimal.

    A credit whose amounts are above 0 is read as taking them back: partners differ in that.

    Raises:
        UnfitRowError: If something is missing, or cannot be; or its hash is not that of the rest.
    """
    kind = _text(said, "kind", is_optional=True) or "cdr"
    if kind not in _KINDS:
        raise UnfitRowError(column="kind", why=f"{_shown(kind)} is neither cdr nor credit")
    net, tax = number_in(said, "net"), optional(said, "tax", number_in)
    energy = number_in(said, "energy_kwh")
    is_credit = kind == "credit"
    found = ListedCdr(
        issuer=_issuer(said),
        cdr_id=cdr_id_in(said),
        kind=kind,
        credits=_text(said, "credits", is_optional=True),
        session_ref=_text(said, "session_ref", is_optional=True),
        currency=currency_in(said),
        energy_kwh=-abs(energy) if is_credit else energy,
        net=-abs(net) if is_credit else net,
        tax=-abs(tax) if is_credit and tax is not None else tax,
        started_at=optional(said, "started_at", _moment),
        ended_at=_moment(said, "ended_at"),
    )
    told = _text(said, "sha256", is_optional=True)
    if told is not None and told.lower() != found.texts()[-1]:
        raise UnfitRowError(
            column="sha256", why="it is not that of the other columns: the line was changed"
        )
    return found


def cdr_id_in(said: Mapping[str, Any], key: str = "cdr_id") -> str:
    """Return the id of a CDR: ASCII that is seen (OCPI: CiString)."""
    text = _text(said, key)
    assert text is not None, "it is required"
    return text


def number_in(said: Mapping[str, Any], key: str) -> Decimal:
    """Return an exact number."""
    value = said.get(key)
    if isinstance(value, str):
        try:
            return read_number(value.strip())
        except BadNumberError as error:
            raise UnfitRowError(column=key, why=str(error)) from None
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise UnfitRowError(column=key, why=f"{_shown(value)} is not a number")
    number = Decimal(value)
    if not is_sane(number):
        raise UnfitRowError(column=key, why="not a finite number of reasonable size")
    return plain(number)


def currency_in(said: Mapping[str, Any]) -> str:
    """Return a currency of ISO 4217."""
    text = _text(said, "currency") or ""
    try:
        currency_exponent(text)
    except UnknownCurrencyError:
        raise UnfitRowError(column="currency", why=f"{_shown(text)} is none of ISO 4217") from None
    return text


def optional(
    said: Mapping[str, Any], key: str, read: Callable[[Mapping[str, Any], str], Any]
) -> Any:  # noqa: ANN401 - what *read* returns
    """Return what *read* makes of a value, None where there is none."""
    return None if said.get(key) in (None, "") else read(said, key)


def moment_text(moment: datetime) -> str:
    """Return a moment in UTC; without a fraction where it has none."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _issuer(said: Mapping[str, Any]) -> str:
    text = (_text(said, "issuer") or "").upper()
    try:
        check_party(text)
    except BadPartyError:
        raise UnfitRowError(
            column="issuer", why=f"{_shown(text)} is no party like DE-ABC"
        ) from None
    return text


def _text(said: Mapping[str, Any], key: str, *, is_optional: bool = False) -> str | None:
    value = said.get(key)
    if value is None or value == "":
        if is_optional:
            return None
        raise UnfitRowError(column=key, why="is missing")
    if not isinstance(value, str):
        raise UnfitRowError(column=key, why=f"{_shown(value)} is not a text")
    if not _ID.fullmatch(value):
        raise UnfitRowError(column=key, why=f"not 1 to {ID_MAX} letters, digits and signs of ASCII")
    return value


def _moment(said: Mapping[str, Any], key: str) -> datetime:
    value = said.get(key)
    if not isinstance(value, str) or not value:
        raise UnfitRowError(column=key, why=f"{_shown(value)} is not a date and time")
    try:
        return read_moment(value)
    except ValueError:
        raise UnfitRowError(column=key, why=f"{_shown(value)} is not a date and time") from None


def _shown(value: object) -> str:
    text = ascii(value)
    return text if len(text) <= ID_MAX // 4 else f"{text[: ID_MAX // 4]}..."
