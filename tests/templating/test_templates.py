"""Templates: found by name or given as text, compiled once, and errors that say where."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from flashlite import ConfigError, Message, Templates

Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(name: str, text: str) -> Path:
        path = tmp_path / "prompts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")
        return path

    return write


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    (tmp_path / "prompts").mkdir(exist_ok=True)
    return Templates(tmp_path / "prompts")


def refusal(templates: Templates, template: str, **variables: object) -> str:
    with pytest.raises(ConfigError) as caught:
        templates.render(template, variables)
    return str(caught.value)


def test_a_text_is_filled_in_without_any_directory() -> None:
    text = "Translate '{{ text }}' to {{ language }}"
    given = {"text": "Hello", "language": "French"}
    assert Templates().render(text, given) == "Translate 'Hello' to French"


def test_nothing_is_escaped() -> None:
    assert Templates().render("{{ code }}", {"code": "a < b && 'c'"}) == "a < b && 'c'"


def test_a_text_of_several_lines_needs_no_variable() -> None:
    assert Templates().render("Say hello.\nThen stop.") == "Say hello.\nThen stop."


@pytest.mark.parametrize("suffix", ["", ".jinja", ".jinja2", ".j2", ".txt", ".md"])
def test_a_file_is_found_with_and_without_its_suffix(
    suffix: str, templates: Templates, write: Write
) -> None:
    write(f"agents/critic{suffix}", "Be {{ mood }}.\n")
    names = ["agents/critic", f"agents/critic{suffix}"]
    assert [templates.render(name, {"mood": "harsh"}) for name in names] == ["Be harsh."] * 2


def test_the_first_directory_that_has_a_name_wins(tmp_path: Path) -> None:
    for directory, names in (("mine", "a"), ("shared", "ab")):
        (tmp_path / directory).mkdir()
        for name in names:
            (tmp_path / directory / f"{name}.txt").write_text(directory)
    templates = Templates([tmp_path / "mine", str(tmp_path / "shared")])
    assert [templates.render("a"), templates.render("b")] == ["mine", "shared"]
    assert templates.names == ["a", "b"]


def test_a_registered_template_goes_before_a_file_and_may_be_replaced(
    templates: Templates, write: Write
) -> None:
    write("greet.txt", "from a file")
    said = [templates.render("greet")]
    for text in ("Hello {{ name }}", "Bye {{ name }}"):
        templates.register("greet", text)
        said.append(templates.render("greet", {"name": "Ada"}))
    assert said == ["from a file", "Hello Ada", "Bye Ada"]


def test_files_and_registered_templates_use_one_another(templates: Templates, write: Write) -> None:
    write("base.jinja", "{% include 'rules' %}\n{% block task %}{% endblock %}\n")
    write("macros.jinja", "{% macro quoted(text) %}«{{ text | truncate_words(2) }}»{% endmacro %}")
    write("task.jinja", '{% extends "base" %}{% from "macros" import quoted %}'
          "{% block task %}Read {{ quoted(text) }}{% endblock %}")  # fmt: skip
    templates.register("rules", "Be brief.")
    assert templates.render("task", {"text": "a b c"}) == "Be brief.\nRead «a b...»"
    assert templates.render("{% include 'task' %}!", {"text": "a"}) == "Be brief.\nRead «a»!"


def test_a_changed_file_is_read_again(templates: Templates, write: Write) -> None:
    write("now.txt", "before")
    said = [templates.render("now")]
    write("now.txt", "after!")
    assert [*said, templates.render("now")] == ["before", "after!"]


def test_a_change_of_the_time_alone_counts_too(templates: Templates, write: Write) -> None:
    path = write("now.txt", "one")
    said = [templates.render("now")]
    write("now.txt", "two")
    os.utime(path, ns=(1, 1))
    assert [*said, templates.render("now")] == ["one", "two"]


def test_a_macro_behind_a_macro_is_read_again(templates: Templates, write: Write) -> None:
    write("inner.jinja", "{% macro word() %}old{% endmacro %}")
    write("outer.jinja", "{% import 'inner' as i %}{% macro word() %}{{ i.word() }}{% endmacro %}")
    text = "{% import 'outer' as o %}{{ o.word() }}"
    said = [templates.render(text)]
    write("inner.jinja", "{% macro word() %}newer{% endmacro %}")
    assert [*said, templates.render(text)] == ["old", "newer"]


def test_a_file_that_is_gone_is_no_template_any_more(templates: Templates, write: Write) -> None:
    path = write("gone.txt", "here")
    templates.render("gone")
    path.unlink()
    assert refusal(templates, "gone").startswith("no template is called 'gone'")


def test_a_template_is_compiled_once(templates: Templates, write: Write) -> None:
    write("once.txt", "{{ x }}")
    for name in ("once", "{{ x }}"):
        assert templates._found(name) is templates._found(name)


def test_a_byte_order_mark_and_windows_line_ends_leave_no_trace(
    templates: Templates, write: Write
) -> None:
    write("windows.txt", "\ufeffa\r\n{% if true %}\r\nb\r\n{% endif %}\r\nc\r\n")
    assert templates.render("windows") == "a\nb\nc"


@pytest.mark.parametrize(
    "name", ["sumarize", "summarise", "Summarize", "summarize ", "sumarize.j2"]
)
def test_a_mistyped_name_is_an_error_that_says_what_is_near(
    name: str, templates: Templates, write: Write
) -> None:
    write("summarize.jinja", "{{ text }}")
    hint = "; did you mean 'summarize'?"
    assert refusal(templates, name).startswith(f"no template is called {name!r}{hint}")


def test_a_name_like_no_other_is_an_error_that_lists_the_others() -> None:
    templates = Templates()
    nothing = "no template is called 'x'; there are none: pass template_dir=... or register one"
    assert refusal(templates, "x") == nothing
    templates.register("summarize", "{{ text }}")
    templates.register("translate", "{{ text }}")
    assert refusal(templates, "x") == "no template is called 'x'; there are summarize, translate"


@pytest.mark.parametrize("name", ["Say hello", "agent decision", "x" * 6000, "", "a\0b", "a/b"])
def test_a_line_without_variables_is_a_name_and_never_a_prompt(
    name: str, templates: Templates
) -> None:
    assert refusal(templates, name).startswith("no template is called '")


def test_a_sentence_is_told_where_it_belongs(templates: Templates) -> None:
    hint = "(a text without {{ variables }} is a message: messages=...)"
    assert refusal(templates, "Say hello").endswith(hint)


@pytest.mark.parametrize("form", ["../{}", "x/../../{}", "{}", "./../{}"])
def test_no_name_leaves_the_directory(form: str, tmp_path: Path, templates: Templates) -> None:
    (tmp_path / "secret.txt").write_text("secret")
    outside = form.format(tmp_path / "secret.txt" if form == "{}" else "secret.txt")
    assert refusal(templates, outside).startswith("no template is called")
    assert "no template is called" in refusal(templates, f"{{% include {outside!r} %}}")


def test_a_directory_that_is_none_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "promts")
    assert refusal(Templates(missing), "a") == f"template_dir {missing!r} is not a directory"


def test_an_undefined_variable_is_named_with_its_template_and_line(
    templates: Templates, write: Write
) -> None:
    path = write("agents/critic.jinja", "You are {{ name }}.\n\nBe {{ mood }}.")
    assert refusal(templates, "agents/critic", name="Ada", text="") == (
        f"{path}, line 3: 'mood' is undefined; the variables given are: name, text"
    )


def test_an_error_is_told_where_it_stands_and_not_where_it_was_included_from(
    templates: Templates, write: Write
) -> None:
    path = write("inner.txt", "\n{{ deep.er }}")
    text = "{% include 'inner' %}"
    assert refusal(templates, text, deep={}) == (
        f"{path}, line 2: 'dict object' has no attribute 'er'; the variables given are: deep"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{ x", "unexpected end of template, expected 'end of print statement'."),
        ("{{ x | nofilter }}", "No filter named 'nofilter'."),
        ("{{ x }}", "'x' is undefined; the variables given are: none"),
        ("{% if x %}{% endif %}", "'x' is undefined; the variables given are: none"),
        ("{{ [x] | json }}", "'x' is undefined; the variables given are: none"),
        ("{{ [x] }}", "'x' is undefined; the variables given are: none"),
        ("{% for i in x %}{% endfor %}", "'x' is undefined; the variables given are: none"),
        ("{{ 1 / 0 }}", "ZeroDivisionError: division by zero"),
        ("{{ 'a' + 1 }}", 'TypeError: can only concatenate str (not "int") to str'),
        ("{% include 'nope' %}", "no template is called 'nope'; there are good"),
        ("{% extends 'god' %}", "no template is called 'god'; did you mean 'good'?"),
        ("{% include ['a', 'b'] %}", "none of the templates given were found: a, b"),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
        (
            "{{ {'items': 1}.items }}",
            "TypeError: items is a function here: write row['items'] for an item, or call it",
        ),
        ("{{ [].append(1) }}", "access to attribute 'append' of 'list' object is unsafe."),
    ],
)
def test_whatever_fails_in_a_template_is_a_config_error(text: str, reason: str) -> None:
    templates = Templates()
    templates.register("good", "fine")
    assert refusal(templates, text) == f"<template>, line 1: {reason}"


def test_a_template_that_includes_itself_is_a_config_error(templates: Templates) -> None:
    templates.register("again", "{% include 'again' %}")
    assert refusal(templates, "again").startswith("<again>, line 1: RecursionError")


def test_what_a_variable_itself_raises_is_its_own_affair() -> None:
    class Broken:
        def __str__(self) -> str:
            raise NotImplementedError("mine")

    with pytest.raises(NotImplementedError, match="mine"):
        Templates().render("{{ x }}", {"x": Broken()})


def test_a_template_with_bad_syntax_is_not_registered() -> None:
    templates = Templates()
    templates.register("greet", "Hello")
    with pytest.raises(ConfigError, match="<greet>, line 2: Encountered unknown tag 'iff'"):
        templates.register("greet", "a\n{% iff %}")
    assert templates.render("greet") == "Hello"


@pytest.mark.parametrize("name", ["", " ", "a {{ b }}", "a\nb", None])
def test_a_name_is_one_line_without_tags(name: str) -> None:
    with pytest.raises(ConfigError, match="a template's name is a line without"):
        Templates().register(name, "x")


@pytest.mark.parametrize(
    ("template", "variables", "reason"),
    [
        (None, {}, "a template is a name or a text; got None"),
        ("{{ a }}", ["a"], "variables is a dict; got a list"),
    ],
)
def test_what_is_no_template_and_no_variables_is_refused(
    template: str, variables: dict[str, object], reason: str
) -> None:
    with pytest.raises(ConfigError, match=reason):
        Templates().render(template, variables)
    with pytest.raises(ConfigError, match="a template is a text; got 5"):
        Templates().register("a", 5)  # type: ignore[arg-type]


def test_a_file_that_is_no_text_is_named(templates: Templates, write: Write) -> None:
    path = write("image.txt", "")
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(templates, "image").startswith(f"cannot read the template {path}: 'utf-8'")


def test_a_template_cannot_change_what_it_is_given() -> None:
    given = {"person": SimpleNamespace(name="Ada"), "items": [1]}
    assert (
        Templates().render("{% set items = [2] %}{{ person.name }}{{ items }}", given) == "Ada[2]"
    )
    assert given["items"] == [1]


def test_the_rendered_text_is_the_users_last_message() -> None:
    templates = Templates()
    user = Message.user("Hi Ada")
    system, question = Message.system("Be brief."), Message.user("One.")
    given = {"name": "Ada"}
    assert templates.messages("Hi {{ name }}", given) == [user]
    assert templates.messages("Hi {{ name }}", given, after=[system, question]) == [
        system,
        question,
        user,
    ]
    assert templates.messages("Hi {{ name }}", given, after="One.") == [question, user]
