"""The variance gate: what a new price may move without that the approver says why.

    draft --What if (a job)--> Variance --policy--> VarianceFinding... --> approve: wants a reason

The policy's `variance_percent` and `variance_session` are the gate; where neither is declared there
is none. Of several tries of the same version the one that moves the most counts: nobody gets past
it by choosing a quiet month, and none counts that looked at some of its sites alone. Where nobody
tried it out, a reason is wanted, too; and where it is assigned to places, of which no try speaks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, NamedTuple

import msgspec
from psycopg import Connection

from ledger.errors import LedgerError
from ledger.jobs.asking import results_about
from ledger.master_data.policies import Policy, limit_in
from ledger.shapes import read_stored
from tariffs.quantities import money_of_minor, round_ratio

TRY_KIND: Final = "what_if"
"""Of the jobs that try out a version; they are about its hash."""
_TRIES_MAX: Final = 200
_PERCENT: Final = 100


class Variance(msgspec.Struct, frozen=True, kw_only=True):
    """What a try said: of how many sessions, revenue before and after, and the dearest change.

    `dearest_minor` is by how much the one session became dearer that became so the most. Amounts
    are in minor units of `currency`, taxes included. `is_whole`: no session was left aside that the
    tariff prices.
    """

    is_whole: bool
    sessions: int
    currency: str
    old_minor: int
    new_minor: int
    dearest_minor: int

    @property
    def percent(self) -> Fraction | None:
        """Return by how many per cent revenue moves, None from nothing to something."""
        moved = self.new_minor - self.old_minor
        if not self.old_minor:
            return None if moved else Fraction(0)
        return Fraction(moved * _PERCENT, abs(self.old_minor))


class VarianceCode(StrEnum):
    """Why the approver has to say something."""

    UNTRIED = "untried"
    REVENUE = "revenue"
    SESSION = "session"
    ASSIGNED = "assigned"


class VarianceFinding(NamedTuple):
    """One reason why; `job` is the try that says so.

    `moved` and `allowed` are per cent, or amounts with their currency; "" of what was not tried.
    """

    code: VarianceCode
    job: int | None = None
    moved: str = ""
    allowed: str = ""

    def __str__(self) -> str:
        """Return it as a sentence."""
        match self.code:
            case VarianceCode.UNTRIED:
                return "nobody tried out on sessions what it changes"
            case VarianceCode.ASSIGNED:
                return "it is to price other places, too, and no try says what that moves"
            case VarianceCode.REVENUE:
                return (
                    f"revenue moves by {self.moved} %, more than {self.allowed} % (job {self.job})"
                )
            case VarianceCode.SESSION:
                return (
                    f"a session becomes dearer by {self.moved}, more than {self.allowed} "
                    f"(job {self.job})"
                )


class VarianceError(LedgerError):
    """A price that moves more than the policy lets it, and no reason was given."""

    def __init__(self, tariff_id: str, findings: Sequence[VarianceFinding]) -> None:
        self.tariff_id, self.findings = tariff_id, tuple(findings)
        said = "; ".join(map(str, findings))
        super().__init__(
            f"tariff {tariff_id} is approved only with a reason: {said} (give the reason why it "
            "shall hold all the same: --reason, or the field on the page)"
        )


class _Tried(msgspec.Struct, frozen=True):
    variance: Variance


def variances_of(connection: Connection[Any], version: str) -> Sequence[tuple[int, Variance]]:
    """Return what the tries of a version said, with the numbers of their jobs.

    One whose result cannot be read says nothing.
    """
    found = results_about(connection, TRY_KIND, version, limit=_TRIES_MAX)
    tries = ((job, read_stored(each, _Tried)) for job, each in found)
    return [(job, tried.variance) for job, tried in tries if tried is not None]


def findings_of(
    policy: Policy, tries: Iterable[tuple[int, Variance]], *, assigns: bool = False
) -> Sequence[VarianceFinding]:
    """Return why a version needs a reason by *policy*, of what its *tries* said.

    *assigns*: it is assigned anew as well.
    """
    percent, session = policy.variance_percent, policy.variance_session
    if percent is None and session is None:
        return ()
    found = [VarianceFinding(VarianceCode.ASSIGNED)] if assigns else []
    looked = [(number, each) for number, each in tries if each.is_whole and each.sessions]
    if not looked:
        return (*found, VarianceFinding(VarianceCode.UNTRIED))
    if percent is not None:
        number, worst = max(looked, key=lambda each: _size(each[1]))
        moved = worst.percent
        if moved is None or abs(moved) > percent:
            found.append(
                VarianceFinding(VarianceCode.REVENUE, number, _percent_text(moved), f"{percent:f}")
            )
    if session is not None:
        number, worst = max(looked, key=lambda each: each[1].dearest_minor)
        dearer = money_of_minor(worst.dearest_minor, worst.currency)
        most = limit_in(session, worst.currency)
        if dearer.amount > most:
            said = f"{dearer.amount:f} {worst.currency}"
            found.append(
                VarianceFinding(VarianceCode.SESSION, number, said, f"{most:f} {worst.currency}")
            )
    return found


def check_variance(
    connection: Connection[Any],
    policy: Policy,
    tried: tuple[str, str],
    reason: str,
    *,
    assigns: bool,
) -> None:
    """Check that who lets a version (tariff and hash) hold may, with the *reason* given or none.

    Raises:
        VarianceError: If it moves more than the policy lets it and there is no reason.
    """
    tariff_id, version = tried
    findings = findings_of(policy, variances_of(connection, version), assigns=assigns)
    if findings and not reason.strip():
        raise VarianceError(tariff_id, findings)


def _size(variance: Variance) -> Fraction:
    moved = variance.percent
    # From nothing to something is more than any per cent.
    return Fraction(10**12) if moved is None else abs(moved)


def _percent_text(percent: Fraction | None) -> str:
    if percent is None:
        return "∞"
    hundredths = round_ratio(percent.numerator * 100, percent.denominator)
    return f"{Decimal(hundredths).scaleb(-2):+f}"
