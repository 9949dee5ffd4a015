"""The pass over a template's syntax tree that puts the meter into it.

Jinja compiles a template to Python. What it would compile to an inline operation with a cost that
depends on its input (`~`, comparisons, slices, keys of a dictionary) becomes a call of an internal
filter that pays first. Each block (a loop's body, a branch, a macro) begins with a payment for its
own nodes, so that no loop is free. The filters' names hold a `#`, which no template can write.

Arithmetic, calls, attributes and printing need no rewriting: Jinja's sandbox hands them over.
"""

from __future__ import annotations

from typing import Any, NoReturn, cast

from jinja2 import nodes
from jinja2.exceptions import TemplateAssertionError
from jinja2.visitor import NodeTransformer

from mullama.text.sandbox.meter import TemplateLimit

# A template is compiled once, and that can't be metered. The largest known has 1,245 nodes, and
# blocks 12 deep.
MAX_NODES = 10_000
MAX_DEPTH = 32

# Nodes take about an eighth of a unit; these take longer.
EIGHTHS = 8
_WEIGHTS: dict[type[nodes.Node], int] = {
    nodes.Call: 12,
    nodes.Filter: 12,
    nodes.Test: 4,
    nodes.Compare: 4,
    nodes.Concat: 4,
    nodes.Getattr: 4,
    nodes.Getitem: 4,
    **dict.fromkeys((nodes.Add, nodes.Sub, nodes.Mul, nodes.Div, nodes.FloorDiv), 4),
    **dict.fromkeys((nodes.Mod, nodes.Pow, nodes.NSRef, nodes.Output), 4),
}

_BODIES: dict[type[nodes.Node], tuple[str, ...]] = {
    nodes.For: ("body", "else_"),
    nodes.If: ("body", "else_"),
    nodes.Macro: ("body",),
    nodes.CallBlock: ("body",),
    nodes.Block: ("body",),
}


class MeterTransformer(NodeTransformer):
    """`visit(tree)` returns the tree with its payments.

    Raises TemplateAssertionError for a statement that a template may not use, and TemplateLimit
    for a tree that is too large to compile in good time. An instance is for one tree.
    """

    def __init__(self) -> None:
        self._n_nodes = 0
        self._depth = 0

    def visit(self, node: nodes.Node, *args: Any, **kwargs: Any) -> Any:
        self._n_nodes += 1
        if self._n_nodes > MAX_NODES or self._depth > MAX_DEPTH:
            raise TemplateLimit(
                f"it has more than {MAX_NODES} parts, or blocks more than {MAX_DEPTH} deep"
            )
        return super().visit(node, *args, **kwargs)

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:
        self.generic_visit(node)
        return _metered(nodes.List(node.nodes, lineno=node.lineno), "#concat")

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:
        self.generic_visit(node)
        pairs = [part for item in node.ops for part in (nodes.Const(item.op), item.expr)]
        return _metered(node.expr, "#compare", *pairs)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.arg, nodes.Slice):
            return node
        ends = (node.arg.start, node.arg.stop, node.arg.step)
        return _metered(node.node, "#slice", *(end or nodes.Const(None) for end in ends))

    def visit_Assign(self, node: nodes.Assign) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.target, nodes.NSRef):
            return node
        holder = nodes.Name(node.target.name, "load", lineno=node.lineno)
        key = nodes.Const(node.target.attr, lineno=node.lineno)
        value = cast(nodes.Expr, node.node)
        return nodes.ExprStmt(_metered(holder, "#assign", key, value), lineno=node.lineno)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.key, nodes.Const):
            node.key = _metered(node.key, "#key")
        return node

    def visit_For(self, node: nodes.For) -> nodes.Node:
        if node.test is not None:  # it runs for items that never enter the body
            node.test = nodes.And(_payment([node.test], node.lineno), node.test, lineno=node.lineno)
        return self._pay_in_bodies(node)

    def _pay_in_bodies(self, node: nodes.Node) -> nodes.Node:
        for field in _BODIES[type(node)]:
            body = getattr(node, field)
            if body or field == "body":  # an empty loop costs too
                body.insert(0, nodes.ExprStmt(_payment(body, node.lineno), lineno=node.lineno))
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1
        return node

    visit_If = visit_Macro = visit_CallBlock = visit_Block = _pay_in_bodies

    def _refuse(self, node: nodes.Node) -> NoReturn:
        raise TemplateAssertionError(
            f"a chat template can't use {type(node).__name__.lower()}", node.lineno
        )

    visit_Include = visit_Import = visit_FromImport = visit_Extends = _refuse
    visit_EvalContextModifier = visit_ScopedEvalContextModifier = _refuse


def _metered(value: nodes.Expr, name: str, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(args), [], None, None, lineno=value.lineno)


def _payment(block: list[Any], lineno: int) -> nodes.Filter:
    """An expression that pays for the block's nodes and is true."""
    units = 1 + sum(map(_weight, block)) // EIGHTHS
    return _metered(nodes.Const(units, lineno=lineno), "#pay")


def _weight(node: nodes.Node) -> int:
    """Of the nodes that run when this one does; a block inside pays for itself."""
    inside = node.iter_child_nodes(exclude=_BODIES.get(type(node)))
    return _WEIGHTS.get(type(node), 1) + sum(map(_weight, inside))
