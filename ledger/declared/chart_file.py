"""A company's chart of accounts as a file (`books.yaml`).

    legal_entity: harbour-charging     (none: it holds for every one that has none of its own)
    accounts:
      receivable:unbilled: {number: "1401", name: Unbilled charging}
      revenue:*:           {number: "8400", name: Charging, tax_code: AM}
      vat:DE:19:           {number: "1776", name: VAT 19 %}

`*` at the end stands for whatever follows; the account itself goes before that, and more letters
before fewer.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import Final, NamedTuple

from ledger.master_data.charts import ANY, FAMILIES, ChartAccount, ChartOfAccounts
from tariffs.files.yaml import reader
from tariffs.files.yaml.fields import Fields, Notebook
from tariffs.problems import Problem

ACCOUNTS: Final = "accounts"
"""The name by which a file is known to be a chart."""
LEGAL_ENTITY: Final = "legal_entity"


class ReadChart(NamedTuple):
    """A chart with whose it is: a legal entity's key, or ANY."""

    legal_entity: str
    chart: ChartOfAccounts


def read_chart(text: str, source: str) -> tuple[ReadChart | None, list[Problem]]:
    """Read a chart from YAML; None if there is any problem, and all problems."""
    root, problems = reader.read_yaml(text, source)
    if root is None:
        return None, problems
    notebook = Notebook(source, problems)
    fields = Fields(root, notebook, "the chart")
    legal_entity = fields.text(LEGAL_ENTITY)
    node = fields.node_of(ACCOUNTS, required=True)
    fields.finish()
    accounts: dict[str, ChartAccount] = {}
    if isinstance(node, reader.Mapping):
        for key, (spot, value) in node.entries.items():
            _check_key(key, spot, notebook)
            accounts[key] = _account(value, notebook)
    elif node is not None:
        notebook.complain(node, "'accounts' must be accounts of ours, each with number and name")
    problems.sort()
    if problems:
        return None, problems
    return ReadChart(legal_entity or ANY, ChartOfAccounts(accounts=accounts)), problems


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
