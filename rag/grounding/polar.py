"""Polar: questions that are answered by yes or no, and the sentences by which the answer is no. Pure; knows no model.

A model that is asked whether passages answer "Did he resign?" looks for somebody who resigned, and says that they do
not where they say that he did not. Such a question is read as the statement that it asks about, and what contradicts
that statement, by a negation or an antonym and in nearly the same words (rag/grounding/contradiction.py), answers it.
The rules are those of English.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from index.language import language_of
from rag.grounding import contradiction
from rag.grounding.lexicon import MODALS, is_akin, known, stems, words
from rag.grounding.statement import is_statement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from rag.grounding.cite import Quote
    from rag.grounding.contradiction import Contradiction
    from rag.grounding.lexicon import Word

_ASKS_WHETHER = re.compile(
    r"^\W*(?:(?:and|but|so|then|or) )?"
    r"(?P<auxiliary>(?:is|are|was|were|do|does|did|has|have|had|will|can|could|would)(?:n[’']t)?) "
    r"(?P<rest>[^?]+)$",
    re.IGNORECASE,
)
_ASKS_WHICH = re.compile(r"\b(?:or|who|whom|whose|what|which|why|how)\b", re.IGNORECASE)
"""What asks for more than yes or no: "Did he resign or was he dismissed?", "Do you know who …?"."""
_FAILS = re.compile(
    r"\b(?:fail(?:s|ed|ing)?|refus(?:e[sd]?|ing)|declin(?:e[sd]?|ing)|neglect(?:s|ed|ing)?|"
    r"(?:(?:is|are|was|were|been|being) )?unable) to\b",
    re.IGNORECASE,
)
"""Words by which somebody does not do something, for which a sentence is read as "did not"."""
_TITLE = re.compile(r"(?:Mr|Mrs|Ms|Dr|Sir|Lord|Judge|President|Minister|Senator|General|King|Queen|Pope|Chancellor)$")
_REPORTS = re.compile(
    r"\b(?:(?<!and )sa(?:id|ys?|ying)|t(?:old|ells?)|claim\w*|den(?:y|ies|ied)|insist\w*|alleg\w*|accus\w*|"
    r"argu\w*|according to|suggest\w*|believ\w*|report\w*|expect\w*|think\w*|thought|promis\w*|vow\w*)\b",
    re.IGNORECASE,
)
"""Words by which a sentence reports what somebody says, expects or thinks: it does not say itself that it is so."""
_CLAUSE = re.compile(r"[,;:—–“”\"]")


def statement(question: str) -> str | None:
    """What a question asks the truth of: "that Ada Quill testify in court" of "Did Ada Quill testify in court?".

    None for one that asks for more than yes or no, for one that is itself negated, and in other languages.
    """
    found = _ASKS_WHETHER.match(" ".join(question.split()).rstrip("?!. "))
    if found is None or language_of(question) not in (None, "English") or _ASKS_WHICH.search(found["rest"]):
        return None
    is_negated = found["auxiliary"].lower().endswith("t") or re.search(r"\b(?:not|never|no)\b", found["rest"])
    return None if is_negated else f"that {found['rest'].strip()}"  # so that a name with which it begins is one


def denials(question: str, quotes: Sequence[Quote]) -> tuple[Quote, ...]:
    """Those of the quotes that say that what is asked is not so; () where any says that it is, and for other
    questions."""
    asked = statement(question)
    if asked is None:
        return ()
    wanted = words(asked)
    modals = {word for word in asked.lower().split() if word in MODALS} | {question.split()[0].lower()}
    found = []
    for quote in quotes:
        text = _read(quote)
        if not is_statement(text):
            continue
        claim = _as_named(asked, wanted, text)
        against = contradiction.find(claim, [quote], read=_read)
        if against is None:
            if all(word.stem in known(text) for word in words(claim)):
                return ()
        elif _is_denial(against, claim) and _names_all(claim, text) and not _depends(claim, text, modals):
            found.append(quote)
    return tuple(found)


def is_reported(text: str) -> bool:
    """Whether a sentence only reports what somebody says, expects or thinks."""
    return _REPORTS.search(text) is not None


def _read(quote: Quote) -> str:
    """A sentence in which what somebody fails, refuses or decides not to do is what he "did not" do."""
    return _FAILS.sub("did not", " ".join(quote.text.split()))


def _is_denial(against: Contradiction, claim: str) -> bool:
    """Whether what differs is whether it is so: a negation, or an antonym that says so of a verb or at the end. What is
    said of "internal affairs" says nothing of "external" ones."""
    if against.about == "negation":
        return True
    of_noun = re.search(rf"\b{re.escape(against.claimed)} (?P<next>\w+)", claim)
    return against.about == "word" and not (of_noun and words(of_noun["next"]))


def _names_all(claim: str, text: str) -> bool:
    """Whether a sentence has every name and number of a claim: of somebody else it may say the same."""
    has = known(text)
    return all(is_akin(word.stem, has) for word in words(claim) if word.kind == "name" or word.is_number)


def _depends(claim: str, text: str, modals: Collection[str]) -> bool:
    """Whether the clause that is nearest to a claim speaks of what may be or is to be, and the question does not."""
    wanted = stems(claim)
    nearest = max(_CLAUSE.split(text), key=lambda clause: len(wanted & stems(clause)))
    return any(word in MODALS and word not in modals and word != "yet" for word in nearest.lower().split())


def _as_named(asked: str, wanted: Sequence[Word], text: str) -> str:
    """The statement without first names that a sentence has not, where it has the last name alone: "Ada Quill" is its
    "Dr. Quill", but not its "Anne Quill"."""
    has = known(text)
    gone = [
        word
        for word, following in itertools.pairwise(wanted)
        if word.kind == following.kind == "name"
        if asked[word.end : following.start] == " "
        if word.stem not in has and following.stem in has and _stands_alone(text, following.stem)
    ]
    for word in reversed(gone):
        asked = asked[: word.start] + asked[word.end + 1 :]
    return asked


def _stands_alone(text: str, stem: str) -> bool:
    """Whether a name has no first name before it in any place of a text."""
    places: Iterator[Word] = (word for word in words(text) if word.stem == stem and text[word.start].isupper())
    before = [re.search(r"([A-Z][\w’'-]*)\.? $", text[: word.start]) for word in places]
    return all(one is None or _TITLE.search(one[1]) for one in before)
