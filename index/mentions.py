"""Mentions: a name or phrase → every article that has it, with the exact spans. Knows no question and no model.

The word index finds the candidates, their text decides. A name is found in any case, with or without diacritics, as a
possessive and inflected ("Hunt's", "layoffs" for "layoff"); in quotation marks, exactly as it is written. Capitals are
an acronym: "WHO" is not "who". Where an article gives an acronym with its long form, "World Health Organization (WHO)",
each counts as a mention of the other in that article.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from index import tokens
from index.article import Article, Span
from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from index.filters import Filter
    from index.store import Generation

Sort = Literal["relevance", "newest", "oldest"]
SORTS: tuple[Sort, ...] = ("relevance", "newest", "oldest")

NAME_CHARS = 200
"""A longer name is a mistake, and would make a slow pattern."""
ACRONYM_LETTERS = range(2, 9)
SPOKEN_LETTERS = 4
"""Acronyms of at least so many letters are also written like words ("Nato", "Unicef"). Shorter ones are spelled out,
and like words they are others: who, it, us."""

_WORD = re.compile(r"[^\W_]+")
_QUOTED = re.compile(r"""^\s*(?:"([^"]+)"|“([^”]+)”|„([^“”]+)[“”]|«([^»]+)»)\s*$""")
_DOTTED = re.compile(r"(?:[^\W\d_]\.){2,}(?:[^\W\d_]\b)?")
_ACRONYM = rf"[A-Z][A-Z0-9&]{{{ACRONYM_LETTERS.start - 1},{ACRONYM_LETTERS.stop - 2}}}"
# Scripts without spaces: the word index has no words of them.
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
# What may stand between two words of a name: "Jean-Luc", "Paris, Texas", "St. Louis", "George W. Bush" over the end of
# a line; but no end of a sentence, no blank line.
_BETWEEN = r"(?:(?<=\b\w)\.|(?<=\b\w\w)\.|(?<=\b\w\w\w)\.|(?<=\b\w\w\w\w)\.)?(?:(?!\n\s*\n)[^\w.!?;:]){0,4}"
_APOSTROPHES = str.maketrans("’‘ʼ", "'''")
_SINGULAR_WITH_S = frozenset(("news", "series", "species"))
"""Without their s they are other words."""


@dataclass(frozen=True, slots=True)
class Mentions:
    """Where an article has a name: `spans` of its text, none if only its title has it. `copy_of` is the id of the
    article that it repeats, if it does."""

    article: Article
    spans: tuple[Span, ...]
    in_title: bool
    copy_of: str | None = None


@dataclass(frozen=True, slots=True)
class Name:
    """A name or phrase to find. `is_exact` if only as it is written; `is_plural` if its singular counts as well."""

    text: str
    is_exact: bool = False
    is_plural: bool = False

    @classmethod
    def of(cls, written: str) -> Name:
        """The name as somebody writes it: in quotation marks for an exact one, without an article before it otherwise.

        Raises InputError for one that has no letter or digit, or is too long.
        """
        quoted = _QUOTED.match(written)
        text = next(filter(None, quoted.groups())) if quoted else written.strip().strip('"“”„«»').strip()
        if not _WORD.search(text):
            raise InputError(f"{written!r} has no word to look for; write a name or a phrase")
        if len(text) > NAME_CHARS:
            raise InputError(f"a name of {len(text)} characters was asked for; at most {NAME_CHARS} are looked for")
        if quoted:
            return cls(text, is_exact=True)
        bare = re.sub(r"^the\s+(?=\w)", "", text, flags=re.IGNORECASE)
        return cls(re.sub(r"['’]s?$", "", bare), is_plural=bare != text)

    @property
    def is_acronym(self) -> bool:
        """Whether it is written in capitals: "WHO", "U.S."."""
        return re.fullmatch(_ACRONYM, _joined(self.text)) is not None

    def find(self, text: str) -> tuple[Span, ...]:
        """Where `text` has it, in order, without overlaps."""
        if self.is_exact:
            wanted = re.escape(self.text.translate(_APOSTROPHES))
            edges = ("" if _UNSPACED.search(self.text) else r"(?<![^\W_])", r"(?![^\W_])")
            opening = edges[0] if _WORD.match(self.text) else ""
            closing = edges[1] if edges[0] and _WORD.match(self.text[-1]) else ""
            found = re.finditer(f"{opening}{wanted}{closing}", text.translate(_APOSTROPHES))
            return tuple(Span(*one.span()) for one in found)
        if self.is_acronym:
            return tuple(sorted({*_acronyms(self.text, text), *self._also(text)}, key=lambda span: span.start))
        return _without_overlaps([*_phrases(self.text, self.is_plural, text), *self._also(text)])

    def _also(self, text: str) -> tuple[Span, ...]:
        """Where it has the acronym of a long form that it gives, or the other way round."""
        if "(" not in text:
            return ()
        if self.is_acronym:
            long = _long_form(self.text, text)
            return _phrases(long, False, text) if long else ()
        short = _short_form(self.text, text)
        return _acronyms(short, text) if short else ()


def find(generation: Generation, name: Name, only: Filter, sort: Sort) -> Iterator[Mentions]:
    """Every article that has `name` and passes `only`, copies as well, in the order `sort`."""
    phrases = None if _UNSPACED.search(name.text) else _candidates(name, generation.languages)
    for article_id, copy_of in generation.articles_with(phrases, only, sort):
        article = generation.article(article_id)
        if article is None:
            continue
        spans = name.find(article.text)
        in_title = bool(article.title and name.find(article.title))
        if spans or in_title:
            yield Mentions(article, spans, in_title, copy_of)


def _candidates(name: Name, languages: Sequence[str]) -> list[str]:
    """Phrases for the word index, in the `languages` of its articles: each text that has the name has one."""
    *before, last = _WORD.findall(name.text)
    forms = [last] if name.is_exact else sorted(_forms(last.lower(), "a"))
    written = [name.text, *(" ".join([*before, form]) for form in forms)]
    # "J. K. Rowling" may be written with initials that the word index has as one word, "J.K.", and the other way round.
    written += [re.sub(r"\b(\w) (?=\w\b)", r"\1", one) for one in written[1:]]
    if name.is_acronym:
        written += [_joined(name.text), " ".join(_joined(name.text))]
    return list(dict.fromkeys(" ".join(tokens.terms(one, each)) for each in languages or (None,) for one in written))


@lru_cache(maxsize=64)
def _pattern(name: str, is_plural: bool) -> re.Pattern[str]:
    """Of the name in folded text. Names in capitals take an s at the end; the words of a phrase are inflected."""
    words = _WORD.findall(name)
    if _UNSPACED.search(name):
        return re.compile(re.escape(_folded(name)[0]))
    is_phrase = name == name.lower()
    parts = []
    for place, word in enumerate(words):
        folded = _folded(word)[0]
        is_last = place == len(words) - 1
        kind = "phrase" if is_phrase else "plural" if is_last and (is_plural or place) else "name" if is_last else ""
        forms = _forms(folded, kind) if kind else {folded}
        parts.append(f"(?:{'|'.join(map(re.escape, sorted(forms, key=len, reverse=True)))})")
    return re.compile(rf"(?<![^\W_]){_BETWEEN.join(parts)}(?![^\W_])")


def _forms(word: str, kind: str) -> set[str]:
    """A word and its inflections: of a "name" its plural, of a "plural" its singular as well, of a word of a "phrase"
    the forms of a verb as well; of anything else, all of these."""
    if not word.isalpha() or len(word) < 3:
        return {word, f"{word}s"} if kind != "phrase" else {word}
    bases = {word}
    if kind != "name" and word not in _SINGULAR_WITH_S:
        if word.endswith("ies") and len(word) > 4:
            bases.add(f"{word[:-3]}y")
        elif re.search(r"(?:ss|x|ch|sh|z)es$", word):
            bases.add(word[:-2])
        elif re.search(r"[^suia]s$", word):
            bases.add(word[:-1])
        if kind != "plural" and re.search(r"[aeiouy].*[^aeiou]ed$", word):
            bases.update((word[:-2], word[:-1]))
    forms = set(bases)
    for base in bases:
        if re.search(r"[^aeiou]y$", base):
            forms.add(f"{base[:-1]}ies")
        forms.add(f"{base}es" if re.search(r"(?:s|x|ch|sh|z)$", base) else f"{base}s")
        if kind not in ("name", "plural"):
            trunk = base[:-1] if base.endswith("e") else base
            forms.update((f"{base}d" if base.endswith("e") else f"{base}ed", f"{trunk}ing"))
            if re.search(r"[^aeiou][aeiou][bdgklmnprt]$", base):
                forms.update((f"{base}{base[-1]}ed", f"{base}{base[-1]}ing"))
            if re.search(r"[^aeiou]y$", base):
                forms.add(f"{base[:-1]}ied")
    return forms


def _phrases(name: str, is_plural: bool, text: str) -> tuple[Span, ...]:
    folded, offsets = _folded(text)
    found = (one.span() for one in _pattern(name, is_plural).finditer(folded))
    if offsets is None:
        return tuple(Span(*span) for span in found)
    offsets.append(len(text))
    # A diacritic of its own at the end belongs to the letter before it.
    return tuple(Span(offsets[start], max(offsets[end - 1] + 1, offsets[end])) for start, end in found)


def _acronyms(acronym: str, text: str) -> tuple[Span, ...]:
    """An acronym with or without its stops, and like a word if it is long enough to be spoken as one."""
    letters = _joined(acronym)
    forms = [re.escape(letters), r"\.".join(map(re.escape, letters)) + r"\.?"]
    if len(letters) >= SPOKEN_LETTERS:
        forms.append(re.escape(letters.capitalize()))
    found = re.finditer(rf"(?<![^\W_])(?:{'|'.join(forms)})(?=s?(?![^\W_]))", text)
    return tuple(Span(*one.span()) for one in found)


def _short_form(name: str, text: str) -> str | None:
    """The acronym that a text gives for a name, in parentheses behind it or before the name in parentheses."""
    for span in _phrases(name, False, text):
        behind = re.match(rf"\s*['’]?s?\s*\(\s*[\"“]?({_ACRONYM})s?[\"”]?\s*\)", text[span.end : span.end + 30])
        before = re.search(rf"({_ACRONYM})\s*\(\s*$", text[max(0, span.start - 15) : span.start])
        for found in (behind, before if text[span.end : span.end + 1] == ")" else None):
            if found and _stands_for(found[1], name):
                return found[1]
    return None


def _long_form(acronym: str, text: str) -> str | None:
    """The words that a text gives for an acronym: before it in parentheses, or in parentheses behind it."""
    letters = re.escape(_joined(acronym))
    for found in re.finditer(rf"\(\s*[\"“]?{letters}s?[\"”]?\s*\)", text):
        words = list(_WORD.finditer(text, max(0, found.start() - 200), found.start()))
        # As many words as an acronym may stand for (Schwartz and Hearst 2003); the fewest that fit.
        for first in reversed(words[-min(len(acronym) + 5, 2 * len(acronym)) :]):
            candidate = text[first.start() : found.start()].strip()
            if "\n\n" not in candidate and first.group()[0].isupper() and _stands_for(acronym, candidate):
                return candidate
    found_behind = re.search(rf"\b{letters}\s*\(([^()\n]{{5,100}})\)", text)
    if found_behind and _stands_for(acronym, found_behind[1]):
        return found_behind[1]
    return None


def _stands_for(acronym: str, long: str) -> bool:
    """Whether the letters of an acronym are found in this order in its long form, the first at its beginning, each
    word with a capital giving one or more."""
    letters = [letter for letter in _joined(acronym).lower() if letter.isalnum()]
    folded = _folded(long)[0]
    if not folded.startswith(letters[0]) or len(folded.split()) < 2:
        return False
    place = 0
    for letter in letters:
        place = folded.find(letter, place) + 1
        if not place:
            return False
    initials = [word[0].lower() for word in _WORD.findall(long) if word[0].isupper()]
    return len(initials) <= len(letters) and set(initials) <= set(letters)


def _joined(text: str) -> str:
    """Without stops if it is letters with stops: "U.S." as "US"."""
    return text.replace(".", "") if _DOTTED.fullmatch(text) else text


def _without_overlaps(spans: list[Span]) -> tuple[Span, ...]:
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return tuple(kept)


def _folded(text: str) -> tuple[str, list[int] | None]:
    """The text in lower case without diacritics, and for each of its characters where it was; None if all are where
    they were."""
    if text.isascii():
        return text.lower(), None
    table = {ord(character): _fold(character) for character in set(text)}
    if all(len(piece) == 1 for piece in table.values()):
        return text.translate(table), None
    pieces = [table[ord(character)] for character in text]
    return "".join(pieces), [place for place, piece in enumerate(pieces) for _ in piece]


@lru_cache(maxsize=4096)
def _fold(character: str) -> str:
    parts = unicodedata.normalize("NFKD", character) if not character.isascii() else character
    return "".join(part for part in parts if not unicodedata.combining(part)).casefold()
