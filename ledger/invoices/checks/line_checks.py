"""Whether a document is about the ratings that it names, and these are quantity times price."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Final

from ledger.invoices.document import (
    CREDIT_NOTE,
    INVOICE,
    BilledSession,
    InvoiceDocument,
    charged_by,
)
from ledger.invoices.shown import UNITS
from ledger.rating.decisions import (
    RatedLine,
    SessionRated,
    SessionRevision,
    encode_decision,
    hash_decision,
)
from tariffs.currencies import currency_exponent
from tariffs.kernel.compiled import Why
from tariffs.kernel.priced import UNITS as VOLUME_UNITS
from tariffs.model.policy import PricingPolicy, RoundingUnit, policy_named
from tariffs.phrases.phrase import Phrase, phrase
from tariffs.quantities import REPEATING_DECIMALS, decimal_of_ratio, round_ratio

UNIT_CODES: Final[Mapping[str, str]] = {
    "kWh": "KWH",
    "h": "HUR",
    "min": "MIN",
    "session": "C62",
    "invoice": "C62",
}
"""UN/ECE recommendation 20: what a line may be counted in."""
_FREED: Final = frozenset({"given_back_by_person", "session_dissolved", "release_taken_back"})
"""Why a line is not owed though it was priced; then nothing of it is."""
_SMALLEST: Final = 10**REPEATING_DECIMALS


def reference_problems(
    document: InvoiceDocument, sessions: Sequence[SessionRated]
) -> Iterator[Phrase]:
    """Yield what is wrong with which ratings *document* names, and of which lines."""
    if not document.sessions or len(document.sessions) != len(sessions):
        yield phrase("sessions_missing", stated=len(document.sessions), wanted=len(sessions))
        return
    if document.type_code != (CREDIT_NOTE if document.credits else INVOICE):
        yield phrase("type_wrong", stated=document.type_code)
    for billed, whole in zip(document.sessions, sessions, strict=True):
        yield from tuple(_sums(whole)) or _reference(document, billed, whole)
    named = Counter((each.session_id, each.revision) for each in document.sessions)
    for (session_id, _), times in sorted(named.items()):
        if times > 1:
            yield phrase("session_twice", session=session_id)


def _sums(session: SessionRated) -> Iterator[Phrase]:
    lines = session.lines
    if len({(line.component, line.starts_at) for line in lines}) != len(lines):
        yield phrase("line_twice", session=session.session_id)
    net_minor, tax_minor = sum(x.net_minor for x in lines), sum(x.tax_minor for x in lines)
    if (session.net_minor, session.tax_minor) != (net_minor, tax_minor):
        yield phrase("session_not_of_lines", session=session.session_id)


def _reference(
    document: InvoiceDocument, billed: BilledSession, whole: SessionRated
) -> Iterator[Phrase]:
    session_id = billed.session_id
    if whole.decides != SessionRevision(session_id, billed.revision) or (
        hash_decision(encode_decision(whole)) != billed.rating_sha256
    ):
        yield phrase("rating_other", session=session_id)
        return
    part = billed.credited
    if (part is None) != (document.credits is None):
        yield phrase("credit_of_no_invoice", session=session_id)
        return
    lines = {line.line: line for line in whole.lines}
    taken = tuple(lines) if part is None else part.rated_lines
    if len(set(taken)) != len(taken) or not lines.keys() >= set(taken):
        yield phrase("credited_line_unknown", session=session_id)
        return
    gross_minor = sum(lines[each].net_minor + lines[each].tax_minor for each in taken)
    is_placed = part is None or len(part.invoice_lines) == len(taken)
    if billed.lines != len(taken) or billed.gross_minor != gross_minor or not is_placed:
        yield phrase("session_sum_wrong", session=session_id)


def credit_problems(
    document: InvoiceDocument, sessions: Sequence[SessionRated], before: Sequence[SessionRated]
) -> Iterator[Phrase]:
    """Yield which line a credit note takes back that an earlier one took back."""
    if document.credits is None:
        return
    gone = {(each.decides, line.line) for each in before for line in each.lines}
    for session in charged_by(document, sessions):
        if any((session.decides, line.line) in gone for line in session.lines):
            yield phrase("credited_twice", session=session.session_id)


def rating_problems(session: SessionRated) -> Iterator[Phrase]:
    """Yield what of *session*'s lines is not quantity times price, rounded."""
    policy = policy_named(session.policy)
    for line in session.lines:
        number, session_id = line.line, session.session_id
        if UNITS.get(line.dimension) not in UNIT_CODES:
            unit = str(line.dimension)
            yield phrase("unit_unknown", line=number, session=session_id, unit=unit)
        elif not _is_quantity_times_price(session, line):
            yield phrase("line_not_quantity_times_price", line=number, session=session_id)
        elif not _is_rounded(session, line, policy):
            yield phrase("line_wrongly_rounded", line=number, session=session_id)
    if not _are_rounded_together(session, policy):
        yield phrase("session_wrongly_rounded", session=session.session_id)


def _why(line: RatedLine) -> str:
    """Return what kind of line it is, as its component says ("ENERGY/0/priced")."""
    return line.component.split("/")[2]


def _is_quantity_times_price(session: SessionRated, line: RatedLine) -> bool:
    """Whether the exact amount of a price is its volume times what the tariff states per unit.

    What lowers or raises a price, or is a tax, says its amount alone.
    """
    if any(each.code in _FREED for each in line.reasons):
        return not (line.net or line.tax or line.net_minor or line.tax_minor)
    if _why(line) != Why.PRICED:
        return True
    # Hours may be a fraction that repeats; what was counted is whole.
    whole = VOLUME_UNITS[line.dimension]
    counted = Fraction(line.billed_volume) * whole
    stated = round_ratio(counted.numerator, counted.denominator) * Fraction(line.unit_price) / whole
    rate = Fraction(line.tax_percent or 0) / 100
    if not session.tax_included:
        net = stated
    elif session.reverse_charge_vat_id is None:
        net = stated / (1 + rate)
    else:
        # The price has a tax inside that is not charged: its rate stands nowhere on the line.
        whole_price = decimal_of_ratio(stated.numerator, stated.denominator)
        return abs(line.net) <= abs(whole_price) and not line.tax
    return _is(net, line.net) and _is(net * rate, line.tax)


def _is(exact: Fraction, stated: Decimal) -> bool:
    """Whether *stated* is how a rating writes the *exact* amount."""
    return decimal_of_ratio(exact.numerator, exact.denominator) == stated


def _is_rounded(session: SessionRated, line: RatedLine, policy: PricingPolicy) -> bool:
    """Whether a line is its exact amount rounded down or up, so that lines add up to their sum."""
    is_limit = _why(line) in (Why.MIN_PRICE, Why.MAX_PRICE)
    if _why(line) == Why.CASH or (is_limit and policy.rounding_unit is not RoundingUnit.TOTAL):
        return True
    stated_minor, exact = _stated(session, line, policy)
    is_near: bool = abs(stated_minor - exact * 10 ** currency_exponent(session.currency)) < 1
    return is_near


def _stated(session: SessionRated, line: RatedLine, policy: PricingPolicy) -> tuple[int, Fraction]:
    """Return the amount of a line that is rounded first: in minor units, and exactly."""
    if session.tax_included and policy.rounding_unit is not RoundingUnit.TOTAL:
        return line.net_minor + line.tax_minor, _gross(line)
    return line.net_minor, Fraction(line.net)


def _gross(line: RatedLine) -> Fraction:
    return Fraction(line.net) + Fraction(line.tax)


def _are_rounded_together(session: SessionRated, policy: PricingPolicy) -> bool:
    """Whether lines that are rounded as one sum come to that, in the policy's way of rounding."""
    if session.given_back or session.not_billed:
        # What is left was rounded with what is free by now.
        return True
    lines = [line for line in session.lines if _why(line) != Why.CASH]
    if policy.rounding_unit is RoundingUnit.TOTAL:
        nets = [(line.net_minor, Fraction(line.net)) for line in lines]
        grosses = [(line.net_minor + line.tax_minor, _gross(line)) for line in lines]
        return _is_sum(nets, session, policy) and _is_sum(grosses, session, policy)
    if any(_why(line) != Why.PRICED for line in lines):
        # Limits and what lowers a price are rounded with the lines that they change.
        return True
    groups: defaultdict[object, list[tuple[int, Fraction]]] = defaultdict(list)
    for line in lines:
        is_alone = policy.rounding_unit is RoundingUnit.LINE
        groups[line.line if is_alone else line.starts_at].append(_stated(session, line, policy))
    return all(_is_sum(group, session, policy) for group in groups.values())


def _is_sum(
    amounts: Sequence[tuple[int, Fraction]], session: SessionRated, policy: PricingPolicy
) -> bool:
    """Whether minor units are the exact amounts' sum, rounded.

    An amount that repeats is known to 18 decimals: a sum that near to a half may go either way.
    """
    scale = 10 ** currency_exponent(session.currency)
    exact = sum((each for _, each in amounts), Fraction(0))
    repeats = sum(each.denominator * 10 > _SMALLEST for _, each in amounts)
    unknown = Fraction(repeats, _SMALLEST)
    minor = sum(each for each, _ in amounts)
    return any(
        minor == round_ratio(near.numerator * scale, near.denominator, policy.rounding_mode)
        for near in (exact, exact - unknown, exact + unknown)
    )
