"""What the accounts of a journal are called: by a file, or by the charts that are declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from ledger.declared.chart_file import read_chart
from ledger.declared.declarations import Declarations, Kind
from ledger.master_data.charts import ANY, ChartAccount, ChartOfAccounts, find_account
from projections.errors import ProjectionError
from tariffs.problems import Problem

NO_ACCOUNT: Final = ChartAccount("")
_NONE: Final[Mapping[str, Mapping[str, ChartAccount]]] = MappingProxyType({})


class Chart(NamedTuple):
    """The accounts of every legal entity, and of those that have some of their `own`."""

    accounts: Mapping[str, ChartAccount]
    own: Mapping[str, Mapping[str, ChartAccount]] = _NONE

    def find(self, account: str, legal_entity: str | None = None) -> ChartAccount | None:
        """Return what *account* is called in the books of *legal_entity*; None: nobody says."""
        found = find_account(self.own.get(legal_entity or "", {}), account)
        return find_account(self.accounts, account) if found is None else found

    def of(self, account: str, legal_entity: str | None = None) -> ChartAccount:
        """Return what *account* is called, or that it is called nothing."""
        return self.find(account, legal_entity) or NO_ACCOUNT

    def check(self, booked: Iterable[tuple[str, str]]) -> None:
        """See that each account of *booked* (legal entity, account) has a name.

        A legal entity for which there is no chart at all lacks nothing.

        Raises:
            ChartIncompleteError: With those that have none.
        """
        missing = {
            account
            for legal_entity, account in booked
            if (self.accounts or legal_entity in self.own)
            and self.find(account, legal_entity) is None
        }
        if missing:
            raise ChartIncompleteError(sorted(missing))


NO_CHART: Final = Chart(MappingProxyType({}))


def chart_of_file(text: str, source: str) -> tuple[Chart | None, list[Problem]]:
    """Return the chart in a file; None if there is any problem, and all problems.

    What it says goes for every entry, whichever legal entity it names.
    """
    found, problems = read_chart(text, source)
    if found is None:
        return None, problems
    return Chart(found.chart.accounts), problems


def declared_chart(declarations: Declarations) -> Chart:
    """Return the charts that were declared last."""
    charts: dict[str, Mapping[str, ChartAccount]] = {}
    for key in declarations.keys(Kind.CHART):
        newest = declarations.history(Kind.CHART, key)[-1].entity
        if isinstance(newest, ChartOfAccounts):
            charts[key] = newest.accounts
    everywhere = charts.pop(ANY, {})
    return Chart(everywhere, charts)


class ChartIncompleteError(ProjectionError):
    """Something was booked on accounts that the chart does not have."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        families = sorted({f"{each.partition(':')[0]}:{ANY}" for each in missing if ":" in each})
        hint = f" (or {', '.join(families)})" if families else ""
        super().__init__(f"the chart of accounts lacks {', '.join(missing)}: add them{hint}")
