"""The value types that travel through the engine, without I/O and without a clock."""

from .accumulate import StreamAccumulator, assemble
from .completer import Completer, asking
from .content import (
    REMOVED,
    Part,
    audio_part,
    file_part,
    image_part,
    is_base64,
    text_part,
    without_media,
)
from .continued import continued
from .embedding import EmbeddingResult, vector_of, vectors_of
from .handler import Handler, target_of
from .listening import Listener, current_listener, listening
from .message import (
    Message,
    MessageInput,
    Role,
    assistant_message,
    normalize_messages,
    system_message,
    user_message,
)
from .request import (
    API,
    PARAMS,
    CacheMode,
    CompletionParams,
    CompletionRequest,
    Timeout,
    thinking_enabled,
)
from .response import Choice, CompletionResponse
from .secrets import SHORTEST_SECRET, is_secret, secrets_in, secrets_inside, without_password
from .stream import Delta, StreamEvent, StreamEventType
from .target import MAX_INPUTS, Target, place_of
from .tool_call import FunctionCall, ToolCall, ToolCallDelta
from .usage import Usage

__all__ = [
    "API",
    "MAX_INPUTS",
    "PARAMS",
    "REMOVED",
    "SHORTEST_SECRET",
    "CacheMode",
    "Choice",
    "Completer",
    "CompletionParams",
    "CompletionRequest",
    "CompletionResponse",
    "Delta",
    "EmbeddingResult",
    "FunctionCall",
    "Handler",
    "Listener",
    "Message",
    "MessageInput",
    "Part",
    "Role",
    "StreamAccumulator",
    "StreamEvent",
    "StreamEventType",
    "Target",
    "Timeout",
    "ToolCall",
    "ToolCallDelta",
    "Usage",
    "asking",
    "assemble",
    "assistant_message",
    "audio_part",
    "continued",
    "current_listener",
    "file_part",
    "image_part",
    "is_base64",
    "is_secret",
    "listening",
    "normalize_messages",
    "place_of",
    "secrets_in",
    "secrets_inside",
    "system_message",
    "target_of",
    "text_part",
    "thinking_enabled",
    "user_message",
    "vector_of",
    "vectors_of",
    "without_media",
    "without_password",
]
