"""`make mutants`: does a test go red if a boundary moves by one?

Changes money, meter, matching, worker and security code in small ways, one at a time, runs the
tests that reach the change, and says which changes no test noticed.

    python -m tests.mutants                            a sample of every package
    python -m tests.mutants --package ledger.meter     all of one
    python -m tests.mutants --sample 0 --json out.json every change there is (hours)

While tests are written, try only what lived through an earlier run, with the new tests alone:

    python -m tests.mutants --package ledger.meter --again out.json --tests tests/ledger/meter
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest

from deploy.output import print_rows, say
from deploy.postgres.embedded import EmbeddedPostgres
from tests.mutants.equivalent import EQUIVALENT
from tests.mutants.judging import Fate, fates
from tests.mutants.loading import MutantFinder, is_in
from tests.mutants.recording import Recorder
from tests.mutants.schemata import Mutant

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = {
    "ledger.facts.station_clock": (
        "tests/ledger/facts",
        "tests/ledger/sessions/test_session_clock.py",
        "tests/quirks/test_quirks_time.py",
    ),
    "ledger.asides": (
        "tests/ledger/asides",
        "tests/ledger/worker/test_set_aside.py",
        "tests/ledger/worker/test_hostile_books.py",
    ),
    "ledger.meter": ("tests/ledger/meter", "tests/ledger/sessions", "tests/quirks"),
    "ledger.sessions": (
        "tests/ledger/sessions",
        "tests/ledger/facts",
        "tests/ledger/rating/test_billed_time.py",
        "tests/quirks",
    ),
    "ledger.rating": ("tests/ledger/rating", "tests/ledger/worker"),
    "ledger.books": ("tests/ledger/books", "tests/ledger/invoices"),
    "ledger.invoices": ("tests/ledger/invoices", "tests/ledger/books"),
    "ledger.worker": (
        "tests/ledger/worker",
        "tests/ledger/desk",
        "tests/ledger/rating/test_shared_standings.py",
        "tests/quirks",
    ),
    "ingest.edge": ("tests/ingest",),
    "ledger.declared.passwords": ("tests/ledger/declared/test_passwords.py", "tests/ingest/edge"),
    "tariffs.taxes": (
        "tests/tariffs/taxes",
        "tests/tariffs/kernel/test_cases.py",
        "tests/tariffs/kernel/test_limits.py",
    ),
}
"""The packages (and modules) that are changed, with the tests that are nearest to each."""
ENOUGH: Final = 90
TELL_EACH: Final = 25
SURVIVED: Final = (Fate.SURVIVED, Fate.UNREACHED)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run; return 1 if a package has too many survivors."""
    parser = argparse.ArgumentParser(
        prog="make mutants", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--package", action="append", choices=list(PACKAGES), help="only these")
    parser.add_argument("--module", nargs="+", help="only those whose name ends so (meter.series)")
    parser.add_argument("--tests", nargs="+", help="only these, in place of the nearest")
    parser.add_argument("--again", type=Path, help="only what survived in this file of --json")
    parser.add_argument("--sample", type=int, default=40, help="changes a package; 0 is all")
    parser.add_argument("--seed", type=int, default=1, help="which sample")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--seconds", type=float, default=20.0, help="tests tried for a change")
    parser.add_argument("--json", type=Path, help="write every change and its fate here")
    options = parser.parse_args(arguments)
    packages = options.package or list(PACKAGES)
    finder = MutantFinder(ROOT, packages)
    finder.install()
    os.chdir(ROOT)
    # Who ends it wants its server to end, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="wattledger-mutants-") as folder:
        Path(folder).chmod(0o755)
        # One server for all forks, for each would spend more time on starting its own.
        os.environ["WATTLEDGER_TESTS_DATA"] = folder
        with EmbeddedPostgres(Path(folder)):
            outcome = _judged(finder, packages, options)
    return _report(finder, outcome, options.json)


def _judged(
    finder: MutantFinder, packages: Sequence[str], options: argparse.Namespace
) -> dict[int, Fate]:
    finder.load()
    paths = options.tests or sorted({path for name in packages for path in PACKAGES[name]})
    say(f"{len(finder.mutants)} changes; running {', '.join(paths)} to see which tests reach them")
    recorder = Recorder(finder)
    arguments = ["-q", "-p", "no:cacheprovider", "--no-header", "--timeout=600", *paths]
    if pytest.main(arguments, plugins=[recorder]) != pytest.ExitCode.OK:
        say("the tests fail with nothing changed; a mutant is killed by a test that passes")
        raise SystemExit(2)
    chosen = [each.number for package in packages for each in _sample(finder, package, options)]
    tests = {number: recorder.tests(number, seconds_max=options.seconds) for number in chosen}
    outcome: dict[int, Fate] = {}
    forks = fates(finder, tests, processes=options.processes, seconds_max=3 * options.seconds + 30)
    named = {each.number: each for each in finder.mutants}
    left = Counter(_package_of(named[number]) for number in tests)
    for number, fate in forks:
        outcome[number] = fate
        # At once: a run of everything takes long.
        if fate in SURVIVED:
            say(f"{fate}: line {named[number].line}: {named[number].key}")
        package = _package_of(named[number])
        left[package] -= 1
        if not left[package] or len(outcome) % TELL_EACH == 0:
            say(f"{len(outcome)} of {len(tests)} tried, {left[package]} of {package} left")
    return outcome


def _sample(finder: MutantFinder, package: str, options: argparse.Namespace) -> Sequence[Mutant]:
    found = [
        each
        for each in finder.mutants
        if is_in(package, each.module)
        and each.module.endswith(tuple(options.module or [""]))
        and each.key not in EQUIVALENT
        and finder.moves(each)
    ]
    if options.again:
        left = _survivors(json.loads(options.again.read_text("utf-8")))
        found = [each for each in found if each.key in left]
    if not options.sample or len(found) <= options.sample:
        return found
    return random.Random(options.seed).sample(found, options.sample)


def _survivors(content: Sequence[dict[str, Any]]) -> set[str]:
    """Return the keys of what survived in the content of an earlier run's file."""
    return {
        Mutant(**{name: each[name] for name in Mutant._fields}).key
        for each in content
        if each["fate"] in SURVIVED
    }


def _report(finder: MutantFinder, outcome: dict[int, Fate], path: Path | None) -> int:
    by_number = {each.number: each for each in finder.mutants}
    rows: dict[str, dict[Fate, int]] = {}
    for number, fate in outcome.items():
        package = _package_of(by_number[number])
        rows.setdefault(package, dict.fromkeys(Fate, 0))[fate] += 1
    equivalent = Counter(
        name
        for name in rows
        for each in finder.mutants
        if is_in(name, each.module) and each.key in EQUIVALENT
    )
    shares = {name: 100 * _killed(row) / sum(row.values()) for name, row in rows.items()}
    print_rows(
        "Mutants",
        {"package": "left", **dict.fromkeys([*Fate, "equivalent", "killed %"], "right")},
        [
            (name, *row.values(), equivalent[name], f"{shares[name]:.1f}")
            for name, row in rows.items()
        ],
    )
    if path is not None:
        content = [by_number[number]._asdict() | {"fate": fate} for number, fate in outcome.items()]
        path.write_text(json.dumps(content, indent=1), "utf-8")
    return int(any(share < ENOUGH for share in shares.values()))


def _package_of(mutant: Mutant) -> str:
    return next(name for name in PACKAGES if is_in(name, mutant.module))


def _killed(row: dict[Fate, int]) -> int:
    return row[Fate.KILLED] + row[Fate.HUNG]


if __name__ == "__main__":
    sys.exit(main())
