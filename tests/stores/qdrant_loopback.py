"""Qdrant's REST interface on loopback, as far as the cache goes, in front of the library's own
local Qdrant. What it proves is what is sent and how answers are read; it is no Qdrant server.

Set FLASHLITE_TEST_QDRANT_URL to run the same tests against a real one.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from qdrant_client import AsyncQdrantClient, models
from qdrant_client.http.models import CreateCollection

from flashlite.loop_thread import LoopThread

GIVEN_URL = os.environ.get("FLASHLITE_TEST_QDRANT_URL")

API_KEY = "s3cret-api-key"

Act = Callable[[str, dict[str, Any]], Awaitable[Any]]


class QdrantLoopback:
    """Answers on a free port; `requests` is what was asked, as `PUT /collections/x/points`.

    `connections` are the addresses it was asked from.
    """

    url: str

    def __init__(self, *, api_key: str | None = None) -> None:
        self.requests: list[str] = []
        self.connections: set[Any] = set()
        self.indices: dict[str, dict[str, str]] = {}
        self.is_down = False
        self._api_key = api_key
        self._thread = LoopThread("qdrant-loopback")

    def start(self) -> None:
        self._runner, port = self._thread.run_sync(self._start())
        self.url = f"http://127.0.0.1:{port}"

    def stop(self) -> None:
        self._thread.run_sync(self._runner.cleanup())
        self._thread.stop()

    async def _start(self) -> tuple[web.AppRunner, int]:
        self._client = AsyncQdrantClient(location=":memory:")
        application = web.Application(middlewares=[self._guard])
        place = "/collections/{name}"
        application.add_routes(
            [
                web.get("/collections", self._on(self._list)),
                web.get(f"{place}/exists", self._on(self._exists)),
                web.put(place, self._on(self._create)),
                web.put(f"{place}/index", self._on(self._index)),
                web.put(f"{place}/points", self._on(self._upsert)),
                web.post(f"{place}/points", self._on(self._retrieve)),
                web.post(f"{place}/points/delete", self._on(self._delete)),
                web.post(f"{place}/points/count", self._on(self._count)),
                web.post(f"{place}/points/scroll", self._on(self._scroll)),
                web.post(f"{place}/points/query", self._on(self._query)),
            ]
        )
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        return runner, runner.addresses[0][1]

    @web.middleware
    async def _guard(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.requests.append(f"{request.method} {request.path}")
        assert request.transport is not None
        self.connections.add(request.transport.get_extra_info("peername"))
        if self.is_down:
            return web.json_response({"status": {"error": "no service"}}, status=503)
        if self._api_key not in (None, request.headers.get("api-key")):
            said = f"Invalid API key {request.headers.get('api-key')}"
            return web.Response(text=said, status=401)
        answer: web.StreamResponse = await handler(request)
        return answer

    def _on(self, act: Act) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            body = await request.json() if request.can_read_body else {}
            try:
                result = await act(request.match_info.get("name", ""), body)
            except ValueError as error:
                status = 404 if "not found" in str(error) else 409
                return web.json_response({"status": {"error": str(error)}}, status=status)
            return web.json_response({"result": _plain(result), "status": "ok", "time": 0.0})

        return handle

    async def _list(self, _: str, body: dict[str, Any]) -> Any:
        return await self._client.get_collections()

    async def _exists(self, name: str, body: dict[str, Any]) -> Any:
        return {"exists": await self._client.collection_exists(name)}

    async def _create(self, name: str, body: dict[str, Any]) -> Any:
        vectors = CreateCollection(**body).vectors
        return await self._client.create_collection(name, vectors_config=vectors)

    async def _index(self, name: str, body: dict[str, Any]) -> Any:
        self.indices.setdefault(name, {})[body["field_name"]] = body["field_schema"]
        return {"operation_id": 0, "status": "completed"}

    async def _upsert(self, name: str, body: dict[str, Any]) -> Any:
        return await self._client.upsert(name, models.PointsList(**body).points)

    async def _retrieve(self, name: str, body: dict[str, Any]) -> Any:
        asked = models.PointRequest(**body)
        return await self._client.retrieve(name, asked.ids, with_payload=asked.with_payload or True)

    async def _delete(self, name: str, body: dict[str, Any]) -> Any:
        chosen = models.PointIdsList if "points" in body else models.FilterSelector
        return await self._client.delete(name, chosen(**body))

    async def _count(self, name: str, body: dict[str, Any]) -> Any:
        return await self._client.count(name, models.CountRequest(**body).filter)

    async def _scroll(self, name: str, body: dict[str, Any]) -> Any:
        asked = models.ScrollRequest(**body)
        wanted = "created" if asked.order_by else None
        assert wanted is None or self.indices[name][wanted] == "float"  # or a server refuses
        records, following = await self._client.scroll(
            name,
            asked.filter,
            limit=asked.limit or 10,
            order_by=asked.order_by,
            offset=asked.offset,
            with_payload=asked.with_payload or True,
        )
        return {"points": records, "next_page_offset": following}

    async def _query(self, name: str, body: dict[str, Any]) -> Any:
        asked = models.QueryRequest(**body)
        query: Any = asked.query
        return await self._client.query_points(
            name,
            query=query,
            query_filter=asked.filter,
            limit=asked.limit or 10,
            score_threshold=asked.score_threshold,
            with_payload=asked.with_payload or False,
        )


@contextmanager
def serving_qdrant(**options: Any) -> Iterator[QdrantLoopback]:
    server = QdrantLoopback(**options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {name: _plain(member) for name, member in value.items()}
    return [_plain(member) for member in value] if isinstance(value, list) else value
