"""flashlite: a completion engine for evaluations, and an Inspect AI plugin.

Importing this package loads nothing heavy: every public name is imported when it is first used.
`_HOMES` maps each module to its public names; the imports above it say the same to type checkers.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .agent import Agent as Agent
    from .agent import AgentConfig as AgentConfig
    from .agent import AgentResult as AgentResult
    from .agent import TurnResult as TurnResult
    from .batch import Batch as Batch
    from .batch import BatchManager as BatchManager
    from .batch import run_batch as run_batch
    from .chat import ChatEntry as ChatEntry
    from .chat import ChatState as ChatState
    from .chat import MultiAgentChat as MultiAgentChat
    from .client import Flashlite as Flashlite
    from .compat.llm_client import OpenAIClient as OpenAIClient
    from .context import ContextManager as ContextManager
    from .context import estimate_tokens as estimate_tokens
    from .context import truncate_messages as truncate_messages
    from .conversation import Conversation as Conversation
    from .conversation import ConversationConfig as ConversationConfig
    from .conversation import ConversationState as ConversationState
    from .errors import APIConnectionError as APIConnectionError
    from .errors import APIStatusError as APIStatusError
    from .errors import APITimeoutError as APITimeoutError
    from .errors import AuthenticationError as AuthenticationError
    from .errors import BadRequestError as BadRequestError
    from .errors import BudgetExceededError as BudgetExceededError
    from .errors import CacheMiss as CacheMiss
    from .errors import CompletionError as CompletionError
    from .errors import ConfigError as ConfigError
    from .errors import ContentPolicyViolationError as ContentPolicyViolationError
    from .errors import ContextWindowExceededError as ContextWindowExceededError
    from .errors import FlashliteError as FlashliteError
    from .errors import InternalServerError as InternalServerError
    from .errors import MalformedResponseError as MalformedResponseError
    from .errors import NotFoundError as NotFoundError
    from .errors import PermissionDeniedError as PermissionDeniedError
    from .errors import QuotaExceededError as QuotaExceededError
    from .errors import RateLimitError as RateLimitError
    from .errors import StoreError as StoreError
    from .errors import StreamInterruptedError as StreamInterruptedError
    from .errors import StructuredOutputError as StructuredOutputError
    from .inspect_ai import FlashliteModelAPI as FlashliteModelAPI
    from .inspect_logs import InspectLogger as InspectLogger
    from .limiter import Limiter as Limiter
    from .limiter import TokenBucket as TokenBucket
    from .middleware import Budget as Budget
    from .middleware import CallbackManager as CallbackManager
    from .middleware import Ledger as Ledger
    from .middleware import Middleware as Middleware
    from .middleware import RateLimit as RateLimit
    from .middleware import RateLimitConfig as RateLimitConfig
    from .middleware import RedisPool as RedisPool
    from .middleware import RetryConfig as RetryConfig
    from .middleware import SQLitePool as SQLitePool
    from .middleware import StructuredLogger as StructuredLogger
    from .middleware import read_log as read_log
    from .models import GPT5 as GPT5
    from .models import GPT5Mini as GPT5Mini
    from .models import GPT5Nano as GPT5Nano
    from .models import GPT5Point1 as GPT5Point1
    from .models import GPT5Point2 as GPT5Point2
    from .models import ModelProfile as ModelProfile
    from .models import Prices as Prices
    from .models import TextEmbedding3Large as TextEmbedding3Large
    from .models import TextEmbedding3Small as TextEmbedding3Small
    from .models import register_model as register_model
    from .options import CallOptions as CallOptions
    from .presets import ANTHROPIC_AVAILABLE as ANTHROPIC_AVAILABLE
    from .presets import AnthropicProvider as AnthropicProvider
    from .presets import OpenAIProvider as OpenAIProvider
    from .providers import BaseProvider as BaseProvider
    from .providers import MockProvider as MockProvider
    from .providers import Provider as Provider
    from .quick import quick_agent as quick_agent
    from .stores import DiskCache as DiskCache
    from .stores import FSCache as FSCache
    from .stores import HybridRedisPostgreSQLCache as HybridRedisPostgreSQLCache
    from .stores import MemoryCache as MemoryCache
    from .stores import QdrantCache as QdrantCache
    from .streaming import BufferingAdapter as BufferingAdapter
    from .streaming import CallbackAdapter as CallbackAdapter
    from .streaming import PusherStreamer as PusherStreamer
    from .streaming import SSEAdapter as SSEAdapter
    from .streaming import collect_stream as collect_stream
    from .streaming import format_sse_event as format_sse_event
    from .streaming import stream_to_string as stream_to_string
    from .templating import Templates as Templates
    from .tools import Tool as Tool
    from .tools import ToolLoop as ToolLoop
    from .tools import ToolLoopResult as ToolLoopResult
    from .tools import ToolRegistry as ToolRegistry
    from .tools import ToolResult as ToolResult
    from .tools import mcp_tools as mcp_tools
    from .tools import run_tool_loop as run_tool_loop
    from .tools import sync_tool as sync_tool
    from .tools import tool as tool
    from .tools import tool_from_function as tool_from_function
    from .tools import tool_from_pydantic as tool_from_pydantic
    from .types import Choice as Choice
    from .types import CompletionRequest as CompletionRequest
    from .types import CompletionResponse as CompletionResponse
    from .types import EmbeddingResult as EmbeddingResult
    from .types import Handler as Handler
    from .types import Message as Message
    from .types import MessageInput as MessageInput
    from .types import Role as Role
    from .types import StreamEvent as StreamEvent
    from .types import StreamEventType as StreamEventType
    from .types import Timeout as Timeout
    from .types import ToolCall as ToolCall
    from .types import ToolCallDelta as ToolCallDelta
    from .types import Usage as Usage
    from .types import assistant_message as assistant_message
    from .types import audio_part as audio_part
    from .types import file_part as file_part
    from .types import image_part as image_part
    from .types import normalize_messages as normalize_messages
    from .types import system_message as system_message
    from .types import text_part as text_part
    from .types import thinking_enabled as thinking_enabled
    from .types import user_message as user_message

    CompletionResult = CompletionResponse
    RequestManager = BatchManager
    ResponseTimeoutError = APITimeoutError

_HOMES = {
    "agent": "Agent AgentConfig AgentResult TurnResult",
    "batch": "Batch BatchManager run_batch",
    "chat": "ChatEntry ChatState MultiAgentChat",
    "client": "Flashlite",
    "compat.llm_client": "OpenAIClient",
    "context": "ContextManager estimate_tokens truncate_messages",
    "conversation": "Conversation ConversationConfig ConversationState",
    "errors": (
        "APIConnectionError APIStatusError APITimeoutError AuthenticationError BadRequestError "
        "BudgetExceededError CacheMiss CompletionError ConfigError ContentPolicyViolationError "
        "ContextWindowExceededError FlashliteError InternalServerError MalformedResponseError "
        "NotFoundError PermissionDeniedError QuotaExceededError RateLimitError StoreError "
        "StreamInterruptedError StructuredOutputError"
    ),
    "inspect_ai": "FlashliteModelAPI",
    "inspect_logs": "InspectLogger",
    "limiter": "Limiter TokenBucket",
    "middleware": (
        "Budget CallbackManager Ledger Middleware RateLimit RateLimitConfig RedisPool "
        "RetryConfig SQLitePool StructuredLogger read_log"
    ),
    "models": (
        "GPT5 GPT5Mini GPT5Nano GPT5Point1 GPT5Point2 ModelProfile Prices TextEmbedding3Large "
        "TextEmbedding3Small register_model"
    ),
    "options": "CallOptions",
    "presets": "ANTHROPIC_AVAILABLE AnthropicProvider OpenAIProvider",
    "providers": "BaseProvider MockProvider Provider",
    "quick": "quick_agent",
    "stores": "DiskCache FSCache HybridRedisPostgreSQLCache MemoryCache QdrantCache",
    "streaming": (
        "BufferingAdapter CallbackAdapter PusherStreamer SSEAdapter collect_stream "
        "format_sse_event stream_to_string"
    ),
    "templating": "Templates",
    "tools": (
        "Tool ToolLoop ToolLoopResult ToolRegistry ToolResult mcp_tools run_tool_loop sync_tool "
        "tool tool_from_function tool_from_pydantic"
    ),
    "types": (
        "Choice CompletionRequest CompletionResponse EmbeddingResult Handler Message MessageInput "
        "Role StreamEvent StreamEventType Timeout ToolCall ToolCallDelta Usage assistant_message "
        "audio_part file_part image_part normalize_messages system_message text_part "
        "thinking_enabled user_message"
    ),
}
_ALIASES = {
    "CompletionResult": "CompletionResponse",
    "RequestManager": "BatchManager",
    "ResponseTimeoutError": "APITimeoutError",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = {home.partition(".")[0] for home in _HOMES} | {"ray", "testing"}

__all__ = sorted([*_HOME_OF, *_ALIASES])  # pyright: ignore[reportUnsupportedDunderAll]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f".{name}", __name__)
    target = _ALIASES.get(name, name)
    if target not in _HOME_OF:
        if name == "__version__":
            from importlib.metadata import version

            return version("flashlite")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME_OF[target]}", __name__), target)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES, "__version__"]
