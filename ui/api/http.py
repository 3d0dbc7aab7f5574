"""The HTTP API: /api/v1. One function a route; what is shown in the OpenAPI document stands beside each."""

from __future__ import annotations

from dataclasses import asdict
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request  # noqa: TC002 (FastAPI resolves the annotations)
from starlette.responses import Response

from index import Article, Error, __version__
from rag import Answer, Check, Evidence, Progress, Row, Source, Token, Turn
from ui.api import metrics, openai, schema
from ui.api.asking import GONE, EventStream, event, unless_gone
from ui.api.door import BASE, CLIENT
from ui.api.problem import Problem, answered, encoded, is_openai, what_is_wrong

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from typing import TypeVar

    from rag.checked import Checked
    from rag.event import Event
    from ui.api.jobs import Job
    from ui.api.service import Service

    Item = TypeVar("Item")

PROBLEM = {"model": schema.ProblemOut, "content": {"application/problem+json": {}}}
REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"description": description, **PROBLEM}
    for status, description in {
        400: "The request cannot be read, or has a secret in its address",
        401: "A token is needed, or it is unknown",
        403: "The token may not do this, or another web site asks",
        404: "There is no such thing",
        405: "The method is not known here",
        408: "The request came too slowly",
        409: "It was stopped",
        413: "Too much is sent",
        415: "The body is not JSON, or is compressed",
        422: "A member of the request is wrong",
        429: "Too many ask at once; the header Retry-After says when to ask again",
        503: "A model or the index cannot be used; the detail says what mends it",
    }.items()
}
EVENTS = {"content": {"text/event-stream": {"schema": {"description": "server-sent events, each with JSON as data"}}}}
ArticleId = Annotated[str, Path(max_length=1000, description="the id of an article")]
JobId = Annotated[str, Path(max_length=64, description="the id of a job")]
TITLE = "Citewire"
DESCRIPTION = """\
Answers questions about a collection of articles. Every sentence of an answer points at the exact words that it rests
on; what the articles do not say is refused. See docs/api.md for a start with each client."""


def app(service: Service) -> FastAPI:
    """The routes of /api/v1, /openapi.json and /metrics."""
    made = FastAPI(
        title=TITLE,
        version=__version__,
        description=DESCRIPTION,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    made.include_router(_routes(service))
    made.include_router(openai.routes(service, REFUSALS))

    async def document() -> Response:
        return answered(_documented(made))

    made.add_api_route("/openapi.json", document, include_in_schema=False)
    made.add_exception_handler(RequestValidationError, _wrong)
    made.add_exception_handler(HTTPException, _not_found)
    for kind in (Problem, Error, Exception):
        made.add_exception_handler(kind, _failed)
    return made


def _routes(service: Service) -> APIRouter:
    routes = APIRouter(responses=REFUSALS)

    @routes.post("/api/v1/ask", responses={200: {"model": schema.AnswerOut, **EVENTS}}, tags=["read"])
    async def ask(asked: schema.AskRequest, request: Request) -> Response:
        """Answer a question. As a stream: the events `evidence`, `progress`, `token`, `row`, and last `answer`."""
        events = service.ask(
            _client(request),
            asked.question,
            history=[Turn(one.question, one.answer, one.kind) for one in asked.history],
            kind=asked.kind,
            limit=asked.limit,
            articles=asked.articles,
        )
        if asked.stream or _wants_events(request):
            return await _streamed(events, _ask_event)
        answer = await unless_gone(request.receive, _last(events, Answer))
        return Response(status_code=GONE) if answer is None else answered(answer.to_dict())

    @routes.post("/api/v1/check", responses={200: {"model": schema.CheckOut, **EVENTS}}, tags=["read"])
    async def check(draft: schema.CheckRequest, request: Request) -> Response:
        """Check a draft, sentence by sentence. As a stream: an event `sentence` for each, and last `check`."""
        generation = await service.short(lambda: service.index.generation)
        sentences: list[Checked] = []

        async def checking() -> AsyncIterator[Checked | Check]:
            async for one in service.check(_client(request), draft.text, articles=draft.articles):
                sentences.append(one)
                yield one
            yield Check(draft.text, tuple(sentences), generation)

        events = checking()
        if draft.stream or _wants_events(request):
            return await _streamed(events, _check_event)
        whole = await unless_gone(request.receive, _last(events, Check))
        return Response(status_code=GONE) if whole is None else answered(whole.to_dict())

    @routes.post("/api/v1/search", responses={200: {"model": schema.SearchOut}}, tags=["read"])
    async def search(asked: schema.SearchRequest) -> Response:
        """Find the passages nearest to a query. No language model is involved."""
        only = {"source": asked.source, "before": asked.before, "after": asked.after, "articles": asked.articles}
        hits = await service.search(asked.query, asked.k, **only)
        rows = [Source(number, hit).to_dict() for number, hit in enumerate(hits, start=1)]
        return answered({"query": asked.query, "hits": rows, "missing": list(hits.missing)})

    @routes.get("/api/v1/articles", responses={200: {"model": schema.ArticlesOut}}, tags=["read"])
    async def list_articles(
        offset: Annotated[int, Query(ge=0, le=10**9)] = 0, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> Response:
        """List what is indexed, without texts, in the order of adding."""
        rows = await service.short(service.listing)
        shown = [one.to_dict() for one in rows[offset : offset + limit]]
        return answered({"articles": shown, "total": len(rows), "offset": offset})

    @routes.get("/api/v1/articles/{article_id:path}", responses={200: {"model": schema.ArticleOut}}, tags=["read"])
    async def read_article(article_id: ArticleId) -> Response:
        """Return an article with its text."""
        article = await service.short(lambda: service.article(article_id))
        return answered({**asdict(article), "headline": article.headline})

    @routes.post("/api/v1/articles", status_code=202, responses={202: {"model": schema.JobOut}}, tags=["write"])
    async def add_article(sent: schema.ArticleRequest, request: Request) -> Response:
        """Add an article that is sent, or replace the one with its id, as a job."""
        return _started(await service.short(lambda: service.add(Article(**sent.model_dump()))), request)

    @routes.delete("/api/v1/articles/{article_id:path}", responses={200: {"model": schema.RemovedOut}}, tags=["write"])
    async def remove_article(article_id: ArticleId) -> Response:
        """Remove an article. Files that it was read from stay, copies of uploads are deleted."""
        await service.short(lambda: service.remove(article_id))
        return answered({"removed": 1})

    @routes.post(
        "/api/v1/uploads",
        status_code=202,
        responses={202: {"model": schema.JobOut}},
        tags=["write"],
        openapi_extra={
            "requestBody": {
                "required": True,
                "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
            }
        },
    )
    async def upload(
        request: Request, name: Annotated[str, Query(min_length=1, max_length=255, description="such as report.pdf")]
    ) -> Response:
        """Add a file, which is kept in the home, as a job. Its ending says how it is read."""
        content = await request.body()
        return _started(await service.short(lambda: service.upload(name, content)), request)

    @routes.get("/api/v1/sources", responses={200: {"model": schema.SourcesOut}}, tags=["write"])
    async def list_sources() -> Response:
        """List the folders, files, pages and feeds that a sync reads. Takes the scope write, as they name places."""
        stats = await service.short(lambda: service.index.stats())
        return answered({"sources": list(stats.sources)})

    @routes.post("/api/v1/sources", status_code=202, responses={202: {"model": schema.JobOut}}, tags=["write"])
    async def add_sources(sent: schema.SourcesRequest, request: Request) -> Response:
        """Add pages, feeds, and folders where these are allowed, as a job. They are remembered."""
        return _started(await service.short(lambda: service.sync(sent.sources, prune=sent.prune)), request)

    @routes.post("/api/v1/sync", status_code=202, responses={202: {"model": schema.JobOut}}, tags=["write"])
    async def sync(sent: schema.SyncRequest, request: Request) -> Response:
        """Index what is new or changed in these sources, or without any in all that are remembered, as a job."""
        return _started(await service.short(lambda: service.sync(sent.sources, prune=sent.prune)), request)

    @routes.get("/api/v1/jobs", responses={200: {"model": schema.JobsOut}}, tags=["write"])
    async def list_jobs() -> Response:
        """List the jobs that wait, run, or have ended lately."""
        return answered({"jobs": [job.to_dict() for job in service.jobs.all()]})

    @routes.get("/api/v1/jobs/{job_id}", responses={200: {"model": schema.JobOut}}, tags=["write"])
    async def read_job(job_id: JobId) -> Response:
        """Say how far a job is and what became of it."""
        return answered(service.jobs.find(job_id).to_dict())

    @routes.delete("/api/v1/jobs/{job_id}", status_code=202, responses={202: {"model": schema.JobOut}}, tags=["write"])
    async def cancel_job(job_id: JobId) -> Response:
        """Stop a job. The index stays as it was before it."""
        job = service.jobs.find(job_id)
        job.cancel.set()
        return answered(job.to_dict(), HTTPStatus.ACCEPTED)

    @routes.get("/api/v1/health", responses={200: {"model": schema.HealthOut}}, tags=["read"])
    async def health() -> Response:
        """Say that the server runs. Needs no token."""
        return answered({"status": "ok"})

    @routes.get(
        "/api/v1/ready",
        responses={200: {"model": schema.ReadyOut}, 503: {"description": "Not ready", **PROBLEM}},
        tags=["read"],
    )
    async def ready() -> Response:
        """Say whether the models are loaded; 503 while they are not, with why not if they cannot be."""
        if service.backend.is_loading():
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The models are loading", retry_after_s=5)
        failure = service.backend.failure()
        if failure is not None:
            service.backend.start()  # again: a model server may have come up
            detail = f"The models cannot be loaded: {Problem.of(failure).detail}"
            raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, detail, retry_after_s=30)
        stats = await service.short(lambda: service.index.stats())
        model = service.backend.model
        return answered({"ready": True, "articles": stats.articles, "generation": stats.generation, "model": model})

    @routes.get(
        "/metrics",
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
        response_class=Response,
        tags=["read"],
    )
    async def prometheus() -> Response:
        """Return counts and times in the text format of Prometheus."""
        stats = await service.short(lambda: service.index.stats())
        gauges = [
            ("citewire_index_generation", "The generation of the index that a search sees.", (), stats.generation),
            ("citewire_index_articles", "Articles in the index.", (), stats.articles),
            ("citewire_index_sentences", "Sentences in the index.", (), stats.sentences),
            (
                "citewire_read_ahead_seconds",
                "Processor time that reading ahead took since the start.",
                (),
                service.backend.ahead_s,
            ),
            ("citewire_queue_length", "Questions and checks that run or wait.", (), len(service.asking)),
            *(
                ("citewire_jobs", "Jobs by state.", (("state", state),), number)
                for state, number in service.jobs.counts().items()
            ),
        ]
        return Response(service.metrics.text(gauges), media_type=metrics.MEDIA_TYPE)

    return routes


def _client(request: Request) -> str:
    return str(request.scope[CLIENT].name)


def _wants_events(request: Request) -> bool:
    return "text/event-stream" in request.headers.get("accept", "")


def _started(job: Job, request: Request) -> Response:
    root_path = urlsplit(request.scope[BASE]).path
    return answered(job.to_dict(), HTTPStatus.ACCEPTED, {"Location": f"{root_path}/api/v1/jobs/{job.id}"})


async def _last(events: AsyncIterator[Any], kind: type[Item]) -> Item:
    """The event of this kind that a stream ends with."""
    try:
        async for one in events:
            if isinstance(one, kind):
                return one
    finally:
        await events.aclose()  # type: ignore[attr-defined] # it is a generator
    raise Problem(HTTPStatus.CONFLICT, "It was stopped, since the server stops")


async def _streamed(events: AsyncIterator[Any], shown: Any) -> Response:
    """A stream of events. What goes wrong before the first of them is answered with its own status."""
    try:
        first = await anext(events)
    except StopAsyncIteration:
        raise Problem(HTTPStatus.CONFLICT, "It was stopped, since the server stops") from None

    async def lines() -> AsyncIterator[bytes]:
        try:
            yield shown(first)
            async for one in events:
                yield shown(one)
        except Exception as error:  # noqa: BLE001 (the response has begun; the stream says what went wrong)
            yield event("error", encoded(Problem.of(error).to_dict()))
        finally:
            await events.aclose()  # type: ignore[attr-defined]

    return EventStream(lines())


def _ask_event(one: Event) -> bytes:
    match one:
        case Evidence(query=query, sources=sources):
            return event("evidence", encoded({"query": query, "sources": [each.to_dict() for each in sources]}))
        case Token(text=text):
            return event("token", encoded({"text": text}))
        case Progress(stage=stage, done=done, total=total):
            return event("progress", encoded({"stage": stage, "done": done, "total": total}))
        case Row(section=section):
            return event("row", encoded(section.to_dict()))
    return event("answer", encoded(one.to_dict()))


def _check_event(one: Checked | Check) -> bytes:
    return event("check" if isinstance(one, Check) else "sentence", encoded(one.to_dict()))


async def _wrong(request: Request, error: Exception) -> Response:
    """Say which member is wrong and why, without repeating what was sent."""
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    # A step in parentheses says which form the member is in (ui/api/openai.py).
    place = ".".join(str(step) for step in first["loc"] if step != "body" and not str(step).startswith("("))[:200]
    wrong = what_is_wrong(first)
    if first["type"] == "missing" and not place:
        wrong = "has no body; send one of JSON"
    detail = f"{place}: {wrong}" if place else f"The request {wrong}"
    problem = Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail[:1000], parameter=place or None)
    return problem.response(request.url.path)


async def _failed(request: Request, error: Exception) -> Response:
    return Problem.of(error).response(request.url.path)


async def _not_found(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    details = {
        404: "There is nothing at this address; /openapi.json has those that there are",
        405: f"This address is asked with {(error.headers or {}).get('Allow', 'another method')}; see /openapi.json",
    }
    detail = details.get(error.status_code, str(error.detail))
    return Problem(error.status_code, detail, headers=error.headers).response(request.url.path)


def _documented(made: FastAPI) -> dict[str, Any]:
    """The OpenAPI document, with how a token is sent and what needs which scope."""
    if made.openapi_schema is None:
        document = made.openapi()
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}, {}]
        document["tags"] = [
            {"name": "read", "description": "A token with the scope read or write"},
            {"name": "write", "description": "A token with the scope write"},
            {"name": "openai", "description": "For OpenAI's clients; a token with the scope read or write"},
        ]
        document["components"]["schemas"]["ErrorOut"] = openai.ErrorOut.model_json_schema()
        for path, operations in document["paths"].items():
            kind = ("application/json", "ErrorOut") if is_openai(path) else ("application/problem+json", "ProblemOut")
            content = {kind[0]: {"schema": {"$ref": f"#/components/schemas/{kind[1]}"}}}
            for operation in operations.values():
                for status, response in operation["responses"].items():
                    if int(status) >= 400:
                        response["content"] = content
        made.openapi_schema = document
    return made.openapi_schema
