"""Logs in Inspect's own format, from any script: live, and safe against crashes."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from ..errors import ConfigError
from ..middleware.records import secrets_of
from ..types import CompletionRequest, CompletionResponse, MessageInput
from .attach import Attachable, attach, check_attachable
from .header import Run
from .hearing import HearingSample
from .messages import check_about, check_outcome
from .model_events import ModelCall
from .output import Output
from .samples import Sample, current_samples
from .scores import to_scores
from .transcript import Transcript
from .writing import Format

log = logging.getLogger("flashlite.inspect_logs")

S = TypeVar("S", bound=Sample)


class InspectLogger:
    """Write model calls to an `.eval` log, which all of Inspect's tools can read.

    `eval_id` is a label, `task` the name that Inspect shows (by default the label). Each run and
    each process has a file of its own. `model` names the model of the run, by default the only one
    that answered; `config` is what the run was configured with. During the run, the log is updated
    every `snapshot_interval` seconds or less often, and `live` shows running samples too. `format`
    says what `close` leaves behind: "eval", "json" or "both".

    `log_images=False` leaves out media, `log_raw=False` the raw bodies of requests and answers. A
    sample is safe, even if the process is killed, once `log` or its block returns. Killed runs are
    recovered by the next run in their folder, or by `recover`.

    If a sample cannot be written, for example because the disk is full, a warning is logged once,
    and the sample waits in memory (up to 256 MB) until the next one that can be written. Samples
    still unwritten when the log is closed are counted in it, and its status is "error". With
    `strict=True` both cases raise StoreError.
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
        _check_run(metadata, tags, config)
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
        self.is_closed, self._has_warned = False, False

    @property
    def path(self) -> Path:
        """The path of this process's log; nothing is written before the first sample."""
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

        Without a `sample_id`, samples are numbered from 1; a repeated id gets the next epoch.
        `score` is a number, a boolean, "C" or "I", or a dict from names to such scores.
        """
        check_outcome(response, error)
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
        """Write one call whose times are known as one sample; see `log`."""
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

        `async with` works too. What is recorded in the block, and in tasks that begin there, is
        shown while it runs. Ids and epochs are as in `log`. With `hears_all`, the sample records
        every call made inside, by any client and of the tools of agents and tool loops; otherwise
        only the calls of clients with this logger, and what its own methods record.
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
        """Record all that a conversation, an agent or a chat does from now on in one sample.

            sample = logger.attach(chat, "debate", target="yes")
            await chat.round_robin(3)
            sample.score("agreed", 1.0)

        The sample has every call of a model and of a tool, by any client and in any task or thread.
        For a chat, each turn is on its agent's lane, all messages (also private ones) are info
        events, and the transcript is in the store. The input, messages and output of a chat's
        sample, which judges read, have only what is public. The sample ends with `sample.end()`, at
        the end of a block (`with logger.attach(chat) as sample:`), when the same thing is attached
        again, or with the log. Forks are recorded in the same sample until they are attached.
        """
        check_attachable(thing)
        about = {"epoch": epoch, "input": input, "target": target, "metadata": metadata}
        sample = self._sample(HearingSample, id, **about)
        attach(thing, sample)
        return sample

    def flush(self) -> None:
        """Update the log with everything so far; on an event loop use `await aflush()`."""
        self._output.publish()

    async def aflush(self) -> None:
        """Update the log like `flush`, without blocking the event loop."""
        await asyncio.to_thread(self.flush)

    def close(self, error: BaseException | None = None) -> None:
        """Finish the log, with status "success" unless `error` or a sample changes it.

        An `error` that is an Exception makes the status "error"; any other (KeyboardInterrupt,
        CancelledError), or a sample that still runs, makes it "cancelled". Samples that could not
        be written make it "error". Open logs are closed when the process ends. If a log cannot be
        finished, for example because the disk is full, it may be closed again.
        """
        self.is_closed = True
        self._output.close(error)

    async def aclose(self, error: BaseException | None = None) -> None:
        """Finish the log like `close`, without blocking the event loop."""
        await asyncio.to_thread(self.close, error)

    def results(self) -> Any:
        """Return a pandas DataFrame with a row for each finished sample.

        If some samples could not be written, a warning says how many are missing.
        """
        return self._output.results()

    def current_sample(self) -> Sample | None:
        """Return the innermost sample of this logger that this task or thread is in."""
        return next(filter(self.has, current_samples()), None)

    def has(self, sample: Sample) -> bool:
        """Return whether a sample belongs to this logger."""
        return sample.log is self._output

    def warn_closed(self) -> None:
        """Warn once that calls are not logged because the log is closed."""
        if not self._has_warned:
            self._has_warned = True
            log.warning(
                "the log of %r is closed, so a call is not logged, nor are later ones: close the "
                "logger after the last call",
                self._output.task,
            )

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
        check_about(metadata=about["metadata"], target=about["target"])
        id, epoch = self._output.writing().keys.take(id, epoch)
        transcript = Transcript(keep_media=self._log_images, with_raw=self._log_raw)
        return kind(self._output, id, epoch=epoch, transcript=transcript, **about)


def _check_run(metadata: Any, tags: Any, config: Any) -> None:
    check_about(metadata=metadata)
    if isinstance(tags, str | Mapping) or not isinstance(tags, Iterable):
        raise ConfigError(f"tags is a list of texts; got {tags!r:.80}")
    if not isinstance(config or {}, Mapping):
        raise ConfigError(f"config is a dict; got {config!r:.80}")
