"""Schema: what clients send, and the shape of what they get, as the OpenAPI document shows them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from index.errors import InputError
from index.filters import Filter
from rag.kind import KINDS

MOST_TURNS = 100
MOST_ARTICLES = 10_000
MOST_SOURCES = 1000
MOST_HITS = 200
MOST_ROWS = 100_000
MOST_TEXT_CHARS = 500_000
"""Of an article that is sent: a long book has so many."""


def _no_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("has a NUL character")
    return text


def _is_day(text: str) -> str:
    try:
        Filter.of(before=text)
    except InputError as error:
        raise ValueError(str(error).removeprefix("before:")) from None
    return text


Text = Annotated[str, AfterValidator(_no_nul)]
Id = Annotated[Text, Field(min_length=1, max_length=1000)]
Day = Annotated[
    str, AfterValidator(_is_day), Field(description="a year, a month or a day: 2018, 2018-03 or 2018-03-21")
]
Kind = Literal["fact", "list", "count", "timeline", "comparison", "summary", "library"]
if Kind.__args__ != KINDS:  # type: ignore[attr-defined]
    raise AssertionError("the kinds of ui/api/schema.py are not those of rag/kind.py")


class Sent(BaseModel):
    """What is sent; a member that is not known is an error, since it would be without effect."""

    model_config = ConfigDict(extra="forbid")


class Exchange(Sent):
    """An earlier question and its answer."""

    question: Text = Field(max_length=20_000)
    answer: Text = Field(max_length=20_000)
    kind: Kind = "fact"


class AskRequest(Sent):
    """A question."""

    question: Text = Field(
        min_length=1,
        max_length=2000,
        description="may have operators: source:reuters, in:2018, before:2017-05, after:2017",
        examples=["When did the six-party talks break down?"],
    )
    history: list[Exchange] = Field(
        default=[], max_length=MOST_TURNS, description="the conversation before it, oldest first"
    )
    kind: Kind | None = Field(default=None, description="the kind of answer; null takes what the question asks for")
    limit: int | None = Field(default=None, ge=1, le=MOST_ROWS, description="the largest number of rows of an answer")
    articles: list[Id] | None = Field(
        default=None, max_length=MOST_ARTICLES, description="ids of the only articles that are searched"
    )
    stream: bool = Field(default=False, description="send events, as with “Accept: text/event-stream”")


class CheckRequest(Sent):
    """A draft to be checked."""

    text: Text = Field(min_length=1, max_length=40_000, examples=["The six-party talks broke down in 2010."])
    articles: list[Id] | None = Field(default=None, max_length=MOST_ARTICLES)
    stream: bool = Field(default=False, description="send each sentence as soon as it is checked")


class SearchRequest(Sent):
    """A search for passages. No language model is involved."""

    query: Text = Field(min_length=1, max_length=2000, examples=["six-party talks"])
    k: int = Field(default=8, ge=1, le=MOST_HITS, description="how many passages")
    source: Text | None = Field(default=None, max_length=200, description="words of the outlet's name")
    before: Day | None = None
    after: Day | None = None
    articles: list[Id] | None = Field(default=None, max_length=MOST_ARTICLES)


class SyncRequest(Sent):
    """What to index."""

    sources: list[Annotated[Text, Field(min_length=1, max_length=4096)]] = Field(
        default=[],
        max_length=MOST_SOURCES,
        description="addresses of pages and feeds, or folders and files of this machine where these are allowed; none "
        "stands for everything that was added before",
    )
    prune: bool = Field(
        default=False, description="also drop the articles of a source that has lost most or all of them"
    )


class SourcesRequest(SyncRequest):
    """What to add."""

    sources: list[Annotated[Text, Field(min_length=1, max_length=4096)]] = Field(min_length=1, max_length=MOST_SOURCES)


class ArticleRequest(Sent):
    """An article to be added; one with the same id is replaced."""

    id: Id
    text: Text = Field(min_length=1, max_length=MOST_TEXT_CHARS)
    title: Text | None = Field(default=None, max_length=2000)
    source: Text | None = Field(default=None, max_length=500, description="the outlet")
    url: Text | None = Field(default=None, max_length=8192)
    published: Day | None = Field(default=None)
    author: Text | None = Field(default=None, max_length=500)
    language: Text | None = Field(default=None, max_length=35)


class Got(BaseModel):
    """What is answered; members may be added in later versions."""

    model_config = ConfigDict(extra="allow")


class OriginOut(Got):
    """Where words stand: an article, what is known of it, and two offsets in code points of its text."""

    number: int
    article_id: str
    title: str | None
    headline: str
    source: str | None
    url: str | None
    published: str | None
    start: int
    end: int
    author: str | None
    page: int | None = Field(
        default=None, description="the page of the original file on which the words begin, from 1; null if not known"
    )
    place: str | None = Field(
        default=None, description="where the words stand in the original: “p. 12”, “in “Results””; null if not known"
    )


class CitationOut(OriginOut):
    """The exact words of an article that a claim rests on."""

    quote: str


class HitOut(OriginOut):
    """A passage that was found or read."""

    text: str
    score: float
    also_in: list[str]
    superseded_by: str | None


class ClaimOut(Got):
    """A sentence of an answer, `text[start:end]` of it, with the quotes that it rests on."""

    text: str
    start: int
    end: int
    citations: list[CitationOut]
    support: float
    supported: bool
    verdict: str
    verbatim: bool


class SectionOut(Got):
    """A row of an answer that has rows."""

    heading: str
    date: str | None
    article_id: str | None
    claims: list[ClaimOut]
    mentions: int | None


class AnswerOut(Got):
    """An answer, or, where it is `refused`, why there is none."""

    question: str
    text: str
    claims: list[ClaimOut]
    sources: list[HitOut]
    refused: bool
    reason: str | None
    unanswered: str
    disagreements: list[dict[str, Any]]
    searched: str
    generation: int
    model: str
    model_sha256: str
    signals: dict[str, float]
    timings: dict[str, float]
    kind: str
    sections: list[SectionOut]
    total: int | None
    counts: dict[str, dict[str, int]]
    missing: list[str]


class CheckedOut(Got):
    """A sentence of a draft and what the articles say to it."""

    text: str
    start: int
    end: int
    verdict: Literal["supported", "partly supported", "contradicted", "not found", "nothing to check"]
    support: float
    citations: list[CitationOut]
    note: str
    nearest: list[CitationOut]


class CheckOut(Got):
    """A checked draft."""

    text: str
    sentences: list[CheckedOut]
    support: float
    counts: dict[str, int]
    generation: int
    cancelled: bool


class SearchOut(Got):
    """Passages, best first."""

    query: str
    hits: list[HitOut]
    missing: list[str]


class ListedOut(Got):
    """What is known of an article."""

    id: str
    title: str | None
    source: str | None
    url: str | None
    published: str | None
    author: str | None
    updated: str | None
    language: str | None
    headline: str


class ArticlesOut(Got):
    """Some of the articles, in the order of adding."""

    articles: list[ListedOut]
    total: int
    offset: int


class PlaceOut(Got):
    """A page or section of the original, and the offset in the text of the article at which it begins."""

    start: int
    name: str
    page: int | None


class ArticleOut(ListedOut):
    """An article with its text."""

    text: str
    places: list[PlaceOut] = []


class RemovedOut(Got):
    """How many articles were removed."""

    removed: int


class SourcesOut(Got):
    """Remembered folders, files, pages and feeds."""

    sources: list[str]


class ProgressOut(Got):
    """How far a job is."""

    stage: str
    done: int
    total: int


class JobOut(Got):
    """Something that takes long."""

    id: str
    kind: Literal["sync", "article", "upload"]
    state: Literal["waiting", "running", "done", "failed", "cancelled"]
    created: str
    finished: str | None
    progress: ProgressOut
    report: dict[str, Any] | None
    error: str | None


class JobsOut(Got):
    """The jobs that are known, the newest first."""

    jobs: list[JobOut]


class HealthOut(Got):
    """The server runs."""

    status: Literal["ok"]


class ReadyOut(Got):
    """Whether questions are answered at once."""

    ready: bool
    articles: int
    generation: int
    model: str


class ProblemOut(Got):
    """What is wrong with a request, and what mends it (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
