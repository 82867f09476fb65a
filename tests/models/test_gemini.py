"""What Gemini models take, as their names tell it."""

from __future__ import annotations

import pytest

from flashlite.models.gemini import Gemini, is_googles_own


@pytest.mark.parametrize(
    ("name", "generation", "is_third", "always_thinks", "lowest"),
    [
        ("gemini-2.0-flash", (2, 0), False, False, "minimal"),
        ("gemini-2.5-flash", (2, 5), False, False, "minimal"),
        ("models/gemini-2.5-pro", (2, 5), False, True, "low"),
        ("gemini-live-2.5-flash", (2, 5), False, False, "minimal"),
        ("gemini-3-flash-preview", (3,), True, True, "minimal"),
        ("gemini-3.1-pro-preview", (3, 1), True, True, "low"),
        ("gemini-3.8-flash", (3, 8), True, True, "low"),
        ("gemini-4-argon", (4,), True, True, "low"),
        ("gemini-flash-latest", (99,), True, True, "minimal"),
        ("gemma-3-27b-it", (99,), False, False, "low"),
        ("tunedModels/mine-1", (99,), False, False, "low"),
        ("endpoints/123", (99,), False, False, "low"),
    ],
)
def test_a_name_tells_the_generation_and_how_it_thinks(
    name: str, generation: tuple[int, ...], is_third: bool, always_thinks: bool, lowest: str
) -> None:
    model = Gemini(name)
    told = (model.generation, model.is_third, model.always_thinks, model.lowest_level)
    assert told == (generation, is_third, always_thinks, lowest)


@pytest.mark.parametrize(
    ("name", "takes"),
    [("gemma-3-27b-it", False), ("gemini-2.5-pro", True), ("never-heard-of", True)],
)
def test_only_a_model_known_not_to_takes_no_system_instruction(name: str, takes: bool) -> None:
    assert Gemini(name).takes_system is takes


@pytest.mark.parametrize(
    ("name", "is_own"),
    [
        ("gemini-2.5-pro", True),
        ("models/gemini-2.5-pro", True),
        ("endpoints/123", True),
        ("claude-sonnet-4-5", False),
        ("meta/llama-4-scout", False),
        ("gemma-4-26b-a4b-it", False),
    ],
)
def test_googles_own_models_on_vertex_ai_are_known_by_their_names(name: str, is_own: bool) -> None:
    assert is_googles_own(name) is is_own
