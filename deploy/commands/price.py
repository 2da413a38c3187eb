"""`wattledger price`: price CDRs and sessions from files; no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from deploy.output import complain, print_json_text, say
from roaming_ocpi.audit.run import Outcome, PricingRun
from roaming_ocpi.audit.tariffs import Refusal, load_tariffs
from tariffs.cdr.report import report_json
from tariffs.currencies import currency_exponent
from tariffs.errors import TariffError
from tariffs.explain import explanation
from tariffs.model.policy import DEFAULT, policy_named
from tariffs.ocpi.versions import version_named
from tariffs.zones import zone

_MISUSED: Final = 2


def price(
    *,
    tariff: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    cdr: Annotated[list[Path] | None, Parameter(consume_multiple=True)] = None,
    time_zone: str | None = None,
    policy: str = DEFAULT.name,
    currency: str | None = None,
    ocpi: str | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Price CDRs or sessions, say why for each line, and compare with what the CDR states.

    A CDR that carries its tariffs needs no --tariff. What cannot be priced is refused with its
    spot and reason, the others go on, and the command ends with 1.

    Args:
        tariff: Tariffs (YAML; OCPI as .json or JSON Lines .jsonl), or folders of them.
        cdr: CDRs or sessions (OCPI as .json or .jsonl, our sessions as .yaml), or folders of them.
        time_zone: Time zone of CDRs that do not carry one (default: UTC, with a note).
        policy: The named policy to price with.
        currency: Currency of tariffs that name none.
        ocpi: OCPI version of the files: 2.1.1, 2.2.1 or 2.3.0 (default: told by their shape).
        as_json: Print one JSON object a CDR, one a line.
    """
    wrong = _misuse(cdr, policy, ocpi, time_zone, currency)
    if wrong is not None:
        complain(wrong)
        return _MISUSED
    chosen, version = policy_named(policy), None if ocpi is None else version_named(ocpi)
    given, refused = load_tariffs(tariff or [], currency=currency, version=version)
    show = _print_json if as_json else _print_text
    show(refused)
    failed, priced = bool(refused), 0
    run = PricingRun(given, policy=chosen, time_zone=time_zone, version=version)
    for outcomes in run.batches(cdr or []):
        show(outcomes)
        done = sum(isinstance(outcome, Outcome) for outcome in outcomes)
        failed = failed or done < len(outcomes)
        priced += done
    if not priced and not failed:
        complain("there was nothing to price")
        return 1
    return int(failed)


def _misuse(
    cdr: list[Path] | None,
    policy: str,
    ocpi: str | None,
    time_zone: str | None,
    currency: str | None,
) -> str | None:
    """Return what is wrong with the options."""
    try:
        policy_named(policy)
        if ocpi is not None:
            version_named(ocpi)
        if time_zone is not None:
            zone(time_zone)
        if currency is not None:
            currency_exponent(currency)
    except TariffError as error:
        return str(error)
    return None if cdr else "price needs --cdr: files or folders of CDRs or sessions"


def _print_json(outcomes: Sequence[Outcome | Refusal]) -> None:
    if outcomes:
        print_json_text("\n".join(map(_json, outcomes)))


def _json(outcome: Outcome | Refusal) -> str:
    if isinstance(outcome, Refusal):
        error = {"place": outcome.spot or None, "message": outcome.why}
        refused = {"id": outcome.id, "source": outcome.source, "error": error}
        return msgspec.json.encode(refused).decode()
    return report_json(
        outcome.priced,
        identity=outcome.id,
        source=outcome.source,
        notes=outcome.notes,
        differences=outcome.differences,
        is_credit=outcome.is_credit,
    )


def _print_text(outcomes: Sequence[Outcome | Refusal]) -> None:
    """Print the outcomes in order; those between two refusals at once."""
    said: list[str] = []
    for outcome in outcomes:
        if isinstance(outcome, Refusal):
            if said:
                say(*said)
            said = []
            complain(str(outcome))
            continue
        said.append(f"== {outcome.id or 'without an id'} ({outcome.source})")
        said += explanation(outcome.priced)
        said += _remarks(outcome)
        said.append("")
    if said:
        say(*said)


def _remarks(outcome: Outcome) -> Iterator[str]:
    if outcome.is_credit:
        yield "credit: the total is taken back"
    for note in outcome.notes:
        spot = f" at {note.spot}" if note.spot else ""
        yield f"note {note.code}{spot}: {note.message}"
    for each in outcome.differences:
        yield (
            f"differs {each.field}: stated {each.stated:f}, ours {each.ours:f} "
            f"({each.difference:+f}): {each.reason}"
        )
