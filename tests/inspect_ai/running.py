"""Evals for tests: models that say what was written down, and logs in few words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from inspect_ai import Task, eval
from inspect_ai.dataset import Sample
from inspect_ai.event import InfoEvent, ModelEvent, SpanBeginEvent, ToolEvent
from inspect_ai.log import EvalLog, EvalSample, read_eval_log
from inspect_ai.model import ChatMessage, Model, ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver

INSPECTS_OWN = pytest.mark.filterwarnings("ignore:The 'initial' parameter:DeprecationWarning")
"""How Inspect waits between tries of its mock model; tenacity has a new name for that."""


def saying(*answers: str | ModelOutput) -> Model:
    """Return a model that gives these answers in turn, each for one token in and one out."""
    outputs = [ModelOutput.from_content("m", a) if isinstance(a, str) else a for a in answers]
    for output in outputs:
        output.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
    return get_model("mockllm/m", custom_outputs=outputs, memoize=False)


def answering(answer: Callable[[list[ChatMessage]], str]) -> Model:
    """Return a model whose answer depends on what it reads."""

    def output(messages: list[ChatMessage], *_: Any) -> ModelOutput:
        made = ModelOutput.from_content("m", answer(messages))
        made.usage = ModelUsage(input_tokens=1, output_tokens=1, total_tokens=2)
        return made

    return get_model("mockllm/m", custom_outputs=output, memoize=False)


def calling(*calls: tuple[str, dict[str, Any]]) -> ModelOutput:
    """Return an answer that calls tools."""
    first, *rest = [
        ModelOutput.for_tool_call("m", name, arguments, tool_call_id=f"{name}-{place}", content="")
        for place, (name, arguments) in enumerate(calls)
    ]
    for other in rest:
        first.choices[0].message.tool_calls += other.choices[0].message.tool_calls
    return first


def run(
    solver: Solver | Any,
    model: Model | str,
    *,
    sample: Sample | str = "Begin.",
    scorer: Scorer | None = None,
    **options: Any,
) -> EvalSample:
    """Run one sample and return it as it stands in the log."""
    log = run_log(solver, model, samples=[sample], scorer=scorer, **options)
    assert log.samples is not None
    [done] = log.samples
    assert done.error is None, done.error.traceback
    return done


def run_log(
    solver: Solver | Any,
    model: Model | str,
    *,
    samples: Iterable[Sample | str],
    scorer: Scorer | None = None,
    **options: Any,
) -> EvalLog:
    dataset = [Sample(input=one) if isinstance(one, str) else one for one in samples]
    task = Task(dataset=dataset, solver=solver, scorer=scorer)
    with TemporaryDirectory() as folder:
        [log] = eval(task, model=model, display="none", log_dir=str(Path(folder)), **options)
        return read_eval_log(log.location, resolve_attachments=True)


def outline(sample: EvalSample) -> list[str]:
    """Return what the solvers did: a line for each span, call and note, indented below its span."""
    below: dict[str | None, list[tuple[str, str | None]]] = {}
    root = None
    for event in sample.events:
        if isinstance(event, SpanBeginEvent):
            below.setdefault(event.parent_id, []).append((f"{event.type} {event.name}", event.id))
            root = event.id if event.name == "solvers" else root
        elif told := _told(event):
            below.setdefault(event.span_id, []).append((told, None))

    def lines(span: str | None, indent: str) -> list[str]:
        return [
            line
            for told, inner in below.get(span, [])
            for line in (indent + told, *(lines(inner, indent + "  ") if inner else ()))
        ]

    return lines(root, "")


def spoken(messages: Iterable[ChatMessage]) -> list[tuple[str, str]]:
    """Return who said what."""
    return [(message.role, message.text) for message in messages]


def model_events(sample: EvalSample) -> list[ModelEvent]:
    return [event for event in sample.events if isinstance(event, ModelEvent)]


def notes(sample: EvalSample) -> list[Any]:
    """Return what our info events say; of messages what is there for programs."""
    events = [event for event in sample.events if isinstance(event, InfoEvent)]
    return [event.metadata or event.data for event in events if event.source == "flashlite"]


def _told(event: Any) -> str | None:
    match event:
        case ModelEvent():
            return f"model: {event.output.completion or 'calls'}"
        case ToolEvent():
            return f"call: {event.error.message if event.error else event.result}"
        case InfoEvent(metadata={"event": "message"} as said):
            to = said["to"] if isinstance(said["to"], str) else "+".join(said["to"]) or "nobody"
            return f"message: {said['from']} to {to}: {said['text']}"
        case InfoEvent(data={"event": "decision"} as data):
            return f"decision: {data['by']}: {data['decision']}"
        case _:
            return None
