"""flashlite inside Inspect AI: a provider, and agents, solvers and scorers built from flashlite.

`inspect eval task.py --model flashlite/<model> --solver flashlite/multi_agent`
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ._agents import flashlite_agent as flashlite_agent
    from ._agents import multi_agent_chat as multi_agent_chat
    from ._chats import AgentSpec as AgentSpec
    from ._chats import SampleChat as SampleChat
    from ._completer import InspectCompleter as InspectCompleter
    from ._events import ChatLog as ChatLog
    from ._events import agent_span as agent_span
    from ._events import note_decision as note_decision
    from ._importing import Imported as Imported
    from ._importing import import_logs as import_logs
    from ._judges import pairwise as pairwise
    from ._judges import structured_judge as structured_judge
    from ._judges import transcript_judge as transcript_judge
    from ._provider import FlashliteModelAPI as FlashliteModelAPI
    from ._scorers import schema_match as schema_match
    from ._solvers import converse as converse
    from ._solvers import multi_agent as multi_agent
    from ._solvers import prompt_template as prompt_template
    from ._solvers import structured as structured
    from ._solvers import tool_loop as tool_loop
    from ._tool_bridge import InspectTools as InspectTools
    from ._tool_bridge import as_flashlite_tool as as_flashlite_tool
    from ._tool_bridge import as_inspect_tool as as_inspect_tool

_HOMES = {
    "_agents": "flashlite_agent multi_agent_chat",
    "_chats": "AgentSpec SampleChat",
    "_completer": "InspectCompleter",
    "_events": "ChatLog agent_span note_decision",
    "_importing": "Imported import_logs",
    "_judges": "pairwise structured_judge transcript_judge",
    "_provider": "FlashliteModelAPI",
    "_scorers": "schema_match",
    "_solvers": "converse multi_agent prompt_template structured tool_loop",
    "_tool_bridge": "InspectTools as_flashlite_tool as_inspect_tool",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME_OF)  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME_OF[name]}", __name__), name)
