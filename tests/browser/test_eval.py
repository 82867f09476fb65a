"""An eval with several agents, as a reader of its log sees it."""

from __future__ import annotations

import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from inspect_ai import eval
from inspect_ai.log import EvalLog
from inspect_ai.model import Model, get_model

from .viewer import Viewer

EVAL = Path(__file__).parents[2] / "evals" / "werewolf.py"

_spec = importlib.util.spec_from_file_location("flashlite_eval_werewolf", EVAL)
assert _spec is not None
assert _spec.loader is not None
werewolf = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(werewolf)


def _player() -> Model:
    """Return a scripted player who thinks for a moment: turns without a pause share no lane."""
    play: Any = partial(werewolf._play, "blame")
    return get_model("flashlite/mock/script", answers=play, latency=0.15, memoize=False)


@pytest.fixture(scope="module")
def game(shelf: Path) -> EvalLog:
    """The log of one game, in which Ben and Gwen are the wolves and Leo is the seer."""
    with ThreadPoolExecutor(1) as pool:
        [log] = pool.submit(
            eval,
            werewolf.werewolf(games=1, channel="on", rounds=1),
            model="flashlite/mock/echo",
            model_roles={"wolf": _player(), "villager": _player()},
            display="none",
            log_dir=str(shelf / "game"),
        ).result()
    assert log.status == "success", log.error
    return log


async def test_every_player_has_one_lane_and_turns_are_in_order(
    viewer: Viewer, game: EvalLog
) -> None:
    await viewer.open_sample(Path(game.location), "0-on")
    lanes = await viewer.lanes()
    assert list(lanes) == ["main", "leo", "ben", "gwen", "jon", "kira", "eve", "scoring"]
    assert lanes["main"] == pytest.approx(sum(lanes.values()) - lanes["main"], rel=0.03)
    living = ["jon", "kira", "leo", "ben", "eve", "gwen"]
    night, talk, vote = ["leo", "ben", "gwen", "ben", "gwen"], living, living
    assert await viewer.turns() == [*night, *talk, *vote, "scoring"]


async def test_what_wolves_whisper_is_in_their_own_turns_alone(
    viewer: Viewer, game: EvalLog
) -> None:
    await viewer.open_sample(Path(game.location), "0-on")
    turns = [await viewer.enter_turn(number) for number in (2, 5, 7)]
    assert ["[Ben to Gwen] I accuse Jon." in text for text in turns] == [True, False, False]
    assert ["[Narrator to Leo] Eve is a villager." in text for text in turns] == [
        False,
        False,
        True,
    ]


async def test_what_was_said_is_a_line_each_and_tells_to_whom(
    viewer: Viewer, game: EvalLog
) -> None:
    await viewer.open_sample(Path(game.location), "0-on")
    for line in (
        "Narrator: Night 1. Alive: Jon, Kira, Leo, Ben, Eve, Gwen, Iris.",
        "Narrator → Leo: Eve is a villager.",
        "Ben → Gwen: I accuse Jon.",
        'Jon → nobody: {"reasoning":"I follow my script.","player":',
    ):
        await viewer.see(line)


async def test_the_messages_are_what_all_may_read(viewer: Viewer, game: EvalLog) -> None:
    await viewer.open_sample(Path(game.location), "0-on")
    await viewer.open_tab("Messages")
    await viewer.see("[Narrator] Night 1. Alive: Jon, Kira, Leo, Ben, Eve, Gwen, Iris.")
    said = await viewer.text()
    assert said.count("[Ben] I accuse Jon.") == 1  # by day
    assert [secret in said for secret in ("Eve is a villager", "my script")] == [False, False]


async def test_usage_is_told_by_role(viewer: Viewer, game: EvalLog) -> None:
    await viewer.open_sample(Path(game.location), "0-on", "info")
    await viewer.see("Breakdown")
    for role in ("wolf", "villager"):
        told = (
            f"{role} flashlite/mock/script {game.stats.role_usage[role].total_tokens:,}tokens $0.00"
        )
        assert told in await viewer.text()
