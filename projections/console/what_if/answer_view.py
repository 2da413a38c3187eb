"""What came of a try, ready to be shown: tiles, the spread as a picture, who wins and who loses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final, NamedTuple

from psycopg import Connection

from ledger.persons.store import names_of
from ledger.users.roles import Permission
from projections.console.addresses import FORMAT
from projections.console.listing import Cell, Column, Listing
from projections.console.page import ConsolePage
from projections.console.what_if.seen import SeenJob
from projections.what_if.answer import TOP, RankedChanges, WhatIfAnswer
from tariffs.quantities import decimal_of_ratio, money_of_minor, round_ratio
from tariffs.simulate.simulation import BilledChange, SessionChange
from tariffs.simulate.spread import STEPS, SpreadStep

WIDTH: Final = 760
HEIGHT: Final = 220
_LEFT: Final = 10
_FLOOR: Final = 190
_TALL: Final = 165
_GAP: Final = 4
_MILLI_WH_PER_KWH: Final = 1_000_000
_FEW: Final = 12
_PAY_MORE: Final = {
    "Customer": "Customers who pay more",
    "Station": "Stations that become dearer",
    "Site": "Sites that become dearer",
}
_PAY_LESS: Final = {
    "Customer": "Customers who pay less",
    "Station": "Stations that become cheaper",
    "Site": "Sites that become cheaper",
}


class SpreadBar(NamedTuple):
    """One step of the spread, in the picture and in its table."""

    x: int
    y: int
    width: int
    height: int
    css: str
    label: str
    text: str
    change: BilledChange


class AnswerView(NamedTuple):
    """What the template shows.

    `lists` are the losers and winners of each kind; `more`: the address of this page with longer
    ones, "" where they are as long as they are kept.
    """

    old: str
    new: str
    change: str
    percent: str
    before_taxes: tuple[str, str]
    energy: str
    tone: str
    bars: Sequence[SpreadBar]
    spread: Listing
    months: Listing
    signs: Listing
    lists: Sequence[Listing]
    more: str
    unread: Listing

    @property
    def files(self) -> Sequence[Listing]:
        """Return the lists that are handed out as files."""
        return (self.spread, self.months, self.signs, *self.lists)


def answer_view(
    page: ConsolePage, connection: Connection[Any], seen: SeenJob, answer: WhatIfAnswer
) -> AnswerView:
    """Return *answer* as it is shown."""
    shown = _Shown(page, answer.currency, _names(page, connection, answer))
    total = answer.total
    bars = shown.bars(answer.spread)
    kinds = (
        ("Customer", answer.customers),
        ("Station", answer.stations),
        ("Site", answer.sites),
    )
    return AnswerView(
        old=shown.money(total.old_minor),
        new=shown.money(total.new_minor),
        change=shown.signed(total.difference_minor),
        percent=shown.percent(total),
        before_taxes=(shown.money(answer.before_taxes[0]), shown.money(answer.before_taxes[1])),
        energy=shown.energy(total),
        tone="" if not total.difference_minor else "warn",
        bars=bars,
        spread=shown.spread(bars),
        months=shown.changes("By month", "Month (UTC)", answer.months),
        signs=shown.signs(answer),
        lists=(
            shown.sessions(seen, "Sessions that become dearer", answer.dearer_sessions),
            shown.sessions(seen, "Sessions that become cheaper", answer.cheaper_sessions),
            *(each for kind, ranked in kinds for each in shown.ranked(kind, ranked)),
        ),
        more="" if shown.top >= TOP else page.address.with_(top=str(TOP)) + "#losers",
        unread=shown.unread(answer),
    )


def _names(
    page: ConsolePage, connection: Connection[Any], answer: WhatIfAnswer
) -> Mapping[str, str]:
    """Return who customers are, for those who may know."""
    if not page.user.may(Permission.SEE_BOOKS):
        return {}
    customers = {
        *(each.name for each in (*answer.customers.winners, *answer.customers.losers)),
        *(each.customer for each in (*answer.cheaper_sessions, *answer.dearer_sessions)),
    }
    return names_of(connection, customers)


class _Shown:
    def __init__(self, page: ConsolePage, currency: str, names: Mapping[str, str]) -> None:
        self._page, self._currency, self._names = page, currency, names
        self._language = page.words.language
        is_long = page.address.of("top") == str(TOP) or bool(page.address.of(FORMAT))
        self.top = TOP if is_long else _FEW

    def money(self, minor: int) -> str:
        return self._language.money(minor, self._currency)

    def signed(self, minor: int) -> str:
        return f"+{self.money(minor)}" if minor > 0 else self.money(minor)

    def percent(self, change: BilledChange) -> str:
        if not change.old_minor:
            return "" if change.new_minor else self._language.percent(Decimal(0))
        moved = Fraction(change.difference_minor * 100, abs(change.old_minor))
        tenths = round_ratio(moved.numerator * 10, moved.denominator)
        said = self._language.percent(Decimal(tenths).scaleb(-1))
        return f"+{said}" if tenths > 0 else said

    def energy(self, change: BilledChange) -> str:
        kwh = decimal_of_ratio(change.energy_milli_wh, _MILLI_WH_PER_KWH)
        return f"{self._language.number(kwh, digits_max=1)} kWh"

    def bars(self, spread: Sequence[BilledChange]) -> Sequence[SpreadBar]:
        most = max((each.sessions for each in spread), default=0) or 1
        width = (WIDTH - 2 * _LEFT) // len(STEPS)
        found = []
        for number, (step, change) in enumerate(zip(STEPS, spread, strict=True)):
            height = -(-change.sessions * _TALL // most)
            found.append(
                SpreadBar(
                    x=_LEFT + number * width + _GAP // 2,
                    y=_FLOOR - height,
                    width=width - _GAP,
                    height=height,
                    css="bar-2" if step.sign > 0 else "bar",
                    label=self._label(step),
                    text=self._step(step),
                    change=change,
                )
            )
        return found

    def _label(self, step: SpreadStep) -> str:
        if not step.sign:
            return "="
        sign = "+" if step.sign > 0 else "−"
        return f"{sign}{self._plain(step.to)}" if step.to is not None else f"{sign}…"

    def _step(self, step: SpreadStep) -> str:
        text = self._page.text
        if not step.sign:
            return text("the same")
        if step.to is None:
            above = self.money(step.above)
            if step.sign > 0:
                return text("dearer by more than {amount}", amount=above)
            return text("cheaper by more than {amount}", amount=above)
        above, to = self.money(step.above), self.money(step.to)
        if step.sign > 0:
            return text("dearer by more than {above}, at most {to}", above=above, to=to)
        return text("cheaper by more than {above}, at most {to}", above=above, to=to)

    def _plain(self, minor: int) -> str:
        """Return an amount without its currency: below a bar there is no more room."""
        return self._language.number(money_of_minor(minor, self._currency).amount)

    def spread(self, bars: Sequence[SpreadBar]) -> Listing:
        rows = [
            (Cell(each.text), *self._figures(each.change)) for each in bars if each.change.sessions
        ]
        return self._listing("How the change spreads over sessions", "A session becomes", rows)

    def changes(self, caption: str, heading: str, changes: Sequence[BilledChange]) -> Listing:
        rows = [(Cell(each.name), *self._figures(each)) for each in changes]
        return self._listing(caption, heading, rows)

    def signs(self, answer: WhatIfAnswer) -> Listing:
        text = self._page.text
        named = (
            (text("cost nothing, would cost something"), answer.free_to_paid),
            (text("cost something, would cost nothing"), answer.paid_to_free),
        )
        rows = [(Cell(name), *self._figures(each)) for name, each in named if each.sessions]
        return self._listing("Free before or after", "Sessions that", rows)

    def ranked(self, kind: str, ranked: RankedChanges) -> tuple[Listing, Listing]:
        return (
            self._ranked(kind, _PAY_MORE[kind], ranked.losers),
            self._ranked(kind, _PAY_LESS[kind], ranked.winners),
        )

    def _ranked(self, kind: str, caption: str, changes: Sequence[BilledChange]) -> Listing:
        rows = [(self._named(each.name), *self._figures(each)) for each in changes[: self.top]]
        return self._listing(caption, kind, rows)

    def _named(self, name: str) -> Cell:
        said = self._names.get(name, name) or self._page.text("(nobody)")
        return Cell(said, note=name if said != name and name else "")

    def sessions(self, seen: SeenJob, caption: str, changes: Sequence[SessionChange]) -> Listing:
        page = self._page._replace(
            address=self._page.address._replace(path=f"{seen.address}/session")
        )
        rows = [
            (
                Cell(each.id, page.address._replace(query={}).with_(id=each.id)),
                self._named(each.customer),
                *self._amounts(each.old_minor, each.new_minor, each.difference_minor),
            )
            for each in changes[: self.top]
        ]
        columns = (
            Column("session", "Session"),
            Column("customer", "Customer"),
            Column("old", "Before", is_figure=True),
            Column("new", "With the draft", is_figure=True),
            Column("change", "Change", is_figure=True),
        )
        text = self._page.text
        file = "sessions-" + ("dearer" if "dearer" in caption else "cheaper")
        return Listing(text(caption), columns, rows, self._page.address, text("None."), file=file)

    def unread(self, answer: WhatIfAnswer) -> Listing:
        text = self._page.text
        columns = (Column("session", "Session"), Column("why", "Why"))
        rows = [(Cell(each.spot), Cell(each.why)) for each in answer.unread]
        total = text("{count} in all", count=f"{answer.left_out:,}")
        caption = text("Sessions in neither total")
        return Listing(caption, columns, rows, self._page.address, text("None."), total=total)

    def _figures(self, change: BilledChange) -> tuple[Cell, ...]:
        return (
            Cell(self._language.number(Decimal(change.sessions)), exact=Decimal(change.sessions)),
            *self._amounts(change.old_minor, change.new_minor, change.difference_minor),
            Cell(self.percent(change)),
        )

    def _amounts(self, old_minor: int, new_minor: int, moved_minor: int) -> tuple[Cell, ...]:
        said = (self.money(old_minor), self.money(new_minor), self.signed(moved_minor))
        old, new, moved = (
            Cell(text, exact=money_of_minor(minor, self._currency).amount, unit=self._currency)
            for text, minor in zip(said, (old_minor, new_minor, moved_minor), strict=True)
        )
        return old, new, moved._replace(tone=_tone(moved_minor))

    def _listing(self, caption: str, heading: str, rows: Sequence[Sequence[Cell]]) -> Listing:
        columns = (
            Column("name", heading),
            Column("sessions", "Sessions", is_figure=True),
            Column("old", "Before", is_figure=True),
            Column("new", "With the draft", is_figure=True),
            Column("change", "Change", is_figure=True),
            Column("percent", "%", is_figure=True),
        )
        text = self._page.text
        file = "-".join(caption.casefold().split())
        return Listing(text(caption), columns, rows, self._page.address, text("None."), file=file)


def _tone(minor: int) -> str:
    if not minor:
        return ""
    return "warn" if minor > 0 else "good"
