"""What goes wrong, when: planned so many times, or by chance from a seed."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class ProviderFault(StrEnum):
    """Something that goes wrong."""

    THROTTLED = "throttled"
    """429: nothing was done."""
    FAILED_BEFORE = "failed_before"
    """500: nothing was done, and the key is not known."""
    FAILED_AFTER = "failed_after"
    """500 on the way back: it was done, and the same key hears how it went."""
    FAILED_FOR_GOOD = "failed_for_good"
    """500 though it was done, and for a day the same key hears that 500 again."""
    CUT_BEFORE = "cut_before"
    CUT_AFTER = "cut_after"
    """The connection ends without an answer; it was done."""
    DELAYED = "delayed"
    """The answer takes `delay_s`; until then the same key hears 409."""
    DECLINED = "declined"
    """The bank says no, with `decline_code`."""
    ASKS_PAYER = "asks_payer"
    """The bank wants to hear it from the payer (3-D Secure)."""
    RAISE_DECLINED = "raise_declined"
    """The bank holds no more than it does."""
    REFUND_FAILS = "refund_fails"
    """The refund comes back after `refund_fails_after` days."""
    PAYOUT_FAILS = "payout_fails"
    """The bank sends the payout back when it should arrive."""
    WEBHOOK_LOST = "webhook_lost"
    WEBHOOK_REPEATED = "webhook_repeated"
    WEBHOOK_REORDERED = "webhook_reordered"
    WEBHOOK_DELAYED = "webhook_delayed"
    """It comes with those that are sent the next time."""
    WEBHOOK_FORGED = "webhook_forged"
    """It comes with a wrong signature, and then rightly."""
    WEBHOOK_FOREIGN = "webhook_foreign"
    """One of another account's comes too, rightly signed."""


@dataclass(slots=True)
class _Planned:
    fault: ProviderFault
    times: int
    path: str
    spared: int


@dataclass(slots=True)
class Faults:
    """Which faults strike. Planned ones come first; `chances` (0 to 1) come from `seed`.

    `words` stand in every error's message besides: others may quote there what they should not.
    `struck` counts what struck.
    """

    seed: int = 0
    chances: Mapping[ProviderFault, float] = field(default_factory=dict)
    delay_s: float = 0.2
    decline_code: str = "generic_decline"
    words: str = ""
    refund_fails_after: int = 5
    struck: Counter[ProviderFault] = field(default_factory=Counter)
    _planned: list[_Planned] = field(default_factory=list)
    _random: random.Random = field(init=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)  # noqa: S311 - faults, no secrets

    def plan(self, fault: ProviderFault, times: int = 1, path: str = "", spared: int = 0) -> None:
        """Have *fault* strike so many times where the path begins so, after *spared* times."""
        self._planned.append(_Planned(ProviderFault(fault), times, path, spared))

    def clear(self) -> None:
        """Have nothing go wrong any more."""
        self._planned.clear()
        self.chances = {}

    def strikes(self, fault: ProviderFault, path: str = "") -> bool:
        """Whether *fault* strikes now; who asks has it happen."""
        struck = self._strikes_as_planned(fault, path) or self._strikes_by_chance(fault)
        if struck:
            self.struck[fault] += 1
        return struck

    def _strikes_as_planned(self, fault: ProviderFault, path: str) -> bool:
        for plan in self._planned:
            if plan.fault is not fault or not plan.times or not path.startswith(plan.path):
                continue
            if plan.spared:
                plan.spared -= 1
                return False
            plan.times -= 1
            return True
        return False

    def _strikes_by_chance(self, fault: ProviderFault) -> bool:
        chance = self.chances.get(fault, 0.0)
        return chance > 0 and self._random.random() < chance
