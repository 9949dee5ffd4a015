"""What templates say means what it means in Jinja, though all of it is metered."""

from __future__ import annotations

from typing import Any

import pytest
from jinja2.exceptions import TemplateError

from mullama.text.sandbox import compile_template, render


def run(source: str, **variables: Any) -> str:
    return render(compile_template(source), variables)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'a' ~ 1 ~ none", "a1None"),
        ("1 < 2 < 3, 1 < 3 < 2", "(True, False)"),
        ("'a' in 'abc', 'a' not in ['b'], 1 in {1: 2}", "(True, True, True)"),
        ("'abcdef'[1:4], [1, 2, 3][::-1], 'abc'[-1:]", "('bcd', [3, 2, 1], 'c')"),
        ("2 ** 10, 2 ** -1, 7 // 2, 7 % 4, (-7)|abs", "(1024, 0.5, 3, 3, 7)"),
        ("'ab' * 3, 2 * [1]", "('ababab', [1, 1])"),
        ("'%s-%03d' % ('a', 7), '%d%%'|format(5)", "('a-007', '5%')"),
        ("'{0}{b[c]:>3}{1!r}'.format(1, 'x', b={'c': 2})", "1  2'x'"),
        ("{'b': 1, 'a': 2}|dictsort", "[('a', 2), ('b', 1)]"),
        ("{'b': 1}|items|list, {'b': 1}.items()|list", "([('b', 1)], [('b', 1)])"),
        ("[3, 1, 2]|sort(reverse=true), [3, 1]|min, 'hello'|first", "([3, 2, 1], 1, 'h')"),
        ("['a', 'A', 'b']|unique|join(',')", "a,b"),
        ("[{'a': 1}, {'a': 2}]|map(attribute='a')|sum", "3"),
        ("[{'a': 1}, {'a': 2}]|selectattr('a', '>', 1)|list|length", "1"),
        ("[1, none, 2]|reject('none')|map('string')|join('-')", "1-2"),
        ("['x', 'y']|join(', '), 'a-b'.split('-')|join", "('x, y', 'ab')"),
        ("', '.join({'k': 1}.keys())", "k"),
        ("'a\nb'|indent(2), 'aXbX'|replace('X', '-')", "('a\\n  b', 'a-b-')"),
        ("'a b c d'|truncate(6, leeway=0), ' x '|trim, 'hi'|capitalize", "('a...', 'x', 'Hi')"),
        ("'<'|escape, '<'|safe, 'a b'|urlencode", "('&lt;', '<', 'a%20b')"),
        ("'12'|int + 1, 'x'|int(5), '1.5'|float, 2.567|round(1)", "(13, 5, 1.5, 2.6)"),
        ("{'a': ['é', 1.5, none]}|tojson", '{"a": ["é", 1.5, null]}'),
        ("{'b': 1, 'a': 2}|tojson(sort_keys=true, separators=(',', ':'))", '{"a":2,"b":1}'),
        ("[1]|tojson(indent=2)", "[\n  1\n]"),
        ("[1, 2]|map('string')|tojson", '["1", "2"]'),
        ("'{\"a\": [1]}'|from_json", "{'a': [1]}"),
        ("[{'a': 'x', 'n': 1}, {'a': 'y', 'n': 2}, {'a': 'X', 'n': 3}]|groupby('a')",
         "[('x', [{'a': 'x', 'n': 1}, {'a': 'X', 'n': 3}]), ('y', [{'a': 'y', 'n': 2}])]"),
        ("[{'a': 1}, {}]|groupby('a', default=0)|map(attribute='grouper')|list", "[0, 1]"),
        ("[{'a': 1}, {'a': 1}]|groupby('a')|map(attribute='list')|map('length')|list", "[2]"),
        ("[{'a': 1}]|groupby('a')|tojson", '[[1, [{"a": 1}]]]'),
        ("range(5)|batch(2)|list, [1]|batch(3, 0)|list", "([[0, 1], [2, 3], [4]], [[1, 0, 0]])"),
        ("range(5)|slice(2)|list, [1]|slice(2, 0)|list", "([[0, 1, 2], [3, 4]], [[1], [0]])"),
        ("'a'|center(5), ('a' * 3)|center(2)", "('  a  ', 'aaa')"),
        ("'one two three'|wordwrap(7), 'a\n\nb'|wordwrap", "('one two\\nthree', 'a\\n\\nb')"),
        ("'<b>a</b>  &amp; <i>c'|striptags", "a & c"),
        ("{'a': 1, 'b': none, 'c': '<'}|xmlattr", ' a="1" c="&lt;"'),
        ("1|filesizeformat, 2048|filesizeformat(true)", "('1 Byte', '2.0 KiB')"),
        ("'tojson' is filter, '#pay' is filter, 'x' is filter", "(True, False, False)"),
        ("'even' is test, 'odder' is test, [1] is test", "(True, False, False)"),
        ("'abc'|reverse, [1, 2]|reverse|list, [1, 2]|last", "('cba', [2, 1], 2)"),
        ("'word word'|wordcount, ['a']|length, x|default('d')", "(2, 1, 'd')"),
        ("dict([('a', 1)], b=2), dict({'a': 1})", "({'a': 1, 'b': 2}, {'a': 1})"),
        ("'ABC' is upper, 'a' is lower, 4 is divisibleby 2", "(True, True, True)"),
    ],
)  # fmt: skip
def test_expressions_mean_what_they_mean_in_jinja(expression: str, expected: str) -> None:
    assert run("{{ " + expression + " }}") == expected


def test_a_group_is_a_pair_whose_halves_have_names() -> None:
    items = "{% set items = [{'k': 'b', 'n': 1}, {'k': 'a', 'n': 2}, {'k': 'b', 'n': 3}] %}"
    for source in (
        "{% for g in items|groupby('k') %}{{ g.grouper }}{{ g.list|length }}{% endfor %}",
        "{% for key, some in items|groupby('k') %}{{ key }}{{ some|length }}{% endfor %}",
        "{% for g in items|groupby('k') %}{{ g[0] }}{{ g['list']|length }}{% endfor %}",
    ):
        assert run(items + source) == "a1b2"
    assert run("{{ ([{'a': 1}]|groupby('a')|first).count }}") == ""
    with pytest.raises(TemplateError):
        run("{{ ([{'a': 1}]|groupby('a')|first)._replace(list=2) }}")


def test_statements_mean_what_they_mean_in_jinja() -> None:
    source = """
{%- macro tag(name) %}<{{ name }}>{{ caller() if caller }}</{{ name }}>{% endmacro -%}
{%- for row in [[1, [2]], [3, []]] recursive -%}
  {{ row[0] }}{% if row[1] %}({{ loop([[row[1][0], []]]) }}){% endif %}
  {%- if not loop.last %},{% endif %}
{%- endfor -%}
{%- for x in [1, 2, 3, 4] if x is even %} {{ loop.index }}:{{ x }}/{{ loop.length }}{% endfor %}
{%- for x in [] %}{% else %} none{% endfor %}
{%- for x in range(9) %}{% if x == 1 %}{% continue %}{% elif x == 3 %}{% break %}{% endif %}{{ x }}
{%- endfor %}
{%- call tag('b') %}in{% endcall %}
{%- set joined %}{{ tag('i') }}!{% endset %}{{ joined }}
{%- filter upper %}up{% endfilter %}
{%- with a = 1, b = 2 %}{{ a + b }}{% endwith %}
{%- set n = namespace(k=1) %}{% for i in [1, 2] %}{% set n.k = n.k + i %}{% endfor %}{{ n.k }}
{%- set l = [] %}{% set _ = l.append(1) %}{% set _ = l.extend([3, 2]) %}
{%- set _ = l.sort() %}{{ l }}
{%- generation %}said{% endgeneration %}
{%- raw %}{{ raw }}{% endraw %}
"""
    assert run(source) == ("1(2),3 1:2/2 2:4/2 none02<b>in</b><i></i>!UP34[1, 2, 3]said{{ raw }}")
