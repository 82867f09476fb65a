"""The cost of a provider under Inspect: an eval on it, compared with a provider without a model."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

from .contenders import KEY, MODEL, Contender
from .meter import Numbers, cpu_seconds
from .server import ANSWER

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "aiohttp": (f"aiohttp/{MODEL}", {}),
    "flashlite": (f"flashlite/openai/{MODEL}", {}),
    "openai": (f"openai/{MODEL}", {"responses_api": False}),
}
"""Inspect's name and arguments for each contender's model."""

_CONSTANT = "constant/m"
_SLICES = 4  # the two take turns in so many slices, so that noise affects both alike
_FEWEST = 100  # samples in a slice
_AT_ONCE = 64


async def provider(who: Contender, url: str, calls: int) -> Numbers:
    """Return the CPU time that a provider adds to a sample with one call, including logging."""
    samples = max(_FEWEST, int(calls / who.share / _SLICES))
    # In a thread: on a running loop, Inspect would patch asyncio for good.
    return await asyncio.to_thread(_in_turns, *MODELS[who.name], url, samples)


def _in_turns(model: str, arguments: dict[str, Any], url: str, samples: int) -> Numbers:
    _register_constant()
    _register_minimum()
    asked = {"model": model, "model_base_url": url, "model_args": {**arguments, "api_key": KEY}}
    nothing: dict[str, Any] = {"model": _CONSTANT}
    for one in (nothing, asked):
        _run(_FEWEST, **one)  # warm up imports and first calls
    spent = {"constant": 0.0, "asked": 0.0}
    for _ in range(_SLICES):
        spent["constant"] += _run(samples, **nothing)
        spent["asked"] += _run(samples, **asked)
    each = {name: seconds / (samples * _SLICES) * 1e6 for name, seconds in spent.items()}
    return {"cpu": each["asked"], "added": each["asked"] - each["constant"]}


def _run(samples: int, **options: Any) -> float:
    """Return the CPU seconds of an eval."""
    from inspect_ai import Task, eval
    from inspect_ai.dataset import Sample
    from inspect_ai.scorer import includes
    from inspect_ai.solver import generate

    question = f"Which animal jumps over which? {'lorem ipsum ' * 40}"
    dataset = [Sample(input=f"{question}{next(_numbers)}", target="fox") for _ in range(samples)]
    task = Task(dataset=dataset, solver=generate(), scorer=includes())
    before = cpu_seconds()
    [log] = eval(
        task,
        display="none",
        log_dir=str(Path("logs")),
        max_connections=_AT_ONCE,
        max_samples=_AT_ONCE,
        **options,
    )
    spent = cpu_seconds() - before
    assert log.status == "success", log.error
    assert log.results is not None
    assert log.results.scores[0].metrics["accuracy"].value == 1, "not the answer"
    return spent


def _register_constant() -> None:
    from inspect_ai.model import ModelAPI, ModelOutput, ModelUsage, modelapi

    class Constant(ModelAPI):
        """Returns the same answer immediately."""

        async def generate(self, *_: Any, **__: Any) -> ModelOutput:
            output = ModelOutput.from_content(MODEL, ANSWER)
            output.usage = ModelUsage(input_tokens=140, output_tokens=50, total_tokens=190)
            return output

    modelapi(name="constant")(Constant)


def _register_minimum() -> None:
    import aiohttp
    import orjson
    from inspect_ai.model import ChatMessage, ModelAPI, ModelCall, ModelOutput, ModelUsage, modelapi

    class Minimum(ModelAPI):
        """The least that a provider can do: send with aiohttp, read the answer, record the call."""

        session: aiohttp.ClientSession | None = None
        loop: asyncio.AbstractEventLoop | None = None

        async def generate(
            self, input: list[ChatMessage], *_: Any, **__: Any
        ) -> tuple[ModelOutput, ModelCall]:
            if self.session is None or self.loop is not asyncio.get_running_loop():
                self.loop = asyncio.get_running_loop()  # of this eval
                self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
            messages = [{"role": one.role, "content": one.text} for one in input]
            body, path = {"model": MODEL, "messages": messages}, f"{self.base_url}/chat/completions"
            headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
            sent = orjson.dumps(body)
            async with self.session.post(path, data=sent, headers=headers) as response:
                answer = orjson.loads(await response.read())
            used = answer["usage"]
            output = ModelOutput.from_content(MODEL, answer["choices"][0]["message"]["content"])
            output.usage = ModelUsage(
                input_tokens=used["prompt_tokens"],
                output_tokens=used["completion_tokens"],
                total_tokens=used["total_tokens"],
            )
            return output, ModelCall.create(body, answer)

    modelapi(name="aiohttp")(Minimum)


_numbers = itertools.count()  # makes all questions of a process different
