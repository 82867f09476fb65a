"""How well does a model extract orders from mails, and does its answer fit the schema?

    inspect eval evals/structured_extraction.py --model flashlite/gpt-4o
    inspect eval evals/structured_extraction.py --model flashlite/gpt-4o -T kind=corrected
    inspect eval evals/structured_extraction.py --model flashlite/mock/echo -T policy=hasty

Twenty mails order goods, four of each kind: `plain`; `crowded` with names, numbers and dates that
are not part of the order; `corrected` by the writer in the same mail; `relative`, where the day has
to be worked out; and `silent` about the day, which must then not be made up. The model answers with
an `Order`, and is asked again, at most `-T retries=2` times, while its answer does not fit.

- `match`: the share of the order that is right, with equal weight for each of its four fields; a
  list counts by its positions (see `schema_match`); over all mails and by kind;
- `exact`: 1 if all of it is right;
- `fits`: 1 if the last answer is an `Order` at all; if it is not, `match` is 0;
- `repairs`: how often the model had to be asked again;
- `customer`, `deliver_on`, `urgent`, `lines`: the share of each field that is right.

With `-T retries=0` the first answer counts: the drop in `fits` and `match` is the value of asking
again. The mails in `structured_extraction.jsonl` were written for this eval; each has the right
`order`, and under `hasty` the fields that a reader gets who takes the first mention of everything.
To check that the numbers mean something, `-T policy=careful` uses a scripted model that is right,
`hasty` one that takes the first mention, and `clumsy` one that is right only at the second try.
"""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.event import ModelEvent
from inspect_ai.log import transcript
from inspect_ai.model import Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import TaskState
from pydantic import BaseModel, Field, NonNegativeInt, validate_call

from flashlite.inspect_ai import prompt_template, schema_match, structured

MAILS = Path(__file__).with_name("structured_extraction.jsonl")

PROMPT = """Read the order out of this mail. What the writer takes back or changes in the same mail
counts as changed.

<mail>
{{ prompt }}
</mail>"""

Kind = Literal["plain", "crowded", "corrected", "relative", "silent"]


class Line(BaseModel):
    """So many of one product."""

    product: Literal["plank", "hinge", "brush", "lamp", "bucket"]
    quantity: int


class Order(BaseModel):
    """What a mail orders."""

    customer: str = Field(description="The name of who orders, without title.")
    deliver_on: date | None = Field(description="The day as YYYY-MM-DD; null if none is said.")
    urgent: bool = Field(description="Whether the mail says that the order is urgent.")
    lines: list[Line] = Field(description="What is ordered, in the order of the mail.")


@task
@validate_call
def structured_extraction(
    kind: Kind | None = None,
    retries: NonNegativeInt = 2,
    policy: Literal["careful", "hasty", "clumsy"] | None = None,
) -> Task:
    """Twenty mails, or the four of one kind."""
    return Task(
        dataset=MemoryDataset([_mail(one) for one in _mails() if kind in (None, one["kind"])]),
        solver=[prompt_template(PROMPT), structured(Order, retries=retries)],
        scorer=extraction(),
        model=_scripted(policy) if policy else None,
    )


def _mails() -> list[dict[str, Any]]:
    return [json.loads(line) for line in MAILS.read_text().splitlines()]


def _mail(one: Mapping[str, Any]) -> Sample:
    return Sample(
        id=one["id"],
        input=one["mail"],
        target=json.dumps(one["order"]),
        metadata={"kind": one["kind"]},
    )


@scorer(
    metrics={
        "match": [mean(), stderr(), grouped(mean(), "kind", all=False)],
        **{name: [mean(), stderr()] for name in ("exact", "fits", "repairs", *Order.model_fields)},
    }
)
def extraction() -> Scorer:
    compare = schema_match(Order)

    async def score(state: TaskState, target: Target) -> Score:
        if state.output.empty:
            return Score.unscored(explanation="the sample ended before there was an answer")
        matched = await compare(state, target)
        assert matched is not None
        assert matched.metadata is not None
        match = matched.as_float()
        tries = [event for event in transcript().events if isinstance(event, ModelEvent)]
        return matched.model_copy(
            update={
                "value": {
                    "match": match,
                    "exact": float(match == 1),
                    "fits": float(matched.metadata["fits"]),
                    "repairs": float(len([one for one in tries if one.error is None]) - 1),
                    **matched.metadata["fields"],
                }
            }
        )

    return score


def _scripted(policy: str) -> Model:
    """Return a model that recognizes the mail and answers from its known order."""

    def answer(body: Mapping[str, Any]) -> str:
        said = [message["content"] for message in body["messages"]]
        [mail] = [one for one in _mails() if any(one["mail"] in text for text in said)]
        order = mail["order"] | (mail["hasty"] if policy == "hasty" else {})
        is_first_try = len(said) == 1
        if policy == "clumsy" and is_first_try:
            return f"{order['customer']} orders something."
        return json.dumps(order)

    return get_model("flashlite/mock/script", answers=answer, memoize=False)
