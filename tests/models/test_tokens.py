import subprocess
import sys
from pathlib import Path

import pytest

import flashlite.models
from flashlite.models import count_tokens

SRC = Path(flashlite.models.__file__).parents[2]

TEXTS = [
    "",
    "Hello, world!",
    "It's 12345678 o'clock, isn't it?\r\n\r\n\tdef f(x):\n        return x  \n ",
    "Ein schöner Tag — 東京は晴れ 🌞🌞 ÉTÉ été",
    "<|endoftext|><|im_start|>",
    "https://example.org/a/b?c=d&e=%20f//" * 20,
]


def run(code: str) -> str:
    """Run code in a fresh interpreter; return what it prints."""
    code = f"import sys; sys.path.insert(0, {str(SRC)!r})\n{code}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.mark.parametrize(
    ("model", "count"),
    [
        (None, 7),
        ("gpt-4o", 7),
        ("openai/gpt-4.1-mini", 7),
        ("gpt-4", 11),
        ("azure/gpt-4", 11),
        ("gpt-3.5-turbo", 11),
        ("gpt-4-0314", 11),
        ("ft:gpt-3.5-turbo-0125:org::id", 11),
        ("ft:gpt-4o-2024-08-06:org::id", 7),
        ("ft:gpt-4.1-2025-04-14:org::id", 7),
        ("text-embedding-3-small", 11),
        ("claude-sonnet-4-5", 7),
        ("gemini-2.5-pro", 7),
        ("together/openai/gpt-oss-120b", 7),
        ("nobody/nothing", 7),
    ],
)
def test_each_model_is_counted_with_its_own_vocabulary(model: str | None, count: int) -> None:
    assert count_tokens("Добрый день, как дела?", model=model) == count


def test_no_text_has_no_tokens() -> None:
    assert count_tokens("") == 0


def test_special_tokens_count_as_text() -> None:
    assert count_tokens("<|endoftext|>") == 7


def test_text_that_is_no_unicode_is_counted() -> None:
    assert count_tokens("\ud800") > 0


def test_long_runs_of_one_character_are_counted() -> None:
    assert count_tokens("a" * 100_000) == 12_500


def test_counts_are_those_of_tiktoken() -> None:
    code = f"""
import importlib.util, os, pathlib
folder = pathlib.Path(importlib.util.find_spec("litellm").origin).parent
os.environ["TIKTOKEN_CACHE_DIR"] = str(folder / "litellm_core_utils" / "tokenizers")
import tiktoken
from flashlite.models import count_tokens
for name, model in [("o200k_base", None), ("cl100k_base", "gpt-4")]:
    encoding = tiktoken.get_encoding(name)
    for text in {TEXTS!r}:
        assert count_tokens(text, model=model) == len(encoding.encode(text, disallowed_special=()))
print("same")
"""
    assert run(code) == "same"


def test_counting_needs_no_network_and_leaves_the_environment_alone() -> None:
    code = """
import os, socket
def refuse(*args, **kwargs):
    raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
before = dict(os.environ)
from flashlite.models import count_tokens
print(count_tokens("Hello, world!"), count_tokens("Hello, world!", model="gpt-4"))
assert dict(os.environ) == before
assert "requests" not in sys.modules
"""
    assert run(code) == "4 4"


@pytest.mark.parametrize("missing", ["tiktoken", "litellm"])
def test_without_a_vocabulary_a_token_is_four_bytes(missing: str) -> None:
    code = f"""
sys.modules[{missing!r}] = None
from flashlite.models import count_tokens
print([count_tokens(text, model="gpt-4") for text in ("", "abcd", "abcde", "日本")])
"""
    assert run(code) == "[0, 1, 2, 2]"
