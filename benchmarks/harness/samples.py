"""The sample articles, and short conversations about them."""

from __future__ import annotations

from pathlib import Path

ARTICLES = Path(__file__).parents[2] / "seeds"
CONVERSATIONS = (
    ("When did the six-party talks break down?", "Who supports a resumption of them?"),
    ("What does Japan call the four Kuril Islands?", "What has this dispute prevented?"),
    ("When did Tokyo and Moscow hold their first diplomatic talks since 1973?", "What did they agree on in 2016?"),
    ("What did Dr James Brown say about how far cooperation can go?", "And what did he say about Japan's alliance?"),
)
"""A question and a follow-up."""
