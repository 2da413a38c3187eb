"""The provider in a process of its own: `python -m deploy.demo.provider --port 0`.

It prints its address as one line, and serves until it is ended.
"""

from __future__ import annotations

import argparse
import signal
import sys
from datetime import timedelta

from deploy.demo.provider.account.store import ProviderTerms
from deploy.demo.provider.faults import Faults
from deploy.demo.provider.server import FakeStripe
from deploy.output import say


def main() -> None:
    """Serve, and say where."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo.provider", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--secret", default="whsec_fake", help="what webhooks are signed with")
    parser.add_argument("--webhooks", default="", metavar="URL", help="where webhooks are sent to")
    parser.add_argument("--seed", type=int, default=0, help="of faults that strike by chance")
    parser.add_argument("--fee-bp", type=int, default=150, help="fee, in hundredths of a per cent")
    parser.add_argument("--fee-fixed", type=int, default=25, help="and in minor units besides")
    parser.add_argument("--settle-days", type=int, default=0, help="until money can be paid out")
    said = parser.parse_args()
    terms = ProviderTerms(
        fee_bp=said.fee_bp,
        fee_fixed=said.fee_fixed,
        settles_after=timedelta(days=said.settle_days),
    )
    fake = FakeStripe(
        secret=said.secret,
        faults=Faults(said.seed),
        terms=terms,
        webhook_url=said.webhooks,
        port=said.port,
    )
    ended = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, ended)
    with fake:
        say(fake.url)
        sys.stdout.flush()
        signal.sigwait(ended)


if __name__ == "__main__":
    main()
