"""What is spoken in a recording, as feeds and pages give it: subtitles, text, HTML, JSON of the podcast namespace.

parse     a transcript that was fetched → its text; or a feed → where the transcripts of its entries are
together  an article's text with its transcript
"""

from __future__ import annotations

import json
from typing import Any

from index.errors import ReadError
from index.read import markup, subtitles
from index.read.charset import decode
from index.read.clean import tidy
from index.read.draft import Draft

HEADING = "Transcript"
KINDS = {
    "text/vtt": ".vtt",
    "application/srt": ".srt",
    "application/x-subrip": ".srt",
    "text/srt": ".srt",
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "application/json": ".json",
    "text/plain": ".txt",
}
"""Media types of transcripts (the podcast namespace names them), each with its ending."""


def parse(content: bytes, *, form: str, address: str | None = None) -> Draft | tuple[Draft, ...]:
    """The text of a transcript of `form`, an ending of KINDS. Raises ReadError for one without words.

    With the form "feed": a draft for each transcript that the feed announces, with the identity of the entry, the
    transcript's address as url and its media type as source.
    """
    if form == "feed":
        from index.read import feed

        return feed.transcripts(content, address=address)
    if form in (".vtt", ".srt"):
        return subtitles.parse(content)
    text = _PARSERS[form](decode(content))
    if not any(map(str.isalnum, text)):
        raise ReadError("there are no words in the transcript")
    return Draft("", tidy(text))


def together(text: str, spoken: str) -> str:
    """The article with what is spoken under a heading of its own, unless it has it already."""
    begin = " ".join(spoken.split())[:200]
    if begin in " ".join(text.split()):
        return text
    return f"{text}\n\n{HEADING}\n\n{spoken}" if text.strip() else spoken


def _segments(text: str) -> str:
    """The JSON of the podcast namespace: {"segments": [{"startTime": …, "endTime": …, "speaker": …, "body": …}]}."""
    try:
        found = json.loads(text)
        segments = found["segments"] if isinstance(found, dict) else found
        spoken = [
            (*_times(each), str(each.get("speaker") or ""), " ".join(str(each.get("body") or "").split()))
            for each in segments
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ReadError("the transcript is no JSON with segments") from error
    return "\n\n".join(subtitles.paragraphs(spoken))


def _times(segment: Any) -> tuple[float, float]:
    """Where a segment begins and ends, in seconds; 0 for one that does not say both, so that no pause is seen."""
    times = segment.get("startTime"), segment.get("endTime")
    return (float(times[0]), float(times[1])) if all(isinstance(time, int | float) for time in times) else (0.0, 0.0)


def _page(text: str) -> str:
    tree = markup.parse_tree(text)
    return "" if tree is None else markup.text_of(tree)


_PARSERS: dict[str, Any] = {".json": _segments, ".html": _page, ".txt": str}
