"""The specification's own CDRs, judged."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from ledger.log.envelope import PartnerMessage
from ledger.log.event_log import Position
from roaming_ocpi.incoming.told import CDRS, MessageReader
from roaming_ocpi.incoming.verdicts.judging import judge_cdr
from roaming_ocpi.incoming.verdicts.known import CdrSurroundings
from roaming_ocpi.incoming.verdicts.repricing import Repricer
from tests.roaming_ocpi.incoming.partner_stories import CAME, PARTY

SPEC = Path(__file__).parents[5] / "shared/vectors/ocpi-spec"


@pytest.mark.skipif(not SPEC.is_dir(), reason="the specification's examples are not in ../shared")
def test_the_cdrs_of_the_specification_are_read_and_judged() -> None:
    """Its example is its own tariff's price; it states an energy that its periods do not have."""
    paths = sorted(SPEC.rglob("cdr_example*.json"))
    assert len(paths) >= 3
    for path in paths:
        line = PartnerMessage(
            received_at=CAME, party=PARTY, what=CDRS, body=path.read_text("utf-8")
        )
        told = MessageReader().cdr(line, Position(0, 0, 0))
        assert told.cdr is not None, path
        told = msgspec.structs.replace(told, received_at=told.cdr.ends_at)
        found = judge_cdr(told, CdrSurroundings(), Repricer())
        assert found.repriced_net == told.net, path
        assert [each.code for each in found.codes] == ["cdr_token_unknown", "cdr_volume_differs"], (
            path
        )
