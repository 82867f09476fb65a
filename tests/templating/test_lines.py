"""Lines that hold only tags leave none behind; every other line ends where it was written."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite import Templates


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{% for x in y %}\n- {{ x }}\n{% endfor %}\nend", "- 1\n- 2\nend"),
        ("  {% for x in y %}\n- {{ x }}\n  {% endfor %}\nend", "- 1\n- 2\nend"),
        ("Hello{% if y %} you{% endif %}\nend", "Hello you\nend"),
        ("{% if y %}a{% else %}b{% endif %}\nend", "a\nend"),
        ("{% for x in y %}{{ x }}{% endfor %}\nend", "12\nend"),
        ("{# the variables: y #}\nHello\n{# a note #}\nend", "Hello\nend"),
        ("Hello {# a note #}\nend", "Hello \nend"),
        ("{% set a = 1 %}{% set b = 2 %}\nHello\n", "Hello"),
        ("{% set a =\n  1 %}\nHello\n\n", "Hello\n"),
        ("{% for x in y %}\n{{ x }}\n{%- endfor %}\nend", "1\n2\nend".replace("\n2", "2")),
        ("a\n{%- if y %} b\n{%- endif %}\nend", "a b\nend"),
        ("a {% if y -%}\n  b\n{%- endif %}\nend", "a b\nend"),
        ("a {% if y +%}\nb{% endif +%}\nend", "a \nb\nend"),
        ("{% raw %}use {% if %} {# x #}\n{% endraw %}\nend", "use {% if %} {# x #}\nend"),
        ("{% raw %}use {% if %}{% endraw %}\nend", "use {% if %}\nend"),
        ("{{ '%}' }}\nend", "%}\nend"),
        ("\n{# #}\n\n a", "\n\n a"),
        ("{% if y %}  \nHello\n{% endif %}\t\nend", "Hello\nend"),
        ("Hello{% if y %}  \n{% endif %} \nend", "Hello  \nend"),
        ("{% include 'rules' %}\nend", "Be brief.\nend"),
        ("{% if y %}{%include 'rules' %}{% endif %}\nend", "Be brief.\nend"),
        ("{% set a %}text{% endset %}\n{{ a }}", "text"),
        ("Hello{% set a %}text{% endset %}\n{{ a }}", "Hello\ntext"),
        ("{% block a %}{% endblock %}\nend", "\nend"),
        ("{% block a %}\nHello\n{% endblock %}\nend", "Hello\nend"),
        ("{% macro m() %}<{{ caller() }}>{% endmacro %}\n{% call m() %}{% endcall %}\n.", "<>\n."),
    ],
)
def test_lines_end_where_a_writer_sees_them_end(template: str, text: str) -> None:
    templates = Templates()
    templates.register("rules", "Be brief.\n")
    assert templates.render(template, {"y": [1, 2]}) == text


TAGS = st.sampled_from(["{% if y %}", "{% endif %}", "{# note #}", "{% set a = 1 %}", "  "])
WORDS = st.sampled_from(["{{ y }}", "word", "%}", "#}", "-", "+", " "])
LINES = st.lists(st.lists(TAGS | WORDS, max_size=4), min_size=1, max_size=8)


@given(LINES)
def test_any_lines_of_tags_and_words(lines: list[list[str]]) -> None:
    depth, template, text = 0, "{# #}\n", ""
    for line in lines:
        kept = list[str]()
        for piece in line:
            depth += {"{% if y %}": 1, "{% endif %}": -1}.get(piece, 0)
            if depth < 0:
                depth = 0
            else:
                kept.append(piece)
        template += "".join(kept) + "\n"
        said = "".join("1" if piece == "{{ y }}" else piece for piece in kept if piece[:2] != "{%")
        said = said.replace("{# note #}", "")
        has_tags = any(piece[:2] in ("{%", "{#") for piece in kept)
        text += "" if has_tags and not said.strip() else said + "\n"
    template += "{% endif %}" * depth
    rendered = Templates().render(template + ".", {"y": 1})
    assert [line.strip() for line in rendered.split("\n")] == [
        line.strip() for line in (text + ".").split("\n")
    ]
