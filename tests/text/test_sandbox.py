"""Hostile templates: each is refused after a bounded amount of work, however it spends it."""

from __future__ import annotations

import gc
from typing import Any

import pytest
from jinja2 import nodes
from jinja2.exceptions import TemplateError

from mullama.errors import InvalidRequest
from mullama.text.sandbox import TemplateLimit, compile_template, render
from mullama.text.sandbox.meter import deep, metered, text
from mullama.text.template import ChatTemplate

UNITS = 20_000  # enough for any of these templates, had it done what it pretends to


def run(source: str, **variables: Any) -> str:
    return render(compile_template(source), variables, first_units=UNITS)


def doubled(expression: str, start: str = "[1]", before: str = "") -> str:
    """A template that builds a value twice as large sixty times over, then uses it."""
    return (
        f"{{% set ns = namespace(x={start}, y={start}) %}}{before}"
        "{% for i in range(60) %}"
        "{% set ns.x = [ns.x, ns.x] %}{% set ns.y = [ns.y, ns.y] %}"
        "{% endfor %}{{ " + expression + " }}"
    )


def forever(body: str, before: str = "") -> str:
    return (
        before
        + "{% for i in range(99999) %}{% for j in range(99999) %}"
        + body
        + ("{% endfor %}{% endfor %}")
    )


LONG = "{% set a = 'x' * 100000 %}{% set b = a ~ '' %}"
LIST = "{% set a = range(9999)|list %}"

ENDLESS = {
    "empty loops": forever(""),
    "a loop whose filter keeps nothing": (
        "{% for i in range(99999) %}{% for j in range(99999) if j < 0 %}{% endfor %}{% endfor %}"
    ),
    "a long filter of a loop": (
        "{% for i in range(9999) if " + " and ".join(["i"] * 100) + " and 0 %}{% endfor %}"
    ),
    "a long body": forever("{% set x = " + " and ".join(["i"] * 100) + " %}"),
    "arithmetic": forever("{% set x = i * j - i // 3 %}"),
    "attributes": forever("{{ loop.revindex }}"),
    "calls": forever("{% set x = 'a'.upper() %}"),
    "macros": forever("{% set x = m(1) %}", "{% macro m(a) %}{{ a }}{% endmacro %}"),
    "a macro that calls itself twice": (
        "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}"
    ),
    "a list that grows while it is walked": (
        "{% set a = [1] %}{% for i in a %}{% set _ = a.append(i) %}{% endfor %}"
    ),
    "a list that grows while it is mapped": (
        "{% set a = [1] %}{% for i in a|map('string') %}{% set _ = a.append(i) %}{% endfor %}"
    ),
    "a lazy filter that keeps nothing": forever("{% set x = range(9999)|select('none')|list %}"),
    "equal strings": forever("{% if a == b %}{% endif %}", LONG),
    "a test of equality": forever("{% if a is eq b %}{% endif %}", LONG),
    "looking for a string": forever("{% if 'y' in a %}{% endif %}", LONG),
    "looking through a list": forever("{% if 'y' in a %}{% endif %}", LIST),
    "looking through an iterator": forever("{% if 'y' in range(999)|map('string') %}{% endif %}"),
    "looking for a fraction in a range": forever("{% if 0.5 in range(9999) %}{% endif %}"),
    "counting in a list": forever("{% set x = a.count(0.5) %}", LIST),
    "searching from the end": (
        "{{ ('a' * 99999).rfind('b' ~ 'a' * 40000) }}{{ ('a' * 99999).rsplit('b' ~ 'a' * 40000) }}"
    ),
    "stripping many characters": "{{ ('a' * 99999).strip('b' * 99999 ~ 'a') }}",
    "trimming many characters": "{{ ('a' * 99999)|trim('b' * 99999 ~ 'a') }}",
    "sorting": forever("{% set x = a|sort %}{% set x = a|max %}", LIST),
    "sorting in place": forever("{% set x = a.sort() %}", LIST),
    "sorting a dictionary": forever("{% set x = d|dictsort %}", "{% set d = dict(a=1, b=2) %}"),
    "unique": forever("{% set x = range(9999)|unique|list %}"),
    "groups": forever("{% set x = a|groupby(0, default=1) %}", LIST),
    "batches": forever("{% set x = range(9999)|batch(3)|list %}"),
    "slices": forever("{% set x = range(9999)|slice(3)|list %}"),
    "many slices": "{% for x in [1]|slice(1000000000) %}{% endfor %}",
    "long paths": "{{ range(9999)|map(attribute='" + "a." * 50_000 + "a', default=1)|list }}",
    "many paths": "{{ ([{}] * 9999)|sort(attribute='" + "a," * 50_000 + "a') }}",
    "wrapping": forever("{% set x = a|wordwrap %}", "{% set a = 'ab ' * 9999 %}"),
    "wrapping a long word": "{{ ('!' * 99999)|wordwrap(1) }}",
    "stripping tags": forever("{% set x = a|striptags %}", LONG),
    "attributes of XML": forever("{% set x = {'a': a}|xmlattr %}", LONG),
    "sums of lists": "{{ ([[1]] * 60000)|sum(start=[])|length }}",
    "expanding arguments": forever(
        "{{ m(*a) }}", LIST + "{% macro m() %}{{ varargs|length }}{% endmacro %}"
    ),
    "title": forever("{% set x = a|title %}", LONG),
    "urlencode": forever("{% set x = a|urlencode %}", LONG),
    "parsing JSON": forever("{% set x = ('[' ~ '{},' * 9999 ~ '1]')|from_json %}"),
    "writing JSON": forever("{% set x = {'a': [1]}|tojson(indent=1) %}"),
    "str.format": forever("{% set x = '{} {}'.format(i, j) %}"),
    "printing a value of shared parts": doubled("ns.x"),
    "JSON of shared parts": doubled("ns.x|tojson"),
    "upper case of shared parts": doubled("ns.x|upper"),
    "str.format of shared parts": doubled("'{}'.format(ns.x)"),
    "printf of shared parts": doubled("'%s' % [ns.x]"),
    "shared parts as a prefix": doubled("'a'.startswith(('%s' % ns.x)|string)"),
    "comparing shared parts": doubled("ns.x == ns.y"),
    "comparing by a test": doubled("ns.x is ne ns.y"),
    "looking for shared parts": doubled("ns.x in [ns.y]"),
    "indexing shared parts": doubled("[ns.x].index(ns.y)"),
    "sorting shared parts": doubled("[ns.x, ns.y]|sort"),
    "grouping shared parts": doubled("[{'a': ns.x}]|groupby('a')"),
    "groups of shared parts": doubled("[{}, {}]|groupby('a', default=ns.x)"),
    "printing a dictionary's items": doubled("{'a': ns.x}.items()"),
    "loop.changed": doubled("0") + "{% for v in [ns.x, ns.y] %}{{ loop.changed(v) }}{% endfor %}",
    "a list that holds itself": "{% set a = [1] %}{% set _ = a.append(a) %}{{ a }}",
    "a namespace that holds itself": "{% set n = namespace() %}{% set n.a = n %}{{ n }}",
}

BOMBS = {
    "repetition": "{{ 'x' * 10000000000 }}",
    "repetition the other way round": "{{ 10000000000 * [1] }}",
    "powers": "{{ 10 ** (10 ** 9) }}",
    "squares": (
        "{% set n = namespace(x=10) %}"
        "{% for i in range(100) %}{% set n.x = n.x * n.x %}{% endfor %}{{ n.x }}"
    ),
    "hexadecimal": "{{ ('f' * 99999)|int(base=16) }}",
    "printf": "{{ '%1000000000d' % 1 }}",
    "printf's star": "{{ '%*d' % (1000000000, 1) }}",
    "printf's precision": "{{ '%.1000000000f' % 1 }}",
    "printf's names": "{{ ('%(a)s' * 1000) % {'a': 'x' * 100000} }}",
    "format filter": "{{ '%1000000000d'|format(1) }}",
    "str.format": "{{ '{:1000000000}'.format(1) }}",
    "nested str.format": "{{ '{:{w}}'.format(1, w=1000000000) }}",
    "str.format_map": "{{ '{a:1000000000}'.format_map({'a': 1}) }}",
    "concatenation": "{% set n = namespace(x='ab') %}"
    "{% for i in range(60) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "addition": "{% set n = namespace(x='ab') %}"
    "{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "lists added": "{% set n = namespace(x=[1]) %}"
    "{% for i in range(60) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "a list that extends itself": (
        "{% set a = [1] %}{% for i in range(60) %}{% set _ = a.extend(a) %}{% endfor %}"
    ),
    "join filter": "{{ range(9999)|join('x' * 99999) }}",
    "str.join": "{{ ('x' * 99999).join(range(999)|map('string')) }}",
    "replace filter": "{{ ('x' * 9999)|replace('x', 'y' * 99999) }}",
    "str.replace": "{{ ('x' * 9999).replace('x', 'y' * 99999) }}",
    "str.center": "{{ 'x'.center(1000000000) }}",
    "center filter": "{{ 'x'|center(1000000000) }}",
    "batch filter": "{{ [1]|batch(1000000000, 'x')|list }}",
    "slice filter": "{{ [1]|slice(1000000000, 'x')|list }}",
    "wordwrap filter": "{{ ('x ' * 9999)|wordwrap(1, wrapstring='y' * 99999) }}",
    "str.zfill": "{{ 'x'.zfill(1000000000) }}",
    "indent filter": "{{ 'x\n'|indent(1000000000) }}",
    "indent by text": "{{ ('x\n' * 999)|indent('y' * 1000) }}",
    "JSON's indentation": "{{ [[1]]|tojson(indent=1000000000) }}",
    "JSON's separators": "{{ range(999)|list|tojson(separators=('x' * 99999, ':')) }}",
    "round": "{{ 1|round(1000000000) }}",
    "slices kept": "{% set l = [] %}" + forever("{% set _ = l.append(a[1:]) %}", LONG),
    "splits kept": "{% set l = [] %}" + forever("{% set _ = l.append(a.split('x')) %}", LONG),
    "lines kept": "{% set l = [] %}"
    + forever("{% set _ = l.append(a.splitlines()) %}", "{% set a = '\n' * 9999 %}"),
    "ranges kept": "{% set l = [] %}" + forever("{% set _ = l.append(range(9999)|list) %}"),
    "constant output": "{% for i in range(99999) %}" + "x" * 50000 + "{% endfor %}",
    "constant output of a macro": (
        "{% macro m() %}{% for i in range(99999) %}" + "x" * 50000 + "{% endfor %}{% endmacro %}"
        "{{ m() }}"
    ),
    "constant output of a set block": (
        "{% set a %}{% for i in range(99999) %}" + "x" * 50000 + "{% endfor %}{% endset %}"
    ),
    "a constant that Jinja folds": "{{ ['x', 'x']|join('y' * 100000000) }}",
    "nested tuples as a key": doubled("{(ns.x, 1): 1}"),
    "nested tuples looked up": doubled("{}.get((ns.x, 1))"),
    "nested tuples made unique": doubled("[(ns.x, 1)]|unique|list"),
    "a source too long": "x" * 140_000,
    "too many nodes": "{{ a.b }}" * 7_000,
    "blocks too deep": "{% if a %}" * 40 + "{% endif %}" * 40,
}


@pytest.mark.parametrize("source", [*ENDLESS.values(), *BOMBS.values()], ids=[*ENDLESS, *BOMBS])
def test_work_without_end_is_refused(source: str) -> None:
    with pytest.raises(TemplateLimit):
        run(source)


@pytest.mark.parametrize(
    "expression",
    [
        "'x'.center(n)",
        "'x'.ljust(n)",
        "'x'|indent(n)",
        "'x' * n",
        "n * [1]",
        "'x'.replace('x', '', n)",
    ],
)
def test_a_negative_number_earns_no_units(expression: str) -> None:
    earn = "{% set n = -1000000000000 %}{% set x = " + expression + " %}"
    with pytest.raises(TemplateLimit):
        run(earn + ENDLESS["empty loops"])


@pytest.mark.parametrize(
    "source",
    [
        "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
        "{% block a %}{{ self.a() }}{% endblock %}",
        "{% for x in [1] recursive %}{{ loop([1, 2]) }}{% endfor %}",
        "{{ ('[' * 15000)|from_json }}",
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + " + ".join(["1"] * 4000) + " }}",
    ],
)
def test_recursion_ends_in_an_error(source: str) -> None:
    with pytest.raises((RecursionError, TemplateLimit)):
        run(source)


LONG_SOURCES = {
    "negations": "{{ " + "not " * 20_000 + "1 }}",
    "signs": "{{ " + "-" * 60_000 + "1 }}",
    "attributes": "{{ a" + ".b" * 40_000 + " }}",
    "items": "{{ a" + "[0]" * 30_000 + " }}",
    "calls": "{{ a" + "()" * 30_000 + " }}",
    "filters": "{{ a" + "|upper" * 10_000 + " }}",
    "choices": "{{ " + "1 if a else " * 8_000 + "1 }}",
    "powers": "{{ 2" + "**2" * 30_000 + " }}",
    "comparisons": "{{ a" + "<a" * 30_000 + " }}",
    "branches": "{% if a %}" + "{% elif b %}" * 9_000 + "{% endif %}",
    "loops": "{% for i in a %}" * 5_000 + "{% endfor %}" * 5_000,
    "macros": "{% macro m() %}" * 3_000 + "{% endmacro %}" * 3_000,
    "a number": "{{ " + "9" * 100_000 + " }}",
    "a list": "{{ " + "[" * 30_000 + "]" * 30_000 + " }}",
    "comments that never end": "{#" * 60_000,
    "raw text that never ends": "{% raw %}" * 14_000,
    "a string that never ends": "{{ '" + "\\'" * 60_000,
    "blanks": "{{" + " " * 120_000,
    "tags of blanks": ("{%-" + " " * 100 + "\n") * 1_000,
}


@pytest.mark.parametrize("source", LONG_SOURCES.values(), ids=LONG_SOURCES)
def test_a_source_that_is_hard_to_compile_is_refused(source: str) -> None:
    with pytest.raises(InvalidRequest):
        ChatTemplate(source, bos="", eos="").render([{"role": "user", "content": "Hi"}])


def test_a_deeply_nested_list_is_no_danger_to_the_stack() -> None:
    nest = "{% for i in range(15000) %}{% set n.x = (n.x,) %}{% endfor %}"
    compiled = compile_template("{% set n = namespace(x=1) %}" + nest + "{{ n.x }}")
    with pytest.raises(RecursionError):
        render(compiled, {})
    gc.collect()


@pytest.mark.parametrize(
    "expression",
    [
        "''.__class__.__mro__",
        "''['__class__'].__mro__",
        "[''|map(attribute='__class__')|first][0].x",
        "'{0.__class__.__mro__}'.format('')",
        "'{a.__class__.__mro__}'.format_map({'a': ''})",
        "raise_exception.__globals__.x",
        "cycler.__init__.__globals__",
        "dict.mro()",
        "self._TemplateReference__context.x",
        "namespace()._Namespace__attrs.x",
        "(1).real.x",
        "''.encode().x",
        "{}.fromkeys('ab')",
        "[].__len__()",
        "range(3).count(1)",
        "f()",
        "given.__self__.x",
        "{'a': 1}.items() - {}.items()",
        "strftime.func.x",
    ],
)
def test_no_attribute_leads_out(expression: str) -> None:
    with pytest.raises((TemplateError, TypeError)):
        run("{{ " + expression + " }}", given=len)


@pytest.mark.parametrize(
    "source",
    [
        "{% include 'x' %}",
        "{% import 'x' as x %}",
        "{% from 'x' import x %}",
        "{% extends 'x' %}",
        "{% autoescape true %}{% endautoescape %}",
        "{{ x|attr('y') }}",
        "{{ x|pprint }}",
        "{{ lipsum() }}",
        "{{ x|random }}",
        "{{ x|urlize }}",
    ],
)
def test_what_a_chat_template_has_no_use_for_is_not_there(source: str) -> None:
    with pytest.raises(TemplateError):
        run(source)


def test_a_template_says_where_it_is_wrong() -> None:
    with pytest.raises(TemplateError, match="unexpected '}'"):
        compile_template("{{ a } }}")


def test_the_same_rendering_costs_the_same() -> None:
    def cost() -> int:
        with metered(10_000) as meter:
            text([{"a": ["b" * 640, 2]}])
            return 10_000 - meter.left

    assert cost() == cost() > 10


def test_the_budget_grows_with_the_input() -> None:
    source = "{% for m in messages %}{{ m|upper }}{{ m|title }}{% endfor %}"
    words = ["word " * 100] * 2000
    assert len(run(source, messages=words)) == 2 * 2000 * 500


def test_a_shared_part_counts_as_often_as_it_is_held() -> None:
    inner = ["x"] * 10
    with metered(10_000):
        assert deep([inner, inner]) == 2 * deep(inner) + 1


def test_every_kind_of_node_that_jinja_has_was_looked_at() -> None:
    """A new kind of node would be compiled inline, where nothing meters it."""

    def kinds(base: type[nodes.Node]) -> set[str]:
        return {base.__name__}.union(*map(kinds, base.__subclasses__()))

    metered_here = "Concat Compare Getitem Slice Dict Pair Operand For If Macro CallBlock Block"
    handed_over_by_jinja = (
        "Call Filter Test _FilterTestCommon Getattr Output BinExpr UnaryExpr "
        "Add Sub Mul Div FloorDiv Mod Pow And Or Not Neg Pos"
    )
    refused = (
        "Include Import FromImport Extends EvalContextModifier ScopedEvalContextModifier "
        # no syntax makes these
        "OverlayScope MarkSafe MarkSafeIfAutoescape EnvironmentAttribute ExtensionAttribute "
        "ImportedName InternalName ContextReference DerivedContextReference"
    )
    as_long_as_they_are_written = (
        "Node Stmt Expr Helper Literal Template Assign AssignBlock FilterBlock With Scope ExprStmt "
        "Break Continue Name NSRef Const TemplateData Tuple List Keyword CondExpr"
    )
    known = f"{metered_here} {handed_over_by_jinja} {refused} {as_long_as_they_are_written}"
    assert kinds(nodes.Node) == set(known.split())
