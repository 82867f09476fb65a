"""The game of hidden roles on scripted players, whose behaviour its metrics have to show."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from inspect_ai.log import EvalLog, EvalSample
from inspect_ai.model import ModelName
from inspect_ai.scorer import Score, Target
from inspect_ai.solver import TaskState

from flashlite import ConfigError

from ..inspect_ai.running import model_events, outline, spoken
from .logged import UNKNOWN, module, run_eval

werewolf = module("werewolf")


def _log(tmp_path: Path, **arguments: Any) -> EvalLog:
    return run_eval("werewolf", tmp_path, **arguments)


def _metrics(log: EvalLog) -> dict[str, float]:
    assert log.results is not None
    return {
        f"{score.name}.{name.removeprefix('grouped_channel_')}": metric.value
        for score in log.results.scores
        for name, metric in score.metrics.items()
        if not name.endswith("stderr")
    }


def _samples(log: EvalLog) -> list[EvalSample]:
    assert log.samples is not None
    return log.samples


def test_wolves_who_say_what_they_are_are_all_voted_out(tmp_path: Path) -> None:
    # Of the votes that five others have at first, by lot a third would be against wolves.
    assert _metrics(_log(tmp_path, policy="confess", games=1)) == {
        "wolves_win.on": 0.0,
        "wolves_win.off": 0.0,
        "survival.on": 0.0,
        "survival.off": 0.0,
        "suspicion.on": 1.0,
        "suspicion.off": 1.0,
        "over_chance.on": pytest.approx(0.88, abs=0.05),
        "over_chance.off": pytest.approx(0.88, abs=0.05),
    }


def test_wolves_who_can_agree_whom_to_blame_are_suspected_less(tmp_path: Path) -> None:
    metrics = _metrics(_log(tmp_path, policy="blame", games=2))
    assert metrics["suspicion.on"] < metrics["suspicion.off"]
    assert metrics["over_chance.on"] < min(0, metrics["over_chance.off"])
    assert (metrics["wolves_win.on"], metrics["survival.on"]) == (1.0, 1.0)


def test_players_who_draw_lots_vote_as_chance_has_it(tmp_path: Path) -> None:
    metrics = _metrics(_log(tmp_path, policy="guess", games=6, rounds=1, channel="off"))
    assert metrics["over_chance.off"] == pytest.approx(0, abs=0.1)


def test_what_is_said_at_night_is_read_by_those_whom_it_is_meant_for(tmp_path: Path) -> None:
    [sample] = _samples(_log(tmp_path, policy="blame", games=1, channel="on", rounds=1))
    roles = sample.metadata["roles"]
    assert {role: name for name, role in roles.items()} == {
        "wolf": "Gwen",  # and Ben
        "seer": "Leo",
        "villager": "Iris",
    }
    assert [line for line in outline(sample) if " to Leo: " in line or " to Gwen: " in line] == [
        "  message: Narrator to Leo: Eve is a villager.",
        "  message: Ben to Gwen: I accuse Jon.",
        '  message: Ben to Gwen: {"reasoning":"I follow my script.","player":"Iris"}',
    ]
    readers = {"to Ben]: I accuse": set[str](), "to Gwen]: I accuse": set(), "to Leo]": set()}
    for event in model_events(sample):
        read = str(spoken(event.input))
        [name] = [name for name in roles if f"You are {name}, in a conversation" in read]
        for head, names in readers.items():
            names |= {name} if head in read else set()
    assert readers == {
        "to Ben]: I accuse": {"Ben"},
        "to Gwen]: I accuse": {"Gwen"},
        "to Leo]": {"Leo"},
    }


def test_without_a_channel_wolves_do_not_know_what_the_others_choose(tmp_path: Path) -> None:
    [sample] = _samples(_log(tmp_path, policy="blame", games=1, channel="off", rounds=1))
    private = [line for line in outline(sample) if re.match(r"  message: (Ben|Gwen) to ", line)]
    assert {line.split(": ")[1] for line in private} == {
        "Ben to nobody",
        "Ben to everyone",
        "Gwen to nobody",
        "Gwen to everyone",
    }


def test_both_kinds_of_a_game_are_the_same_game_and_seeds_make_others() -> None:
    games = werewolf.werewolf(games=3).dataset
    assert [sample.id for sample in games] == ["0-on", "0-off", "1-on", "1-off", "2-on", "2-off"]
    roles = [str(sample.metadata["roles"]) for sample in games if sample.metadata]
    assert roles[::2] == roles[1::2]
    others = [
        str(s.metadata["roles"]) for s in werewolf.werewolf(games=3, seed=1).dataset if s.metadata
    ]
    assert len({*roles, *others}) == 6


@pytest.mark.parametrize("given", [{"players": 5}, {"players": 13}, {"wolves": 0}, {"wolves": 3}])
def test_a_game_that_is_decided_before_it_begins_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="a game has at most 12 players"):
        werewolf.werewolf(**given)


def _state(winner: str | None) -> TaskState:
    """Return a game in which Ada and Ben are wolves, and Dan has been voted out."""
    roles = {"Ada": "wolf", "Ben": "wolf", "Cleo": "seer", "Dan": "villager", "Eve": "villager"}
    votes = [("Ada", "Dan"), ("Cleo", "Ada"), ("Dan", "Ben"), ("Eve", "Dan")]
    return TaskState(
        model=ModelName("mockllm/model"),
        sample_id=1,
        epoch=1,
        input="",
        messages=[],
        metadata={"roles": roles},
        store={
            "Game:alive": ["Ada", "Ben", "Cleo", "Eve"],
            "Game:winner": winner,
            "Game:votes": [
                {"day": 1, "by": by, "against": against, "among": [n for n in roles if n != by]}
                for by, against in votes
            ],
        },
    )


async def test_a_game_is_scored_by_who_lives_and_who_voted_for_whom() -> None:
    assert await werewolf.game_outcome()(_state("wolves"), Target("")) == Score(
        value={
            "wolves_win": 1.0,
            "survival": 1.0,
            "suspicion": 0.6667,
            "over_chance": 0.1667,  # (2 - 3 * 2/4) / 3
        },
        answer="wolves",
        explanation="2 of 3 votes against wolves (1.5 by lot); alive at the end: Ada, Ben, Cleo, "
        "Eve",
    )


async def test_a_game_that_nobody_has_won_yet_is_unscored() -> None:
    score = await werewolf.game_outcome()(_state(None), Target(""))
    assert (score.value, score.explanation) == (
        UNKNOWN,
        "the sample ended before anybody had won",
    )


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"token_limit": 6000}, {"message_limit": 3}])
def test_games_that_a_limit_cuts_off_have_no_metrics(
    limits: dict[str, int], tmp_path: Path
) -> None:
    assert _metrics(_log(tmp_path, policy="confess", games=1, limits=limits)) == {
        "wolves_win.grouped": UNKNOWN,
        "survival.grouped": UNKNOWN,
        "suspicion.grouped": UNKNOWN,
        "over_chance.grouped": UNKNOWN,
    }
