"""`wattledger station simulate`: a station for who has none at hand."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from cyclopts import Parameter
from cyclopts.validators import Number

from deploy.commands.data_folder import PLAIN
from deploy.errors import DeployError
from deploy.output import say

_ABOVE_ZERO: Final = Parameter(validator=Number(gt=0))
KWH: Final = Decimal(2)
KW: Final = Decimal(100)
"""Faster than most cars, so that nobody waits; less than the most that a plug can bring."""


class NotConnectedStationError(DeployError):
    """The simulated station could not connect."""

    def __init__(self, url: str, station: str, why: Exception) -> None:
        super().__init__(
            f"{station} cannot connect to {url}: {str(why) or type(why).__name__}; is "
            "`wattledger up` running, the station declared, and the password as it was declared?"
        )


class NoStationAddressError(DeployError):
    """Stations cannot connect to what is no address of theirs."""

    def __init__(self, url: str) -> None:
        super().__init__(f"{url!r} is no address for stations: ws://HOST:PORT or wss://HOST:PORT")


def simulate(
    station: str,
    /,
    *,
    password: str,
    url: str = "ws://127.0.0.1:9000",
    kwh: Annotated[Decimal, PLAIN, _ABOVE_ZERO] = KWH,
    kw: Annotated[Decimal, PLAIN, _ABOVE_ZERO] = KW,
) -> int:
    """Be a station that charges when it is told to start, until Ctrl-C ends it.

    Args:
        station: Which, as it is declared.
        password: Its password, as it is declared.
        url: Where stations connect.
        kwh: So much each car takes.
        kw: So fast.
    """
    import asyncio

    from websockets.exceptions import InvalidHandshake, InvalidURI
    from websockets.uri import parse_uri

    from deploy.fleet.stand_in import StandInPlan, stand_in

    plan = StandInPlan(station, password, kw * 1000, kwh * 1000)
    try:
        parse_uri(url)
    except (InvalidURI, ValueError) as error:
        raise NoStationAddressError(url) from error
    try:
        asyncio.run(stand_in(url, plan, say))
    except (OSError, InvalidHandshake) as error:
        raise NotConnectedStationError(url, station, error) from error
    except KeyboardInterrupt:
        return 0
    say("the connection ended")
    return 1
