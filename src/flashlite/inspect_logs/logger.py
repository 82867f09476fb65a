"""Logs in Inspect's own format, from any script: live, and safe against crashes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ..errors import ConfigError
from ..middleware.records import secrets_of
from ..types import CompletionRequest, CompletionResponse, MessageInput
from .attach import Attachable, attach, check_attachable
from .header import Run
from .hearing import HearingSample
from .model_events import ModelCall
from .output import Output
from .samples import Sample, current_samples
from .scores import to_scores
from .transcript import Transcript
from .writing import Format

S = TypeVar("S", bound=Sample)


class InspectLogger:
    """Write what models are asked and answer as an `.eval` log, which all of Inspect's tools read.

    `eval_id` is a label, `task` the name that Inspect shows for it: two runs never share a file,
    nor do two processes. `model` names the model of the run where that is not plain from its calls;
    `config` is what the run was configured with. While it runs, the log is renewed every
    `snapshot_interval` seconds or less often, and with `live` running samples are shown too.
    `format` says what `close` leaves behind: "eval", "json" or "both".

    `log_images=False` leaves media out, `log_raw=False` the bodies that went over the wire. A
    sample is safe, even if the process is killed, when `log` or its block returns. Runs that were
    killed are recovered by the next one in their folder, or by `recover`.

    A sample that cannot be written, as on a full disk, is reported once and waits in memory, up to
    256 MB of them; it is written with the next sample that can be. What could not be written when
    the log is closed is counted in it: its status is then "error". With `strict=True` either raises
    StoreError.
    """

    def __init__(
        self,
        log_dir: str | os.PathLike[str] = "./logs",
        eval_id: str = "flashlite",
        *,
        task: str | None = None,
        model: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        tags: Sequence[str] = (),
        config: Mapping[str, Any] | None = None,
        format: Format = "eval",
        live: bool = True,
        snapshot_interval: float = 2.0,
        log_images: bool = True,
        log_raw: bool = True,
        strict: bool = False,
    ) -> None:
        if format not in ("eval", "json", "both"):
            raise ConfigError(f'format is "eval", "json" or "both"; got {format!r}')
        run = Run(
            task=str(task or eval_id),
            label=str(eval_id),
            model=model,
            metadata=dict(metadata or {}),
            tags=tuple(tags),
            config=dict(config or {}),
        )
        self._output = Output(
            Path(log_dir).expanduser().absolute(),
            run,
            format=format,
            live=live,
            interval=snapshot_interval,
            strict=strict,
        )
        self._log_images, self._log_raw = log_images, log_raw
        self.is_closed = False

    @property
    def path(self) -> Path:
        """Where this process's log is; there is none before the first sample."""
        return self._output.writing().path

    def log(
        self,
        request: CompletionRequest | MessageInput,
        response: CompletionResponse | str | None = None,
        sample_id: str | int | None = None,
        *,
        epoch: int | None = None,
        target: str | Sequence[str] | None = None,
        score: Any = None,
        metadata: Mapping[str, Any] | None = None,
        error: BaseException | None = None,
    ) -> None:
        """Write one call as one sample.

        Without a `sample_id` samples are counted from 1; an id that comes again is its next epoch.
        `score` is a number, a truth value, "C" or "I", or a dict of several scores by their names.
        """
        call = ModelCall.just_ended(request, response, error=error)
        options: dict[str, Any] = {"epoch": epoch, "target": target, "metadata": metadata}
        self.log_call(call, sample_id, score=score, **options)

    def log_call(
        self,
        call: ModelCall,
        sample_id: str | int | None = None,
        *,
        epoch: int | None = None,
        target: str | Sequence[str] | None = None,
        score: Any = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Do what `log` does for a call whose times are known."""
        scores = {} if score is None else to_scores(score)
        sample = self._sample(
            Sample,
            sample_id,
            epoch=epoch,
            input=call.request.messages,
            target=target,
            metadata=metadata,
            began=call.began,
            secrets=secrets_of(call.request),
        )
        sample.begin()
        sample.model_call(call)
        sample.scores |= scores
        if call.error is not None:
            sample.error(call.error)
        sample.end()

    def sample(
        self,
        id: str | int | None = None,
        *,
        epoch: int | None = None,
        input: MessageInput | None = None,
        target: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        hears_all: bool = False,
    ) -> Sample:
        """Return a block for one sample: `with logger.sample("id", input=…, target=…) as s:`.

        `with` and `async with` both do. What is recorded inside, also in tasks that begin there, is
        shown while it runs. Ids and epochs are as in `log`. With `hears_all` it has every call made
        inside, of any client and of the tools of agents and tool loops; else those of clients that
        have this logger, and what the sample is told.
        """
        about = {"epoch": epoch, "input": input, "target": target, "metadata": metadata}
        return self._sample(HearingSample if hears_all else Sample, id, **about)

    def attach(
        self,
        thing: Attachable,
        id: str | int | None = None,
        *,
        epoch: int | None = None,
        input: MessageInput | None = None,
        target: str | Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> Sample:
        """Record all that a conversation, an agent or a chat does from now on, in one sample.

            sample = logger.attach(chat, "debate", target="yes")
            await chat.round_robin(3)
            sample.score("agreed", 1.0)

        It has every call of a model and of a tool, whichever client makes it, in whatever task or
        thread; of a chat each turn on its agent's lane, all that was said as info events, also in
        private, and the transcript in the store. The input, messages and output of a chat's sample,
        which judges read, are what everybody read. The sample ends with `sample.end()`, as a block
        (`with logger.attach(chat) as sample:`), when the same thing is attached anew, or with the
        log. Forks are recorded in the same sample until they are attached themselves.
        """
        check_attachable(thing)
        about = {"epoch": epoch, "input": input, "target": target, "metadata": metadata}
        sample = self._sample(HearingSample, id, **about)
        attach(thing, sample)
        return sample

    def flush(self) -> None:
        """Show everything so far as a log; on an event loop rather `await aflush()`."""
        self._output.publish()

    async def aflush(self) -> None:
        """Do what `flush` does without blocking the loop."""
        await asyncio.to_thread(self.flush)

    def close(self, error: BaseException | None = None) -> None:
        """Finish the log: its status is "success", or what an `error` makes of it.

        An Exception makes it "error", any other (KeyboardInterrupt, CancelledError) and samples
        that still run make it "cancelled"; samples that could not be written make it "error". When
        the process ends, what is open is closed. A log that could not be finished, as on a full
        disk, may be closed again.
        """
        self.is_closed = True
        self._output.close(error)

    async def aclose(self, error: BaseException | None = None) -> None:
        """Do what `close` does without blocking the loop."""
        await asyncio.to_thread(self.close, error)

    def results(self) -> Any:
        """Return a pandas DataFrame with a row for each sample that is over.

        A warning says how many are missing, where some could not be written.
        """
        return self._output.results()

    def current_sample(self) -> Sample | None:
        """Return the innermost sample of this logger that this task or thread is in."""
        return next(filter(self.has, current_samples()), None)

    def has(self, sample: Sample) -> bool:
        """Return whether a sample is one of this logger's."""
        return sample.log is self._output

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(error)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose(error)

    def _sample(self, kind: type[S], id: str | int | None, *, epoch: Any, **about: Any) -> S:
        if self.is_closed:
            raise ConfigError("the log is closed: make another InspectLogger")
        id, epoch = self._output.writing().keys.take(id, epoch)
        transcript = Transcript(keep_media=self._log_images, with_raw=self._log_raw)
        return kind(self._output, id, epoch=epoch, transcript=transcript, **about)
