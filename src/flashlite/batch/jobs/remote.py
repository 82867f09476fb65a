"""The jobs at one provider: what is said over the wire, one exchange a function."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace

from ...providers.batches import BatchAdapter, RemoteJob
from ...providers.refusals import signed
from ...types import Timeout, place_of
from ...wire import Transport, WireRequest, WireResponse

_TIMEOUT = Timeout(total=1800.0, connect=60.0)  # for 200 MB


class Remote:
    """The jobs of one account; `like` is a request of them, whose address and headers they have.

    `provider` is the name of whose account it is.
    """

    def __init__(
        self, adapter: BatchAdapter, transport: Transport, like: WireRequest, *, provider: str
    ) -> None:
        self.adapter, self._transport, self.provider = adapter, transport, provider
        self._like = replace(like, json={}, timeout=_TIMEOUT)

    async def upload(self, name: str, lines: Sequence[bytes]) -> str | None:
        """Put requests into a file; None where the API has no files for that."""
        files, place = self.adapter.files, None
        if files is None:
            return None
        if (asking := files.begin(name, lines, self._like)) is not None:
            place = files.read_place((await self._exchange(asking))[0])
        upload = files.upload(name, lines, place=place, like=self._like)
        return files.read_upload(await self._ask(upload))

    async def create(self, name: str, *, file: str | None, lines: Sequence[bytes]) -> RemoteJob:
        """Submit a job."""
        request = self.adapter.create(name, file=file, lines=lines, like=self._like)
        return self.adapter.read_job(await self._ask(request))

    async def fetch(self, id: str) -> RemoteJob:
        """Ask how a job is."""
        return self.adapter.read_job(await self._ask(self.adapter.fetch(id, self._like)))

    async def cancel(self, id: str) -> None:
        """Ask that a job does nothing more."""
        await self._ask(self.adapter.cancel(id, self._like))

    async def jobs(self) -> AsyncGenerator[RemoteJob]:
        """Yield the account's jobs."""
        after: str | None = None
        while True:
            page = await self._ask(self.adapter.list_jobs(self._like, after=after))
            jobs, after = self.adapter.read_jobs(page)
            for job in jobs:
                yield job
            if after is None:
                return

    async def lines(self, job: RemoteJob) -> AsyncGenerator[bytes]:
        """Yield the lines of a job's results."""
        for place in job.results:
            async with aclosing(self._lines(place)) as lines:
                async for line in lines:
                    yield line

    async def _lines(self, place: str) -> AsyncGenerator[bytes]:
        http = await self._open(self.adapter.download(place, self._like))
        try:
            begun = list[bytes]()
            async with aclosing(http.chunks()) as chunks:
                async for chunk in chunks:
                    *ends, rest = chunk.split(b"\n")
                    for end in ends:
                        yield b"".join([*begun, end])
                        begun = []
                    begun.append(rest)
            yield b"".join(begun)
        finally:
            await http.aclose()

    async def _ask(self, request: WireRequest) -> bytes:
        return (await self._exchange(request))[1]

    async def _exchange(self, request: WireRequest) -> tuple[Mapping[str, str], bytes]:
        http = await self._open(request)
        try:
            return http.headers, await http.read()
        finally:
            await http.aclose()

    async def _open(self, request: WireRequest) -> WireResponse:
        http = await self._transport.send(request)
        if http.status == 200:
            return http
        try:
            error = self.adapter.parse_error(http.status, http.headers, await http.read())
            if http.status == 404:
                error.reason += f" at {place_of(request.url)}"
            # The model's name is added further up; a key that it repeats never gets there.
            sent, received = self._like.headers, http.headers
            with signed(self.provider, "", api_key=None, sent=sent, received=received):
                raise error
        finally:
            await http.aclose()
