"""The layer that counts what was paid, saved by the cache, and wasted."""

from __future__ import annotations

from asyncio import CancelledError
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from ..types import CompletionRequest, CompletionResponse, Handler, Usage


@dataclass(slots=True)
class Account:
    """The sums of some calls, in US dollars and tokens.

    `paid` is what providers bill, `wasted` the part of it for answers that did not fit the
    `response_model`, `saved` what stored answers had cost. `unknown` counts the requests whose
    price or usage is unknown, including failed ones that may be billed: they are in no sum.
    `input_tokens` and `output_tokens` are those that were paid for.
    """

    requests: int = 0
    cached: int = 0
    failed: int = 0
    unknown: int = 0
    paid: float = 0.0
    saved: float = 0.0
    wasted: float = 0.0
    input_tokens: int = 0
    output_tokens: int = 0

    @property
    def tokens(self) -> dict[str, int]:
        """Input tokens, output tokens and their total."""
        return {
            "input": self.input_tokens,
            "output": self.output_tokens,
            "total": self.input_tokens + self.output_tokens,
        }

    def report(self) -> dict[str, Any]:
        """Return the sums as plain JSON."""
        return {
            "cost_usd": self.paid,
            "saved_usd": self.saved,
            "wasted_usd": self.wasted,
            "requests": self.requests,
            "cached": self.cached,
            "failed": self.failed,
            "unknown": self.unknown,
            "tokens": self.tokens,
        }

    def pay(self, usage: Usage | None, *, wasted: Usage | None) -> None:
        """Add the usage and cost of one call."""
        if usage is None or usage.total_cost is None:
            self.unknown += 1
        if usage is not None:
            self.paid += usage.total_cost or 0.0
            self.input_tokens += usage.input_tokens
            self.output_tokens += usage.output_tokens
        self.wasted += (wasted.total_cost if wasted else None) or 0.0


@dataclass(slots=True)
class Ledger:
    """Accounts for all calls together, and per model, agent and tag.

    Costs come from the usage that providers report. A stream counts when it is complete. A report
    covers all calls since the ledger was created; a model that failed before a fallback counts
    under its own name.
    """

    total: Account = field(default_factory=Account)
    by_model: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    by_agent: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))
    by_tag: dict[str, Account] = field(default_factory=lambda: defaultdict(Account))

    async def __call__(self, request: CompletionRequest, call_next: Handler) -> CompletionResponse:
        try:
            response = await call_next(request)
        except BaseException as error:  # a cancelled call may be billed too
            self._note_failure(request, error)
            raise
        await response.on_complete(lambda response: self._note(request, response))
        return response

    def report(self) -> dict[str, Any]:
        """Return every account as plain JSON."""
        total = self.total.report()
        return {
            "total_cost_usd": total.pop("cost_usd"),
            "total_requests": total.pop("requests"),
            "total_tokens": total.pop("tokens"),
            **total,
            "by_model": {name: account.report() for name, account in list(self.by_model.items())},
            "by_agent": {name: account.report() for name, account in list(self.by_agent.items())},
            "by_tag": {name: account.report() for name, account in list(self.by_tag.items())},
        }

    def _accounts(self, request: CompletionRequest) -> list[Account]:
        accounts = [self.total, self.by_model[request.model]]
        if request.agent is not None:
            accounts.append(self.by_agent[request.agent])
        return accounts + [self.by_tag[tag] for tag in request.tags]

    def _note(self, request: CompletionRequest, response: CompletionResponse) -> None:
        for account in self._accounts(request):
            account.requests += 1
            account.failed += not response.ok
            account.unknown += response.lost
            if response.cached:
                account.cached += 1
                account.saved += (response.lineage or {}).get("cost") or 0.0
            else:
                account.pay(response.usage, wasted=response.wasted)

    def _note_failure(self, request: CompletionRequest, error: BaseException) -> None:
        """Count a failed call: a refused one is free, a broken or cancelled one may be billed."""
        used: Usage | None = getattr(error, "usage", None)
        may_be_billed = getattr(error, "may_be_billed", isinstance(error, CancelledError))
        for account in self._accounts(request):
            account.requests += 1
            account.failed += 1
            account.unknown += getattr(error, "lost", 0)
            if used is not None:
                account.pay(used, wasted=used)
            elif may_be_billed:
                account.unknown += 1
