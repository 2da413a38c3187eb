"""Messages that nobody answers (OCPP 2.1 part 4: types 5 and 6), and what older versions say."""

from __future__ import annotations

import json

import pytest

from tests.edge import open_edge

EVENT = {"id": 3, "pending": 0, "basetime": "2026-03-02T12:00:00Z", "data": [{"t": 1, "v": "230"}]}
SENT = [
    pytest.param(json.dumps([6, "s1", "NotifyPeriodicEventStream", EVENT]), id="a SEND"),
    pytest.param('["6" , "s1","NotifyPeriodicEventStream",{}]', id="with its type as text"),
    pytest.param('[6,"s1","Unknown"]', id="of an action that nobody knows"),
    pytest.param('[6,"s1","NotifyPeriodicEventStream",{"data":', id="cut off"),
    pytest.param("[6,]", id="without anything"),
    pytest.param('[6,"s1","X",' + "[" * 40 + "]" * 40 + "]", id="too deep"),
    pytest.param('[5,"m1","FormatViolation","what was that?",{}]', id="a CALLRESULTERROR"),
]


@pytest.mark.parametrize("sent", SENT)
async def test_what_nobody_answers_is_kept_and_the_next_call_answered(sent: str) -> None:
    async with open_edge() as edge, edge.station(protocol="ocpp2.1") as station:
        await station.socket.send(sent, text=True)
        # The first thing that comes back is the answer to what followed.
        assert await station.call("StatusNotification", {}) == {}

        kept = edge.frames()
    assert (kept[0].frame, kept[0].reply) == (sent, None)
    assert len(kept) == 2


@pytest.mark.parametrize("sent", SENT[:2])
@pytest.mark.parametrize(
    ("protocol", "code"),
    [("ocpp1.6", "FormationViolation"), ("ocpp2.0.1", "MessageTypeNotSupported")],
)
async def test_an_older_version_knows_no_such_type(sent: str, protocol: str, code: str) -> None:
    async with open_edge() as edge, edge.station(protocol=protocol) as station:
        answer = await station.send(sent)

    assert answer[:3] == [4, "s1", code]
