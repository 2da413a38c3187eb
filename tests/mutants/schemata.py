"""All small changes to a module at once, each behind a switch.

`a < b` becomes `((a <= b) if _on(7) else (a < b))`: one import serves every change, so that a
process that has loaded everything can be forked for each of them. What is decided at import
(defaults, tables, the values of constants) cannot be switched there; a constant is changed where a
function reads it.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Final, NamedTuple

SWITCH: Final = "_mutant_on"
NUDGE: Final = "_mutant_more"
_CONSTANT: Final = re.compile(r"_?[A-Z][A-Z0-9_]+")
_FLIPS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_ARITHMETIC: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv,
}


class Mutant(NamedTuple):
    """One small change: `number` switches it on; `before` and `after` are source texts.

    `nth` counts those of a function that read the same, from 1.
    """

    number: int
    module: str
    line: int
    function: str
    before: str
    after: str
    nth: int = 1

    @property
    def key(self) -> str:
        """Name it so that the name outlives changes elsewhere in the file."""
        nth = f" ({self.nth})" if self.nth > 1 else ""
        return f"{self.module}:{self.function}: {self.before} -> {self.after}{nth}"


def nudged(value: object) -> object:
    """Return a constant that lies a unit above *value*; what has no unit stays as it is."""
    match value:
        case bool():
            return not value
        case int() | float():
            return value + 1
        case Decimal():
            exponent = value.as_tuple().exponent
            return value + Decimal(1).scaleb(exponent if isinstance(exponent, int) else 0)
        case timedelta():
            return value + timedelta(seconds=1)
        case _:
            return value


class Schemata(ast.NodeTransformer):
    """Rewrites one module; `mutants` are the changes that it holds afterwards."""

    def __init__(self, module: str, first: int) -> None:
        self.module, self.mutants = module, list[Mutant]()
        self._first, self._functions = first, list[str]()
        self._alike = Counter[tuple[str, str, str]]()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        """Change bodies alone: what decorators and defaults say is decided at import."""
        return self._in_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        """As of a plain function."""
        return self._in_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        """Change its body, which runs when it is called."""
        self._functions.append("lambda")
        node.body = self.visit(node.body)
        self._functions.pop()
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        """Change its methods; fields are decided at import."""
        node.body = [self.visit(each) for each in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        """Leave the annotation alone."""
        if self._functions and node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        """Leave it out; what it says is the message's business."""
        return self._left_out(node) if self._functions else node

    def visit_Continue(self, node: ast.Continue) -> ast.AST:
        """Leave it out."""
        return self._left_out(node) if self._functions else node

    def visit_Break(self, node: ast.Break) -> ast.AST:
        """Leave it out."""
        return self._left_out(node) if self._functions else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """Leave it out."""
        before = ast.unparse(node)
        node.value = self.visit(node.value)
        return self._left_out(node, before) if self._functions else node

    def visit_Expr(self, node: ast.Expr) -> ast.AST:
        """Leave a call for its effect out."""
        if not self._functions or isinstance(node.value, ast.Constant):
            return node
        if isinstance(node.value, ast.Call) and not _is_telling(node.value):
            before = ast.unparse(node)
            self.generic_visit(node)
            return self._left_out(node, before)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        """Negate a bare condition; a comparison is changed as one."""
        return self._negated(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """As of a statement."""
        return self._negated(node)

    def visit_While(self, node: ast.While) -> ast.AST:
        """Change what it compares; negated it would only hang."""
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        """Move each comparison by one, or turn it round."""
        if not self._functions:
            return node
        before = ast.unparse(node)
        changed = []
        for index, operator in enumerate(node.ops):
            ops = list(node.ops)
            ops[index] = _FLIPS[type(operator)]()
            changed.append(ast.Compare(node.left, ops, node.comparators))
        self.generic_visit(node)
        for other in changed:  # after the visit: the parts of both are switched, too
            self._parts(other, node)
        return self._either(node, changed, before)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        """Exchange and, or."""
        before = ast.unparse(node)
        self.generic_visit(node)
        if not self._functions:
            return node
        operator = ast.Or() if isinstance(node.op, ast.And) else ast.And()
        return self._either(node, [ast.BoolOp(operator, node.values)], before)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        """Drop a not."""
        before = ast.unparse(node)
        self.generic_visit(node)
        if not self._functions or not isinstance(node.op, ast.Not):
            return node
        return self._either(node, [node.operand], before)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        """Exchange plus and minus, times and by; unions of types are none."""
        before = ast.unparse(node)
        self.generic_visit(node)
        other = _ARITHMETIC.get(type(node.op))
        if not self._functions or other is None or _is_text(node.left) or _is_text(node.right):
            return node
        return self._either(node, [ast.BinOp(node.left, other(), node.right)], before)

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        """Move a number by one, turn a truth round."""
        if not self._functions or not isinstance(node.value, bool | int):
            return node
        other = ast.Constant(not node.value if isinstance(node.value, bool) else node.value + 1)
        return self._either(node, [other], ast.unparse(node))

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """Move a constant by one of its units."""
        is_read = isinstance(node.ctx, ast.Load) and _CONSTANT.fullmatch(node.id)
        if not self._functions or not is_read:
            return node
        moved = ast.Call(ast.Name(NUDGE, ast.Load()), [node], [])
        return self._either(node, [moved], node.id, f"{node.id} + 1")

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        """Leave texts alone."""
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        """Leave patterns alone: an expression is none."""
        if node.guard is not None:
            node.guard = self.visit(node.guard)
        node.body = [self.visit(each) for each in node.body]
        return node

    def _in_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if node.name in {"__repr__", "__str__"} or any(map(_is_cached, node.decorator_list)):
            return node
        self._functions.append(node.name)
        node.body = [self.visit(each) for each in node.body]
        self._functions.pop()
        return node

    def _negated(self, node: ast.If | ast.IfExp) -> ast.AST:
        bare = isinstance(node.test, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr)
        before = ast.unparse(node.test)
        self.generic_visit(node)
        if self._functions and bare:
            changed = ast.UnaryOp(ast.Not(), node.test)
            node.test = self._either(node.test, [changed], before, f"not {before}")
        return node

    def _left_out(self, node: ast.stmt, before: str | None = None) -> ast.AST:
        number = self._note(node, before or ast.unparse(node), "nothing")
        test = ast.UnaryOp(ast.Not(), _switch(number))
        return ast.copy_location(ast.If(test, [node], []), node)

    def _either(
        self, node: ast.expr, changed: Sequence[ast.expr], before: str, after: str | None = None
    ) -> ast.expr:
        result = node
        for other in changed:
            said = after or _clean(other)
            number = self._note(node, before, said)
            result = ast.copy_location(ast.IfExp(_switch(number), other, result), node)
        return result

    def _parts(self, other: ast.Compare, node: ast.Compare) -> None:
        other.left, other.comparators = node.left, node.comparators

    def _note(self, node: ast.AST, before: str, after: str) -> int:
        number = self._first + len(self.mutants)
        line = getattr(node, "lineno", 0)
        function = ".".join(self._functions)
        alike = (function, before, after)
        self._alike[alike] += 1
        self.mutants.append(Mutant(number, self.module, line, *alike, self._alike[alike]))
        return number


def _clean(node: ast.expr) -> str:
    """Return the source of a changed expression as if nothing in it were switched."""
    return ast.unparse(_Unswitched().visit(ast.parse(ast.unparse(node), mode="eval").body))


class _Unswitched(ast.NodeTransformer):
    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        self.generic_visit(node)
        test = node.test
        if isinstance(test, ast.Call) and getattr(test.func, "id", "") == SWITCH:
            return node.orelse
        return node


def _switch(number: int) -> ast.expr:
    return ast.Call(ast.Name(SWITCH, ast.Load()), [ast.Constant(number)], [])


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (
        isinstance(node, ast.Constant) and isinstance(node.value, str | bytes)
    )


def _is_telling(call: ast.Call) -> bool:
    """Whether a call only writes to a log of the process."""
    value = getattr(call.func, "value", None)
    return getattr(value, "id", "") in {"LOGGER", "_LOGGER", "logger"}


def _is_cached(decorator: ast.expr) -> bool:
    """Whether its results are kept: a fork would find what was computed before."""
    return "cache" in ast.unparse(decorator) and "property" not in ast.unparse(decorator)
