"""Recency: questions about now, the newest articles for them, and the day that an answer is of. Pure but for the clock.

An article tells what was so when it was published. A question about now ("Who is the prime minister?", "Has he
resigned?", "What happened this week?") is answered from the newest articles that tell, and the answer begins with the
day it is of; if that is too long ago for what was asked, it says so.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

from index.filters import Filter
from rag.answer import Citation, Claim
from rag.dates import dates, day_of, in_words
from rag.grounding import answer_type, claims
from rag.grounding.cite import LEAST_COVERAGE
from rag.grounding.lexicon import stems, words
from rag.grounding.statement import is_statement
from rag.grounding.support import FAILED
from rag.relevance import covered

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.hit import Hit
    from rag.answer import Source

_SPANS = (
    (re.compile(r"\b(?:today|tonight|yesterday|this (?:morning|afternoon|evening))\b", re.IGNORECASE), 2),
    (re.compile(r"\b(?:this|the past|the last|last) week\b|\b(?:past|last) few days\b", re.IGNORECASE), 14),
    (re.compile(r"\b(?:this|the past|the last|last) month\b|\b(?:past|last) few weeks\b", re.IGNORECASE), 62),
    (re.compile(r"\bthis year\b|\bthe (?:past|last) year\b|\b(?:past|last) few months\b", re.IGNORECASE), 366),
)
"""Words that name a period up to now, and how many days old an article may be to speak of it: twice the period, for
"last week" reaches back two weeks."""
_UNNAMED_DAYS = 92
"""The same where now is meant but no period is named: a quarter of a year."""
_NOW = re.compile(
    r"\b(?:now|nowadays|current|currently|presently|at present|(?<=['’]s )present|(?<=the )present|recent|recently|"
    r"lately|latest|newest|so far|to date(?=\W*$|[,;]| (?:in|by|on|for|and)\b)|these days|still|yet|already|no longer|"
    r"any ?more|ongoing|incumbent|"
    r"at the moment|up to date|any (?:news|updates?|word|developments?)|what['’]?s new)\b",
    re.IGNORECASE,
)
"""Words that ask about now."""
_PARTICIPLE = (
    r"(?:\w+ed|(?:over|under|re|with|mis|for|up|out)?(?:been|given|taken|written|spoken|broken|chosen|driven|fallen|"
    r"frozen|hidden|risen|shaken|stolen|sworn|beaten|eaten|forgotten|proven|seen|gone|done|shown|grown|known|thrown|drawn|"
    r"won|lost|left|quit|said|made|met|come|become|begun|run|held|paid|sold|built|bought|brought|caught|cut|found|got|"
    r"heard|hit|kept|led|put|read|sent|set|shot|shut|spent|struck|sunk|told|fought|taught))\b"
)
"""Participles: the regular ones, and the irregular ones of verbs that news are made of."""
_NOT_PERFECT = r"(?<!\bto )(?<!would )(?<!could )(?<!should )(?<!might )(?<!must )(?<!may )"
_NAMED = r"(?:(?:[A-Z][\w.&'’-]*|of|the|de|van|von|al)(?: |(?=\W*$)))+"
_PRESENT = (
    # Whether something has come about or is so: "Has Pell resigned?", "Is the bridge open?"; not what does not change:
    # "Is there …?", "Is a whale a fish?", "Is he the first to …?"
    r"^(?i:(?:and|but|so|then) )?(?i:has|have|hasn['’]t|haven['’]t)\b",
    r"^(?i:(?:and|but|so|then) )?(?i:is|are|isn['’]t|aren['’]t)\b(?! (?:there|an?)\b)(?!.* first\b)",
    # What has come about: "How many have died?", "What has he promised?"; not "What is he said to have promised?"
    rf"^(?i:what|who|which|how|where|when)\b[^,?]*? {_NOT_PERFECT}(?i:has|have|hasn['’]t|haven['’]t) "
    rf"(?!to )(?:\S+ ){{0,6}}?{_PARTICIPLE}",
    # Who bears an office, or does something: "Who is prime minister of Zorb?", "Who leads it?"; not "Who is Bo Lund?"
    rf"^(?i:and |so |but )?(?i:who)(?: (?i:is|are)|['’]s|s)\b (?!{_NAMED}\W*$)(?!.* first\b)",
    r"^(?i:and |so |but )?(?i:who) (?:\w+ly )?(?!(?i:was|does|has|is|this|besides|always)\b)[a-z]+(?<!s)s\b",
    r"^(?i:which|what) [a-z]+ (?!(?i:was|does|has|is)\b)[a-z]+(?<!s)s (?=the |an? |[A-Z])",
    # The state of something: "What is her job?", "What is the state of the bridge?"; not "… the role of the kidneys?"
    r"^(?i:what|how)(?: (?i:is|are)|['’]s|s)\b.*(?:\bthe|\b(?:his|her|its|their)|['’]s?)(?: [\w-]+){0,2}? "
    r"(?:job|position|post|status|state|condition|whereabouts|role(?! of (?!(?:the )?[A-Z])))\b"
    r"(?= (?:of|in|at|on|with|as)\b|\W*$)",
    r"^(?i:who|where)\b.* (?i:is|are|['’]s) (?:\S+ ){0,5}?being \w+",
)
_PRESENT_TENSE = re.compile("|".join(f"(?:{pattern})" for pattern in _PRESENT))
"""Questions in the present tense, or the present perfect, about what changes with time: who bears an office, whether
and what has come about, and in what state something is."""
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_GONE = r"(?:dismissed|sacked|fired|ousted|deposed|removed|replaced|voted out)"
_LEAVES = (
    r"(?:resign(?:s|ed)|quits?|retire[sd]|dies|died|(?:steps|stepped|stands|stood) (?:down|aside)|left office|"
    rf"(?:is|was|been|being|got) (?:\w+ly )?{_GONE})\b"
)
_REMOVES = r"\b(?:dismiss(?:es|ed)|sack(?:s|ed)|fire[sd]|oust(?:s|ed)|depose[sd]|remove[sd]|[Ff]ormer|[Ll]ate)\b"
_APART = r"(?: (?:of|in|at|for|from|the|has|had|also|\w+ly)\b|(?<=\b(?:of|in|at)) [A-Z][\w-]*)* "
_END = re.compile(rf"{_LEAVES}|{_REMOVES}|\b(?:resign|quit|leave|step|no longer|not)\b")
"""Words for the end of an office, after and before who had it, and what may stand between."""
_BEGINS_CLAUSE = r"\b(?:who|which|when|while|after|before|but|and)\b"
_IN_CLAUSE = rf"(?:(?!{_BEGINS_CLAUSE})[^,;:()—–])"
_CLAUSES = re.compile(rf"{_IN_CLAUSE}+|{_BEGINS_CLAUSE}{_IN_CLAUSE}*")
"""The clauses of a sentence, each up to the next comma or word that begins another."""
_SINCE = re.compile(r"\b(?:since|from|until|till|through|to|by)\s(?:\w+\s)?$", re.IGNORECASE)
"""What stands before a date that is only the beginning or the end of what a sentence reports."""
SPAN_DAYS = 14
"""Days before the newest article that are searched first."""
STORY_DAYS = 3
"""Days within which articles report one state of things."""
FRAGMENT_WORDS = 4
"""An answer of so few words is mostly a date, a number or a name and no sentence."""


def asks_about_now(question: str) -> bool:
    """Whether a question asks how things are at the time of asking."""
    return _oldest_days(question) is not None


def recent_spans(question: str, newest: str | None) -> tuple[Filter, ...]:
    """For a question about now, the periods before the `newest` article that are searched beside all articles, so that
    many older passages do not hide a recent one."""
    longest_days, last = _oldest_days(question), day_of(newest)
    if longest_days is None or last is None:
        return ()
    spans = {min(longest_days, SPAN_DAYS), longest_days}
    return tuple(Filter.of(after=str(last - timedelta(days=days))) for days in sorted(spans))


def newest_alone(question: str, sources: Sequence[Source]) -> tuple[Source, ...]:
    """For a question about now, the passages of the newest articles, where the others are older than one story lasts;
    () if there are no others, and for other questions."""
    days = {source.number: day_of(source.hit.article.published) for source in sources}
    last = max((day for day in days.values() if day is not None), default=None)
    if last is None or not asks_about_now(question):
        return ()
    newest = tuple(one for one in sources if (day := days[one.number]) is not None and (last - day).days <= STORY_DAYS)
    return newest if len(newest) < len(sources) else ()


def newest_first(question: str, hits: Sequence[Hit], *, least_share: float) -> list[Hit]:
    """For a question about now, the hits that score at least `least_share` of the best, newest first, those without a
    date last, but the best one second at the latest: the newest articles may not tell. For others the hits as they
    are. An article of which a newer version was found is not the best."""
    if not hits or not asks_about_now(question):
        return list(hits)
    found = {hit.article.id for hit in hits}
    current = [hit for hit in hits if not any(version.id in found for version in hit.newer)]
    best = max(current or hits, key=lambda hit: hit.score)
    near = [hit for hit in hits if hit.score >= least_share * best.score]
    newest, *others = sorted(near, key=lambda hit: hit.article.published or "", reverse=True)
    return [newest, *([] if newest is best else [best]), *(hit for hit in others if hit is not best)]


def opening(question: str, drafted: Sequence[Claim], *, today: date | None = None) -> str:
    """What an answer to a question about now begins with: the day of the newest quote of its first claim, and how long
    ago that is if it is too long for what was asked. "" for other questions and for quotes without a date."""
    oldest_days = _oldest_days(question)
    days = [day_of(citation.published) for claim in drafted[:1] for citation in claim.citations]
    newest = max((day for day in days if day is not None), default=None)
    if oldest_days is None or newest is None:
        return ""
    age_days = ((today or date.today()) - newest).days
    return f"As of {in_words(newest)}{f', which is {_ago(age_days)}' if age_days > oldest_days else ''}:"


def without_who_left(question: str, drafted: Sequence[Claim]) -> tuple[Claim, ...]:
    """Claims, of which those that answer a question about now with somebody who left, by their quotes, are replaced by
    these: "Ian Pell." by "Mayor Ian Pell resigned on Thursday." """
    found = [asks_about_now(question) and _names_who_left(question, claim) for claim in drafted]
    if not any(found):
        return tuple(drafted)
    pairs = zip(drafted, found, strict=True)
    return claims.in_one_text(one for claim, left in pairs for one in (claims.as_quotes([claim]) if left else [claim]))


def without_other_times(question: str, drafted: Sequence[Claim]) -> tuple[Claim, ...]:
    """Claims, of which those whose every quote is of another time than the question asks about rest on nothing: asked
    who resigned this week, or in October, somebody who did in July is no answer."""
    return tuple(
        replace(one, citations=(), supported=False, support=min(one.support, FAILED))
        if one.supported and all(_is_of_another_time(question, one.text, each) for each in one.citations)
        else one
        for one in drafted
    )


def _is_of_another_time(question: str, claim: str, quote: Citation) -> bool:
    """Whether what a quote says of a claim is dated, by the quote itself, before or after what is asked about."""
    published = day_of(quote.published)
    days = next((days for pattern, days in _SPANS if pattern.search(question)), None)
    if days is not None and published is not None:
        asked = [(published - timedelta(days=days), published + timedelta(days=days))]
    else:
        # "who" begins a clause of a sentence, of which a date is not that of the sentence
        asked = [one.span for one in dates(question.partition(" ")[2]) if one.is_when]
    if not asked:
        return False
    text = quote.quote
    found = dates(text, published)
    wanted = {word.stem for one in (question, claim) for word in words(one) if one[word.start].islower()}
    clauses = [one.span() for one in _CLAUSES.finditer(text)]
    start, end = max(clauses, key=lambda at: len(wanted & stems(text[slice(*at)])), default=(0, 0))
    # "Last month, he was fired": a date that stands alone is that of the clause beside it.
    alone = [
        (one.start, one.end)
        for one in found
        for at in clauses
        if at[0] <= one.start < at[1] and not words(f"{text[at[0] : one.start]} {text[one.end : at[1]]}")
    ]
    own = [
        one
        for one in found
        if (start <= one.start < end or (one.start, one.end) in alone) and not _SINCE.search(text[: one.start])
    ]
    return bool(own) and not any(one.span[0] <= last and first <= one.span[1] for one in own for first, last in asked)


def later_report(question: str, drafted: Sequence[Claim], sources: Sequence[Source]) -> tuple[Claim, ...]:
    """For a question about now, the newest sentence of `sources` on what is claimed first, if it is newer than what is
    quoted for that, which may be out of date; () if there is none, and for other questions. Its citation is number 0.
    """
    days = [day_of(citation.published) for claim in drafted[:1] for citation in claim.citations]
    quoted = max((day for day in days if day is not None), default=None)
    if quoted is None or not asks_about_now(question):
        return ()
    found: list[tuple[date, float, Citation]] = []
    for source in sources:
        article, day = source.hit.article, day_of(source.hit.article.published)
        for span in source.hit.sentences if day and (day - quoted).days > STORY_DAYS else ():
            text = span.of(article.text)
            share = covered(drafted[0].text, text)
            if day and share >= LEAST_COVERAGE and is_statement(text):
                found.append((day, share, Citation(0, article, span.start, span.end)))
    if not found:
        return ()
    day, _, later = max(found, key=lambda one: one[:2])
    outlet = " ".join((later.source or "").split()) or "Another article"
    text = f"{outlet} reported later, on {in_words(day)}: “{' '.join(later.quote.split())}”"
    return (Claim(text, 0, len(text), (later,), 1.0, supported=True, verbatim=True),)


def attributed(drafted: Sequence[Claim], *, opening: str = "") -> tuple[Claim, ...]:
    """Claims whose first, if it is a few words from one article, is a sentence that says who reported it and when, the
    day only if it is known and no `opening` gives it. Each ends like a sentence."""
    if not drafted:
        return ()
    first, *others = (one if one.verbatim else replace(one, text=_as_sentence(one.text)) for one in drafted)
    if first.verbatim or len(first.text.split()) > FRAGMENT_WORDS or any(not one.verbatim for one in others):
        return (first, *others)
    articles = {citation.article.id: citation.article for citation in first.citations}
    (article,) = articles.values() if len(articles) == 1 else (None,)
    day = day_of(article.published) if article is not None else None
    if article is None or not article.source:
        return (first, *others)
    when = "" if opening or day is None else f" on {in_words(day)}"
    said = first.text.rstrip(" .")
    return (replace(first, text=f"{said}, {' '.join(article.source.split())} reported{when}."), *others)


def day_of_report(question: str, drafted: Sequence[Claim], *, sure: bool = True) -> tuple[Claim, ...]:
    """For a question that asks when, the day on which what is claimed first was reported, as a claim, if no claim names
    a day, month or year of its own; () else. A report of the day tells what happened, not when: its date does. Beside
    claims that are not `sure` to answer the question, it is given only for a time that is reckoned from it."""
    if not answer_type.asks_when(question) or any(answer_type.names_time(one.text) for one in drafted):
        return ()
    if not sure and not any(answer_type.is_reckoned(one.text) for one in drafted):
        return ()
    known = ((one, day_of(one.published)) for claim in drafted[:1] for one in claim.citations)
    quote, day = next(((one, day) for one, day in known if day is not None), (None, None))
    if quote is None or day is None:
        return ()
    outlet = " ".join((quote.source or "").split())
    text = f"{outlet} reported this on {in_words(day)}." if outlet else f"This was reported on {in_words(day)}."
    return (Claim(text, 0, len(text), (quote,), 1.0, supported=True),)


def _as_sentence(text: str) -> str:
    """With a full stop, where a draft of a few words has none."""
    return f"{text}." if text[-1:].isalnum() and text.isascii() else text


def _names_who_left(question: str, claim: Claim) -> bool:
    """Whether each quote that has the names of a claim which the question has not says that their bearer left."""
    asked = stems(question)
    names = [
        claim.text[one.start : one.end]
        for one in words(claim.text)
        if one.stem not in asked and claim.text[one.start].isupper()
    ]
    if not names or _END.search(f"{question} {claim.text}"):
        return False
    last = re.escape(names[-1])
    left = re.compile(
        rf"\b{last}\b{_APART}{_LEAVES}|{_REMOVES}(?: (?!by\b)[a-z]+){{0,3}}(?: [A-Z][\w.-]*){{0,3}} {last}\b"
    )
    quotes = [one.quote for one in claim.citations if re.search(rf"\b{last}\b", one.quote)]
    return bool(quotes) and all(left.search(" ".join(quote.split())) for quote in quotes)


def _oldest_days(question: str) -> int | None:
    if _YEAR.search(question):  # "Who was the leader in 2019, and who is it now?" would need two answers
        return None
    named = next((days for pattern, days in _SPANS if pattern.search(question)), None)
    if named is None and (_NOW.search(question) or _PRESENT_TENSE.search(" ".join(question.split()))):
        return _UNNAMED_DAYS
    return named


def _ago(days: int) -> str:
    """A number of days in the largest unit that fits twice, else in the next smaller one."""
    for unit, length in (("year", 365), ("month", 30), ("week", 7)):
        if days >= 2 * length:
            return f"{days // length} {unit}s ago"
    return f"{days} days ago"
