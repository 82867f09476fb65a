"""The header of a log: what is known before the first sample, and at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from secrets import token_hex
from typing import Any, Literal, TypeAlias

from ..types.moments import timestamp
from .model_events import NO_MODEL
from .plain import plain
from .scores import Results
from .usage import add_usage

Status: TypeAlias = Literal["started", "success", "error", "cancelled"]

VERSION = 2
"""The version of Inspect's log format (`inspect_ai/log/_log.py`, EvalLog)."""


def new_name() -> str:
    """Return a name that no other log, run or sample has."""
    return token_hex(11)


@dataclass(frozen=True, kw_only=True)
class Run:
    """The run that one log file is about; its ids are unique, else one log would hide another."""

    task: str
    label: str
    model: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    tags: tuple[str, ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict[str, Any])
    run_id: str = field(default_factory=new_name)
    task_id: str = field(default_factory=new_name)
    created: str = field(default_factory=lambda: timestamp(time.time())[:19] + "+00:00")

    @property
    def file_name(self) -> str:
        """The log's name without its suffix, in Inspect's form: time, task and id."""
        parts = (self.created, self.task[:80], self.task_id)
        return "_".join(re.sub(r"[^\w.-]|_", "-", part) for part in parts)

    def start(self) -> dict[str, Any]:
        """Return what is known at the beginning (`_journal/start.json`)."""
        config = plain(self.config)
        spec: dict[str, Any] = {
            "eval_id": new_name(),
            "run_id": self.run_id,
            "created": self.created,
            "task": plain(self.task),
            "task_id": self.task_id,
            "task_version": 0,
            "task_args": config,
            "task_args_passed": config,
            "tags": [plain(str(tag)) for tag in self.tags],
            "dataset": {"name": plain(self.task)},
            "model": buildable(self.model or NO_MODEL),
            "config": {"epochs": 1},
            "packages": dict(_versions("flashlite", "inspect_ai")),
            "metadata": {"eval_id": plain(self.label), **plain(self.metadata)},
        }
        plan = {"name": "plan", "steps": [{"solver": plain(self.task), "params": {}}]}
        return {"version": VERSION, "eval": spec, "plan": plan}


@dataclass
class Sum:
    """The totals over all samples of a log; it takes their summaries, one by one."""

    results: Results = field(default_factory=Results)
    model_usage: dict[str, Any] = field(default_factory=dict[str, Any])
    role_usage: dict[str, Any] = field(default_factory=dict[str, Any])
    ids: dict[str, Any] = field(default_factory=dict[str, Any])
    epochs: int = 1

    def add(self, summary: Mapping[str, Any]) -> None:
        """Add a sample's summary to the totals."""
        self.results.add(summary)
        self.ids[str(summary["id"])] = summary["id"]
        self.epochs = max(self.epochs, summary["epoch"])
        for total, usage in (
            (self.model_usage, summary["model_usage"]),
            (self.role_usage, summary["role_usage"]),
        ):
            for name, used in usage.items():
                add_usage(total, name, used)


def header(
    start: Mapping[str, Any],
    total: Sum,
    *,
    status: Status,
    ended: str,
    error: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return what is known at the end (`header.json`), without null values."""
    spec = dict(named(start, total.model_usage)["eval"])
    spec["dataset"] = {
        **spec["dataset"],
        "samples": len(total.ids),
        "sample_ids": list(total.ids.values()),
    }
    spec["config"] = {**spec["config"], "epochs": total.epochs}
    if scorers := total.results.scorers():
        spec["scorers"] = scorers
    document = {
        **start,
        "status": status,
        "eval": spec,
        "results": total.results.to_dict(),
        "stats": {
            "started_at": spec["created"],
            "completed_at": ended,
            "model_usage": total.model_usage,
            "role_usage": total.role_usage,
        },
    }
    return document | ({"error": error} if error else {})


def named(start: Mapping[str, Any], models: Collection[str]) -> dict[str, Any]:
    """Return a log's start with the only model that answered, if it names no model itself."""
    spec = start["eval"]
    only = buildable(next(iter(models))) if len(models) == 1 else NO_MODEL
    return {
        **start,
        "eval": {**spec, "model": only if spec["model"] == NO_MODEL else spec["model"]},
    }


def buildable(model: str) -> str:
    """Return a name from which Inspect can build the model, as it does to score a log.

    A provider that Inspect does not know becomes ours: `flashlite/<model>`, as in an eval.
    """
    provider, slash, _ = model.partition("/")
    return model if slash and provider in _PROVIDERS else f"flashlite/{model}"


# Inspect's own providers (`inspect_ai/model/_providers/providers.py`), and ours.
_PROVIDERS = frozenset(
    {
        "anthropic", "azureai", "bedrock", "cloudflare", "deepseek", "fireworks", "flashlite",
        "google", "grok", "groq", "hf", "hf-inference-providers", "litellm-proxy",
        "llama-cpp-python", "meta", "mistral", "mockllm", "moonshot", "nnterp", "none", "ollama",
        "openai", "openai-api", "openai-api-completions", "openrouter", "perplexity", "sagemaker",
        "sambanova", "sglang", "together", "transformer_lens", "vllm", "vllm-completions",
    }
)  # fmt: skip


def _versions(*packages: str) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
