"""The local endpoint: SageMaker's container contract over HTTP, for one or several champions.

::

    GET  /ping                         200 when a champion can answer, else 503 with the reason
    POST /invocations                  the one model that is served
    GET  /models/{name}/ping           the same for one of several
    POST /models/{name}/invocations
    GET  /                             a page for people

The champion is looked up with every request, so that a promotion or a rollback needs no restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
import uuid
from typing import TYPE_CHECKING, Any

from aws_auto.errors import MissingExtra, TargetError, UsageError
from aws_auto.pipeline.serve.capture import FLUSH_EVERY_SECONDS, FLUSH_SHARE, Capture, Captured
from aws_auto.pipeline.serve.champion import Champion
from aws_auto.pipeline.serve.page import page
from aws_auto.pipeline.serve.parse import RefusedError
from aws_auto.pipeline.serve.predict import MOST_BYTES, Answer, answer, failure, too_large
from aws_auto.results import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from aws_auto.pipeline.ports import Workspace
    from aws_auto.pipeline.serve.champion import Loaded
    from aws_auto.protocols import Recipe

#: How long a client that does not finish its request can keep a stopped server from its last flush.
LAST_SECONDS = 10
#: Kinds of deployed resources that are answered for here, each with a property ``model``.
SERVED_KINDS = ("endpoint", "function", "batch")

_log = logging.getLogger(__name__)


def create_app(ws: Workspace, models: Sequence[str], *, recipe: Callable[[str], Recipe] | None = None) -> FastAPI:
    """The ASGI application that answers for the champions of these models.

    Args:
        ws: the workspace whose registry is asked and whose lake captures.
        models: names in the registry, at least one.
        recipe: finds a recipe by name; default: the catalogue.

    Raises:
        MissingExtra: fastapi is not installed.
        UsageError: no model is named.
    """
    try:
        from fastapi import FastAPI
    except ImportError as error:
        raise MissingExtra("fastapi", "serve", purpose="answering over HTTP") from error
    if not models:
        raise UsageError("no model is named", hint="deploy first (aws-auto ml deploy-pipeline), or name a model")
    server = _Server(ws, list(dict.fromkeys(models)), recipe or _from_catalogue)
    app = FastAPI(title="aws-auto", docs_url=None, redoc_url=None, openapi_url=None, lifespan=server.lifespan)
    app.add_route("/", server.help, methods=["GET"])
    app.add_route("/ping", server.ping, methods=["GET"])
    app.add_route("/invocations", server.invoke, methods=["POST"])
    app.add_route("/models/{name}/ping", server.ping, methods=["GET"])
    app.add_route("/models/{name}/invocations", server.invoke, methods=["POST"])
    app.add_exception_handler(404, _nothing_here)
    app.add_exception_handler(405, _nothing_here)
    app.add_exception_handler(500, _our_fault)
    app.state.capture = server.capture
    return app


def run(
    ws: Workspace,
    models: Sequence[str] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 8080,
    tell: Callable[[str], None] = _log.info,
    recipe: Callable[[str], Recipe] | None = None,
) -> None:
    """Answer until interrupted. Loopback by default: there is no authentication, so think before opening it.

    Args:
        ws: the workspace.
        models: what to answer for; default: all that is deployed or has a champion; see `servable`.
        host: address to listen at.
        port: 0 takes a free one.
        tell: told where it listens, in one sentence.
        recipe: finds a recipe by name; default: the catalogue.

    Raises:
        MissingExtra: fastapi or uvicorn is not installed.
        UsageError: no model is named, deployed or trained.
        ModelNotFound: a model that is named does not exist.
        TargetError: the port is taken, or the host is not ours.
    """
    app = create_app(ws, servable(ws, models), recipe=recipe)
    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtra("uvicorn", "serve", purpose="answering over HTTP") from error
    config = uvicorn.Config(app, log_level="warning", server_header=False, timeout_graceful_shutdown=LAST_SECONDS)
    with contextlib.closing(_listen(host, port)) as listener, contextlib.suppress(KeyboardInterrupt):
        address = f"[{host}]" if ":" in host else host
        tell(f"listening on http://{address}:{listener.getsockname()[1]}/ (a page for people); stop with Ctrl-C")
        uvicorn.Server(config).run(sockets=[listener])


def servable(ws: Workspace, asked: Sequence[str] = ()) -> list[str]:
    """Names in the registry for what was asked, or for all that is deployed or has a champion when nothing was.

    A model may be asked for by its name in the registry, by the name under which it is deployed, or as a recipe.

    Raises:
        ModelNotFound: it is none of these; the nearest is suggested.
    """
    deployed = {r.name: str(r.properties["model"]) for r in ws.target.observe().values() if r.kind in SERVED_KINDS}
    if not asked:
        crowned = {v.name for v in ws.registry.versions() if v.stage == Stage.CHAMPION}
        return sorted(crowned | set(deployed.values()))
    trained = {v.name for v in ws.registry.versions()}
    return [name if name in trained else deployed.get(name) or _from_catalogue(name).name for name in asked]


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise TargetError(
            f"cannot listen there: {error.strerror or error}",
            where=f"{host}:{port}",
            hint="choose another port with --port (0 takes a free one)",
        ) from error


class _Server:
    """What the routes share: a champion per model, and the capture buffer."""

    def __init__(self, ws: Workspace, models: list[str], recipe: Callable[[str], Recipe]) -> None:
        self.ws = ws
        self.champions = {name: Champion(ws, name, recipe=recipe) for name in models}
        self.capture = Capture(ws.lake)

    @contextlib.asynccontextmanager
    async def lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        """Flush every few seconds while answering, and once more at the end."""
        flusher = asyncio.create_task(self._flush_for_ever())
        try:
            yield
        finally:
            flusher.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await flusher
            await asyncio.to_thread(self.capture.flush)

    async def help(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse

        champions = list(self.champions.values())
        html = await asyncio.to_thread(page, champions, self.capture, base=str(request.base_url))
        return HTMLResponse(html)

    async def ping(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Answer):
            return _response(asked)
        states = await asyncio.to_thread(lambda: {c.model: _state(c) for c in asked})
        ready = any(state["version"] is not None for state in states.values())
        return _response(Answer(status=200 if ready else 503, body=json.dumps({"models": states}).encode()))

    async def invoke(self, request: Request) -> Response:
        asked = self._asked(request)
        if isinstance(asked, Answer):
            return _response(asked)
        if len(asked) > 1:
            paths = ", ".join(f"/models/{c.model}/invocations" for c in asked)
            return _response(failure(400, "several models are served here; name one in the path", paths))
        try:
            body = await _body(request)
        except RefusedError as refused:
            return _response(failure(refused.status, refused.sentence, refused.hint))
        media = request.headers.get("content-type", "")
        return await asyncio.to_thread(self._answered, asked[0], body, media)

    def _answered(self, champion: Champion, body: bytes, media: str) -> Response:
        started = self.ws.clock.now()
        loaded = champion.current()
        if loaded is None:
            hint = f"aws-auto ml train-models --models {champion.model}"
            return _response(failure(503, champion.trouble or "no champion can answer", hint))
        given = answer(loaded.predictor, loaded.version.schema, body, media)
        version, request_id = loaded.version.version, uuid.uuid4().hex
        if given.features is None or given.predictions is None:
            return _response(given, loaded)
        taken = max((self.ws.clock.now() - started).total_seconds() * 1000, 0.0)
        self.capture.add(
            Captured(
                at=started,
                model=champion.model,
                version=version,
                request_id=request_id,
                features=given.features,
                predictions=given.predictions,
                latency_ms=taken,
            )
        )
        return _response(given, loaded, request_id)

    def _asked(self, request: Request) -> list[Champion] | Answer:
        name = request.path_params.get("name")
        if name is None:
            return list(self.champions.values())
        if name not in self.champions:
            return failure(404, f"no model {name!r} is served here", f"there is {', '.join(self.champions)}")
        return [self.champions[name]]

    async def _flush_for_ever(self) -> None:
        wait = FLUSH_EVERY_SECONDS
        while True:
            await asyncio.sleep(wait)
            started = self.ws.clock.now()
            await asyncio.to_thread(self.capture.flush)
            taken = (self.ws.clock.now() - started).total_seconds()
            wait = max(FLUSH_EVERY_SECONDS, taken / FLUSH_SHARE)


def _state(champion: Champion) -> dict[str, Any]:
    loaded = champion.current()
    state: dict[str, Any] = {"version": None if loaded is None else loaded.version.version, "reason": champion.trouble}
    if loaded is not None and loaded.simulated:
        state["simulated"] = True
    return state


async def _body(request: Request) -> bytes:
    """The body, refused as soon as it is known to be too large.

    Raises:
        RefusedError: 413.
    """
    declared = request.headers.get("content-length", "")
    if declared.isdigit() and int(declared) > MOST_BYTES:
        raise too_large()
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST_BYTES:
            raise too_large()
        parts.append(part)
    return b"".join(parts)


def _response(given: Answer, loaded: Loaded | None = None, request_id: str | None = None) -> Response:
    from starlette.responses import Response

    if loaded is None:
        return Response(given.body, status_code=given.status, media_type="application/json")
    facts: dict[str, Any] = {"model": loaded.version.name, "version": loaded.version.version}
    if request_id is not None:
        facts["request_id"] = request_id
    if loaded.simulated:
        facts["simulated"] = True
    headers = {f"x-aws-auto-{name.replace('_', '-')}": str(value).lower() for name, value in facts.items()}
    body = json.dumps(facts)[:-1].encode() + b"," + given.body[1:]
    return Response(body, status_code=given.status, headers=headers, media_type="application/json")


async def _nothing_here(request: Request, error: Exception) -> Response:
    paths = "GET /, GET /ping, POST /invocations, GET /models/NAME/ping, POST /models/NAME/invocations"
    status = getattr(error, "status_code", 404)
    return _response(failure(status, f"{request.method} {request.url.path} is nothing here", paths))


async def _our_fault(_request: Request, error: Exception) -> Response:
    _log.error("a request failed: %r", error)
    return _response(failure(500, "the model failed on this request; the server's log has the reason"))


def _from_catalogue(name: str) -> Recipe:
    from aws_auto.ml.recipes import catalog

    return catalog.get(name)
