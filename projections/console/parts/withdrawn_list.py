"""What was proposed and taken back before a second person agreed, as a list."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Final

from ledger.desk.withdrawing.withdrawn import WithdrawnProposal
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage

_COLUMNS: Final = (
    Column("proposed", "Proposed"),
    Column("what", "What"),
    Column("moves", "What moves", is_figure=True),
    Column("by", "Proposed by, and why"),
    Column("withdrawn", "Withdrawn"),
    Column("withdrawn_by", "Withdrawn by, and why"),
)


def withdrawn_listing(
    page: ConsolePage,
    found: Sequence[WithdrawnProposal],
    zone: tzinfo,
    title_of: Callable[[str], str],
) -> Listing | None:
    """Return the list of what was withdrawn, the last first; None: nothing was.

    *title_of* says what a choice is, in words.
    """
    if not found:
        return None
    money = page.words.language.money
    return Listing(
        caption=page.text("Proposals that were withdrawn"),
        columns=_COLUMNS,
        rows=[
            (
                Cell(at=each.proposed_at, zone=zone),
                Cell(title_of(each.choice)),
                Cell(money(each.moved_minor, each.currency)),
                Cell(each.proposed_by, note=each.reason),
                Cell(at=each.withdrawn_at, zone=zone),
                Cell(
                    each.withdrawn_by,
                    note=each.withdrawn_because or page.text("proposed something else instead"),
                ),
            )
            for each in found
        ],
        address=page.address,
        empty="",
    )
