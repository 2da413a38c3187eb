"""`wattledger tariff explain`: what one session costs under a tariff file, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from deploy.commands.price import price
from tariffs.model.policy import DEFAULT


def explain(
    tariff: Path,
    session: Path,
    *,
    time_zone: str | None = None,
    policy: str = DEFAULT.name,
    as_json: Annotated[bool, Parameter(name="--json", negative=())] = False,
) -> int:
    """Price a session under a tariff file and say why for each line.

    Args:
        tariff: The tariff (YAML, or OCPI as .json).
        session: The session (our YAML) or CDR (OCPI as .json).
        time_zone: Time zone of a CDR that does not carry one (default: UTC, with a note).
        policy: The named policy to price with.
        as_json: Print one JSON object.
    """
    return price(
        tariff=[tariff], cdr=[session], time_zone=time_zone, policy=policy, as_json=as_json
    )
