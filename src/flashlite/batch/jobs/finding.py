"""Finding a job whose submission was begun, where nobody heard how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Container
from contextlib import aclosing, suppress

from ...errors import MalformedResponseError, NotFoundError
from ...providers.batches import RemoteJob
from .remote import Remote
from .submissions import Submission

# Seconds by which a provider's clock may be behind ours: a clock that is set in the wrong time zone
# must not hide a job, and a job too many that is looked at costs nothing.
_SKEW = 86_400.0


async def find(
    submission: Submission,
    remote: Remote,
    *,
    others: Container[str],
    until_over: Callable[[RemoteJob], Awaitable[RemoteJob]],
) -> RemoteJob | None:
    """Return the job of a submission, or None where its provider has none.

    It is known by its name or by its file. Where jobs have neither, its results tell, by the ids of
    its requests: so a job that may be it is waited for. `others` are jobs that are known not to be.
    """
    nameless: list[RemoteJob] = []
    async with aclosing(remote.jobs()) as jobs:
        async for job in jobs:
            if job.id in others or job.error is not None:
                continue
            if submission.name == job.name or (job.file and submission.file == job.file):
                return job
            if job.name is None and job.file is None and _may_be(job, submission):
                nameless.append(job)
    for job in nameless:
        try:
            over = await until_over(job)
            if await _is_of(submission, over, remote):
                return over
        except NotFoundError:  # somebody has deleted it since
            continue
    return None


def _may_be(job: RemoteJob, submission: Submission) -> bool:
    has_begun = job.created is None or job.created > submission.at - _SKEW
    return has_begun and job.count in (None, submission.count)


async def _is_of(submission: Submission, job: RemoteJob, remote: Remote) -> bool:
    async with aclosing(remote.lines(job)) as lines:
        async for line in lines:
            if line.strip():
                with suppress(MalformedResponseError):  # others' ids may be anything
                    return submission.has(remote.adapter.read_result(line).custom_id)
    return False
