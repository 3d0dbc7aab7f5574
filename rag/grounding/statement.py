"""Statement: whether a sentence of an article can be quoted on its own. Pure.

What splits a text into sentences also gives headlines, link teasers, captions and credits.
"""

from __future__ import annotations

import re

_ENDS = re.compile(r"[.!…。！｡।။۔።][\"'”’)\]」』]*(?:\[\d+\])*$")
"""A headline, a link or a caption has no full stop; a question states nothing. "[3]" is the mark of a footnote."""
_LABEL = re.compile(r"^\W*[A-Z][\w’'-]*(?:\s[\w’'-]+){0,2}:\s(?!\W*[a-z])(?![\"“‘'«„])")
"""What opens a link to another story or a credit ("Previously: …", "Live updates: …", "Photo: …"); speakers as well,
unless they are quoted ("He said: “…”")."""


def is_statement(sentence: str, *, fewest_words: int = 1) -> bool:
    """Whether it is a whole sentence of at least so many words that states something."""
    return bool(_ENDS.search(sentence)) and not _LABEL.match(sentence) and len(sentence.split()) >= fewest_words


_LEANS = re.compile(
    r"\W*(?:he|she|it|they|we|i|this|that|these|those|such|his|her|their|its|but|and|so|meanwhile|however|instead|"
    r"there|another|other|earlier|later|also)\b",
    re.IGNORECASE,
)


def stands_alone(text: str) -> bool:
    """Whether a sentence can be printed without the one before it: it opens with no pronoun or word that goes on from
    there, and every quotation that begins in it ends in it."""
    marks = text.count('"')
    return not _LEANS.match(text) and marks % 2 == 0 and text.count("“") == text.count("”")
