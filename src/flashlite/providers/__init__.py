"""Providers: dialects, hosts, and the routing from a model's name to one of them."""

from ..types import CompletionResponse, StreamEvent
from .adapter import Adapter, Endpoint, Host
from .hosts import HOSTS
from .http import HTTPProvider, locate
from .litellm import LiteLLMProvider
from .mock import MockProvider
from .openai import OpenAIAdapter
from .own import BaseProvider, Provider
from .refusals import request_id_header
from .router import Route, Router, resolve

CompletionResult = CompletionResponse

__all__ = [
    "HOSTS",
    "Adapter",
    "BaseProvider",
    "CompletionResult",
    "Endpoint",
    "HTTPProvider",
    "Host",
    "LiteLLMProvider",
    "MockProvider",
    "OpenAIAdapter",
    "Provider",
    "Route",
    "Router",
    "StreamEvent",
    "locate",
    "request_id_header",
    "resolve",
]
