"""An agent for one question."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from .agent import Agent, AgentResult
from .client import Flashlite
from .tools.loop import Tools
from .types import Completer

_RUN = ("response_model", "approve")


async def quick_agent(
    prompt: Any,
    *,
    tools: Tools = (),
    model: str | None = None,
    client: Completer | None = None,
    provider: Completer | None = None,
    **options: Any,
) -> AgentResult:
    """Run an agent on one prompt and return its result.

    Without a `client` (or `provider`), a `Flashlite` is opened for this run. `options` are those of
    `Agent` (`system_message`, `config`, `max_turns`, …), and `response_model` and `approve` of
    `Agent.run`.
    """
    of_run = {name: options.pop(name) for name in _RUN if name in options}
    async with AsyncExitStack() as stack:
        if client is None and provider is None:
            client = await stack.enter_async_context(Flashlite())
        agent = Agent(client=client, provider=provider, tools=tools, model=model, **options)
        return await agent.run(prompt, **of_run)
