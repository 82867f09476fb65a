"""litellm's API on this engine: `import flashlite.compat.litellm as litellm`.

    response = litellm.completion("openai/gpt-4o", [{"role": "user", "content": "Hi"}])
    response.choices[0].message.content

All calls share one client, which works in every thread and event loop. Settings are attributes, as
in litellm: `api_key`, `api_base`, `drop_params`, `num_retries`, `request_timeout`. A setting
without effect here is refused, not ignored. For caches, budgets, limits and callbacks use a
`Flashlite`.
"""

from __future__ import annotations

import sys

from ...models import (
    cost_per_token,
    get_max_tokens,
    supports_function_calling,
    supports_pdf_input,
    supports_reasoning,
    supports_response_schema,
    supports_structured_output,
    supports_tools,
    supports_vision,
)
from .calls import acompletion, aembedding, completion, embedding
from .exceptions import (
    APIConnectionError,
    APIError,
    APIResponseValidationError,
    AuthenticationError,
    BadGatewayError,
    BadRequestError,
    BudgetExceededError,
    ContentPolicyViolationError,
    ContextWindowExceededError,
    InternalServerError,
    InvalidRequestError,
    JSONSchemaValidationError,
    NotFoundError,
    OpenAIError,
    PermissionDeniedError,
    RateLimitError,
    ServiceUnavailableError,
    Timeout,
    UnprocessableEntityError,
    UnsupportedParamsError,
)
from .objects import (
    ChatCompletionMessageToolCall,
    Choices,
    Delta,
    EmbeddingResponse,
    Function,
    Message,
    ModelResponse,
    ModelResponseStream,
    StreamingChoices,
    Usage,
)
from .questions import completion_cost, get_model_info, token_counter
from .settings import SettingsModule

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIResponseValidationError",
    "AuthenticationError",
    "BadGatewayError",
    "BadRequestError",
    "BudgetExceededError",
    "ChatCompletionMessageToolCall",
    "Choices",
    "ContentPolicyViolationError",
    "ContextWindowExceededError",
    "Delta",
    "EmbeddingResponse",
    "Function",
    "InternalServerError",
    "InvalidRequestError",
    "JSONSchemaValidationError",
    "Message",
    "ModelResponse",
    "ModelResponseStream",
    "NotFoundError",
    "OpenAIError",
    "PermissionDeniedError",
    "RateLimitError",
    "ServiceUnavailableError",
    "StreamingChoices",
    "Timeout",
    "UnprocessableEntityError",
    "UnsupportedParamsError",
    "Usage",
    "acompletion",
    "aembedding",
    "completion",
    "completion_cost",
    "cost_per_token",
    "embedding",
    "get_max_tokens",
    "get_model_info",
    "supports_function_calling",
    "supports_pdf_input",
    "supports_reasoning",
    "supports_response_schema",
    "supports_structured_output",
    "supports_tools",
    "supports_vision",
    "token_counter",
]

sys.modules[__name__].__class__ = SettingsModule
