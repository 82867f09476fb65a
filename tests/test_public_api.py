"""The public names: one table, all importable, and an import that loads nothing heavy."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import flashlite
from flashlite.options import CallOptions, ClientOptions, EmbeddingOptions

HEAVY = ("litellm", "inspect_ai", "aiohttp", "pydantic", "openai", "tiktoken", "jinja2", "pytest")


def test_every_public_name_is_importable() -> None:
    assert [name for name in flashlite.__all__ if not hasattr(flashlite, name)] == []


def test_the_table_and_what_type_checkers_see_agree() -> None:
    tree = ast.parse(Path(flashlite.__file__).read_text())
    [block] = [node for node in tree.body if isinstance(node, ast.If)]
    imported = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assigned = {
        target.id: node.value.id
        for node in block.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Name)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    homes = {name: f"{home}.{name}" for name, home in flashlite._HOME_OF.items()}
    assert (imported, assigned) == (homes, flashlite._ALIASES)


def test_the_public_names_are_sorted_and_listed() -> None:
    assert flashlite.__all__ == sorted(flashlite.__all__)
    assert set(flashlite.__all__) <= set(dir(flashlite))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'flashlite' has no attribute 'nope'"):
        getattr(flashlite, "no" + "pe")


def test_modules_that_a_caller_may_name_are_there_without_an_import() -> None:
    names = sorted(flashlite._MODULES)
    code = f"import flashlite; print(*[getattr(flashlite, name).__name__ for name in {names!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [f"flashlite.{name}" for name in names]
    assert set(names) <= set(dir(flashlite))


@pytest.mark.parametrize("options", [ClientOptions, CallOptions, EmbeddingOptions])
def test_the_help_of_options_tells_of_all_that_there_are(options: Any) -> None:
    told = inspect.getdoc(options) or ""
    assert "`timeout` is seconds in total" in told
    assert [name for name in options.__annotations__ if not re.search(rf"\b{name}\b", told)] == []


def test_the_version_is_that_of_the_installed_package() -> None:
    from importlib.metadata import version

    assert flashlite.__version__ == version("flashlite")


def _loaded(code: str) -> list[str]:
    """Return which heavy libraries a fresh interpreter has loaded after some code."""
    code += f"; import sys; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert _loaded("import flashlite") == []


def test_making_a_client_and_asking_the_mock_loads_nothing_heavy() -> None:
    assert (
        _loaded("from flashlite import Flashlite; Flashlite('mock/echo').complete_sync('x')") == []
    )


def test_a_native_provider_loads_aiohttp_and_nothing_else() -> None:
    code = (
        "from flashlite import Flashlite; from flashlite.testing import MockServer\n"
        "with MockServer() as server: Flashlite('openai/echo', base_url=server.base_url)"
        ".complete_sync('x')\npass"
    )
    assert _loaded(code) == ["aiohttp"]
