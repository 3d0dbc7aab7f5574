"""Subtitles and transcripts (SubRip, WebVTT) → Draft: what is spoken, as prose. Times and places on the screen go.

parse       a file of subtitles → its words
paragraphs  what is spoken in turn, from any source → paragraphs
"""

from __future__ import annotations

import html as entities
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from index.errors import ReadError
from index.read.charset import decode
from index.read.clean import tidy
from index.read.draft import Draft, language_tag, one_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_CLOCK = r"(?:\d{1,3}:)?\d{1,2}:\d{2}(?:[.,]\d{1,3})?"
_TIMES = re.compile(rf"[ \t]*({_CLOCK})[ \t]*-->[ \t]*({_CLOCK})")
_VOICE = re.compile(r"<v(?:\.[\w.-]+)?[ \t]+([^<>]{1,80})>", re.IGNORECASE)
_TAG = re.compile(r"</?[a-z][^<>]{0,200}>|<\d[\d:.]{3,20}>|\{\\[^{}]{0,80}\}|\{[a-z]:[^{}]{0,80}\}", re.IGNORECASE)
_BLOCK = re.compile(r"(?:NOTE|STYLE|REGION)(?:[ \t]|$)")
_HEADER = re.compile(r"WEBVTT(?:[ \t]+-?[ \t]*(.*))?$")
_DASH = re.compile(r"(?:[-–—]|>>)[ \t]*(?=\S)")
_SPEAKER = re.compile(r"[^\W\d_][\w.'’ -]{0,40}:[ \t]")
_END = re.compile(r"[.!?…。！？।؟][\"'”’»」』)\]]*$")
PAUSE_S = 4.0
"""A silence after a sentence from which on another paragraph begins."""
PARAGRAPH_CHARS = 700
"""A paragraph of speech ends with the next sentence after so many characters: speech has none of its own."""
ROLLING_SHARE = 0.3
"""Captions that roll up say each line twice or more; where so many cues begin with the line before, they do."""


def parse(content: bytes) -> Draft:
    """The words in their order, a paragraph for each speaker or pause; "Name: …" where the file names who speaks.

    Raises ReadError for what has no cue with its times.
    """
    text = tidy(decode(content))
    lines = text.split("\n")
    header = _HEADER.match(lines[0])
    cues = list(_cues(lines))
    if not cues:
        raise ReadError("no subtitles in it, no line such as 00:00:01,000 --> 00:00:04,000; save it again, or as text")
    language = next((line.partition(":")[2] for line in lines[1:6] if header and line.startswith("Language:")), "")
    return Draft(
        "",
        tidy("\n\n".join(paragraphs(_spoken(_once(cues))))),
        title=one_line(header[1]) if header else None,
        language=language_tag(language),
    )


_Cue = tuple[float, float, list[str]]
"""When it begins and ends, in seconds, and its lines."""


def _cues(lines: list[str]) -> Iterator[_Cue]:
    times: re.Match[str] | None = None
    spoken: list[str] = []
    is_note = False
    for line in [*lines, ""]:
        found = _TIMES.match(line)
        if found or not line:
            if times is not None:
                # The number of the next cue may follow without a blank line.
                numberless = spoken[:-1] if found and spoken and spoken[-1].isdecimal() else spoken
                yield _seconds(times[1]), _seconds(times[2]), numberless
            times, spoken, is_note = found, [], False
        elif times is None:
            is_note = is_note or _BLOCK.match(line) is not None
        elif not is_note:
            spoken.append(line)


def _seconds(clock: str) -> float:
    total = 0.0
    for number in clock.replace(",", ".").split(":"):
        total = total * 60 + float(number)
    return total


def _once(cues: list[_Cue]) -> list[_Cue]:
    """The cues, each line once where captions roll up; tags are still in them."""
    plain = [[_plain(line) for line in lines] for _, _, lines in cues]
    filled = [lines for lines in plain if lines]
    again = sum(bool(set(after) & set(before)) for before, after in pairwise(filled))
    if again < ROLLING_SHARE * len(filled) or len(filled) < 3:
        return cues
    kept: list[_Cue] = []
    before: list[str] = []
    for (start, end, lines), words in zip(cues, plain, strict=True):
        kept.append((start, end, [line for line, word in zip(lines, words, strict=True) if word not in before]))
        before = words or before
    return kept


def _spoken(cues: list[_Cue]) -> Iterator[tuple[float, float, str, str]]:
    for start, end, lines in cues:
        for line in lines or [""]:  # a cue without words is no pause
            voice = _VOICE.search(line)
            yield start, end, " ".join(voice[1].split()) if voice else "", _plain(line)


def paragraphs(spoken: Iterable[tuple[float, float, str, str]]) -> Iterator[str]:
    """A paragraph for each speaker or pause, of lines in their order: (start and end in seconds, speaker or "", words).

    "Name: …" where another speaker begins.
    """
    words, speaker, ended = "", "", 0.0
    for start, end, name, text in spoken:
        if not text:
            ended = end
            continue
        dash = _DASH.match(text)
        is_turn = bool(name and name != speaker) or dash is not None or _SPEAKER.match(text) is not None
        is_pause = bool(_END.search(words)) and (start - ended >= PAUSE_S or len(words) >= PARAGRAPH_CHARS)
        if words and (is_turn or is_pause):
            yield words
            words = ""
        text = text[dash.end() :] if dash else text
        words = f"{words} {text}" if words else f"{name}: {text}" if name else text
        speaker, ended = name or speaker, end
    yield words


def _plain(line: str) -> str:
    return " ".join(entities.unescape(_TAG.sub("", line)).replace("♪", " ").split())
