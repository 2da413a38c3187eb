"""Imports modules with all their mutants, and switches one on."""

from __future__ import annotations

import ast
import builtins
import importlib
import importlib.abc
import importlib.machinery
import sys
from collections.abc import Iterable, Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType

from tests.mutants.schemata import NUDGE, SWITCH, Mutant, Schemata, nudged


class MutantFinder(importlib.abc.MetaPathFinder):
    """Finds the modules of some packages and loads them with their mutants.

    `on` is the number of the mutant that is switched on, 0 for none; `reached` are those that were
    asked for since it was emptied.
    """

    def __init__(self, root: Path, packages: Iterable[str]) -> None:
        self._root, self._packages = root, tuple(packages)
        self.mutants: list[Mutant] = []
        self.on = 0
        self.reached: set[int] = set()

    def install(self) -> None:
        """Be asked first, and give the modules what they call."""
        setattr(builtins, SWITCH, self._recording)
        setattr(builtins, NUDGE, nudged)
        sys.meta_path.insert(0, self)

    def load(self) -> None:
        """Import every module of the packages, and of the rooms within them."""
        for name in self._packages:
            folder = self._root.joinpath(*name.split("."))
            importlib.import_module(name)
            for file in sorted(folder.rglob("*.py")):
                parts = file.relative_to(self._root).with_suffix("").parts
                importlib.import_module(".".join(parts).removesuffix(".__init__"))

    def moves(self, mutant: Mutant) -> bool:
        """Whether a mutant of a constant changes it: a text, a zone or an object stays as it is."""
        if mutant.after != f"{mutant.before} + 1":
            return True
        values = vars(sys.modules[mutant.module])
        if mutant.before not in values:
            return True
        value = values[mutant.before]
        return nudged(value) is not value

    def switch_on(self, number: int) -> None:
        """Let mutant *number* live, and record no more."""
        self.on = number
        setattr(builtins, SWITCH, number.__eq__)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how to load *fullname*, None if it is none of ours."""
        del path, target
        if not any(is_in(name, fullname) for name in self._packages):
            return None
        file = self._root.joinpath(*fullname.split(".")).with_suffix(".py")
        if not file.is_file():
            return None
        loader = _MutantLoader(fullname, str(file), self)
        return importlib.machinery.ModuleSpec(fullname, loader, origin=str(file))

    def _recording(self, number: int) -> bool:
        self.reached.add(number)
        return False


def is_in(package: str, module: str) -> bool:
    """Whether a module is a package, or stands in it."""
    return f"{module}.".startswith(f"{package}.")


class _MutantLoader(SourceFileLoader):
    """Compiles a module with its mutants; nothing of it is kept on disk."""

    def __init__(self, fullname: str, path: str, finder: MutantFinder) -> None:
        super().__init__(fullname, path)
        self._finder = finder

    def get_code(self, fullname: str) -> CodeType:
        """Return the code of the module with all its mutants."""
        path = self.get_filename(fullname)
        tree = ast.parse(Path(path).read_text("utf-8"))
        known = self._finder.mutants
        schemata = Schemata(fullname, len(known) + 1)
        changed = ast.fix_missing_locations(schemata.visit(tree))
        known += schemata.mutants
        return compile(changed, path, "exec", dont_inherit=True)
