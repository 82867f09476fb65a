"""litellm, imported with the first call and set up only to map and send requests."""

from __future__ import annotations

import logging
import warnings
from functools import cache
from importlib.metadata import version
from typing import Any

from ... import env
from ...errors import ConfigError

_STREAMS_SINCE = (1, 109)


@cache
def library() -> Any:
    """Import litellm, set it up, and return it; raise ConfigError if it cannot be imported."""
    env.set_default("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # otherwise it downloads at import
    env.set_default("LITELLM_MODE", "PRODUCTION")  # otherwise it loads any .env file
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import litellm
        except ImportError as error:
            raise ConfigError(f"litellm is needed for this model, but: {error}") from error
        litellm.ModelResponse()  # the first one builds classes, with warnings
    # Its code also warns on each call, and so does pydantic about it.
    warnings.filterwarnings("ignore", module="litellm")
    warnings.filterwarnings("ignore", "Items? .* using the `ReadOnly` qualifier", UserWarning)
    litellm.suppress_debug_info = True
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.num_retries = 0
    litellm.disable_hf_tokenizer_download = True
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [logging.NullHandler()]
    return litellm


def require_safe_stream(*, choices: int) -> None:
    """Raise ConfigError if litellm could report a cut-off stream as finished."""
    if choices != 1:
        raise ConfigError(
            "litellm streams the end of one choice only: leave n out, or do without the stream"
        )
    installed = version("litellm")
    if tuple(int(part) for part in installed.split(".")[:2]) < _STREAMS_SINCE:
        raise ConfigError(
            f"streaming through litellm needs litellm >= 1.109 ({installed} is installed): older "
            "versions report a stream that was cut as a finished answer"
        )
