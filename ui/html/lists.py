"""Lists → HTML: the library, what became of added files, conversations, models."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rag.overview.list import best_sentence
from ui import links
from ui.html import library
from ui.html.markup import button, count, day, escape
from ui.html.saving import menu

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from index.article import Span
    from index.edit import Edit
    from index.models import Model
    from ui.conversations import Summary
    from ui.library import Found


UNREAD_SHOWN = 100
"""Files without an article that are listed: as many as articles."""


@dataclass(frozen=True, slots=True)
class FileResult:
    """What became of one file or address: `problem` is None when it was read, `done` says what came of that, `left_out`
    what was not read of it."""

    name: str
    problem: str | None = None
    done: str = "added"
    left_out: tuple[str, ...] = ()


def uploads(results: Iterable[FileResult], *, summary: str = "") -> str:
    """One line for each file, those that failed first, and what happened in all."""
    lines = "".join(
        f'<li class="added"><bdi>{escape(result.name)}</bdi>: {escape(result.done)}{_left_out(result.left_out)}</li>'
        if result.problem is None
        else f'<li class="failed"><bdi>{escape(result.name)}</bdi>. Not added: {escape(result.problem)}</li>'
        for result in sorted(results, key=lambda result: result.problem is None)
    )
    note = f'<p class="note">{escape(summary)}</p>' if summary else ""
    return f'{note}<ul class="uploads" aria-label="Added files">{lines}</ul>'


def progress(stage: str, done: int, total: int) -> str:
    """How far adding is."""
    words = {
        "wait": "Waiting until other articles are added…",
        "read": f"Reading {done} of {total}…",
        "embed": f"Indexing {done} of {count(total, 'sentence')}…",
    }.get(stage, f"{stage} {done} of {total}…")
    bar = f'<progress max="{max(total, 1)}" value="{done}" aria-label="Done so far"></progress>'
    return f'<p class="status busy">{escape(words)}</p>{"" if stage == "wait" else bar}'


def articles(
    shown: Sequence[Found],
    *,
    found: int,
    total: int,
    has_more: bool = False,
    is_about: bool = False,
    find: str = "",
    chosen: Collection[str],
    can_remove: bool = True,
    unread: Sequence[FileResult] = (),
    first: int = 1,
    pages: str = "",
    selection: str = "",
    known: Mapping[str, tuple[Sequence[str], Sequence[Edit]]] | None = None,
) -> str:
    """The articles of the library; `shown` are those of `found`, and of more if it `has_more`, from the `first` on;
    those that were found by the words `find` open at them. `is_about` if none has the words, and these are on the
    subject. `unread` are the files without an article, `known` the tags and edits of articles by their ids; `pages` and
    `selection` are HTML made here. Without `can_remove`, nothing offers to remove or to edit."""
    if not total:
        add = " Drop files above, or enter an address." if can_remove else ""
        return f'<p class="empty">No articles yet.{add}</p>{_unread(unread)}'
    number = count(total, "article") if found == total else f"{found:,} of {count(total, 'article')}"
    if is_about:
        number = f"No article has these words; {count(found, 'article')} on the subject"
    elif has_more:
        number = f"More than {found:,} of {count(total, 'article')}"
    more = f", {first:,} to {first + len(shown) - 1:,} are shown" if found > len(shown) or has_more else ""
    head = f'<p class="note">{number}{more}</p>'
    notes = known or {}
    lines = "".join(
        _article(one, chosen=one.row.id in chosen, can_remove=can_remove, find=find, known=notes.get(one.row.id))
        for one in shown
    )
    return f'{head}{selection}<ul class="rows" aria-label="Articles">{lines}</ul>{pages}{_unread(unread)}'


def conversations(known: Sequence[Summary], *, searched: bool = False) -> str:
    """The conversations of one owner, newest first."""
    if not known:
        text = "No conversation has all these words." if searched else "You have not asked anything yet."
        return f'<p class="empty">{text}</p>'
    return f'<ul class="rows" aria-label="Conversations">{"".join(map(_conversation, known))}</ul>'


def models(known: Sequence[Model], *, here: Collection[str], speeds: dict[str, float], can_pull: bool = True) -> str:
    """The models of models.txt with size, speed where it was measured, and a button that downloads a missing one for
    whoever `can_pull`."""
    lines = []
    for model in known:
        speed = f", {speeds[model.name]:.0f} tokens/s here" if model.name in speeds else ""
        size = f"{model.size_bytes / 1e9:.1f} GB"
        missing = button("pull", "Download", model=model.name) if can_pull else "not downloaded"
        state = "downloaded" if model.name in here else missing
        lines.append(
            f"<li><strong>{escape(model.name)}</strong> {size}{speed} · {state}"
            f'<p class="origin">{escape(model.note)}</p></li>'
        )
    return f'<ul class="rows models" aria-label="Models">{"".join(lines)}</ul>'


def _unread(files: Sequence[FileResult]) -> str:
    """The files without an article, folded away, and no more of them than fit on a page."""
    if not files:
        return ""
    lines = "".join(
        f"<li><bdi>{escape(one.name)}</bdi>: {escape(one.problem or '')}</li>" for one in files[:UNREAD_SHOWN]
    )
    more = f"<li>and {len(files) - UNREAD_SHOWN:,} more</li>" if len(files) > UNREAD_SHOWN else ""
    summary = f"{count(len(files), 'file')} not read"
    return f'<details class="unread"><summary>{summary}</summary><ul class="uploads">{lines}{more}</ul></details>'


def _left_out(reasons: Sequence[str]) -> str:
    return "".join(f'<p class="origin">Left out: <bdi>{escape(reason)}</bdi></p>' for reason in reasons)


def _snippet(found: Found, sentence: Span | None) -> str:
    """The sentence that an article was found by, with the words marked."""
    if sentence is None:
        return ""
    parts, at = [], sentence.start
    for hit in found.hits:
        if sentence.start <= hit.start and hit.end <= sentence.end:
            parts.append(f"{escape(found.text[at : hit.start])}<mark>{escape(hit.of(found.text))}</mark>")
            at = hit.end
    return f'<p class="snippet"><bdi>{"".join(parts)}{escape(found.text[at : sentence.end])}</bdi></p>'


def _article(
    found: Found,
    *,
    chosen: bool,
    can_remove: bool,
    find: str,
    known: tuple[Sequence[str], Sequence[Edit]] | None,
) -> str:
    row, sentence = found.row, found.sentence
    if found.hits:
        sentence = best_sentence(found.text, found.hits)
    mentions = count(len(found.hits), "mention") if found.hits else ""
    tags, edits = known or ((), ())
    edited = "edited" if edits else ""
    facts = [part for part in (row.source, day(row.published), count(row.words, "word"), mentions, edited) if part]
    place: dict[str, object] = {}
    if sentence is not None:
        here = next((hit for hit in found.hits if sentence.start <= hit.start and hit.end <= sentence.end), sentence)
        place = {"start": here.start, "end": here.end, "find": find}
    about = " · ".join(f"<bdi>{escape(part)}</bdi>" for part in facts)
    also = f" · also in {' · '.join(f'<bdi>{escape(one)}</bdi>' for one in row.also_in)}" if row.also_in else ""
    if row.superseded_by:
        also += f" · superseded by <bdi>{escape(row.superseded_by)}</bdi>"
    checked = " checked" if chosen else ""
    acts = ""
    if can_remove:
        remove = button("remove", "Remove", article=row.id, classes="act sure")
        acts = f'<div class="acts">{remove}</div>{library.form(row, tags, edits)}'
    return (
        f'<li><label class="choose"><input type="checkbox" data-act="choose" data-article="{escape(row.id)}"{checked}>'
        f'<span class="hidden">Ask only about {escape(row.headline)}</span></label><div class="entry">'
        f"{button('open', f'<bdi>{escape(row.headline)}</bdi>', article=row.id, **place, classes='title')}"
        f'<p class="origin">{about}{also}{library.tags(tags)}</p>{_snippet(found, sentence)}'
        f"{_left_out(row.left_out)}</div>{acts}</li>"
    )


def _conversation(one: Summary) -> str:
    title = f"<bdi>{escape(one.title or 'Conversation')}</bdi>"
    acts = [
        menu(conversation=one.id),
        links.copied(links.conversation(one.id)),
        button("delete", "Delete", conversation=one.id, classes="act sure"),
    ]
    rename = (
        f'<details class="rename"><summary>Rename</summary><form data-act="rename" '
        f'data-conversation="{escape(one.id)}"><label><span class="hidden">New title</span>'
        f'<input name="title" maxlength="60" value="{escape(one.title)}"></label>'
        f'<button class="act">Save</button></form></details>'
    )
    return (
        f'<li><div class="entry">{button("reopen", title, conversation=one.id, classes="title")}'
        f'<p class="origin">{count(one.turns, "question")} · {escape(day(one.updated) or "")}</p></div>'
        f"{''.join(acts)}{rename}</li>"
    )


def scope(filters: Sequence[str], *, chosen: Sequence[tuple[str, str]] = (), more: int = 0) -> str:
    """What questions are asked about: all articles, or those that pass these filters, with a button to clear them.

    `chosen` are ids and headlines of chosen articles, each of which can be taken out; `more` are chosen beside them."""
    if not filters:
        return '<p class="note">Searching all articles</p>'
    named = ", ".join(f"<bdi>{escape(one)}</bdi>" for one in filters)
    out = "".join(
        f"<li><bdi>{escape(headline)}</bdi>"
        f"{button('unpick', '<span aria-hidden=true>×</span><span class=hidden>Leave out</span>', article=one)}</li>"
        for one, headline in chosen
    )
    rest = f"<li>and {more:,} more</li>" if more and chosen else ""
    picked = f'<ul class="picked" aria-label="Chosen articles">{out}{rest}</ul>' if out else ""
    return f'<p class="note">Searching {named} · {button("unchoose", "Clear filters")}</p>{picked}'


def deleted(title: str, conversation: str) -> str:
    """Says that a conversation was deleted, with a button that brings it back."""
    undo = button("undo", "Undo", conversation=conversation)
    return f'<p class="status ready">Deleted <bdi>{escape(title or "Conversation")}</bdi>. {undo}</p>'


def removed(headline: str, article_id: str, *, others: int = 0, earlier: Sequence[tuple[str, str, int]] = ()) -> str:
    """Says that an article, and `others` with it, was removed, with a button that brings back all of them.

    `earlier` are the headline, the id and how many others of what was removed before and can be brought back.
    """
    undo = button("restore", "Undo", article=article_id)
    lines = "".join(
        f"<li>{_removed(title, number)} {button('restore', 'Bring back', article=name)}</li>"
        for title, name, number in earlier
    )
    before = f"<details><summary>Removed before</summary><ul>{lines}</ul></details>" if lines else ""
    return f'<p class="status ready">Removed {_removed(headline, others)}. {undo}</p>{before}'


def _removed(headline: str, others: int) -> str:
    more = f" and {count(others, 'other article')}" if others else ""
    return f"<bdi>{escape(headline)}</bdi>{more}"
