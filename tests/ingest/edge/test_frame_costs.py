"""What a frame costs grows with its size and no faster, however it is broken.

The whole way of a frame is measured: in from the socket, read, answered, cut for persons' sake,
logged, and what the worker makes of the line. While the event loop works on one frame, everyone
waits; so it is processor time that counts, and the same frame four times as long may cost at most
six times as much. A pattern that backtracks costs sixteen times.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pytest

from ingest.facts.translate import translate
from ledger.log.envelope import Frame
from tests.edge import Edge, Station, open_edge
from tests.hostile.growth import RATIO_MAX, Stopwatch, least_costs

SMALL, LARGE = 16 * 1024, 64 * 1024
SECONDS_MAX: Final = 0.5
"""Of processor time, both ends of the wire: some 30 times what the worst of them takes."""

Filler = Callable[[int], str]


def _repeated(text: str, before: str = "", after: str = "") -> Filler:
    """Return what makes a frame of a size: *text* again and again between two others."""
    return lambda size: before + text * ((size - len(before) - len(after)) // len(text)) + after


_CALL: Final = '[2,"1","DataTransfer",{"vendorId":"V","data":'
_METER: Final = '[2,"1","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"'
_SAMPLE: Final = '2026-03-02T12:00:00Z","sampledValue":[{"value":"'
_TOKEN: Final = '[2,"1","Authorize",{"idTag":"'

FAMILY: Final[Mapping[str, Filler]] = {
    "escaped quotes": _repeated('\\"'),
    "escaped quotes in a string that does not end": _repeated('\\"', before='[2,"1","A",{"a":"'),
    "escaped quotes and brackets": _repeated('\\"[', before=_CALL + '"'),
    "quotes": _repeated('"'),
    "strings": _repeated('"a"', before="["),
    "quotes and commas": _repeated('",', before='["'),
    "backslashes": _repeated("\\", before=_CALL + '"'),
    "backslashes in an id": _repeated("\\\\", before='[2,"'),
    "backslashes after a name": _repeated("\\", before=_CALL + '"\\"ID', after='"}]'),
    "open brackets": _repeated("["),
    "open braces": _repeated('{"a":'),
    "closed brackets": _repeated("[]"),
    "brackets in pairs that do not fit": _repeated("[{]}"),
    "free objects that do not end": _repeated('"data":{', before='[2,"1","A",{'),
    "white space before": _repeated(" "),
    "white space after the type": _repeated(" ", before="[2"),
    "white space after the id": _repeated("\t", before='[2,"1"'),
    "white space after a name": _repeated(" ", before='[2,"1","A",{"a"'),
    "strings with white space between": _repeated('"" ', before='[2,"1","A",['),
    "a long number": _repeated("1", before='[2,"1","A",', after="]"),
    "a long number for a type": _repeated("7", before="["),
    "a number of signs": _repeated("-e+.", before='[2,"1","A",', after="]"),
    "signs before what is no number": _repeated("-", before='[2,"1","A",', after="NaN]"),
    "what is no number": _repeated("NaN,", before='[2,"1","A",[', after="1]]"),
    "what is no number in strings": _repeated('\\"NaN', before='[2,"1","A",[NaN,"'),
    "a text of digits for a value": _repeated("1", before=_METER + _SAMPLE, after='x"}]}]}]'),
    "a text of points for a value": _repeated(".1", before=_METER + _SAMPLE, after='x"}]}]}]'),
    "a long time": _repeated("12:00:00.", before=_METER, after='","sampledValue":[]}]}]'),
    "a long key": _repeated("k", before='[2,"1","A",{"', after='":1}]'),
    "keys that stand twice": _repeated('"a":1,', before='[2,"1","A",{', after='"a":1}]'),
    "halves of surrogate pairs": _repeated("\\ud800", before=_CALL + '"', after='"}]'),
    "whole surrogate pairs": _repeated("\\ud83d\\ude00", before=_CALL + '"', after='"}]'),
    "half an escape": _repeated("\\u", before=_CALL + '"', after='"}]'),
    "NULs": _repeated("\0", before=_CALL + '"'),
    "NULs after the frame": _repeated("\0", before='[2,"1","StatusNotification",{}]'),
    "commas": _repeated(",", before="["),
    "elements": _repeated("1,", before='[2,"1","A",{},', after="1]"),
    "elements without an end": _repeated("1,", before='[2,"1","A",{},'),
    "letters that are not ASCII": _repeated("\u00e4", before=_CALL + '"', after='"}]'),
    "base64": _repeated("QUJD", before=_CALL + '"', after='"}]'),
    "base64 that breaks off": _repeated("QUJDREVGR0hJSkt ", before=_CALL + '"', after='"}]'),
    "names of tokens in a text": _repeated('\\"ID\\":', before=_CALL + '"', after='"}]'),
    "a long token": _repeated("A", before=_TOKEN, after='"}]'),
    "tokens": _repeated('"idTag":"0A",', before='[2,"1","A",{', after='"a":1}]'),
    "a valid text": _repeated("a", before=_CALL + '"', after='"}]'),
    "valid readings": _repeated(
        '{"value":"7","unit":"Wh"},',
        before=_METER + _SAMPLE + '1"},',
        after='{"value":"8"}]}]}]',
    ),
}  # fmt: skip


@pytest.mark.parametrize("filler", FAMILY.values(), ids=FAMILY)
async def test_a_frame_four_times_as_long_costs_at_most_six_times_as_much(filler: Filler) -> None:
    async with open_edge() as edge, edge.station(max_size=None) as station:
        await station.call("BootNotification", {})
        await _seconds(edge, station, filler(SMALL))
        small, large = await least_costs(
            lambda: _seconds(edge, station, filler(SMALL)),
            lambda: _seconds(edge, station, filler(LARGE)),
        )

    assert large < SECONDS_MAX
    assert large / small <= RATIO_MAX


async def _seconds(edge: Edge, station: Station, frame: str) -> float:
    """Return the processor time of a frame's whole way, the station's end of it included."""
    before = edge.log.records.copy()
    edge.log.records.clear()
    watch = Stopwatch()
    try:
        with watch.running():
            await station.send(frame)
        (line,) = [each for each in edge.log.lines() if isinstance(each, Frame)]
        with watch.running():
            translate(line, position=0, line=0)
        return watch.seconds
    finally:
        edge.log.records.update(before)
