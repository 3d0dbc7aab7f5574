"""Statement: whether a sentence of an article can be quoted on its own. Pure.

What splits a text into sentences also gives headlines, link teasers, captions and credits.
"""

from __future__ import annotations

import re

_ENDS = re.compile(r"(?:[.!…。！｡।۔።]|[?？](?=[\"'”’」』]))[\"'”’)\]」』]*(?:\[\d+\])*$")
"""A headline, a link or a caption has no full stop; a question states nothing, but may be reported: He asked "Why?".
"[3]" is the mark of a footnote."""
_BRACKETED = re.compile(r"^\s*\[.*\]\s*$", re.DOTALL)
"""What an editor adds: [Read more about it here.]"""
_LABEL = re.compile(r"^\W*[A-Z][\w’'-]*(?:\s[\w’'-]+){0,2}:\s(?!\W*[a-z])(?![\"“‘'«„])")
"""What opens a link to another story or a credit ("Previously: …", "Live updates: …", "Photo: …"); speakers as well,
unless they are quoted ("He said: “…”")."""

_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")


def is_statement(sentence: str, *, fewest_words: int = 1) -> bool:
    """Whether it is a whole sentence of at least so many words that states something."""
    return (
        bool(_ENDS.search(sentence))
        and not (_LABEL.match(sentence) or _BRACKETED.match(sentence))
        and _words(sentence) >= fewest_words
    )


def _words(sentence: str) -> int:
    """How many words there are; two characters of a script that puts no spaces between words are one."""
    return len(sentence.split()) + len(_UNSPACED.findall(sentence)) // 2
