"""Batches that a provider answers in its own time, at its own price: requests travel as jobs.

The way of a request, each step a file of its own:

    provider     who answers, in which dialect; to a provider, jobs are a slow transport
    jobs         does a job of an earlier run have it? its answer comes from there
    gathering    else it waits until enough others have come
    course       they are submitted, looked after, collected: the life of one job
    results      each request is handed what came of it

    pace         how long requests wait for one another, and a look at a job for the next
    submissions  what the checkpoint says of each job, before the step that is paid for
    finding      is there a job that we had submitted when we were killed?
    remote       what is said over the wire, one exchange a function
    stillness    many thousands of requests that wait, and the garbage collector

What a provider's batch API looks like is known to its adapter (`flashlite.providers.batches`).

What a kill leaves behind: before `submission` is on file, nothing that costs; after it, a job that
the next run finds by its name, or by the ids of its requests; after `job`, one with an address.
"""

from .jobs import Jobs
from .pace import Pace
from .provider import JobProvider
from .results import result_ids
from .submissions import Submission, Submissions

__all__ = ["JobProvider", "Jobs", "Pace", "Submission", "Submissions", "result_ids"]
