"""The commands as data say what the functions say, and keep what is not asked for unloaded."""

from __future__ import annotations

import inspect
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

import pytest

from deploy.commands.catalogue import COMMANDS, GROUPS, UNSAID
from deploy.commands.command import Command
from tests.tree import EXAMPLES, ROOT

DOCS = ROOT / "docs"
HEAVY = {"asyncio", "eventsourcing", "numpy", "ocpp", "psycopg", "websockets"}
BUILT_ON = {"deploy.commands.tariffs.explain": ["deploy.commands.price"]}
SHOW_LOADED = """
import json, os, sys
from deploy.cli import run
printed, quiet = os.dup(1), os.open(os.devnull, os.O_WRONLY)
os.dup2(quiet, 1)
run(["--help"])
for line in sys.stdin:
    if os.fork():
        if failed := os.wait()[1]:
            os.write(printed, b"[%d]\\n" % failed)
        continue
    answer = [run(json.loads(line)), *sorted(sys.modules)]
    os.write(printed, json.dumps(answer).encode() + b"\\n")
    os._exit(0)
"""
LoadedBy = Callable[..., set[str]]


@pytest.fixture(scope="module")
def loaded_by() -> Iterator[LoadedBy]:
    """What a command and the help of the whole have loaded when they are done.

    Each command runs in a fork of a process that printed that help: a new process takes long.
    """
    command = [sys.executable, "-c", SHOW_LOADED]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        asked, answers = process.stdin, process.stdout
        assert asked is not None
        assert answers is not None

        def loaded(*arguments: str) -> set[str]:
            asked.write(json.dumps(arguments) + "\n")
            asked.flush()
            code, *modules = json.loads(answers.readline())
            assert code == 0
            return set(modules)

        yield loaded
        asked.close()


def commands_in(modules: set[str]) -> set[str]:
    functions = {command.function.partition(":")[0] for command in COMMANDS}
    return modules & functions


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_the_help_in_a_line_is_the_first_line_of_the_function_s_own(command: Command) -> None:
    module, _, name = command.function.partition(":")

    documented = inspect.getdoc(getattr(import_module(module), name))

    assert (documented or "").partition("\n")[0] == command.summary


def test_every_command_of_several_words_belongs_to_a_group() -> None:
    words = [command.words.split() for command in COMMANDS]
    groups = {" ".join(each[:count]) for each in words for count in range(1, len(each))}

    assert groups == set(GROUPS)
    assert set(UNSAID) <= groups


@pytest.mark.parametrize(
    "page",
    [
        ROOT / "README.md",
        *sorted(DOCS.rglob("*.md")),
        ROOT / "deploy" / "prometheus" / "alerts.yml",
    ],
    ids=lambda page: page.name,
)
def test_a_page_names_only_commands_that_there_are(page: Path) -> None:
    known = {command.words for command in COMMANDS} | GROUPS.keys()
    named = re.findall(r"(?<![\w/.-])wattledger((?: [a-z][a-z-]*)+)", page.read_text("utf-8"))

    assert [
        words
        for words in map(str.split, named)
        if not any(" ".join(words[:count]) in known for count in (1, 2))
    ] == []


@pytest.mark.parametrize("arguments", [(), ("--help",), ("--version",), ("tariff", "--help")])
def test_help_of_the_whole_loads_no_command(
    loaded_by: LoadedBy, arguments: tuple[str, ...]
) -> None:
    loaded = loaded_by(*arguments)

    assert commands_in(loaded) == set()
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.words)
def test_a_command_is_loaded_alone_and_its_libraries_when_it_works(
    loaded_by: LoadedBy, command: Command
) -> None:
    module = command.function.partition(":")[0]

    loaded = loaded_by(*command.words.split(), "--help")

    assert commands_in(loaded) == {module, *BUILT_ON.get(module, ())}
    assert loaded & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("station", "password"), id="station password"),
        pytest.param(("tariff", "schema"), id="tariff schema"),
        pytest.param(("tariff", "lint", str(EXAMPLES / "tariffs")), id="tariff lint"),
    ],
)
def test_what_needs_no_database_loads_none(loaded_by: LoadedBy, arguments: tuple[str, ...]) -> None:
    assert loaded_by(*arguments) & HEAVY == set()
