"""``@liquid``."""

from __future__ import annotations

from contextlib import suppress

import pytest

from sync.errors import InvalidEvent, InvalidMapping
from sync.mapping.values import LONGEST_TEXT
from tests.mapping.made import made

EVENT = {
    "name": "ann",
    "n": 1.0,
    "half": 2.5,
    "list": [3, "x", None, [1, 2]],
    "o": {"k": {"y": "z"}},
    "size": 7,
    "age": "17",
    "null": None,
    "long": "x" * 1000,
}


def text(template: str, event: dict[str, object] | None = None) -> object:
    return made({"@liquid": template}, event or EVENT)


@pytest.mark.parametrize(
    ("template", "output"),
    [
        ("", ""),
        ("plain", "plain"),
        ("{{ name | capitalize }}!", "Ann!"),
        ("{{ n }}|{{ half }}|{{ list }}|{{ o }}|{{ null }}|{{ none.x }}", "1|2.5|3x12|[object Object]||"),
        ("{{ o.k.y }}{{ o['k']['y'] }}{{ list[3][0] }}{{ list[-1][1] }}", "zz12"),
        ("{{ list.size }}{{ name.size }}{{ list.first }}{{ size }}", "4337"),
        ("{% if half > 2 and name contains 'nn' %}yes{% else %}no{% endif %}", "yes"),
        ("{% if age <= 18 %}young{% endif %}{% if none > 1 %}old{% endif %}", "young"),
        ("{% if n %}1{% endif %}{% if '' %}2{% endif %}{% if null %}3{% endif %}", "12"),
        ("{% unless null %}a{% endunless %}{% assign x = name | upcase %}{{ x }}", "aANN"),
        ("{% capture c %}<{{ name }}>{% endcapture %}{{ c }}{% raw %}{{ c }}{% endraw %}", "<ann>{{ c }}"),
        ("{{ name | no_such_filter }}", "ann"),
        ("{{ now }}{{ today }}", ""),
        ("{%- if n -%} a {%- endif -%}", "a"),
    ],
)
def test_templates_are_filled_in(template: str, output: str) -> None:
    assert text(template) == output


@pytest.mark.parametrize("name", ["case", "for", "include", "layout", "render", "tablerow", "no_such_tag"])
def test_tags_that_are_not_allowed_are_found_at_load(name: str) -> None:
    with pytest.raises(InvalidMapping, match="line 1, column 4"):
        text(f"{{% {name} x %}}{{% end{name} %}}")


@pytest.mark.parametrize("name", ["map", "sort", "reverse", "where_exp", "uniq", "concat", "slugify"])
def test_filters_that_are_not_allowed_are_found_at_load(name: str) -> None:
    with pytest.raises(InvalidMapping, match=f"`{name}` is not allowed"):
        text(f"{{% if n %}}{{{{ list | {name}: 'a' }}}}{{% endif %}}")


@pytest.mark.parametrize(
    "argument", [5, None, [], {"@path": "$.x"}, "{{ a", "{% if %}", "{{ a | }}", "x" * 1001, "😀" * 501]
)
def test_what_is_no_template_is_found_at_load(argument: object) -> None:
    with pytest.raises(InvalidMapping):
        made({"@liquid": argument})


def test_a_thousand_characters_are_allowed() -> None:
    assert text("😀" * 500) == "😀" * 500


@pytest.mark.parametrize(
    "template",
    [
        "{{ 'now' | date: '%Y' }}",
        "{{ name | append }}",
        "{{ (1..3) }}",
        "{{ (1..1000000000) | join: 'x' }}",
        "{{ 5 | date: '%c' }}",
        "{{ '%zz' | url_decode }}{{ '%ff' | url_decode }}",
    ],
)
def test_what_cannot_be_filled_in_refuses_the_event(template: str) -> None:
    with pytest.raises(InvalidEvent, match="cannot be filled in"):
        text(template)


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "template",
    [
        "{% assign a = long %}" + "{% assign a = a | append: a %}" * 30,
        "{{ long " + "| replace: '', long " * 40 + "}}",
        "{{ long | split: '' " + "| join: long | split: '' " * 30 + "}}",
        "{{ long " + "| url_encode | escape " * 30 + "| replace: 'x', '&&&&&&&&&&' " * 10 + "}}",
        "{{ '9999999999' " + "| times: 9999999999 " * 40 + "}}",
        "{{ 1 | date: '" + "%999999999d" * 80 + "' }}",
    ],
)
def test_no_template_takes_long_or_grows_without_end(template: str) -> None:
    with suppress(InvalidEvent):
        assert len(str(text(template))) <= LONGEST_TEXT
