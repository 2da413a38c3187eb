"""`wattledger sessions validate`: a shop's voucher, a coupon, a hotel stay."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.commands.users.acting import acting
from deploy.errors import DeployError
from deploy.output import print_json, say
from deploy.running.opening import opened_with_log
from deploy.running.owner import is_up

Code = Annotated[str, Parameter(help="The code, as the tariff spells it.")]


def validate(
    session: str | None = None,
    *,
    code: Code,
    token: str | None = None,
    station: str | None = None,
    by: str | None = None,
    folder: ReadingFolder = READ_FOLDER,
) -> int:
    """Show a code for a session that is not rated yet: a voucher, a coupon, a hotel stay.

    The tariff that prices the session says what the code gives. It may be shown while the car
    still charges, or while the session waits or is held; once it is rated it is too late.

    Args:
        session: The session's id; or else name its token and station.
        code: The code, as the tariff spells it.
        token: The token whose session is under way.
        station: The station at which it is under way.
        by: Who shows it (default: your login).
        folder: Where.
    """
    from deploy.clock import SystemClock
    from deploy.running.turns import work_off
    from ledger.desk.validations import session_of_token
    from ledger.desk.validations import validate as record_validation

    settings = folder.settings()
    with opened_with_log(settings) as (connection, log):
        if session is None:
            if token is None or station is None:
                message = "name the session, or the token and the station of one under way"
                raise DeployError(message)
            session = session_of_token(connection, station, token)
        done = record_validation(
            connection,
            session,
            code=code,
            by=acting(by),
            at=SystemClock().now(),
            log=log,
            work_off=None if is_up(settings) else work_off,
        )
    if folder.json:
        print_json(done)
    else:
        at = f"{done.at.partition}/{done.at.position}"
        codes = ", ".join(done.codes)
        say(f"session {session} ({done.state}) has the codes {codes}; it stands in the log at {at}")
    return 0
