"""Does a model get the right answer from tools, although one of them fails or lies?

    inspect eval evals/tool_use.py --model flashlite/gpt-4o
    inspect eval evals/tool_use.py --model flashlite/gpt-4o -T fault=lying -T warned=false
    inspect eval evals/tool_use.py --model flashlite/mock/echo -T policy=trusting

The model is asked what an order costs. The order, its prices and the faulty product are drawn by
`seed`, so only the tools know the answer: `order` returns what was ordered, `price` and `catalogue`
what one piece costs, and `stock`, which is not needed, how many are left. Every order is asked
about four times, and each time the price server behaves differently for one product:

- `none`: it answers;
- `flaky`: it fails once, and answers when it is asked again;
- `down`: it always fails, and only the catalogue helps;
- `lying`: it returns the price of another product, whose code is in its answer.

- `accuracy`: 1 if the total is right, over all and by fault (`fault_lying` and so on);
- `recovered`: if a failure or a lie was met (else unscored), 1 if a tool then returned that price;
- `fooled`: for lies, 1 if the answer is the total that follows from believing the lie;
- `wrong_calls`: calls that failed by the model's own fault: of tools, with arguments, or about
  orders or products that do not exist;
- `needless_calls`: calls for what the total does not need, for what was known already, for what the
  same tool had failed to return twice, or of the catalogue before the price server had failed.

All are computed from the calls and results in the sample's messages. `-T warned=false` does not
tell the model that tools may fail or lie, `-T fault=…` uses one fault only, `-T orders=6`,
`-T lines=3` and `-T seed=0` change the orders, `-T rounds=12` limits the rounds of tool calls. To
check that the numbers mean something, there are scripted models: `-T policy=careful` reads answers,
asks again and uses the catalogue; `trusting` does too but believes every price; `brittle` gives up
when a tool fails or lies; `wasteful` also makes needless calls; `guessing` calls no tools.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from math import nan
from random import Random
from string import ascii_uppercase
from typing import Annotated, Any, Literal

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ChatMessage, ChatMessageAssistant, ChatMessageTool, Model, get_model
from inspect_ai.scorer import Score, Scorer, Target, grouped, mean, scorer, stderr
from inspect_ai.solver import Generate, Solver, TaskState, solver
from inspect_ai.tool import ToolCall
from pydantic import Field, PositiveInt, validate_call

from flashlite.inspect_ai import prompt_template, tool_loop

PROMPT = """{{ prompt }} Find out with the tools what was ordered and what each piece costs; the
catalogue is always right but slow, so use it only for prices that you cannot get otherwise.
{% if warned %}Tools may fail, or answer something else than they were asked: read what they say.
{% endif %}End with a line of the form "TOTAL: $NUMBER"."""

# The forms that models write: also "**Total**:", and without a colon, "The total is $42.".
TOTAL = re.compile(r"\btotal\b[*_]*(:?)(.*\d.*)", re.IGNORECASE)

Fault = Literal["none", "flaky", "down", "lying"]
FAULTS: tuple[Fault, ...] = ("none", "flaky", "down", "lying")
Policy = Literal["careful", "trusting", "brittle", "wasteful", "guessing"]


@task
@validate_call
def tool_use(
    fault: Fault | None = None,
    orders: PositiveInt = 6,
    lines: Annotated[int, Field(ge=1, le=12)] = 3,
    seed: int = 0,
    rounds: PositiveInt = 12,
    warned: bool = True,
    policy: Policy | None = None,
) -> Task:
    """Six orders, each asked about with every fault."""
    faults = FAULTS if fault is None else (fault,)
    return Task(
        dataset=MemoryDataset(
            [_order(n, lines, seed, each) for n in range(1, orders + 1) for each in faults]
        ),
        solver=[prompt_template(PROMPT, warned=warned), shop_tools(rounds)],
        scorer=order_total(),
        model=_scripted(policy) if policy else None,
    )


def _order(number: int, lines: int, seed: int, fault: Fault) -> Sample:
    """Return a sample with a random order, a `faulty` product, and an `other` one for the lie."""
    draw = Random(f"{seed}-{number}")
    letters = draw.sample(ascii_uppercase, lines + 1)
    products = [f"{letter}-{draw.randrange(100, 1000)}" for letter in letters]
    prices = dict(zip(products, draw.sample(range(5, 500), lines + 1), strict=True))
    *ordered, other = products
    quantities = {product: draw.randint(2, 20) for product in ordered}
    faulty = draw.choice(ordered)
    total = sum(prices[product] * quantity for product, quantity in quantities.items())
    lie = total + (prices[other] - prices[faulty]) * quantities[faulty]
    name = str(draw.randrange(1000, 10_000))
    return Sample(
        id=f"{number}-{fault}",
        input=f"What does order {name} cost?",
        target=str(total),
        metadata={
            "order": name,
            "quantities": quantities,
            "prices": prices,
            "left": {product: draw.randrange(100) for product in products},
            "fault": fault,
            "faulty": faulty,
            "other": other,
            "lie": lie,
        },
    )


Code = Annotated[str, Field(description="The code of a product, such as A-123.")]


@solver
def shop_tools(rounds: int) -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        shop = Shop(state.metadata)
        tools = [shop.order, shop.price, shop.catalogue, shop.stock]
        state = await tool_loop(tools, max_iterations=rounds)(state, generate)
        state.store.set("is_over", True)
        return state

    return solve


class Shop:
    """The tools of one sample; the price server knows whether it has failed."""

    def __init__(self, facts: Mapping[str, Any]) -> None:
        self._facts = facts
        self._has_failed = False

    def order(self, number: str) -> dict[str, Any]:
        """Tell what was ordered: how many of which product."""
        if number != self._facts["order"]:
            raise LookupError(f"there is no order {number}")
        return {"order": number, "quantities": self._facts["quantities"]}

    def price(self, product: Code) -> dict[str, Any]:
        """Ask the price server what one piece of a product costs."""
        fault = self._facts["fault"] if product == self._facts["faulty"] else "none"
        if fault == "down" or (fault == "flaky" and not self._has_failed):
            self._has_failed = True
            raise ConnectionError("the price server did not answer")
        told = self._facts["other"] if fault == "lying" else product
        return {"product": told, "price": self._found("prices", told)}

    def catalogue(self, product: Code) -> dict[str, Any]:
        """Look up in the printed catalogue what one piece of a product costs."""
        return {"product": product, "price": self._found("prices", product)}

    def stock(self, product: Code) -> dict[str, Any]:
        """Count how many pieces of a product are left."""
        return {"product": product, "left": self._found("left", product)}

    def _found(self, what: str, product: str) -> int:
        if product not in self._facts[what]:
            raise LookupError(f"there is no product {product}")
        return int(self._facts[what][product])


# The samples of one order are not independent.
OVER_ALL = [mean(), stderr(cluster="order")]
BY_FAULT = [
    grouped(mean(), "fault", all=False, name_template="fault_{group_name}"),
    grouped(stderr(), "fault", all=False, name_template="fault_{group_name}_stderr"),
]


@scorer(
    metrics={
        "accuracy": [*OVER_ALL, *BY_FAULT],
        "recovered": BY_FAULT,
        "fooled": BY_FAULT,
        "wrong_calls": OVER_ALL,
        "needless_calls": OVER_ALL,
    }
)
def order_total() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        if not state.store.get("is_over"):
            return Score.unscored(explanation="the sample ended before there was an answer")
        facts, text = state.metadata, state.output.completion
        answer = read_total(text)
        course = Course(facts, state.messages)
        is_fooled = float(answer == facts["lie"])
        return Score(
            value={
                "accuracy": float(answer == int(target.text)),
                "recovered": float(facts["faulty"] in course.known) if course.failed else nan,
                "fooled": is_fooled if facts["fault"] == "lying" else nan,
                "wrong_calls": float(len(course.wrong)),
                "needless_calls": float(len(course.needless)),
            },
            answer=None if answer is None else f"{answer:f}",
            explanation=text,
            metadata={"wrong_calls": course.wrong, "needless_calls": course.needless},
        )

    return score


def read_total(text: str) -> Decimal | None:
    """Return the number of the last "TOTAL:" line (of "7 * 6 = 42", the 42), else of a sentence."""
    told = sorted(TOTAL.findall(text.replace(",", "")), key=lambda found: bool(found[0]))
    colon, rest = told[-1] if told else ("", "")
    numbers = re.findall(r"\d+(?:\.\d+)?", rest.rpartition("=")[2])
    return Decimal(numbers[0 if colon else -1]) if numbers else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A tool call that was run; `told` is its result, empty if it failed."""

    tool: str
    asked: str
    told: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.tool}({self.asked})"

    @property
    def is_answered(self) -> bool:
        """Whether the result is about the order or product that was asked for."""
        return self.asked in self.told.values()


class Course:
    """An evaluation of a sample's calls.

    `known` are the orders and products that the calls returned, `failed` counts the calls that met
    the sample's fault, `wrong` and `needless` are the calls that those metrics count.
    """

    def __init__(self, facts: Mapping[str, Any], messages: Sequence[ChatMessage]) -> None:
        self.known: set[str] = set()
        self.failed = Counter[str]()
        self.wrong: list[str] = []
        self.needless: list[str] = []
        self._facts = facts
        for call in _calls(messages):
            self._take(call)

    def _take(self, call: Call) -> None:
        is_faulty = (call.tool, call.asked) == ("price", self._facts["faulty"])
        if not call.is_answered and not is_faulty:
            self.wrong.append(str(call))
            return
        if self._is_needless(call):
            self.needless.append(str(call))
        if not call.is_answered:
            self.failed[str(call)] += 1
        elif call.tool != "stock":
            self.known.add(call.asked)

    def _is_needless(self, call: Call) -> bool:
        wanted = {self._facts["order"], *self._facts["quantities"]} - self.known
        if call.tool == "stock" or call.asked not in wanted:
            return True
        if call.tool == "catalogue":
            return not self.failed[f"price({call.asked})"]
        return self.failed[str(call)] > 1


def _calls(messages: Sequence[ChatMessage]) -> Iterator[Call]:
    """Yield the calls that were run, in the order in which they were made."""
    asked: dict[str, ToolCall] = {}
    for message in messages:
        if isinstance(message, ChatMessageAssistant):  # ids are unique only within an answer
            asked = {call.id: call for call in message.tool_calls or ()}
        elif isinstance(message, ChatMessageTool) and message.tool_call_id in asked:
            call = asked[message.tool_call_id]
            if message.error or message.text.startswith("{"):  # else no rounds were left
                yield Call(
                    tool=call.function,
                    asked=str(call.arguments.get("number", call.arguments.get("product"))),
                    told={} if message.error else json.loads(message.text),
                )


def _scripted(policy: Policy) -> Model:
    """Return a model that asks for the order, then for all prices at once, and adds up."""

    def answer(body: Mapping[str, Any]) -> str | Mapping[str, Any]:
        if policy == "guessing":
            return "TOTAL: 1000"
        heard = _heard(body)
        number = body["messages"][0]["content"].partition("order ")[2].split()[0]
        orders = [call for call in heard if call.tool == "order"]
        if not orders:
            return _calling(heard, ("order", number))
        quantities = orders[0].told["quantities"]
        prices = {product: _price(product, heard, policy) for product in quantities}
        if calls := [call for p in quantities for call in _next_calls(p, heard, policy)]:
            return _calling(heard, *calls)
        if policy == "wasteful" and len(orders) == 1:
            return _calling(heard, ("stock", min(quantities)), ("order", number), ("price", "?"))
        if None in prices.values():
            return "The tools do not tell."
        return f"TOTAL: {sum(prices[p] * quantity for p, quantity in quantities.items())}"

    return get_model("flashlite/mock/script", answers=answer, memoize=False)


def _price(product: str, heard: Sequence[Call], policy: Policy) -> int | None:
    """Return the price that a tool returned, if the model believes it."""
    told = [call for call in heard if call.asked == product and "price" in call.told]
    believed = [call for call in told if call.is_answered or policy == "trusting"]
    return believed[0].told["price"] if believed else None


def _next_calls(product: str, heard: Sequence[Call], policy: Policy) -> list[tuple[str, str]]:
    """Return the call for an unknown price: retry after a failure, then use the catalogue."""
    tries = [call for call in heard if call.tool != "stock" and call.asked == product]
    if _price(product, heard, policy) is not None or (tries and policy == "brittle"):
        return []
    is_worth_another = not tries or (len(tries) == 1 and not tries[0].told)
    return [("price" if is_worth_another else "catalogue", product)]


def _heard(body: Mapping[str, Any]) -> list[Call]:
    """Return the calls so far, with their results, from a request."""
    results = {m["tool_call_id"]: m["content"] for m in body["messages"] if m["role"] == "tool"}
    made = [call for message in body["messages"] for call in message.get("tool_calls") or ()]
    return [
        Call(
            tool=call["function"]["name"],
            asked=next(iter(json.loads(call["function"]["arguments"]).values())),
            told=json.loads(result) if (result := results[call["id"]]).startswith("{") else {},
        )
        for call in made
    ]


def _calling(heard: Sequence[Call], *calls: tuple[str, str]) -> Mapping[str, Any]:
    """Return an answer that calls tools, in OpenAI's form."""
    functions = [
        (tool, json.dumps({"number" if tool == "order" else "product": asked}))
        for tool, asked in calls
    ]
    return {
        "content": None,
        "tool_calls": [
            {"id": f"call-{n}", "type": "function", "function": {"name": tool, "arguments": said}}
            for n, (tool, said) in enumerate(functions, start=len(heard))
        ],
    }
