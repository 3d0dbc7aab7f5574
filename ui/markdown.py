"""Answers and conversations → Markdown, to be copied, exported and read elsewhere. Pure.

What models and articles wrote is escaped: it reads as it was written, is never taken for markup, and loads nothing
where the Markdown is shown as HTML.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rag.answer import Verdict
from ui import terminal
from ui.html.markup import safe_url

if TYPE_CHECKING:
    from rag.answer import Answer, Citation, Claim, Disagreement, Section
    from rag.checked import Check
    from ui.conversations import Conversation

_MARKUP = re.compile(r"[\\`*_{}\[\]<>&#~|!$^:@]")
_NUMBERED = re.compile(r"\d{1,9}[.)]")


def render_answer(answer: Answer) -> str:
    """The answer with its markers, what it lacks, who disagrees, then every quote with its origin."""
    parts = [_marked(answer)] if not answer.sections else [_paragraphs(answer.lead), *map(_row, answer.sections)]
    if answer.reason is not None:
        parts.append(f"*{'No answer' if answer.refused else 'Incomplete'}: {escape(answer.reason)}.*")
    if answer.unanswered:
        parts.append(f"*Not answered: {escape(answer.unanswered)}*")
    parts += [_differing(disagreement) for disagreement in answer.disagreements]
    parts += [_reference(one, is_in_text=one.number in answer.quoted_in_text) for one in answer.citations]
    return "\n\n".join(part for part in parts if part)


def render_conversation(conversation: Conversation) -> str:
    """The title, then each question with its answer and when it was asked."""
    parts = [f"# {escape(conversation.title) or 'Conversation'}"]
    for kept in conversation.turns:
        asked = f"*Asked on {kept.asked_at[:10]} at {kept.asked_at[11:16]} UTC*"
        parts += [f"## {escape(kept.question)}", asked, render_answer(kept.restored())]
    return "\n\n".join(part for part in parts if part) + "\n"


def render_check(check: Check, title: str) -> str:
    """A checked draft: its title, how many sentences have each verdict, each sentence with its verdict, the quotes."""
    parts = [f"# {escape(title)}", f"{check.summary}."]
    for one in check.sentences:
        numbers = "".join(f"[{citation.number}]" for citation in (*one.citations, *one.nearest))
        told = " ".join(filter(None, (f"**{one.verdict}**", numbers, escape(one.note))))
        parts.append(f"{escape(one.text)}\\\n{told}")
    return "\n\n".join([*parts, *map(_reference, check.citations)]) + "\n"


def escape(text: str) -> str:
    """`text` on one line, free of control characters, with every character that Markdown would obey escaped."""
    plain = _MARKUP.sub(r"\\\g<0>", terminal.line(text))
    if plain.startswith(("-", "+", "=")):
        return "\\" + plain
    if _NUMBERED.match(plain):
        return re.sub(r"[.)]", r"\\\g<0>", plain, count=1)
    return plain


def _marked(answer: Answer) -> str:
    """The text with a marker after each claim; paragraphs stay."""
    pieces, position = [], 0
    for claim in answer.claims:
        pieces += [_paragraphs(answer.text[position : claim.start]), escape(claim.text), _marker(claim)]
        position = claim.end
    return "".join([*pieces, _paragraphs(answer.text[position:])]).strip()


def _row(section: Section) -> str:
    """The heading in bold, then the claims with their markers."""
    claims = [f"{escape(claim.text)}{_marker(claim)}" for claim in section.claims]
    heading = [f"**{escape(section.heading)}**"] if section.heading else []
    return "\\\n".join([*heading, *([" ".join(claims)] if claims else [])])


def _paragraphs(between: str) -> str:
    """What stands between two claims: blanks as they are, words escaped."""
    return re.sub(r"[^\s][^\n]*", lambda words: escape(words[0]) + " " * words[0].endswith(" "), between)


def _marker(claim: Claim) -> str:
    numbers = "".join(f"[{citation.number}]" for citation in claim.citations)
    word = {Verdict.UNSUPPORTED: terminal.UNSUPPORTED, Verdict.PARTLY: terminal.PARTLY}.get(claim.verdict)
    return "".join([f" {numbers}" if numbers else "", f" *{word}*" if word else ""])


def _differing(disagreement: Disagreement) -> str:
    lines = [f"Articles differ ({escape(disagreement.about)}):"]
    if disagreement.about == "version":
        lines = [terminal.differing(disagreement)]
    for side in disagreement.sides:
        origin = escape(terminal.origin(side.citation.article))
        lines.append(f"- **{escape(side.value)}** [{side.citation.number}] {origin}")
    return "\n".join(lines)


def _reference(citation: Citation, *, is_in_text: bool = False) -> str:
    """The number, the quote unless it stands in the text, and where it is from."""
    origin, url = escape(terminal.origin(citation.article)), safe_url(citation.url)
    # An address that could end its own brackets is left out; no browser needs these characters unencoded.
    link = f" · <{url}>" if url and not re.search(r"[<>\\`]", url) else ""
    quote = "" if is_in_text else f"“{escape(citation.quote)}” "
    return f"[{citation.number}] {quote}{origin}{link}"
