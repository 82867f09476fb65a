"""Attaching conversations, agents and chats to samples that record all they do."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from dataclasses import asdict
from inspect import isawaitable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ..errors import ConfigError
from ..streaming.around import Around, inside
from ..types import CompletionResponse, Message
from .chat_lines import as_json, as_markdown
from .hearing import HearingSample
from .messages import headed
from .samples import Log


@runtime_checkable
class Talk(Protocol):
    """The part of a conversation that is used here."""

    around: Around | None

    @property
    def messages(self) -> Sequence[Message]: ...


@runtime_checkable
class Actor(Protocol):
    """The part of an agent that is used here."""

    around: Around | None

    @property
    def conversation(self) -> Talk: ...


@runtime_checkable
class Chat(Protocol):
    """The part of a chat that is used here."""

    around: Around | None
    around_turn: Callable[[str], AbstractAsyncContextManager[Any]] | None
    on_turn: Callable[[Any], Any] | None
    on_message: Callable[[Any], Any] | None

    @property
    def agents(self) -> Mapping[str, Any]: ...

    @property
    def transcript(self) -> Sequence[Any]: ...

    @property
    def share_tools(self) -> bool: ...

    @property
    def stats(self) -> Mapping[str, Any]: ...


Attachable: TypeAlias = Talk | Actor | Chat


def check_attachable(thing: object) -> None:
    """Raise ConfigError for anything but a conversation, an agent or a chat."""
    if not isinstance(thing, Talk | Actor | Chat):
        raise ConfigError(
            "attach() takes a Conversation, an Agent or a MultiAgentChat, and a client is given "
            f"the logger: Flashlite(inspect_logger=...); got {thing!r:.80}"
        )


def attach(thing: Attachable, sample: HearingSample) -> None:
    """Begin a sample that records all that a thing does, until the sample ends."""
    _detach(thing, sample.log)
    sample.transcript.is_private = isinstance(thing, Chat)
    sample.open()
    sample.is_open_ended = True
    hooks = _ChatHooks(thing, sample) if isinstance(thing, Chat) else _Hooks(thing, sample)
    hooks.begin()


def _detach(thing: Attachable, log: Log) -> None:
    """Remove hooks whose sample is over or in the same log; end the thing's own sample."""
    for hooks in list(_attached_to(thing)):
        if hooks.sample.is_over or hooks.sample.log is log:
            if hooks.thing is thing:
                hooks.sample.end()
            hooks.let_go(thing)  # also of a fork, which has its original's hooks


def _attached_to(thing: Attachable) -> Iterator[_Hooks]:
    """Yield the hooks of a thing, the latest first."""
    hooks = thing.around
    while isinstance(hooks, _Hooks):
        yield hooks
        hooks = hooks.before("around")


class _Hooks:
    """The `around` hook that runs a thing in its sample, inside any hook it had before."""

    def __init__(self, thing: Attachable, sample: HearingSample) -> None:
        self.thing, self.sample = thing, sample
        self._hooks: dict[str, tuple[Any, Any]] = {}

    def begin(self) -> None:
        """Set the hooks, which stay until the sample ends."""
        self._known = len(self._history())
        self._set(around=self)
        self.sample.at_end += [self._end, self.conclude]

    @contextmanager
    def __call__(self) -> Generator[None]:
        with inside(self.before("around")), self.sample.inside():
            yield

    def before(self, name: str) -> Any:
        """Return the hook that was there before."""
        return self._hooks[name][1]

    def let_go(self, thing: Attachable) -> None:
        """Restore the hooks that were there before, unless they were replaced since."""
        for name, (ours, before) in self._hooks.items():
            if getattr(thing, name) is ours:
                setattr(thing, name, before)

    def _end(self) -> None:
        """Remove the hooks, also from those that later hooks call."""
        for later in _attached_to(self.thing):
            for name, (ours, before) in later._hooks.items():
                if name in self._hooks and before is self._hooks[name][0]:
                    later._hooks[name] = ours, self.before(name)
        self.let_go(self.thing)

    def conclude(self) -> None:
        """Use the whole history as the sample's messages; the last prompt may be truncated."""
        if not self.sample.messages and len(self._history()) > self._known:
            self.sample.messages = list(self._history())

    def _set(self, **hooks: Any) -> None:
        for name, ours in hooks.items():
            self._hooks[name] = ours, getattr(self.thing, name)
            setattr(self.thing, name, ours)

    def _history(self) -> Sequence[Message]:
        talk: Any = self.thing.conversation if isinstance(self.thing, Actor) else self.thing
        messages: Sequence[Message] = talk.messages
        return messages


class _ChatHooks(_Hooks):
    """The hooks of a chat: they record turns on lanes, messages and the transcript."""

    def __init__(self, chat: Chat, sample: HearingSample) -> None:
        super().__init__(chat, sample)
        self._chat, self._has_begun = chat, False

    def begin(self) -> None:
        """Record the messages so far, then set the hooks, which stay until the sample ends."""
        for entry in self._chat.transcript:
            self._tell(entry)
        self._set(
            around=self,
            around_turn=self._take_turn,
            on_turn=self._note_turn,
            on_message=self._note_message,
        )
        self.sample.at_end += [self._end, self.conclude]

    def conclude(self) -> None:
        """Set the sample's messages, output and store from the chat.

        Private messages are only in the store and the events, so that readers of the sample's
        messages, such as judges, do not see them.
        """
        chat, sample = self._chat, self.sample
        sample.messages = sample.messages or list(_spoken(chat))
        turns = [entry for entry in chat.transcript if entry.is_turn and entry.visible_to is None]
        if sample.output is None and turns:
            sample.output = CompletionResponse.of(turns[-1].text, model=turns[-1].model or "")
        sample.store = {
            "ChatLog:entries": [entry.to_dict() for entry in chat.transcript],
            "ChatLog:agents": list(chat.agents),
            "ChatLog:stats": {name: asdict(stats) for name, stats in chat.stats.items()},
            **sample.store,
        }

    @asynccontextmanager
    async def _take_turn(self, name: str) -> AsyncGenerator[None]:
        around_turn = self.before("around_turn")
        async with around_turn(name) if around_turn else nullcontext():
            if not self._has_begun:
                self._has_begun = True
                self.sample.begin_with(list(_spoken(self._chat)) or None)
            with self.sample.inside(), self.sample.agent(name):
                yield

    async def _note_turn(self, entry: Any) -> None:
        self._tell(entry)
        on_turn = self.before("on_turn")
        if on_turn is not None and isawaitable(told := on_turn(entry)):
            await told

    def _note_message(self, entry: Any) -> None:
        self._tell(entry)
        if (on_message := self.before("on_message")) is not None:
            on_message(entry)

    def _tell(self, entry: Any) -> None:
        """Record a message and its audience, in the same form as chats inside evals."""
        self.sample.info(as_markdown(entry), source="flashlite", metadata=as_json(entry))


def _spoken(chat: Chat) -> Generator[Message]:
    """Yield the public messages of a chat, with tool calls and results if they are shared."""
    for entry in chat.transcript:
        if entry.visible_to is None:
            say = Message.assistant if entry.is_turn else Message.user
            said = entry.messages if chat.share_tools else ()
            yield from (_headed(one, entry.author) for one in said or (say(entry.content),))


def _headed(message: Message, author: str) -> Message:
    """Return a message as a transcript of several speakers shows it."""
    content = message.get("content")
    heard = {name: value for name, value in message.items() if name not in _THOUGHTS}
    if message["role"] == "tool" or not content:
        return Message(heard)
    return Message({**heard, "content": headed(content, author), "name": author})


_THOUGHTS = frozenset({"reasoning_content", "thinking_blocks"})
