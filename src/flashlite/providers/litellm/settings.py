"""Settings of litellm's providers: where they come from, and messages for missing ones."""

from __future__ import annotations

import re

from ... import env
from ...errors import ConfigError
from ...types import CompletionRequest
from .causes import causes, lost_connection

_VARIABLES = {
    "azure": "AZURE_API_KEY, AZURE_API_BASE and AZURE_API_VERSION",
    "azure_ai": "AZURE_AI_API_KEY and AZURE_AI_API_BASE",
    "bedrock": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION_NAME",
    "databricks": "DATABRICKS_API_KEY and DATABRICKS_API_BASE",
    "gemini": "GEMINI_API_KEY",
    "sagemaker": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION_NAME",
    "vertex_ai": "GOOGLE_APPLICATION_CREDENTIALS and VERTEXAI_PROJECT",
}
FEWER_INPUTS = {"voyage": 1000}
"""The maximum of texts per embedding request, where it is lower than OpenAI's.

Source: https://docs.voyageai.com/reference/embeddings-api.
"""

_PACKAGES = {"google": "google-auth"}

# Without an address litellm would send requests for these, with their key, to OpenAI.
_WITHOUT_ADDRESS = frozenset(
    {"ai21", "cometapi", "custom_openai", "hosted_vllm", "litellm_proxy", "lm_studio", "xinference"}
)

_NO_CREDENTIALS = frozenset(
    {
        "AuthenticationError",
        "CredentialRetrievalError",
        "DefaultCredentialsError",
        "NoCredentialsError",
        "NoRegionError",
        "PartialCredentialsError",
        "ProfileNotFound",
    }
)
_MISSING = re.compile(
    r"missing|required?\b|not set|not found|not provided|no .{1,20} (set|provided)|(must|please) "
    r"(be )?(set|pass|provide)|unable to (locate|load)|could not (find|resolve)",
    re.IGNORECASE,
)
_SETTING = re.compile(
    r"api[ _-]?(key|base|version)|credential|\btoken\b|jwt|tenant|environment var|project|region",
    re.IGNORECASE,
)
_NAMES = re.compile(r"^((litellm\.)?\w+(Error|Exception)( \w+Error)?( -|:) )+")
_VARIABLE = re.compile(r"\b[A-Z][A-Z0-9]*(_[A-Z0-9]+)+\b")


def api_key(request: CompletionRequest) -> str | None:
    """Return the key under its usual variable, so that a `.env` file applies here too."""
    return request.api_key or env.get(f"{_prefix(request.model).upper()}_API_KEY")


def api_base(request: CompletionRequest) -> str | None:
    """Return the address under its usual variable; raise ConfigError where litellm would guess."""
    prefix = _prefix(request.model)
    variable = f"{prefix.upper()}_API_BASE"
    base = request.base_url or env.get(variable)
    if base is None and prefix in _WITHOUT_ADDRESS:
        raise ConfigError(f"no address for {prefix}: set {variable}, or pass base_url=...")
    return base


def missing_setting(error: Exception, message: str, model: str) -> str | None:
    """Return a sentence about a missing setting, if that is why a request was not sent."""
    if lost_connection(error) is not None:
        return None
    found, words = (error, *causes(error)), plain_words(message)
    is_known = any(type(cause).__name__ in _NO_CREDENTIALS for cause in found)
    if "`workload_identity`" in words:  # OpenAI's library, which mentions only OpenAI's settings
        prefix = _prefix(model)
        return f"no API key for {prefix}: set {prefix.upper()}_API_KEY, or pass api_key=..."
    if is_known or (_MISSING.search(words) and _SETTING.search(words)):
        return f"litellm lacks a setting for {model}{_variables(model, words)}: {words}"
    missing = next((cause for cause in found if isinstance(cause, ImportError)), None)
    if missing is None:
        return None
    package = _PACKAGES.get(missing.name or "", missing.name)
    hint = "" if package is None or "install" in words else f" (pip install {package})"
    return f"litellm lacks a Python package for {model}{hint}: {words}"


def plain_words(message: str) -> str:
    """Return a message on one line, without the exception names that litellm puts first."""
    return " ".join(_NAMES.sub("", message).split())[:500]


def _variables(model: str, words: str) -> str:
    """Return the variables to set, unless the message names them."""
    names = _VARIABLES.get(_prefix(model))
    if names is None and not _VARIABLE.search(words):
        names = f"{_prefix(model).upper()}_API_KEY"
    return "" if names is None else f" ({names})"


def _prefix(model: str) -> str:
    return model.partition("/")[0]
