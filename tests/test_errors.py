import copy
import pickle
import re
from itertools import takewhile

import pytest

from flashlite import errors
from flashlite.errors import (
    APIStatusError,
    BudgetExceededError,
    CompletionError,
    ConfigError,
    FlashliteError,
    RateLimitError,
)


def classes() -> list[type[FlashliteError]]:
    found = [FlashliteError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


def drawn() -> dict[str, tuple[str | None, bool]]:
    """Read the drawing: each name with its parent, and whether it says "retried"."""
    assert errors.__doc__
    lines = errors.__doc__.splitlines()
    tree, branch = dict[str, tuple[str | None, bool]](), list[str]()
    for line in takewhile(str.strip, lines[lines.index("FlashliteError") :]):
        indent, name, rest = re.fullmatch(r"([│├└─ ]*)(\w+)(.*)", line).groups()  # type: ignore[union-attr]
        del branch[len(indent) // 4 :]
        tree[name] = (branch[-1] if branch else None, bool(re.search(r"  retried( ¹)?$", rest)))
        branch.append(name)
    return tree


def test_the_tree_in_the_docstring_is_the_real_one() -> None:
    real = {kind.__name__: kind.__base__ for kind in classes()}
    assert {name: parent for name, (parent, _) in drawn().items()} == {
        name: parent.__name__ if parent and parent is not Exception else None
        for name, parent in real.items()
    }


def test_the_docstring_says_which_errors_are_retried() -> None:
    assert {name for name, (_, retried) in drawn().items() if retried} == {
        kind.__name__ for kind in classes() if issubclass(kind, CompletionError) and kind.retryable
    }


def full(kind: type[CompletionError]) -> CompletionError:
    error = kind(
        "slow down",
        provider="openai",
        model="gpt-4o",
        status_code=429,
        code="rate_limit_exceeded",
        body={"error": {"message": "slow down"}},
        headers={"retry-after": "2"},
        request_id="r1",
        retry_after=2.0,
    )
    error.attempts = 3
    return error


def tried(times: int) -> CompletionError:
    error = CompletionError("lost")
    error.attempts = times
    return error


WHOLE_SENTENCE = "openai/gpt-4o: slow down (status 429, request r1, asked to wait 2 s, 3 attempts)"


def test_an_error_keeps_what_is_known() -> None:
    assert vars(full(RateLimitError)) == {
        "reason": "slow down",
        "provider": "openai",
        "model": "gpt-4o",
        "status_code": 429,
        "code": "rate_limit_exceeded",
        "body": {"error": {"message": "slow down"}},
        "headers": {"retry-after": "2"},
        "request_id": "r1",
        "retry_after": 2.0,
        "attempts": 3,
        "lost": 0,
    }


def test_an_error_of_which_only_the_reason_is_known_has_nothing_else() -> None:
    assert vars(CompletionError("lost")) == {
        "reason": "lost",
        "provider": None,
        "model": None,
        "status_code": None,
        "code": None,
        "body": None,
        "headers": {},
        "request_id": None,
        "retry_after": None,
        "attempts": 1,
        "lost": 0,
    }


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CompletionError("lost"), "lost"),
        (CompletionError("lost", provider="openai"), "openai: lost"),
        (CompletionError("lost", model="gpt-4o"), "gpt-4o: lost"),
        (APIStatusError("no", status_code=404), "no (status 404)"),
        (RateLimitError("no", retry_after=0.0), "no (asked to wait 0 s)"),
        (RateLimitError("no", retry_after=1.25), "no (asked to wait 1.25 s)"),
        (tried(2), "lost (2 attempts)"),
        (full(RateLimitError), WHOLE_SENTENCE),
        (ConfigError("no model given"), "no model given"),
    ],
)
def test_the_message_says_all_that_helps(error: FlashliteError, sentence: str) -> None:
    assert (str(error), error.message) == (sentence, sentence)


def test_the_message_shows_neither_body_nor_headers() -> None:
    error = APIStatusError("no", body={"key": "sk-secret"}, headers={"x-key": "sk-secret"})
    assert (str(error), repr(error)) == ("no", "APIStatusError('no')")


def test_an_error_is_signed_by_whoever_knows_first() -> None:
    error = CompletionError("lost")
    error.sign("openai", "gpt-4o")
    error.sign("litellm", "other")
    assert (error.provider, error.model) == ("openai", "gpt-4o")


def test_signing_fills_in_what_is_missing() -> None:
    error = CompletionError("lost", model="gpt-4o")
    error.sign("openai", "other")
    assert (error.provider, error.model) == ("openai", "gpt-4o")


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))]
)
@pytest.mark.parametrize("kind", [k for k in classes() if issubclass(k, CompletionError)])
def test_a_copy_of_an_error_keeps_everything(kind: type[CompletionError], again: object) -> None:
    error = full(kind)
    error.add_note("while answering question 7")
    copied = again(error)  # type: ignore[operator]
    assert (type(copied), str(copied), vars(copied)) == (kind, WHOLE_SENTENCE, vars(error))


def test_a_callers_error_comes_back_from_a_pickle() -> None:
    copied = pickle.loads(pickle.dumps(ConfigError("no model given")))
    assert (type(copied), str(copied)) == (ConfigError, "no model given")


def test_an_error_whose_constructor_wants_more_comes_back_from_a_pickle() -> None:
    error = BudgetExceededError("too dear", limit=1.0, spent=0.5, needed=0.6)
    copied = pickle.loads(pickle.dumps(error))
    assert (type(copied), str(copied), vars(copied)) == (
        BudgetExceededError,
        "too dear",
        {"limit": 1.0, "spent": 0.5, "needed": 0.6},
    )


def test_no_error_is_taken_for_a_builtin_one() -> None:
    builtin = (OSError, ValueError, TypeError, RuntimeError, LookupError)
    assert [kind for kind in classes() if issubclass(kind, builtin)] == []


def test_each_reader_of_an_error_has_a_copy_of_its_own() -> None:
    error = RateLimitError("slow down", status_code=429, retry_after=3.0)
    copied = error.copy(was_sent=False)
    copied.attempts = 5
    assert (type(copied), copied.args, copied.retry_after) == (RateLimitError, error.args, 3.0)
    assert (copied.was_sent, error.was_sent, error.attempts) == (False, True, 1)


def test_another_model_may_help_unless_the_request_is_wrong_for_all() -> None:
    never = {kind.__name__ for kind in classes() if not kind.may_another_help.fget(None)}  # type: ignore[attr-defined]
    assert never == {"BadRequestError"}
