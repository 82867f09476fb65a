"""`flashlite ask`, and what all commands have in common."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from flashlite import AuthenticationError
from flashlite.testing import MockServer

from .commands import Ran, run


def test_the_answer_is_printed() -> None:
    assert run("ask", "Hello there", "--model", "mock/echo") == Ran(0, "Hello there\n", "")


@pytest.mark.parametrize("arguments", [("ask",), ("ask", "-")])
def test_the_prompt_may_come_from_standard_input(arguments: tuple[str, ...]) -> None:
    assert run(*arguments, "--model", "mock/echo", input="from a pipe\n").out == "from a pipe\n"


def test_the_model_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASHLITE_DEFAULT_MODEL", "mock/echo")
    assert run("ask", "Hi").out == "Hi\n"


def test_the_whole_answer_may_be_had_as_json() -> None:
    ran = run("ask", "naïve 中文", "--model", "mock/echo", "--json")
    answer = json.loads(ran.out)
    assert answer["choices"][0]["message"]["content"] == "naïve 中文"
    assert (answer["model"], answer["cost"]) == ("echo", 0)


def test_system_messages_and_parameters_reach_the_model(mock_server: MockServer) -> None:
    ran = run(
        *("ask", "Hi", "--model", "openai/echo", "--system", "Be brief."),
        *("-M", "temperature=0.5", "-M", "stop=END", "-M", f"base_url={mock_server.base_url}"),
    )
    assert ran == Ran(0, "Hi\n", "")
    [request] = mock_server.requests
    assert request.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
    ]
    assert (request.body["temperature"], request.body["stop"]) == (0.5, "END")


def test_a_template_is_a_text_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "capital.j2"
    file.write_text("Capital of {{ country }}?")
    for template in ("Capital of {{ country }}?", file):
        ran = run("ask", "--template", template, "-V", "country=Peru", "--model", "mock/echo")
        assert ran == Ran(0, "Capital of Peru?\n", "")


def test_a_tool_call_is_printed_too() -> None:
    tool = {"name": "look", "parameters": {"type": "object", "properties": {}}}
    ran = run("ask", "x", "--model", "mock/tools", "-M", f"tools={json.dumps([tool])}")
    assert ran.out == "look({})\n"


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("--model", "mock/echo?status=401"), 1, "the mock was told to answer 401"),
        (("--model", "nope"), 2, "flashlite: unknown model 'nope': say whose it is"),
        ((), 2, "flashlite: no model given"),
        (("--model", "mock/echo", "-M", "temprature=1"), 2, "did you mean 'temperature'?"),
        (("--model", "mock/echo", "-M", "api_base=x"), 2, "'api_base': write base_url=..."),
        (("--model", "mock/echo", "-M", "temperature"), 2, "write name=value; got 'temperature'"),
        (("--model", "mock/echo", "--template", "{{ x }}"), 2, "are two prompts"),
        (("--model", "mock/echo", "-V", "x=1"), 2, "-V fills in a template"),
        (("--model", "mock/echo", "-M", "default_model=x"), 2, "unknown parameter 'default_model'"),
        (("--model", "mock/echo", "-M", "timeout=soon"), 2, "a timeout is a positive number"),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: tuple[str, ...], code: int, error: str
) -> None:
    ran = run("ask", "x", *arguments)
    assert (ran.code, ran.out) == (code, "")
    assert error in ran.err
    assert "Traceback" not in ran.err
    if ran.err.startswith("flashlite:"):
        assert ran.err.count("\n") == 1


def test_an_empty_prompt_is_refused() -> None:
    assert run("ask", "--model", "mock/echo", input=" \n").err == "flashlite: the prompt is empty\n"


def test_debug_lets_the_error_through() -> None:
    from click.testing import CliRunner

    from flashlite.cli import main

    arguments = ["--debug", "ask", "x", "--model", "mock/echo?status=401"]
    assert isinstance(CliRunner().invoke(main, arguments).exception, AuthenticationError)


def test_the_help_names_every_command_and_every_option_has_one() -> None:
    ran = run("--help")
    for name in ("ask", "batch", "cache", "doctor", "models"):
        assert f"\n  {name} " in ran.out
        assert run(name, "--help").code == 0
    assert run("--version").out.startswith("flashlite, version ")


def test_the_command_line_runs_as_a_module_and_in_any_locale() -> None:
    command = [sys.executable, "-m", "flashlite", "ask", "中文", "--model", "mock/echo"]
    environment = {"PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("\\u4e2d\\u6587\n", "")
