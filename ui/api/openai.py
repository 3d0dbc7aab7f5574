"""The OpenAI-compatible API: /v1/models, /v1/chat/completions and /v1/responses, for programs that speak it.

An answer comes with `annotations`, one for each citation: the offsets of the sentence in the text, the title and a
link. As these carry no words, `search_results` has the quotes. The member `citewire` has the whole answer, a refusal
and its reason included. A stream sends only what is checked: in this API nothing that was sent can be taken back.

Parameters that steer how a model samples are ignored, since an answer is not sampled to order; those that would change
what comes back, such as tools, formats or several choices, are refused, as is whatever the API does not know.
"""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator
from starlette.requests import Request  # noqa: TC002 (FastAPI resolves the annotations)
from starlette.responses import Response

from rag import Answer, Progress, Token, Turn
from ui.api.asking import GONE, EventStream, event, unless_gone
from ui.api.door import CLIENT
from ui.api.problem import Problem, answered, encoded
from ui.api.schema import MOST_ARTICLES, MOST_ROWS, Id, Kind, Sent, Text

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Sequence

    from rag.answer import Citation
    from rag.event import Event
    from ui.api.service import Service

    Link = Callable[[Citation], str]

QUOTES = "citewire-quotes"
"""The same model for clients that show nothing but text: the quotes stand below the answer."""
OWNER = "citewire"
MOST_MESSAGES = 1000
MOST_INPUT_CHARS = 100_000
"""A question has fewer; what is longer is refused by its own limit, with a better reason."""
WORDS_OF_PIECE = 4
_PIECE = re.compile(rf"(?:\S+\s*|\s+){{1,{WORDS_OF_PIECE}}}")
_QUOTES_BELOW = re.compile(r"\n\n\[1\] .*", re.DOTALL)
_MARKER = re.compile(r" ?\[(?:\d{1,3}|no supporting quote found)\]")

Ignored = Annotated[Any, Field(default=None, description="ignored")]


class Part(BaseModel):
    """A piece of the content of a message; only text can be read."""

    model_config = ConfigDict(extra="allow")
    type: Text = Field(max_length=100, examples=["text"])
    text: Text = ""
    refusal: Text = ""

    @property
    def is_text(self) -> bool:
        """Whether it is words, and no picture, sound or file."""
        return self.type in ("text", "input_text", "output_text", "refusal")


def _form(content: object) -> str | None:
    """Which of its forms a member is in, so that an error is about that one alone."""
    return {str: "(text)", list: "(list)", type(None): "(none)"}.get(type(content))


_FORMS = Discriminator(_form, custom_error_type="form", custom_error_message="must be text or a list")
Content = Annotated[
    Annotated[Text, Tag("(text)")] | Annotated[list[Part], Tag("(list)")] | Annotated[None, Tag("(none)")], _FORMS
]
Role = Literal["system", "developer", "user", "assistant", "tool", "function"]


class Words(BaseModel):
    """What a message says."""

    model_config = ConfigDict(extra="allow")
    content: Content = None

    @property
    def parts(self) -> list[Part]:
        """The pieces of it."""
        if isinstance(self.content, list):
            return self.content
        return [Part(type="text", text=self.content)] if self.content else []

    @property
    def text(self) -> str:
        """The words of it."""
        return "\n".join(part.text or part.refusal for part in self.parts if part.is_text)


class Message(Words):
    """One message of a conversation. What systems and developers ask for is ignored: answers are made one way. So is
    what tools gave to another model."""

    role: Role
    type: Literal["message"] | None = None


class Item(Words):
    """One item of `input`: a message, or something else that another model left, which is ignored."""

    role: Role | None = None
    type: Text | None = Field(default=None, max_length=100)

    @model_validator(mode="after")
    def _is_there(self) -> Item:
        if self.type == "item_reference":
            raise ValueError("nothing is stored that could be referred to; send the message itself")
        if self.type in (None, "message") and self.role is None:
            raise ValueError("a message needs a role")
        return self


class StreamOptions(Sent):
    """What a stream has besides the answer."""

    include_usage: bool = False
    include_obfuscation: Ignored


class TextFormat(BaseModel):
    """The form of an answer; there is one."""

    model_config = ConfigDict(extra="forbid")
    type: Literal["text"]


class TextOptions(Sent):
    """How the text of a response is to be."""

    format: TextFormat | None = None
    verbosity: Ignored


class Parameters(Sent):
    """What both kinds of requests may have."""

    model: Text = Field(max_length=200, examples=["citewire"])
    stream: bool | None = None
    temperature: float | None = Field(default=None, ge=0, le=2, description="ignored")
    top_p: float | None = Field(default=None, ge=0, le=1, description="ignored")
    tools: list[Any] | None = Field(default=None, max_length=0, description="there are none")
    tool_choice: Literal["none", "auto"] | None = None
    top_logprobs: Literal[0] | None = None
    kind: Kind | None = Field(default=None, description="Citewire's own: the kind of answer")
    limit: int | None = Field(default=None, ge=1, le=MOST_ROWS, description="Citewire's own: the most rows")
    articles: list[Id] | None = Field(
        default=None, max_length=MOST_ARTICLES, description="Citewire's own: ids of articles"
    )
    metadata: dict[str, str] | None = None
    parallel_tool_calls: Ignored
    prompt_cache_key: Ignored
    prompt_cache_retention: Ignored
    safety_identifier: Ignored
    service_tier: Ignored
    store: Ignored
    user: Ignored


class ChatRequest(Parameters):
    """A request for a chat completion."""

    messages: list[Message] = Field(min_length=1, max_length=MOST_MESSAGES)
    stream_options: StreamOptions | None = None
    audio: None = None
    function_call: Literal["none", "auto"] | None = None
    functions: list[Any] | None = Field(default=None, max_length=0, description="there are none")
    n: Literal[1] | None = None
    logprobs: Literal[False] | None = None
    response_format: TextFormat | None = None
    modalities: list[Literal["text"]] | None = None
    frequency_penalty: Ignored
    presence_penalty: Ignored
    logit_bias: Ignored
    max_completion_tokens: Ignored
    max_tokens: Ignored
    prediction: Ignored
    reasoning_effort: Ignored
    seed: Ignored
    stop: Ignored
    verbosity: Ignored
    web_search_options: Ignored


Input = Annotated[
    Annotated[Text, Field(max_length=MOST_INPUT_CHARS), Tag("(text)")]
    | Annotated[list[Item], Field(min_length=1, max_length=MOST_MESSAGES), Tag("(list)")],
    _FORMS,
]


class ResponseRequest(Parameters):
    """A request for a response. Responses are not stored, so none can be referred to."""

    input: Input
    background: Literal[False] | None = None
    previous_response_id: None = Field(default=None, description="send the earlier messages in `input`")
    conversation: None = Field(default=None, description="send the earlier messages in `input`")
    prompt: None = None
    stream_options: StreamOptions | None = None
    text: TextOptions | None = None
    include: Ignored
    instructions: Ignored
    max_output_tokens: Ignored
    max_tool_calls: Ignored
    reasoning: Ignored
    truncation: Ignored


class ErrorOut(BaseModel):
    """An error as OpenAI's clients read it."""

    error: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Written:
    """A checked answer as this API has it: its text, annotations, the results that it rests on, and what it took."""

    answer: Answer
    text: str
    annotations: list[dict[str, Any]]
    search_results: list[dict[str, Any]]
    prompt_tokens: int
    completion_tokens: int


def routes(service: Service, responses: dict[int | str, dict[str, Any]]) -> APIRouter:
    """The routes of /v1."""
    made = APIRouter(responses=responses, tags=["openai"])
    anything = {200: {"content": {"application/json": {"schema": {"type": "object"}}}}}
    streams = {
        200: {
            "content": {
                **anything[200]["content"],
                "text/event-stream": {"schema": {"description": "server-sent events"}},
            }
        }
    }

    @made.get("/v1/models", responses=anything)  # type: ignore[arg-type]
    async def list_models() -> Response:
        """List the names that a request may have as `model`."""
        names = [service.models()[0], QUOTES, *service.models()[1:]]
        return answered({"object": "list", "data": [_model(name) for name in names]})

    @made.get("/v1/models/{model}", responses=anything)  # type: ignore[arg-type]
    async def read_model(model: str) -> Response:
        """Describe one of them."""
        if model != QUOTES:
            service.model_of(model)
        return answered(_model(model))

    @made.post("/v1/chat/completions", responses=streams)  # type: ignore[arg-type]
    async def complete_chat(sent: ChatRequest, request: Request) -> Response:
        """Answer the last message of a conversation."""
        history, question = _conversation(sent.messages, "messages")
        asked = _Asked(service, sent, history, question, request)
        chat = _Chat(f"chatcmpl-{secrets.token_hex(12)}", int(time.time()), sent.model)
        if sent.stream:
            usage = sent.stream_options is not None and sent.stream_options.include_usage
            return await _streamed(asked, chat.begin(), lambda written: chat.pieces(written, usage=usage), chat.error)
        written = await unless_gone(request.receive, asked.written())
        return Response(status_code=GONE) if written is None else answered(chat.whole(written))

    @made.post("/v1/responses", responses=streams)  # type: ignore[arg-type]
    async def respond(sent: ResponseRequest, request: Request) -> Response:
        """Answer the last message of `input`."""
        items = [Item(role="user", content=sent.input)] if isinstance(sent.input, str) else sent.input
        history, question = _conversation(items, "input")
        asked = _Asked(service, sent, history, question, request)
        response = _Response(f"resp_{secrets.token_hex(12)}", int(time.time()), sent)
        if sent.stream:
            return await _streamed(asked, response.begin(), response.pieces, response.error)
        written = await unless_gone(request.receive, asked.written())
        return Response(status_code=GONE) if written is None else answered(response.whole(written))

    return made


class _Asked:
    """A question of a conversation, and its answer when it is there."""

    def __init__(
        self, service: Service, sent: Parameters, history: Sequence[Turn], question: str, request: Request
    ) -> None:
        self._has_quotes = sent.model == QUOTES
        self._link = service.link(request)
        self.events = service.ask(
            str(request.scope[CLIENT].name),
            question,
            history=history,
            kind=sent.kind,
            limit=sent.limit,
            articles=sent.articles,
            model=None if self._has_quotes else service.model_of(sent.model),
        )
        self._prompt_tokens = self._completion_tokens = self._unseen_tokens = 0

    async def first(self) -> Event | None:
        """Wait for the first event: whatever is wrong with the question shows here."""
        found = await anext(self.events, None)
        return self._counted(found) if found is not None else None

    async def written(self, first: Event | None = None) -> Written:
        """The checked answer."""
        try:
            if isinstance(first, Answer):
                return self._written(first)
            async for one in self.events:
                if isinstance(self._counted(one), Answer):
                    return self._written(one)  # type: ignore[arg-type]
        finally:
            await self.events.aclose()  # type: ignore[attr-defined] # it is a generator
        raise Problem(HTTPStatus.SERVICE_UNAVAILABLE, "The server stops; ask again later")

    def _counted(self, one: Event) -> Event:
        if isinstance(one, Token):
            self._completion_tokens += 1
        elif isinstance(one, Progress) and one.stage == "write":
            self._unseen_tokens = max(self._unseen_tokens, one.done)
        elif isinstance(one, Progress) and one.stage == "read":
            self._prompt_tokens = max(self._prompt_tokens, one.total)
        return one

    def _written(self, answer: Answer) -> Written:
        annotations = [
            {"start_index": claim.start, "end_index": claim.end, "url": self._link(one), "title": one.article.headline}
            for claim in answer.claims
            for one in claim.citations
        ]
        results = [
            {
                "title": one.article.headline,
                "url": self._link(one),
                "date": one.published,
                "snippet": one.quote,
                "source": one.source,
                "number": one.number,
                "article_id": one.article_id,
                "start": one.start,
                "end": one.end,
            }
            for one in answer.citations
        ]
        text = str(answer) if self._has_quotes else "\n\n".join(filter(None, (answer.text, answer.not_searched)))
        if self._has_quotes:
            annotations = []  # the offsets are those of the plain text
        return Written(
            answer, text, annotations, results, self._prompt_tokens, self._completion_tokens + self._unseen_tokens
        )


@dataclass(frozen=True, slots=True)
class _Chat:
    """A chat completion, whole or in pieces."""

    id: str
    created: int
    model: str

    def whole(self, written: Written) -> dict[str, Any]:
        message = {
            "role": "assistant",
            "content": written.text,
            "refusal": None,
            "annotations": _nested(written.annotations),
        }
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
        return {
            **self._head("chat.completion"),
            "choices": [choice],
            "usage": _usage(written),
            **_ours(written),
        }

    def begin(self) -> list[bytes]:
        return [self._chunk({"role": "assistant", "content": ""})]

    def pieces(self, written: Written, *, usage: bool) -> list[bytes]:
        chunks = [self._chunk({"content": piece}) for piece in _PIECE.findall(written.text)]
        if written.annotations:
            chunks.append(self._chunk({"annotations": _nested(written.annotations)}))
        chunks.append(self._chunk({}, finish_reason="stop", **_ours(written)))
        if usage:
            chunks.append(_data({**self._head("chat.completion.chunk"), "choices": [], "usage": _usage(written)}))
        return [*chunks, b"data: [DONE]\n\n"]

    def error(self, problem: Problem) -> list[bytes]:
        return [_data(problem.to_openai())]

    def _chunk(self, delta: dict[str, Any], finish_reason: str | None = None, **others: Any) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return _data({**self._head("chat.completion.chunk"), "choices": [choice], **others})

    def _head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}


class _Response:
    """A response, whole or as events."""

    def __init__(self, response_id: str, created: int, sent: ResponseRequest) -> None:
        self._id, self._created, self._sent = response_id, created, sent
        self._item = f"msg_{response_id.removeprefix('resp_')}"
        self._number = 0

    def whole(self, written: Written) -> dict[str, Any]:
        usage = {
            "input_tokens": written.prompt_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": written.completion_tokens,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": written.prompt_tokens + written.completion_tokens,
        }
        return self._shown("completed", [self._message("completed", [self._part(written)])], usage, _ours(written))

    def begin(self) -> list[bytes]:
        empty = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
        return [
            self._event("response.created", response=self._shown("in_progress", [])),
            self._event("response.in_progress", response=self._shown("in_progress", [])),
            self._event("response.output_item.added", output_index=0, item=self._message("in_progress", [])),
            self._event("response.content_part.added", **self._place(), part=empty),
        ]

    def pieces(self, written: Written) -> list[bytes]:
        part, place = self._part(written), self._place()
        events = [
            self._event("response.output_text.delta", **place, delta=piece, logprobs=[])
            for piece in _PIECE.findall(written.text)
        ]
        events += [
            self._event("response.output_text.annotation.added", **place, annotation_index=number, annotation=one)
            for number, one in enumerate(part["annotations"])
        ]
        return [
            *events,
            self._event("response.output_text.done", **place, text=written.text, logprobs=[]),
            self._event("response.content_part.done", **place, part=part),
            self._event("response.output_item.done", output_index=0, item=self._message("completed", [part])),
            self._event("response.completed", response=self.whole(written)),
        ]

    def error(self, problem: Problem) -> list[bytes]:
        wrong = {"code": "server_error", "message": problem.detail}
        return [self._event("response.failed", response={**self._shown("failed", []), "error": wrong})]

    def _place(self) -> dict[str, Any]:
        return {"item_id": self._item, "output_index": 0, "content_index": 0}

    def _part(self, written: Written) -> dict[str, Any]:
        annotations = [{"type": "url_citation", **one} for one in written.annotations]
        return {"type": "output_text", "text": written.text, "annotations": annotations, "logprobs": []}

    def _message(self, status: str, content: list[Any]) -> dict[str, Any]:
        return {"id": self._item, "type": "message", "status": status, "role": "assistant", "content": content}

    def _shown(
        self, status: str, output: list[Any], usage: Any = None, ours: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return {
            "id": self._id,
            "object": "response",
            "created_at": self._created,
            "status": status,
            "background": False,
            "error": None,
            "incomplete_details": None,
            "instructions": None,
            "max_output_tokens": None,
            "metadata": self._sent.metadata or {},
            "model": self._sent.model,
            "output": output,
            "parallel_tool_calls": False,
            "previous_response_id": None,
            "reasoning": {"effort": None, "summary": None},
            "store": False,
            "temperature": self._sent.temperature,
            "text": {"format": {"type": "text"}},
            "tool_choice": "none",
            "tools": [],
            "top_p": self._sent.top_p,
            "truncation": "disabled",
            "usage": usage,
            **(ours or {}),
        }

    def _event(self, kind: str, **fields: Any) -> bytes:
        number, self._number = self._number, self._number + 1
        return event(kind, encoded({"type": kind, "sequence_number": number, **fields}))


async def _streamed(
    asked: _Asked,
    begin: list[bytes],
    pieces: Callable[[Written], list[bytes]],
    failed: Callable[[Problem], list[bytes]],
) -> Response:
    """A stream of the checked answer. What goes wrong before it begins is answered with its own status."""
    first = await asked.first()

    async def lines() -> AsyncIterator[bytes]:
        for one in begin:
            yield one
        try:
            ends = pieces(await asked.written(first))
        except Exception as error:  # noqa: BLE001 (the response has begun; the stream says what went wrong)
            ends = failed(Problem.of(error))
        finally:
            await asked.events.aclose()  # type: ignore[attr-defined]
        for one in ends:
            yield one

    return EventStream(lines())


def _conversation(messages: Sequence[Message | Item], name: str) -> tuple[list[Turn], str]:
    """The exchanges before the last question, and that question; `name` is the member that has them.

    Of earlier messages the words of people and assistants count; calls of tools, and what came of them, do not. Raises
    Problem where the last message is no question, or is not only words.
    """
    spoken = [(number, one) for number, one in enumerate(messages) if one.role not in ("system", "developer")]
    if not spoken or spoken[-1][1].role != "user":
        raise Problem(HTTPStatus.BAD_REQUEST, "the last message must be a question of the user", parameter=name)
    exchanges: list[tuple[list[tuple[int, Message | Item]], list[str]]] = []
    for number, one in spoken:
        if one.role == "user" and (not exchanges or exchanges[-1][1]):
            exchanges.append(([], []))
        if one.role == "user":
            exchanges[-1][0].append((number, one))
        elif one.role == "assistant" and exchanges:
            exchanges[-1][1].append(_plain(one.text))
    *before, (asked, _) = exchanges
    for number, one in asked:
        if not all(part.is_text for part in one.parts):
            detail = f"{name}.{number}.content: pictures, sounds and files cannot be read; send words alone"
            raise Problem(HTTPStatus.BAD_REQUEST, detail, parameter=f"{name}.{number}.content")
    question = _joined(one.text for _, one in asked)
    if not question:
        raise Problem(HTTPStatus.BAD_REQUEST, "the last message is empty; ask something", parameter=name)
    turns = [Turn(_joined(one.text for _, one in questions), _joined(answers)) for questions, answers in before]
    return [turn for turn in turns if turn.question], question


def _joined(texts: Iterable[str]) -> str:
    return "\n".join(text.strip() for text in texts if text.strip())


def _plain(text: str) -> str:
    """An earlier answer without the quotes and markers of QUOTES: long quotes lead a small model astray."""
    return _MARKER.sub("", _QUOTES_BELOW.sub("", text))


def _model(name: str) -> dict[str, Any]:
    return {"id": name, "object": "model", "created": 0, "owned_by": OWNER}


def _nested(annotations: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "url_citation", "url_citation": one} for one in annotations]


def _usage(written: Written) -> dict[str, Any]:
    prompt, completion = written.prompt_tokens, written.completion_tokens
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _ours(written: Written) -> dict[str, Any]:
    return {"search_results": written.search_results, "citewire": written.answer.to_dict()}


def _data(value: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % encoded(value)
