"""The operator's policy: what we answer and how long we wait where no standard says."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from tariffs.model.policy import DEFAULT


class UnknownTokens(StrEnum):
    """What happens to a token nobody declared."""

    REFUSE = "refuse"
    """Answered Invalid; a session that took place all the same is held."""
    ACCEPT_AND_HOLD = "accept_and_hold"
    """Answered Accepted; its session is held until a person decides."""
    ACCEPT_AND_RATE = "accept_and_rate"
    """Answered Accepted; its session is rated as ad hoc, with an invoice to the bearer."""


class Policy(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Waiting times in seconds of product time, and answers by policy.

    `wait_s`: an ended but incomplete session is held that long after its last fact.
    `silence_s`: an open session whose station says nothing for that long has lost its stop.
    `pricing` names one of tariffs.model.policy.POLICIES. With `four_eyes` a tariff holds only once
    somebody other than its author approved it.
    """

    wait_s: int = 3600
    silence_s: int = 86_400
    unknown_tokens: UnknownTokens = UnknownTokens.REFUSE
    pricing: str = DEFAULT.name
    four_eyes: bool = False
