"""What `wattledger up` itself finds out about its parts when somebody asks."""

from __future__ import annotations

from deploy.observing import metrics
from deploy.observing.metrics import report
from deploy.observing.watch import Condition, Unready
from deploy.running.supervisor import Supervisor


class SystemCondition:
    """`wattledger up` itself: all parts run and have said that they are ready."""

    def __init__(self, supervisor: Supervisor) -> None:
        self._supervisor = supervisor

    def __call__(self) -> Condition:
        """Find out."""
        troubles = self._supervisor.troubles()
        running = {part: int(trouble is None) for part, trouble in troubles.items()}
        restarts = dict.fromkeys(troubles, 0) | self._supervisor.restarted
        return Condition(
            [Unready("part_down", words) for words in troubles.values() if words is not None],
            [report(metrics.PART_RUNNING, running), report(metrics.RESTARTS, restarts)],
        )
