import os
from pathlib import Path

import pytest

from flashlite import env
from flashlite.errors import ConfigError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a `.env`, and a working directory two floors below it."""
    (tmp_path / ".env").write_text('A_KEY=from-file\nexport B_KEY="quoted value"\nEMPTY_KEY=\n')
    (tmp_path / "a" / "b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a" / "b")
    return tmp_path


def test_a_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "from-environment")
    assert env.get("A_KEY") == "from-environment"


def test_a_variable_that_nobody_set_is_none(home: Path) -> None:
    assert env.get("NOBODY_SET_THIS_KEY") is None


def test_a_file_is_found_from_the_working_directory_upwards(home: Path) -> None:
    assert (env.get("A_KEY"), env.get("B_KEY")) == ("from-file", "quoted value")


def test_the_nearest_file_counts_alone(home: Path) -> None:
    (home / "a" / ".env").write_text("B_KEY=nearer\n")
    assert (env.get("A_KEY"), env.get("B_KEY")) == (None, "nearer")


def test_another_working_directory_has_another_file(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = env.get("A_KEY")
    (home / "elsewhere").mkdir()
    (home / "elsewhere" / ".env").write_text("A_KEY=from-elsewhere\n")
    monkeypatch.chdir(home / "elsewhere")
    assert (before, env.get("A_KEY")) == ("from-file", "from-elsewhere")


def test_a_file_never_overrides_a_variable(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", "from-environment")
    assert env.get("A_KEY") == "from-environment"


def test_an_empty_variable_counts_as_unset_and_is_not_filled(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", "")
    assert env.get("A_KEY") is None


def test_an_empty_value_in_a_file_counts_as_unset(home: Path) -> None:
    assert env.get("EMPTY_KEY") is None


def test_reading_a_file_changes_no_variable(home: Path) -> None:
    before = dict(os.environ)
    assert env.get("A_KEY") == "from-file"
    assert dict(os.environ) == before


def test_the_first_variable_that_is_set_counts(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY_ONE", "")
    monkeypatch.setenv("C_KEY", "from-environment")
    assert env.first(["UNSET_ONE", "EMPTY_ONE", "A_KEY", "C_KEY"]) == "from-file"
    assert env.first(["UNSET_ONE", "EMPTY_ONE"]) is None


def test_a_default_is_set_only_where_nothing_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIVEN_KEY", "given")
    monkeypatch.setenv("NEW_KEY", "so that it is taken away afterwards")
    del os.environ["NEW_KEY"]
    env.set_default("GIVEN_KEY", "default")
    env.set_default("NEW_KEY", "default")
    assert (os.environ["GIVEN_KEY"], os.environ["NEW_KEY"]) == ("given", "default")


def test_a_file_that_is_no_text_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_bytes("A_KEY=ä\n".encode("utf-16"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=f"^cannot read {tmp_path / '.env'}: "):
        env.get("A_KEY")


def test_without_a_working_directory_there_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "removed").mkdir()
    monkeypatch.chdir(tmp_path / "removed")
    (tmp_path / "removed").rmdir()
    monkeypatch.setenv("A_KEY", "from-environment")
    assert (env.get("A_KEY"), env.get("B_KEY")) == ("from-environment", None)


@pytest.fixture
def proxies(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for kind in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind}_proxy".upper(), raising=False)
    return monkeypatch


def test_there_is_no_proxy_unless_one_is_set(proxies: pytest.MonkeyPatch) -> None:
    assert env.proxy_for("https://api.example/v1") is None


def test_each_scheme_has_its_proxy(proxies: pytest.MonkeyPatch) -> None:
    proxies.setenv("HTTPS_PROXY", "http://me:secret@secure.example:3128")
    proxies.setenv("http_proxy", "http://plain.example:3128")
    assert (env.proxy_for("https://api.example/v1"), env.proxy_for("http://api.example/v1")) == (
        "http://me:secret@secure.example:3128",
        "http://plain.example:3128",
    )


def test_a_proxy_without_a_scheme_is_reached_over_http(proxies: pytest.MonkeyPatch) -> None:
    proxies.setenv("HTTPS_PROXY", "proxy.example:3128")
    assert env.proxy_for("https://api.example/v1") == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url", "is_direct"),
    [
        ("api.example", "https://api.example/v1", True),
        ("api.example", "https://API.example:8443/v1", True),
        ("example", "https://api.example/v1", True),
        (".example", "https://api.example/v1", True),
        ("other.example, api.example", "https://api.example/v1", True),
        ("pi.example", "https://api.example/v1", False),
        ("api.example", "https://user:pw@api.example/v1", True),
        ("api.example:8443", "https://api.example:8443/v1", True),
        ("api.example:8443", "https://api.example/v1", False),
        ("127.0.0.1", "https://127.0.0.1:8000/v1", True),
        ("::1", "https://[::1]:8000/v1", True),
        ("*", "https://api.example/v1", True),
        ("", "https://api.example/v1", False),
    ],
)
def test_no_proxy_names_the_hosts_that_are_reached_directly(
    proxies: pytest.MonkeyPatch, no_proxy: str, url: str, is_direct: bool
) -> None:
    proxies.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    proxies.setenv("NO_PROXY", no_proxy)
    assert env.proxy_for(url) == (None if is_direct else "http://proxy.example:3128")


def test_a_proxy_that_is_set_later_counts(proxies: pytest.MonkeyPatch) -> None:
    before = env.proxy_for("https://api.example/v1")
    proxies.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    between = env.proxy_for("https://api.example/v1")
    proxies.setenv("NO_PROXY", "api.example")
    assert (before, between, env.proxy_for("https://api.example/v1")) == (
        None,
        "http://proxy.example:3128",
        None,
    )


@pytest.mark.parametrize("url", ["", "not a url", "http://[::1", "https://api.example:port/"])
def test_what_is_no_address_has_no_proxy(proxies: pytest.MonkeyPatch, url: str) -> None:
    proxies.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert env.proxy_for(url) is None
