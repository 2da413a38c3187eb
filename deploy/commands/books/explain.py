"""`wattledger explain`: from an invoice line down to the raw frames."""

from __future__ import annotations

from deploy.commands.data_folder import READ_FOLDER, ReadingFolder
from deploy.output import print_json, say
from deploy.running.opening import opened_with_log


def explain(number: str, line: int | None = None, /, *, folder: ReadingFolder = READ_FOLDER) -> int:
    """Explain an invoice, or one line of it, down to the raw frames behind it.

    Shows the price element and its reason, the decision with every input, the charging periods, the
    meter readings, and the frames with their place in the log and their hash; of a session at a
    partner's station that one's CDR, what was made of it, and our margin.

    Args:
        number: The invoice's number.
        line: Only this line.
        folder: Where.
    """
    from ledger.persons.store import readable, spelt_in
    from projections.audit import trail
    from projections.audit.text import explanation_text

    with opened_with_log(folder.settings()) as (connection, log):
        explanation = trail.explain(connection, log, number, line)
        names = spelt_in(connection, explanation)
    if folder.json:
        print_json(explanation, names=names)
    else:
        say(*readable(explanation_text(explanation), names).rstrip("\n").split("\n"))
    return 0
