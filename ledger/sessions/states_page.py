"""The page docs/session-states.md, printed from the table of states and moves."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from ledger.sessions.states import CAUSES, MEANINGS, MOVES, SessionState


def states_page() -> str:
    """Return the page as Markdown: a picture, the states, the moves."""
    return "\n".join([*_picture(), "", *_states(), "", *_moves()]) + "\n"


def _picture() -> Iterator[str]:
    yield "# The states of a charging session"
    yield ""
    yield "Printed from `ledger/sessions/states.py` by `python -m ledger.sessions.states_page`."
    yield ""
    yield "```mermaid"
    yield "stateDiagram-v2"
    yield "    [*] --> open"
    for (state, act), target in MOVES.items():
        yield f"    {state} --> {target}: {act}"
    for state in SessionState:
        if not any(moving is state for moving, _ in MOVES):
            yield f"    {state} --> [*]"
    yield "```"


def _states() -> Iterator[str]:
    yield "| state | meaning |"
    yield "|---|---|"
    for state, meaning in MEANINGS.items():
        yield f"| `{state}` | {meaning} |"
    yield ""
    yield "While a session is `open` or `waiting` a late fact may also move its start, and with it"
    yield "its id: then it goes on under the new one, as nothing was decided under the old."


def _moves() -> Iterator[str]:
    yield "| from | to | when |"
    yield "|---|---|---|"
    for (state, act), target in MOVES.items():
        yield f"| `{state}` | `{target}` | {act}: {CAUSES[act]} |"


if __name__ == "__main__":
    sys.stdout.write(states_page())
