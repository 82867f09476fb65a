"""Where a logger writes, in any process and thread; write errors are reported or raised."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import StoreError
from .ended import Ended
from .header import Run, new_name
from .reading import table
from .samples import Sample
from .writing import Format, Writing

log = logging.getLogger("flashlite.inspect_logs")


class Output:
    """Writes samples. A forked process has its own file of the same run.

    An error of the file system is raised as StoreError if `strict`, else logged once, and once more
    if the log is incomplete when it is closed.
    """

    def __init__(
        self,
        folder: Path,
        run: Run,
        *,
        format: Format,
        live: bool,
        interval: float,
        strict: bool,
    ) -> None:
        self.task = run.task
        self._folder, self._run, self._strict = folder, run, strict
        self._format: Format = format
        self._live, self._interval = live, interval
        self._pid = os.getpid()
        self._processes: dict[int, Writing] = {}
        self._is_reported = False

    def writing(self) -> Writing:
        """Return this process's writer."""
        pid = os.getpid()
        if pid not in self._processes:
            writing = Writing(
                self._folder,
                self._run if pid == self._pid else replace(self._run, task_id=new_name()),
                format=self._format,
                live=self._live,
                interval=self._interval,
                report=self._report,
            )
            self._processes.setdefault(pid, writing)
        return self._processes[pid]

    def follow(self, sample: Sample) -> None:
        """Write down and show what a sample gains, from now on."""
        writing = self.writing()
        try:
            with self._tolerance():
                writing.follow(sample)
        except StoreError:  # the sample's block is not entered
            writing.forget(sample)
            raise

    def note(self, sample: Sample) -> None:
        """Write down what a sample gained, if it is followed."""
        with self._tolerance():
            self.writing().note(sample)

    def write(
        self,
        sample: Sample,
        document: Mapping[str, Any],
        summary: Mapping[str, Any],
        secrets: tuple[str, ...],
    ) -> None:
        """Write a sample that is over."""
        with self._tolerance():
            self.writing().write(Ended.of(sample, document, summary, secrets))

    def publish(self) -> None:
        """Update the log with everything so far."""
        with self._tolerance():
            self.writing().publish()

    def results(self) -> Any:
        """Return a table of the finished samples, and warn if some could not be written."""
        writing = self.writing()
        ended = writing.ended
        self.publish()
        found = table(writing.log_path)
        if ended > len(found):
            missing = f"{ended - len(found):,} of {ended:,} samples"
            log.warning("%s are not in the results: they could not be written", missing)
        return found

    def close(self, error: BaseException | None) -> None:
        """Finish the log."""
        with self._tolerance():
            self.writing().close(error)

    @contextmanager
    def _tolerance(self) -> Generator[None]:
        try:
            yield
        except (OSError, OverflowError, StoreError) as error:
            if self._strict:
                what = "is not complete" if _is_last(error) else "cannot be written"
                raise StoreError(f"{self._folder}: the log {what}: {error}") from error
            self._report(error)

    def _report(self, error: Exception) -> None:
        if _is_last(error):
            log.warning("the log is not complete: %s: %s", self._folder, error)
        elif not self._is_reported:
            self._is_reported = True
            log.warning("the log cannot be written (said once): %s: %s", self._folder, error)


def _is_last(error: Exception) -> bool:
    """Whether an error says what is missing from a closed log."""
    return isinstance(error, StoreError)
