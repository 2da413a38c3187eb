"""`wattledger partner retry` and `wattledger cdr send`: what is to reach partners, again."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from typing import Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened


def retry(
    party: str,
    *,
    only: tuple[str, ...] = (),
    since: Annotated[date | None, Parameter(name="--from")] = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send a partner again what it refused, or did not take yet, at once.

    What it refused stays where it is until somebody puts it back: this does. A pause after failures
    ends. The running system sends it.

    Args:
        party: The partner, as it is declared: NL-TNM.
        only: Of what it refused only these: session, cdr, credit, or ids of CDRs or sessions.
        since: Also every CDR of a session that ended on that day (UTC) or later, unless the partner
            has it: for one that registered late, or lost what it had not stored.
        folder: Where.
    """
    from ledger.partners.party import check_party
    from roaming_ocpi.relay.outgoing import catch_up, put_back

    check_party(party)
    with opened(folder.settings()) as connection, connection.transaction():
        again = put_back(connection, party, only or None)
        more = 0 if since is None else catch_up(connection, party, _midnight(since))
    if folder.json:
        print_json({"party": party, "put_back": again, "caught_up": more})
        return 0
    say(f"{party}: {again} of what it refused will be sent again")
    if since is not None:
        say(f"{party}: {more} CDRs since {since} that were not on their way will be sent")
    return 0


def send(
    *cdrs: str,
    party: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Send CDRs to their partner at once: single ones, or all that it has not got.

    A CDR that is named is sent though the partner has it: the same bytes under the same id, which
    it takes once. The running system sends it. Exits 1 if there is none of an id.

    Args:
        cdrs: Ids, as partners know them.
        party: Instead all of a partner's that it has not got and has not refused.
        folder: Where.
    """
    from ledger.partners.party import check_party
    from roaming_ocpi.relay.outgoing import catch_up, send_again, send_at_once

    if bool(cdrs) == (party is not None):
        message = "say which CDRs, or --party"
        raise DeployError(message)
    with opened(folder.settings()) as connection:
        if party is not None:
            check_party(party)
            with connection.transaction():
                count = catch_up(connection, party, datetime.min.replace(tzinfo=UTC))
                send_at_once(connection, party)
            found = {}
        else:
            found = {each: send_again(connection, each) for each in dict.fromkeys(cdrs)}
            count = sum(owner is not None for owner in found.values())
    missing = [each for each, owner in found.items() if owner is None]
    if folder.json:
        print_json({"sent": count, "unknown": missing})
        return 1 if missing else 0
    if party is not None:
        say(f"{party}: {count} CDRs that were not on their way will be sent; the others at once")
    for each, owner in found.items():
        say(f"{each}: there is no such CDR" if owner is None else f"{each}: to {owner}, at once")
    return 1 if missing else 0


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
