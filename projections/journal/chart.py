"""A company's chart of accounts (`books.yaml`): what its own books call the accounts of ours.

    accounts:
      receivable:unbilled: {number: "1401", name: Unbilled charging}
      revenue:*:           {number: "8400", name: Charging, tax_code: AM}
      vat:DE:19:           {number: "1776", name: VAT 19 %}

`*` at the end stands for whatever follows; the account itself goes before that, and more letters
before fewer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import Final, NamedTuple

from projections.errors import ProjectionError
from tariffs.files.yaml import reader
from tariffs.files.yaml.fields import Fields, Notebook
from tariffs.problems import Problem

ANY: Final = "*"
FAMILIES: Final = (
    "receivable", "expected_tax", "vat", "tax", "revenue", "rounding", "prepayments", "cash"
)  # fmt: skip
"""What accounts of ours begin with (`ledger.books.accounts`)."""


class ChartAccount(NamedTuple):
    """An account as other books have it; "" for what they do not need."""

    number: str
    name: str
    tax_code: str


NO_ACCOUNT: Final = ChartAccount("", "", "")


class Chart(NamedTuple):
    """The accounts by what stands in the file."""

    accounts: Mapping[str, ChartAccount]

    def find(self, account: str) -> ChartAccount | None:
        """Return what *account* is called, None where the file does not say."""
        exact = self.accounts.get(account)
        if exact is not None:
            return exact
        for length in range(len(account), -1, -1):
            found = self.accounts.get(account[:length] + ANY)
            if found is not None:
                return found
        return None

    def of(self, account: str) -> ChartAccount:
        """Return what *account* is called, or that it is called nothing."""
        return self.find(account) or NO_ACCOUNT

    def check(self, accounts: Iterable[str]) -> None:
        """See that each of *accounts* stands in the file.

        Raises:
            ChartIncompleteError: With those that do not.
        """
        missing = [each for each in accounts if self.find(each) is None]
        if missing:
            raise ChartIncompleteError(missing)


NO_CHART: Final = Chart(MappingProxyType({}))


def read_chart(text: str, source: str) -> tuple[Chart | None, list[Problem]]:
    """Read a chart from YAML; None if there is any problem, and all problems."""
    root, problems = reader.read_yaml(text, source)
    if root is None:
        return None, problems
    notebook = Notebook(source, problems)
    fields = Fields(root, notebook, "the chart")
    node = fields.node_of("accounts", required=True)
    fields.finish()
    accounts: dict[str, ChartAccount] = {}
    if isinstance(node, reader.Mapping):
        for key, (spot, value) in node.entries.items():
            _check_key(key, spot, notebook)
            accounts[key] = _account(value, notebook)
    elif node is not None:
        notebook.complain(node, "'accounts' must be accounts of ours, each with number and name")
    problems.sort()
    return (None if problems else Chart(accounts)), problems


def _check_key(key: str, spot: reader.Node, notebook: Notebook) -> None:
    family = key.partition(":")[0]
    if ANY in key[:-1]:
        notebook.complain(spot, f"{key!r}: * may stand at the end alone")
    elif not key.endswith(ANY) and family not in FAMILIES:
        near = get_close_matches(family, FAMILIES, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"they begin with {', '.join(FAMILIES)}"
        notebook.complain(spot, f"{key!r} is no account of ours; {hint}")


def _account(node: reader.Node, notebook: Notebook) -> ChartAccount:
    fields = Fields(node, notebook, "an account")
    number = fields.text("number", required=True)
    name, tax_code = fields.text("name"), fields.text("tax_code")
    fields.finish()
    return ChartAccount(number or "", name or "", tax_code or "")


class ChartIncompleteError(ProjectionError):
    """Something was booked on accounts that the chart does not have."""

    def __init__(self, missing: list[str]) -> None:
        self.missing = missing
        families = sorted({f"{each.partition(':')[0]}:{ANY}" for each in missing if ":" in each})
        hint = f" (or {', '.join(families)})" if families else ""
        super().__init__(f"the chart of accounts lacks {', '.join(missing)}: add them{hint}")
