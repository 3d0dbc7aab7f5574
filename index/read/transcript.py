"""What is spoken in a recording, as feeds and pages give it: subtitles, text, HTML, JSON of the podcast namespace.

parse     a transcript that was fetched → its text; or a feed → where the transcripts of its entries are
together  an article's text with its transcript
"""

from __future__ import annotations

import json
import re
from typing import Any

from index.errors import ReadError
from index.read import markup
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
PARAGRAPH_CHARS = 500
"""Subtitles of one speaker are joined up to here, at the end of a sentence."""

_TIMES = re.compile(r"[\d:.,]+\s*-->\s*[\d:.,]+")
_VOICE = re.compile(r"<v(?:\.[\w.]+)?\s+([^>]{1,80})>")
_TAG = re.compile(r"<[^<>]{0,200}>|\{\\[^{}]{0,100}\}")
_STOP = re.compile(r"[.!?…。！？][\"'”’»]?$")


def parse(content: bytes, *, form: str, address: str | None = None) -> Draft | tuple[Draft, ...]:
    """The text of a transcript of `form`, an ending of KINDS. Raises ReadError for one without words.

    With the form "feed": a draft for each transcript that the feed announces, with the identity of the entry, the
    transcript's address as url and its media type as source.
    """
    if form == "feed":
        from index.read import feed

        return feed.transcripts(content, address=address)
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


def _subtitles(text: str) -> str:
    """The lines of a .vtt or .srt, without numbers and times, joined to paragraphs."""
    lines: list[tuple[str, str]] = []
    for block in re.split(r"\n[ \t]*\n", text.replace("\r\n", "\n").replace("\r", "\n")):
        rows = block.strip("\n\ufeff ").split("\n")
        times = next((i for i, row in enumerate(rows) if _TIMES.search(row)), None)
        if times is None:
            continue  # a header, a note or a style
        voice = ""
        for row in rows[times + 1 :]:
            found = _VOICE.search(row)
            voice = found[1].strip() if found else voice
            said = " ".join(_TAG.sub("", row).split())
            # Rolling captions show each line twice.
            if said and said not in (line for _, line in lines[-2:]):
                lines.append((voice, said))
    return _joined(lines)


def _joined(lines: list[tuple[str, str]]) -> str:
    """Lines of one speaker in paragraphs, with the name before the first of them."""
    paragraphs: list[str] = []
    speaker = ""
    for voice, said in lines:
        is_full = bool(paragraphs) and len(paragraphs[-1]) > PARAGRAPH_CHARS and bool(_STOP.search(paragraphs[-1]))
        if not paragraphs or is_full or voice != speaker:
            paragraphs.append(f"{voice}: {said}" if voice and voice != speaker else said)
        else:
            paragraphs[-1] += f" {said}"
        speaker = voice
    return "\n\n".join(paragraphs)


def _segments(text: str) -> str:
    """The JSON of the podcast namespace: {"segments": [{"speaker": …, "body": …}]}."""
    try:
        found = json.loads(text)
        segments = found["segments"] if isinstance(found, dict) else found
        lines = [(str(each.get("speaker") or ""), " ".join(str(each.get("body") or "").split())) for each in segments]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReadError("the transcript is no JSON with segments") from error
    return _joined([(voice, said) for voice, said in lines if said])


def _page(text: str) -> str:
    tree = markup.parse_tree(text)
    return "" if tree is None else markup.text_of(tree)


_PARSERS: dict[str, Any] = {".vtt": _subtitles, ".srt": _subtitles, ".json": _segments, ".html": _page, ".txt": str}
