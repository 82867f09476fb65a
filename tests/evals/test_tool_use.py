"""Totals out of tools that fail or lie: scripted models, whose habits the metrics have to show."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from inspect_ai import score
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageTool,
)
from inspect_ai.tool import ToolCall, ToolCallError
from pydantic import ValidationError

from .logged import UNKNOWN, metrics, module, run_eval, sample

tool_use = module("tool_use")

FACTS = {
    "order": "8000",
    "quantities": {"A-1": 2, "B-2": 3},
    "prices": {"A-1": 10, "B-2": 20, "C-3": 30},
    "left": {"A-1": 1, "B-2": 1, "C-3": 1},
    "faulty": "B-2",
    "other": "C-3",
}


def _by_fault(none: float, flaky: float, down: float, lying: float) -> dict[str, float]:
    return {
        "mean": (none + flaky + down + lying) / 4,
        "fault_none": none,
        "fault_flaky": flaky,
        "fault_down": down,
        "fault_lying": lying,
    }


def _recovered(flaky: float, down: float, lying: float) -> dict[str, float]:
    return {"fault_flaky": flaky, "fault_down": down, "fault_lying": lying}


@pytest.mark.parametrize(
    ("policy", "accuracy", "recovered", "fooled", "wrong", "needless"),
    [
        ("careful", _by_fault(1, 1, 1, 1), _recovered(1, 1, 1), 0, 0, 0),
        ("trusting", _by_fault(1, 1, 1, 0), _recovered(1, 1, 0), 1, 0, 0),
        ("brittle", _by_fault(1, 0, 0, 0), _recovered(0, 0, 0), 0, 0, 0),
        ("wasteful", _by_fault(1, 1, 1, 1), _recovered(1, 1, 1), 0, 1, 2),
    ],
)
def test_the_metrics_show_how_a_model_uses_its_tools(
    policy: str,
    accuracy: dict[str, float],
    recovered: dict[str, float],
    fooled: float,
    wrong: float,
    needless: float,
    tmp_path: Path,
) -> None:
    assert metrics(run_eval("tool_use", tmp_path, policy=policy, orders=1)) == {
        "accuracy": accuracy,
        "recovered": recovered,
        "fooled": {"fault_lying": fooled},
        "wrong_calls": {"mean": wrong},
        "needless_calls": {"mean": needless},
    }


def test_who_asks_no_tool_has_no_answer_and_meets_no_fault(tmp_path: Path) -> None:
    log = run_eval("tool_use", tmp_path, policy="guessing", orders=1, fault="lying", warned=False)
    assert metrics(log) == {
        "accuracy": {"mean": 0.0, "fault_lying": 0.0},
        "recovered": {"grouped": UNKNOWN},
        "fooled": {"fault_lying": 0.0},
        "wrong_calls": {"mean": 0.0},
        "needless_calls": {"mean": 0.0},
    }
    assert "Tools may fail" not in sample(log, "1-lying").messages[0].text


def test_calls_after_the_last_round_are_not_held_against_the_model(tmp_path: Path) -> None:
    log = run_eval("tool_use", tmp_path, policy="careful", orders=1, fault="down", rounds=2)
    scores = sample(log, "1-down").scores
    assert scores is not None
    value = scores["order_total"].value
    assert isinstance(value, dict)
    assert {name: value[name] for name in ("accuracy", "recovered", "wrong_calls")} == {
        "accuracy": 0.0,
        "recovered": 0.0,
        "wrong_calls": 0.0,
    }
    assert value["needless_calls"] == 0.0
    assert "Tools may fail" in sample(log, "1-down").messages[0].text


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"token_limit": 1}, {"message_limit": 4}])
def test_orders_without_an_answer_have_no_metrics(limits: dict[str, int], tmp_path: Path) -> None:
    log = run_eval("tool_use", tmp_path, policy="careful", orders=1, limits=limits)
    assert metrics(log) == {
        "accuracy": {"mean": UNKNOWN, "grouped": UNKNOWN},
        "recovered": {"grouped": UNKNOWN},
        "fooled": {"grouped": UNKNOWN},
        "wrong_calls": {"mean": UNKNOWN},
        "needless_calls": {"mean": UNKNOWN},
    }


def test_only_orders_with_an_answer_count(tmp_path: Path) -> None:
    limits = {"message_limit": 8}  # enough where nothing fails
    log = run_eval("tool_use", tmp_path, policy="careful", orders=1, limits=limits)
    again = score(log, tool_use.order_total(), action="overwrite", display="none")
    counted = {
        "accuracy": {"mean": 1.0, "fault_none": 1.0},
        "recovered": {"grouped": UNKNOWN},
        "fooled": {"grouped": UNKNOWN},
        "wrong_calls": {"mean": 0.0},
        "needless_calls": {"mean": 0.0},
    }
    assert [metrics(log), metrics(again)] == [counted, counted]


def _course(*turns: list[tuple[str, dict[str, Any], str | None]]) -> Any:
    """Return what calls come to, each with what it was told, or None where it failed."""
    messages: list[ChatMessage] = []
    for turn in turns:
        calls = [
            ToolCall(id=f"call_{place}", function=tool, arguments=arguments)
            for place, (tool, arguments, _) in enumerate(turn)
        ]
        messages.append(ChatMessageAssistant(content="", tool_calls=calls))
        messages += [
            ChatMessageTool(
                content=told or "",
                tool_call_id=call.id,
                error=None if told else ToolCallError("unknown", "it failed"),
            )
            for call, (_, _, told) in zip(calls, turn, strict=True)
        ]
    return tool_use.Course(FACTS, messages)


def _asked(tool: str, product: str, told: str | None = "same") -> tuple[str, dict[str, Any], Any]:
    told = told and f'{{"product": "{product if told == "same" else told}", "price": 1}}'
    return tool, {"product": product}, told


def test_a_failure_is_recovered_from_by_asking_again() -> None:
    course = _course([_asked("price", "B-2", None)], [_asked("price", "B-2")])
    assert (course.known, course.failed) == ({"B-2"}, {"price(B-2)": 1})
    assert (course.wrong, course.needless) == ([], [])


def test_a_lie_tells_nothing() -> None:
    course = _course([_asked("price", "B-2", "C-3")])
    assert (course.known, course.failed) == (set(), {"price(B-2)": 1})


@pytest.mark.parametrize(
    "call",
    [
        ("order", {"number": "1"}, None),
        ("price", {"product": "Z-9"}, None),
        ("price", {"code": "A-1"}, None),
        ("cost", {"product": "A-1"}, None),
        ("price", {}, None),
    ],
)
def test_a_call_that_fails_without_a_fault_is_wrong(call: tuple[str, dict[str, Any], None]) -> None:
    course = _course([call])
    assert (len(course.wrong), course.needless, course.failed) == (1, [], {})


@pytest.mark.parametrize(
    ("calls", "needless"),
    [
        ([_asked("price", "A-1"), _asked("price", "A-1")], ["price(A-1)"]),
        ([_asked("price", "A-1"), _asked("catalogue", "A-1")], ["catalogue(A-1)"]),
        ([_asked("catalogue", "A-1")], ["catalogue(A-1)"]),
        ([_asked("price", "B-2", None), _asked("catalogue", "B-2")], []),
        ([_asked("price", "B-2", None)] * 2, []),
        ([_asked("price", "B-2", None)] * 3, ["price(B-2)"]),
        ([_asked("price", "C-3")], ["price(C-3)"]),
        ([("stock", {"product": "A-1"}, '{"product": "A-1", "left": 1}')], ["stock(A-1)"]),
    ],
)
def test_a_call_that_the_total_does_not_need_is_needless(
    calls: list[tuple[str, dict[str, Any], str | None]], needless: list[str]
) -> None:
    course = _course(*([call] for call in calls))
    assert (course.needless, course.wrong) == (needless, [])


def test_a_server_that_is_flaky_fails_once() -> None:
    shop = tool_use.Shop({**FACTS, "fault": "flaky"})
    with pytest.raises(ConnectionError):
        shop.price("B-2")
    assert shop.price("B-2") == {"product": "B-2", "price": 20}


def test_a_server_that_lies_shows_it() -> None:
    shop = tool_use.Shop({**FACTS, "fault": "lying"})
    assert shop.price("B-2") == {"product": "C-3", "price": 30}
    assert shop.price("A-1") == {"product": "A-1", "price": 10}


def test_the_orders_are_those_of_the_seed() -> None:
    first, again, other = (tool_use.tool_use(seed=seed).dataset for seed in (0, 0, 1))
    assert [one.target for one in first] == [one.target for one in again]
    assert [one.target for one in first] != [one.target for one in other]


def test_no_lie_leads_to_the_right_total() -> None:
    dataset = tool_use.tool_use(fault="lying", orders=200, lines=12).dataset
    assert [one for one in dataset if str(one.metadata["lie"]) == one.target] == []


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("TOTAL: 42", 42),
        ("So it is\n\n**TOTAL:** $1,234.", 1234),
        ("**Total**: $1,234.00", 1234),
        ("TOTAL: 1\nNo: TOTAL: **2**", 2),
        ("TOTAL: 2 * $87 + 3 * $5 = $189", 189),
        ("TOTAL: \\$1,234 for 3 products", 1234),
        ("TOTAL: $12.50", 12.5),
        ("A-123 is $5 each.\nThe total is $12.50.", 12.5),
        ("The total cost of order 8000 is **$1,234**, as of today.", 1234),
        ("Total of 3 planks: 15\nTOTAL: 42\n\nI hope that helps!", 42),
    ],
)
def test_the_total_is_read_as_a_person_would(text: str, number: float) -> None:
    assert tool_use.read_total(text) == number


@pytest.mark.parametrize("text", ["", "I cannot tell: 42?", "I cannot work out the TOTAL: sorry."])
def test_a_text_without_a_total_has_none(text: str) -> None:
    assert tool_use.read_total(text) is None


def test_a_fault_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="'none', 'flaky', 'down' or 'lying'"):
        tool_use.tool_use(fault="broken")
