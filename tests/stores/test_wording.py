"""What may be said in other words, and what must be the same."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flashlite.stores.wording import Wording

QUESTION = {"role": "user", "content": "What is the capital of France?"}


def request(*messages: dict[str, Any], **fields: Any) -> bytes:
    whole = {"model": "m", "messages": list(messages), "params": {}, "sample": None, **fields}
    return json.dumps(whole).encode()


def asking(text: str, **fields: Any) -> Wording:
    wording = Wording.of(request({"role": "user", "content": text}, **fields))
    assert wording is not None
    return wording


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("What is the capital of France?", "Which city is the capital of France?"),
        ("What is the capital of France?", "what's the capital of France"),
        ("Tell me the capital of France.", "I wonder what the capital of France is"),
        ("How do I boil 2 eggs?", "Please tell me how 2 eggs are boiled."),
        ('Please translate "the cat" into French', 'How do you say "the cat" in French?'),
        ("Is it not safe?", "It isn't safe?"),
        ("How tall is K2?", "What height has K2?"),
        ("How tall is K2? Please tell me.", "What is the height of K2"),
        ("Who wrote Hamlet?", "Who is the author of Hamlet?"),
    ],
)
def test_other_words_may_say_the_same(one: str, other: str) -> None:
    assert asking(one).may_say_the_same_as(asking(other))
    assert asking(other).may_say_the_same_as(asking(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        # Numbers, signs, quotations, code.
        ("How do I boil 2 eggs?", "How do I boil 3 eggs?"),
        ("How do I boil two eggs?", "How do I boil three eggs?"),
        ("What is 1.5 + 2?", "What is 1,5 + 2?"),
        ("What is 15 + 2?", "What is 1.5 + 2?"),
        ("What is 3 + 2?", "What is 3 * 2?"),
        ("What is 3 - 2?", "What is 2 - 3?"),
        ("What is (2+3)*4?", "What is 2+(3*4)?"),
        ("How much is 5 €?", "How much is 5 $?"),
        ("solve x+y", "solve x+z"),
        ("What is a plus b?", "What is b plus a?"),
        ("What is x plus y?", "What is x minus y?"),
        ("what is x times y", "what is x divided by y"),
        ('Translate "the cat"', 'Translate "the dog"'),
        ("Translate 'the cat'", "Translate 'the dog'"),
        ("What does `a()` do?", "What does `b()` do?"),
        ("What does foo_bar do?", "What does foo_baz do?"),
        ("What does foo(a, b) do?", "What does foo(b, a) do?"),
        ("convert 5 km to m", "convert 5 mi to m"),
        ("What is 5 kg in pounds?", "What is 5 g in pounds?"),
        # Names.
        ("What is the capital of France?", "What is the capital of Spain?"),
        ("what is the capital of france", "what is the capital of spain"),
        ("what is the capital of france", "tell me the capital of spain"),
        ("What is the capital of the uk?", "What is the capital of spain?"),
        ("Paris: how many live there?", "London: how many live there?"),
        ("Is Rome older than Paris?", "Is Paris older than Rome?"),
        ("May: how many days has it?", "How many days has it?"),
        ("WHO is it?", "Who is it?"),
        ("IT: is that a good job?", "it: is that a good job?"),
        ("What happened in march?", "What happened in april?"),
        ("translate dog to spanish", "translate dog to italian"),
        # Negations and other turns.
        ("Is it safe?", "Is it not safe?"),
        ("Is it safe?", "Isn't it safe?"),
        ("Is it safe?", "Isn’t it safe?"),
        ("dont do it", "do it"),
        ("Is it toxic?", "Is it non toxic?"),
        ("Is it hardly true?", "Is it true?"),
        ("I doubt that it works, does it?", "I know that it works, does it?"),
        ("Did it fail to start?", "Did it start?"),
        ("Is it legal to own a fox?", "Is owning a fox illegal?"),
        ("How do I enable ssh?", "How do I disable ssh?"),
        ("Can you lock it?", "Could you say how to unlock it?"),
        ("sort these in ascending order", "sort these in descending order please"),
        ("What was said before?", "What was said after?"),
        ("Which is the largest?", "Which is the smallest?"),
        ("Is war good?", "Is war bad?"),
        ("What are the pros of it?", "What are the cons of it?"),
        ("flights to rome", "flights from rome"),
        # Who, when, and whether it is so, was so, or has to be.
        ("Who is the president?", "Who was the president?"),
        ("When was it?", "Where was it?"),
        ("Why did it stop?", "How did it stop?"),
        ("What is it?", "Who is it?"),
        ("Can I go?", "Should I go?"),
        ("who did he see?", "who did she see?"),
        ("What is my age?", "What is your age?"),
        ("Who am I?", "Who are you?"),
        # The same words in another order.
        ("How can I help you?", "How can you help me?"),
        ("convert miles to yards", "convert yards to miles"),
        ("convert miles to yards", "how do I convert yards to miles"),
        ("dog bites a man", "man bites the dog"),
        ("did anna beat bert", "did bert ever beat anna"),
        ("Does smoking cause cancer?", "Does cancer cause a smoking habit?"),
        # Languages whose small words are not known.
        ("巴黎在哪里", "伦敦在哪里"),
        ("wo ist das haus", "wo ist ein haus"),
        ("ist es nicht gut", "ist es gut"),
        ("est-ce pas bon", "est-ce bon"),
        ("это не хорошо", "это хорошо"),
    ],
)
def test_these_do_not_say_the_same(one: str, other: str) -> None:
    assert not asking(one).may_say_the_same_as(asking(other))
    assert not asking(other).may_say_the_same_as(asking(one))


@pytest.mark.parametrize(
    "difference",
    [
        {"model": "n"},
        {"address": "https://elsewhere"},
        {"params": {"temperature": 1}},
        {"params": {"max_tokens": 5}},
        {"tools": [{"type": "function", "function": {"name": "f"}}]},
        {"schema": {"type": "object"}},
        {"extra_body": {"top_a": 1}},
        {"headers": {"anthropic-beta": "x"}},
        {"version": 2},
        {"something": "new"},
    ],
)
def test_everything_else_has_to_be_the_same(difference: dict[str, Any]) -> None:
    assert not asking("Hi there").may_say_the_same_as(asking("Hi you there", **difference))


def test_system_prompts_have_to_be_the_same() -> None:
    prompts = ["You are a doctor.", "You are a lawyer."]
    doctor, lawyer = (
        Wording.of(request({"role": "system", "content": prompt}, QUESTION)) for prompt in prompts
    )
    assert doctor is not None
    assert lawyer is not None
    assert (doctor.question, doctor.question) == (QUESTION["content"], lawyer.question)
    assert not doctor.may_say_the_same_as(lawyer)


@pytest.mark.parametrize(
    "messages",
    [
        [QUESTION, {"role": "assistant", "content": "Paris"}, QUESTION],
        [QUESTION, QUESTION],
        [QUESTION, {"role": "assistant", "content": "It is"}],
        [QUESTION, {"role": "tool", "tool_call_id": "1", "content": "Paris"}],
        [{"role": "system", "content": "Be brief."}],
        [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:"}}]}],
        [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is it?"},
                    {"type": "image_url", "image_url": {"url": "data:"}},
                ],
            }
        ],
        [{"role": "user", "content": "  \n"}],
        [{"role": "user", "content": "long " * 61}],
        [{"role": "user", "content": "Which is it?\nA: a cat\nB: a dog"}],
        [{"role": "user", "content": "Sum it up.\r\rOnce there was a king."}],
        [{"role": "user", "content": None}],
        [{"role": "user", "content": []}],
        [],
    ],
)
def test_no_likeness_counts_beyond_one_question_of_one_text(messages: list[Any]) -> None:
    assert Wording.of(request(*messages)) is None


@pytest.mark.parametrize(
    "fields", [{"sample": 0}, {"sample": 3}, {"params": {"n": 2}}, {"api": "embeddings"}]
)
def test_no_likeness_counts_for_draws_and_embeddings(fields: dict[str, Any]) -> None:
    assert Wording.of(request(QUESTION, **fields)) is None


def test_one_part_of_text_is_a_question_and_what_stands_beside_it_has_to_be_the_same() -> None:
    parts = [
        {"type": "text", "text": "Hi", "cache_control": {"type": kind}}
        for kind in ("ephemeral", "other")
    ]
    one, other = (Wording.of(request({"role": "user", "content": [part]})) for part in parts)
    assert one is not None
    assert other is not None
    assert (one.question, other.question) == ("Hi", "Hi")
    assert not one.may_say_the_same_as(other)


@given(st.binary() | st.recursive(st.none() | st.text(), st.lists).map(json.dumps).map(str.encode))
def test_what_is_no_request_of_ours_has_no_question(text: bytes) -> None:
    assert Wording.of(text) is None


LINES = st.text(max_size=40).filter(lambda text: len(f"x{text}x".splitlines()) == 1)


@given(st.text(min_size=1, max_size=300))
def test_every_text_says_the_same_as_itself(text: str) -> None:
    wording = Wording.of(request({"role": "user", "content": text}))
    assert wording is None or wording.may_say_the_same_as(asking(text))


@given(LINES, st.integers(0, 10**9), st.integers(0, 10**9), LINES)
def test_another_number_never_says_the_same(before: str, n: int, m: int, after: str) -> None:
    one, other = asking(f"{before} {n} {after}"), asking(f"{before} {m} {after}")
    assert one.may_say_the_same_as(other) == (n == m)


WORD = st.sampled_from(["what", "is", "the", "a", "capital", "town", "of", "largest", "you", "i"])
WORDS = st.lists(WORD, min_size=1, max_size=20)


@given(WORDS, WORDS)
def test_what_may_say_the_same_does_so_both_ways(one: list[str], other: list[str]) -> None:
    first, second = asking(" ".join(one)), asking(" ".join(other))
    assert first.may_say_the_same_as(second) == second.may_say_the_same_as(first)
