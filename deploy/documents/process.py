"""The process that renders documents once they are booked, and delivers them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

from deploy.observing.watch import Watch
from deploy.running.parts import PartContext

Ready = Callable[[object], None]
END_SECONDS_MAX = 15.0
"""How long a delivery that is under way is waited for; what it is cut off at is noted."""


def make_documents(context: PartContext, stop: threading.Event, ready: Ready, watch: Watch) -> None:
    """Render what is booked, and deliver it in a thread: a slow mail server holds no page up."""
    from deploy.clock import SystemClock  # noqa: PLC0415 - only this process needs it
    from deploy.documents.condition import DocumentsCondition  # noqa: PLC0415
    from deploy.documents.ways import ways_of  # noqa: PLC0415 - only this process needs it
    from projections.documents.delivery.deliverer import deliver_until  # noqa: PLC0415
    from projections.documents.delivery.reminding import remind_until  # noqa: PLC0415
    from projections.documents.keeping.keeper import DocumentKeeper  # noqa: PLC0415
    from projections.documents.keeping.rendering import DocumentRenderer  # noqa: PLC0415

    with closing(DocumentKeeper(context.dsn, DocumentRenderer())) as keeper:
        condition = DocumentsCondition(context.dsn, keeper)
        watch.begin(condition)
        delivering = threading.Thread(
            target=deliver_until,
            args=(context.dsn, ways_of(context.settings), stop, condition.follow),
            name="delivery",
            daemon=True,
        )
        delivering.start()
        reminding = threading.Thread(
            target=remind_until,
            args=(context.dsn, stop, SystemClock().now),
            name="reminding",
            daemon=True,
        )
        reminding.start()
        ready(None)
        keeper.run(stop, beat=watch.beat)
        delivering.join(END_SECONDS_MAX)
        reminding.join(END_SECONDS_MAX)
