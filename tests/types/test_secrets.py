"""What looks like a secret, by its name and by itself."""

from __future__ import annotations

from typing import Any

import pytest

from flashlite.types import is_secret, secrets_in, secrets_inside, without_password


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "x-api-key", "apiKey", "OPENAI_API_KEY", "key", "X-Goog-Api-Key"),
        *("access_token", "authToken", "HF_TOKEN", "token", "authtoken", "x-auth-request-user"),
        *("Cookie", "set-cookie", "client_secret", "clientSecret", "password", "db_passwd"),
        *("X-Credential", "aws_secret_access_key", "Ocp-Apim-Subscription-Key", "cf-aig-auth"),
    ],
)
def test_a_name_says_that_something_is_secret(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize(
    "name",
    ["author", "authors", "key_sentiment", "keywords", "max_tokens", "tokenizer", "monkey", "", 7],
)
def test_a_name_that_only_sounds_like_it_says_nothing(name: Any) -> None:
    assert not is_secret(name)


def test_a_header_is_a_secret_by_its_name_and_a_field_of_a_body_by_its_look_too() -> None:
    named = {"api_key": "no digits in it", "n": 3, "x": "abc12345", "token": 5}
    assert list(secrets_in(named)) == ["no digits in it"]
    schema = {"properties": {"key": {"enum": ["positive", "negative 1"]}, "token": {"type": "x"}}}
    body = {"hf_token": "hf_12345678", "login": [{"password": ["hunter2hunter2"]}], **schema}
    assert list(secrets_inside(body)) == ["hf_12345678", "hunter2hunter2"]


def test_an_address_loses_its_user_and_nothing_else() -> None:
    assert without_password("http://me:pw@host:1/v1/m@2?x=a@b") == "http://host:1/v1/m@2?x=a@b"
    assert without_password("http://host/v1") == "http://host/v1"
