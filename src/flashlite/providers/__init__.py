"""Providers: dialects, hosts, and the way from a model's name to one of them."""

from .adapter import Adapter, Endpoint, Host
from .hosts import HOSTS
from .http import HTTPProvider, locate
from .litellm import LiteLLMProvider
from .mock import MockProvider
from .openai import OpenAIAdapter
from .refusals import request_id_header
from .router import Route, Router, resolve

__all__ = [
    "HOSTS",
    "Adapter",
    "Endpoint",
    "HTTPProvider",
    "Host",
    "LiteLLMProvider",
    "MockProvider",
    "OpenAIAdapter",
    "Route",
    "Router",
    "locate",
    "request_id_header",
    "resolve",
]
