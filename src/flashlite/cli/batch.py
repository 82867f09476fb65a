"""`flashlite batch`: answer a file of requests into another file."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Generator
from contextlib import ExitStack, aclosing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from ..errors import ConfigError, StoreError
from . import options
from .options import read_template
from .requests_file import RequestsFile

if TYPE_CHECKING:
    from ..batch import Batch


@click.command
@click.argument(
    "source", metavar="IN", type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option(
    "-o",
    "--output",
    required=True,
    metavar="OUT",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the answers go, one JSON object a line.",
)
@options.asking
@click.option(
    "--checkpoint",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="What is done so far. [default: OUT.checkpoint]",
)
@click.option(
    "--provider",
    "by_provider",
    is_flag=True,
    help="Use the batch API of the model's provider: half the price, within a day.",
)
@click.option(
    "--cancel",
    is_flag=True,
    help="With --provider: end the jobs of an earlier run, and take what they have brought.",
)
@click.option(
    "--poll-interval",
    type=float,
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="With --provider: between one look at a job and the next, at first.",
)
@click.option(
    "--max-concurrency",
    type=int,
    help="Requests at once. [default: 10; with --provider 50,000]",
)
@click.option("--budget", type=float, metavar="USD", help="What this run may spend at most.")
@click.option(
    "--order",
    type=click.Choice(["input", "completion"]),
    default="input",
    show_default=True,
    help="Of the answers in OUT.",
)
@click.option("--progress/--no-progress", default=True, help="Draw a bar in a terminal.")
def batch(
    source: Path,
    output: Path,
    model: str | None,
    system: str | None,
    template: str | None,
    parameters: dict[str, Any],
    checkpoint: Path | None,
    budget: float | None,
    by_provider: bool,
    cancel: bool,
    **how: Any,
) -> None:
    """Answer a file of requests; after any interruption, run the same command again to resume.

    IN has one JSON value per line: a prompt, a list of messages, or an object with "messages" and
    its own parameters. Lines of OpenAI's batch files work too. With --template, each line is an
    object with the template's variables. An "id" or a "custom_id" is returned with its answer.

    Each answer is saved in the checkpoint as soon as it arrives, and is never paid for again;
    failures are tried again by the next run. OUT appears when everything was tried. An interrupt
    (Ctrl-C) waits for what was sent; a second one does not. With --provider, requests are sent in
    jobs that continue after an interrupt: the same command then collects their answers.

    \b
    flashlite batch in.jsonl -o out.jsonl --model openai/gpt-4o -M temperature=0
    """
    how["checkpoint"] = _checkpoint(source, output, checkpoint)
    how["mode"] = "provider" if by_provider else "calls"
    if cancel and not by_provider:
        raise ConfigError("--cancel ends jobs at a provider: say --provider too")
    name, folder = (None, None) if template is None else read_template(template)
    requests = RequestsFile(source, system=system, template=name)
    client = options.client(model, parameters, template_dir=folder or (), budget_limit=budget)
    try:
        failed = asyncio.run(_answer_all(client, requests, output, cancel=cancel, **how))
    except asyncio.CancelledError:
        raise click.Abort from None
    if failed:
        click.get_current_context().exit(1)


def _checkpoint(source: Path, output: Path, given: Path | None) -> Path:
    checkpoint = given or output.with_name(f"{output.name}.checkpoint")
    if len({path.resolve() for path in (source, output, checkpoint)}) < 3:
        raise ConfigError("IN, OUT and the checkpoint are three files")
    return checkpoint


async def _answer_all(
    client: Any, requests: RequestsFile, output: Path, *, cancel: bool, **how: Any
) -> int:
    """Write the outcomes of all requests, print a summary, and return how many failed."""
    from ..batch import ProviderBatch, run_batch
    from ..progress import Tally

    tally = Tally()
    async with client, aclosing(run_batch(client, requests, **how)) as batch:
        if cancel and isinstance(batch, ProviderBatch):
            await batch.cancel()
        with _whole_file(output) as file, _interrupts(batch, _ON_INTERRUPT[how["mode"]]):
            async for position, outcome in batch:
                tally.add(outcome)
                file.write(_line(position, requests.ids.pop(position, None), outcome))
    answered = len(requests) - tally.failed
    restored = f" ({batch.restored:,} from the checkpoint)" if batch.restored else ""
    click.echo(f"{answered:,} answers{restored}, {tally} → {output}", err=True)
    return tally.failed


_ON_INTERRUPT = {
    "calls": "waiting for what was sent; interrupt again to give it up",
    "provider": "jobs go on at the provider; the same command collects what they bring",
}


def _line(position: int, name: Any, outcome: Any) -> bytes:
    from ..batch.records import answer_record, encode, failure_record

    line = {"position": position} | ({} if name is None else {"id": name})
    if isinstance(outcome, Exception):
        return encode(line | failure_record(outcome)) + b"\n"
    return encode(line | {"content": outcome.content} | answer_record(outcome)) + b"\n"


@contextmanager
def _whole_file(path: Path) -> Generator[BinaryIO]:
    """Open a file that appears only when it is complete; one process at a time can write it."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("ab") as file, ExitStack() as unless_whole:
            if not _is_ours(file, draft):
                raise ConfigError(f"{path} is being written by another batch: wait for it")
            unless_whole.callback(draft.unlink, missing_ok=True)
            file.truncate(0)  # remove what a killed run left
            yield file
            file.flush()
            draft.replace(path)
            unless_whole.pop_all()
    except OSError as error:
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def _is_ours(file: BinaryIO, draft: Path) -> bool:
    """Lock a file; return False if another process holds it or has just finished it."""
    from fcntl import LOCK_EX, LOCK_NB, flock

    try:
        flock(file, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        return False
    return draft.exists() and os.path.samestat(os.fstat(file.fileno()), draft.stat())


@contextmanager
def _interrupts(batch: Batch, notice: str) -> Generator[None]:
    """Let the first interrupt stop the batch gracefully, and the second one cancel it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None

    def interrupt(number: int) -> None:
        loop.remove_signal_handler(number)
        loop.add_signal_handler(number, task.cancel)
        click.echo(notice, err=True)
        batch.stop()

    with ExitStack() as handlers:
        for number in (signal.SIGINT, signal.SIGTERM):
            # Only the main thread can set handlers; in others an interrupt ends the batch at once.
            if threading.current_thread() is threading.main_thread():
                loop.add_signal_handler(number, interrupt, number)
                handlers.callback(loop.remove_signal_handler, number)
        yield
