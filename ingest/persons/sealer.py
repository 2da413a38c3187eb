"""A frame as the log keeps it: what tells who somebody is cut out, sealed beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from msgspec.structs import replace

from ingest.facts.translate import signed_records
from ingest.persons.cuts import TOKENS_MAX, PersonCut, cuts_in, whole_cut
from ingest.persons.subjects import Subjects
from ingest.rpc.beside import beside_others
from ledger.facts.token_uid import NO_HABITS, TokenHabits
from ledger.log.envelope import Frame, Sealed, SignedRecord
from ledger.persons.holders import Holder, secret_holder, station_holder
from ledger.persons.sealing import Subject, SubjectCut, cut_text, frame_hmac

OUR_TOKENS_MAX: Final = 10_000
"""Tokens of a call of ours that get a subject of their own."""


class FrameCuts(NamedTuple):
    """What is to be cut out of a frame and its reply; `signed`: what is read of it before."""

    station: Holder
    frame: Sequence[PersonCut]
    reply: Sequence[PersonCut]
    signed: tuple[SignedRecord, ...] = ()

    def holders(self) -> list[Holder]:
        """Return whose subjects are needed, each once."""
        return list(dict.fromkeys(self.holder_of(cut) for cut in (*self.frame, *self.reply)))

    def holder_of(self, cut: PersonCut) -> Holder:
        """Return whose a cut is."""
        if cut.is_secret:
            return secret_holder(self.station.name)
        return cut.holder or self.station


def frame_cuts(
    frame: Frame, habits: TokenHabits = NO_HABITS, *, is_unread: bool = False
) -> FrameCuts | None:
    """Return what is to be cut out of *frame*, None where that is nothing, and nothing is signed.

    `is_unread`: nobody could read it as a message.
    """
    reply, station = frame.reply or "", station_holder(frame.station)
    if is_unread and (whole := whole_cut(frame.frame)):
        # Our answer repeats the id that was found in it.
        return FrameCuts(station, whole, [PersonCut(0, len(reply), None)] if reply else [])
    is_ours = frame.direction == "out"
    # Whom we name ourselves is known: a local list has many, and each may be erased.
    tokens_max = OUR_TOKENS_MAX if is_ours else TOKENS_MAX
    cuts = cuts_in(frame.frame, habits, is_ours=is_ours, tokens_max=tokens_max)
    reply_cuts = cuts_in(reply, habits, beside=cuts, is_ours=is_ours)
    signed = () if is_ours else signed_records(frame)
    is_nothing = not (cuts or reply_cuts or signed)
    return None if is_nothing else FrameCuts(station, cuts, reply_cuts, signed)


async def sealed_frame(
    frame: Frame, subjects: Subjects, habits: TokenHabits = NO_HABITS, *, is_unread: bool = False
) -> Frame:
    """Return *frame* as the log keeps it. Most have nobody in them and come back as they are."""
    length = len(frame.frame) + len(frame.reply or "")
    cuts = await beside_others(length, frame_cuts, frame, habits, is_unread=is_unread)
    if cuts is None:
        return frame
    found = await subjects.of(cuts.holders())
    return await beside_others(length, cut_out, frame, cuts, found)


def cut_out(frame: Frame, cuts: FrameCuts, subjects: Mapping[Holder, Subject]) -> Frame:
    """Return *frame* with *cuts* cut out of it and sealed for *subjects*."""
    text, sealed = _cut_text(frame.frame, cuts, cuts.frame, subjects)
    reply, reply_sealed = frame.reply, tuple[Sealed, ...]()
    if reply is not None:
        reply, reply_sealed = _cut_text(reply, cuts, cuts.reply, subjects)
    hmac = None
    if cuts.frame:
        hmac = frame_hmac(subjects[cuts.holder_of(cuts.frame[0])].key, frame.frame)
    return replace(
        frame,
        frame=text,
        reply=reply,
        sealed=sealed,
        reply_sealed=reply_sealed,
        hmac=hmac,
        signed=cuts.signed,
    )


def _cut_text(
    text: str, cuts: FrameCuts, given: Sequence[PersonCut], subjects: Mapping[Holder, Subject]
) -> tuple[str, tuple[Sealed, ...]]:
    return cut_text(
        text,
        [SubjectCut(c.start, c.end, subjects[cuts.holder_of(c)], c.is_odd) for c in given],
    )
