"""Reading orders out of mails: scripted readers, whose care the metrics have to show."""

from __future__ import annotations

import json
import re
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest
from inspect_ai import score
from pydantic import ValidationError

from .logged import EVALS, UNKNOWN, metrics, module, run_eval, sample

extraction = module("structured_extraction")
MAILS = [
    json.loads(line) for line in (EVALS / "structured_extraction.jsonl").read_text().splitlines()
]
KINDS = ("plain", "crowded", "corrected", "relative", "silent")


FIELDS = ("customer", "deliver_on", "urgent", "lines")


def _all(share: float, repairs: float, kind: str) -> dict[str, dict[str, float]]:
    return {
        "match": {"mean": share, kind: share},
        **{name: {"mean": share} for name in ("exact", "fits", *FIELDS)},
        "repairs": {"mean": repairs},
    }


def test_a_careful_reader_earns_everything(tmp_path: Path) -> None:
    log = run_eval("structured_extraction", tmp_path, policy="careful", kind="corrected")
    assert metrics(log) == _all(1.0, 0.0, "corrected")


def test_a_hasty_reader_loses_what_does_not_stand_first(tmp_path: Path) -> None:
    log = run_eval("structured_extraction", tmp_path, policy="hasty")
    assert metrics(log) == {
        "match": {
            "mean": pytest.approx(0.775),
            "plain": 1.0,
            "crowded": 0.59375,
            "corrected": 0.78125,
            "relative": 0.75,
            "silent": 0.75,
        },
        "exact": {"mean": pytest.approx(0.2)},
        "fits": {"mean": 1.0},
        "repairs": {"mean": 0.0},
        "customer": {"mean": pytest.approx(0.9)},
        "deliver_on": {"mean": pytest.approx(0.45)},
        "urgent": {"mean": pytest.approx(0.95)},
        "lines": {"mean": pytest.approx(0.8)},
    }
    scores = sample(log, "crowded-4").scores
    assert scores is not None
    assert scores["extraction"].explanation == "not right: customer, deliver_on"


def test_a_clumsy_reader_is_right_only_if_it_is_asked_again(tmp_path: Path) -> None:
    log = run_eval("structured_extraction", tmp_path, policy="clumsy", kind="plain", retries=0)
    assert metrics(log) == _all(0.0, 0.0, "plain")


def test_what_had_to_be_asked_again_counts_also_when_a_log_is_scored_anew(tmp_path: Path) -> None:
    log = run_eval("structured_extraction", tmp_path, policy="clumsy", kind="silent")
    again = score(log, extraction.extraction(), action="overwrite", display="none")
    assert metrics(log) == metrics(again) == _all(1.0, 1.0, "silent")


@pytest.mark.parametrize("limits", [{"time_limit": 0}, {"token_limit": 1}])
def test_mails_without_an_answer_have_no_metrics(limits: dict[str, int], tmp_path: Path) -> None:
    log = run_eval("structured_extraction", tmp_path, policy="careful", kind="plain", limits=limits)
    assert metrics(log) == {
        "match": {"mean": UNKNOWN, "grouped": UNKNOWN},
        **{name: {"mean": UNKNOWN} for name in ("exact", "fits", "repairs", *FIELDS)},
    }


def test_there_are_four_different_mails_of_each_kind() -> None:
    assert Counter(mail["kind"] for mail in MAILS) == dict.fromkeys(KINDS, 4)
    assert len({mail["mail"] for mail in MAILS}) == len({mail["id"] for mail in MAILS}) == 20


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail["id"])
def test_a_mail_has_an_order_that_can_be_read_out_of_it(mail: dict[str, object]) -> None:
    order = extraction.Order.model_validate(mail["order"])
    extraction.Order.model_validate({**mail["order"], **mail["hasty"]})  # type: ignore[dict-item]
    assert order.customer in str(mail["mail"])
    assert bool(mail["hasty"]) is (mail["kind"] != "plain")


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: mail["id"])
def test_the_day_of_the_week_in_a_mail_is_that_of_its_date(mail: dict[str, str]) -> None:
    [(weekday, day)] = re.findall(r"Sent on (\w+), (\d+ \w+ \d{4})", mail["mail"])
    assert datetime.strptime(day, "%d %B %Y").strftime("%A") == weekday


def test_a_policy_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValidationError, match="'careful', 'hasty' or 'clumsy'"):
        extraction.structured_extraction(policy="lazy")
