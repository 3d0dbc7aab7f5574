"""Roles: who does what to whom in a sentence, and which of its numbers is of what. Pure; knows no model.

A claim may have every word of its quote and say something else: the loser in the place of the winner, or the number of
the next clause. No parser is at hand, so only what the order of words, a preposition or a passive leaves no doubt about
is read; of all else nothing is known, and nothing is objected to. The rules are those of English.
"""

from __future__ import annotations

import itertools
import re
from collections import defaultdict
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from rag.grounding.lexicon import AUXILIARIES, MODALS, MONTHS, PREPOSITIONS, is_akin, is_past, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from rag.grounding.lexicon import Word

MONEY, SHARE, YEAR, NUMBER = "money", "share", "year", "number"
SUBJECT, OBJECT, FROM, TO = "subject", "object", "from", "to"
_EXCLUDES = {SUBJECT: (OBJECT, FROM, TO), OBJECT: (SUBJECT,), FROM: (TO, SUBJECT), TO: (FROM, SUBJECT)}
"""In which roles nobody stands who has a given one beside the same verb."""
LONGEST_CHARS = 1500
"""Characters of a sentence that is read: a longer one is a list or a table, and each word is read beside the others."""
NEAR_WORDS = 14
"""Words behind a verb among which its object, and what it is "from", "to" or "by", are looked for."""
TITLE_CHARS = 3
"""Most letters of a word of a name that has a full stop behind it: "St. Augustine", "J. K. Rowling"."""
UNIT_WORDS = 2
"""Content words behind a number that may be what it counts: "18 million volumes", "335 Rhodes Scholars"."""

_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*|[^\w\s]")
_BE = frozenset("is are was were be been being am get gets got getting".split())
_HAVE = frozenset("has have had having".split())
_HELPING = AUXILIARIES | MODALS | _BE | _HAVE
_RELATIVE = frozenset(("who", "which", "that"))
_LINKS = frozenset("of the de da di du del der den van von la le al ul bin ibn - –".split())
"""What joins the words of a name."""
_WHEN = frozenset("after as before since till until".split())
"""Prepositions that may as well begin a clause: "after the French attacked"."""
_CONJUNCTIONS = frozenset("and or but nor while whereas because although though when if whether than so".split())
_DETERMINERS = frozenset("a an the this that these those his her its their our my".split())
_REFLEXIVE = frozenset("himself herself itself themselves".split())
_PRONOUNS = _REFLEXIVE | frozenset("i you he she it we they him her us them".split())
_ADVERB = re.compile(r"\w+ly|not|never|also|then|later|soon|first|once|again|already|still|only|even|twice")
_PARTICIPLE = re.compile(r"\w+(?:ed|en|wn|ght|ld|nt|pt|lt|de|ut|on|un|ne|st|rn|ck|ot)")
"""Forms that may be participles; that one stands behind "was" or before "by" decides."""
_RECIPROCAL = frozenset(
    "marri meet agre argu battl border clash collabor compet cooper debat disagre divorc equal fight merg negoti play "
    "quarrel resembl talk tie".split()
)
"""Stems of verbs of which each does to the other what the other does to him (Levin 1993, English Verb Classes, 36)."""
_BEATS = frozenset(
    "beat defeat overcom rout crush thrash outscor outplay trounc vanquish edg overpow best whip clobber".split()
)
"""Stems of verbs of winning over somebody: "defeat" in WordNet, and those below it."""
WIN, LOSE = "win", "lose"
_ASKS_WHO = re.compile(
    r"^(?:who|(?:which|what) (?!(?:is|are|was|were|do|does|did|has|have|had)\b)(?:of the )?\w+) "
    r"(?P<rest>(?!(?:did|do|does)\b)\S+ .+)$",
    re.IGNORECASE,
)
_ASKS_WHOM = re.compile(
    r"^(?:[Ww]hom|[Ww]ho|(?:[Ww]hich|[Ww]hat) \w+) (?:did|does|do) "
    r"(?P<who>(?:the )?[A-Z][\w’'-]*(?: (?:[A-Z][\w’'-]*|of|de))*) (?P<verb>[a-z]+)(?P<rest>\b.*)$"
)
_YEAR = re.compile(r"(?:1\d|20)\d\d")
_PART = re.compile(r"[,;:()—]|\b(?:and|but|while|whereas|which|who|when|then)\b")
"""What parts the words of one number from those of the next."""
_RANGE = re.compile(r"[\s,–-]*(?:(?:and|or|to|until)\s+)?(?:(?:about|around|nearly|over)\s+)?[$€£]?")
"""What stands between the two numbers of a range, or of a list of numbers that are of one thing."""


@dataclass(frozen=True, slots=True)
class Named:
    """A name of one or more words: their stems, and where the first and the last of them stand among the tokens."""

    stems: frozenset[str]
    first: int
    last: int


@dataclass(slots=True)
class Deed:
    """One use of a verb: who may have which role in it. In the passive, too, the subject is who does it. Those of whom
    this is `sure` stand right beside the verb and are no part of another name's phrase."""

    named: dict[str, list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))
    sure: dict[str, list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))

    def note(self, role: str, name: Named, *, is_sure: bool = True) -> None:
        """Give a name a role."""
        self.named[role].append(name.stems)
        if is_sure:
            self.sure[role].append(name.stems)

    def may_have(self, role: str, name: frozenset[str]) -> bool:
        """Whether a name, or one like it, may have a role."""
        return any(is_akin(stem, other) for other in self.named.get(role, ()) for stem in name)

    def has(self, role: str, name: frozenset[str]) -> bool:
        """Whether it has it for sure."""
        return any(name & other for other in self.sure.get(role, ()))

    def turned(self, roles: Mapping[str, str]) -> Deed:
        """The same with other roles; those not in `roles` are dropped."""
        deed = Deed()
        for role, other in roles.items():
            deed.named[other] += self.named.get(role, [])
            deed.sure[other] += self.sure.get(role, [])
        return deed


def exchanged(claim: str, quotes: Sequence[str], question: str = "") -> frozenset[str]:
    """The stems of names that have a role in the claim which, by the same verb, another name has in a quote. None
    where any quote gives a name the role that the claim gives it."""
    stated = as_statement(claim, question)
    names = _names_of((stated, question, *quotes))
    theirs = [_deeds(quote, names) for quote in quotes]
    alone = frozenset().union(*(_sentence(quote, names).alone for quote in quotes))
    found: set[str] = set()
    for verb, deeds in _deeds(stated, names).items():
        others = [other for each in theirs for other in each.get(verb, ())]
        if verb in _RECIPROCAL or not others:
            continue
        for role, name in ((place, one) for deed in deeds for place in _EXCLUDES for one in deed.sure.get(place, ())):
            if any(other.may_have(role, name) for other in others):
                continue
            is_elsewhere = any(other.has(one, name) for other in others for one in _EXCLUDES[role])
            # "Washington" stands in the quote, whose every use of the verb has somebody else for its subject.
            is_other = role == SUBJECT and all(other.sure.get(SUBJECT) for other in others) and name <= alone
            if is_elsewhere or is_other:
                found |= name
    return frozenset(found)


def as_statement(claim: str, question: str) -> str:
    """A claim of a few names with what the question says of them: "King Harold." and "Who conquered England?" are "King
    Harold conquered England"."""
    content = words(claim)
    if not content or not all(
        claim[word.start].isupper() or word.is_number or claim[word.start : word.end] in _LINKS for word in content
    ):
        return claim
    bare, asked = claim.strip().rstrip(".!"), " ".join(question.split()).rstrip("?")
    if whom := _ASKS_WHOM.match(asked):
        return f"{whom['who']} did {whom['verb']} {bare}{whom['rest']}"
    if who := _ASKS_WHO.match(asked):
        return f"{bare} {who['rest']}"
    return claim


def _names_of(texts: Sequence[str]) -> frozenset[str]:
    """The stems of words that are written with a capital somewhere and with a small letter nowhere."""
    capital, small = set[str](), set[str]()
    for text in texts:
        for word in words(text):
            (capital if text[word.start].isupper() else small).add(word.stem)
    return frozenset(capital - small)


@lru_cache(maxsize=1024)
def _deeds(text: str, names: frozenset[str]) -> Mapping[str, list[Deed]]:
    """Stem of a verb → its uses with those who have a role in them."""
    sentence = _sentence(text, names)
    found: dict[str, list[Deed]] = defaultdict(list)
    for at, word in enumerate(sentence.content):
        if word is None or word.stem in names or word.is_number or not sentence.is_verb(at):
            continue
        deed = sentence.deed(at, word.stem)
        if any(deed.named.values()):  # who beats another, or loses to him, wins or is won over
            stem = WIN if word.stem in _BEATS or word.stem == LOSE else word.stem
            found[stem].append(deed)
    return found


@lru_cache(maxsize=1024)
def _sentence(text: str, names: frozenset[str]) -> _Sentence:
    tokens = list(_TOKEN.finditer(text)) if len(text) <= LONGEST_CHARS else []
    content = {word.start: word for word in words(text)}
    return _Sentence([token[0] for token in tokens], [content.get(token.start()) for token in tokens], names)


@dataclass(frozen=True)
class _Sentence:
    """The tokens of a sentence, beside each its content word; `names` are the stems of names."""

    tokens: list[str]
    content: list[Word | None]
    names: frozenset[str]

    @property
    def alone(self) -> frozenset[str]:
        """The stems of names of which none stands where a verb may be left out, or a list goes on: "and Trump 232",
        "as did Ann", "by Tom and by Ann"."""
        every = list(filter(None, map(self.name_at, range(len(self.tokens)))))
        joined, joints = set[str](), frozenset(("and", "or"))
        for name in every:
            before, behind = name.first - 1, name.last + 1
            while self.lower(before) in _DETERMINERS | {"by"}:
                before -= 1
            begins_clause = self.lower(before) == "," != self.lower(behind)
            if self.lower(behind) == "," and self.lower(behind + 1) in joints | _DETERMINERS:
                behind += 1
            if begins_clause or self.lower(before) in joints | {"did"} or self.lower(behind) in joints | _DETERMINERS:
                joined |= name.stems
        return frozenset().union(*(name.stems for name in every)) - joined

    def lower(self, at: int) -> str:
        """The token there, in small letters; "" beyond the ends."""
        return self.tokens[at].lower() if 0 <= at < len(self.tokens) else ""

    def is_name(self, at: int) -> bool:
        """Whether a word of a name stands there: "Harold", or the "II" behind it."""
        if not 0 <= at < len(self.tokens) or not self.tokens[at][0].isupper():
            return False
        word = self.content[at]
        return word is not None and (word.stem in self.names or (word.is_number and self.is_name(at - 1)))

    def is_verb(self, at: int) -> bool:
        """Whether a word looks like a verb where it stands."""
        word, before = self.tokens[at], self.lower(self._over_adverbs(at - 1))
        if not word[0].islower() or word in _HELPING or before in _DETERMINERS | PREPOSITIONS - {"to"}:
            return False
        return (
            is_past(word)
            or word.endswith("s")
            or (word.endswith("ing") and len(word) > len("string"))
            or before in _HELPING | _PRONOUNS | {"to"}
        )

    def name_at(self, at: int) -> Named | None:
        """The whole name of which a word stands there."""
        if not self.is_name(at):
            return None
        first = last = at
        while (before := self._beyond(first, -1)) is not None:
            first = before
        while (after := self._beyond(last, 1)) is not None:
            last = after
        every = (self.content[one] for one in range(first, last + 1))
        stems = [one.stem for one in every if one and one.stem in self.names and not one.is_number]
        return Named(frozenset(stems), first, last) if stems else None

    def _beyond(self, at: int, step: int) -> int | None:
        """The next word of a name, over what links it: "Charles le Moyne", "Zia-ul-Haq"."""
        beside = at + step
        while self.lower(beside) in _LINKS or (
            self.lower(beside) == "." and len(self.lower(beside - 1)) <= TITLE_CHARS
        ):
            beside += step
        return beside if self.is_name(beside) else None

    def deed(self, verb: int, stem: str) -> Deed:
        """Who has which role if the word there is a verb."""
        deed = Deed()
        is_passive = self._is_passive(verb)
        self._behind(verb, deed, is_passive=is_passive)
        self._before(verb, deed, OBJECT if is_passive else SUBJECT)
        if stem == WIN:
            return deed.turned({SUBJECT: SUBJECT})
        return deed.turned({TO: SUBJECT, SUBJECT: OBJECT}) if stem == LOSE else deed

    def _is_passive(self, verb: int) -> bool:
        """Whether something is done to what stands before it."""
        if not _PARTICIPLE.fullmatch(self.lower(verb)):
            return False
        at = self._over_adverbs(verb - 1)
        if self.lower(at) in ("and", "or"):  # "was arrested and killed"
            return any(self.lower(one) in _BE for one in range(max(at - 4, 0), at))
        return self.lower(at) in _BE or (self.lower(at) not in _HAVE and self.lower(verb + 1) == "by")

    def _over_adverbs(self, at: int) -> int:
        while at >= 0 and _ADVERB.fullmatch(self.lower(at)):
            at -= 1
        return at

    def _before(self, verb: int, deed: Deed, role: str) -> None:
        """Note who stands before a verb, as far as that is clear."""
        at = verb - 1
        while at >= 0 and (_ADVERB.fullmatch(self.lower(at)) or self.lower(at) in _HELPING | _REFLEXIVE):
            at -= 1
        here = self.lower(at)
        if here in _RELATIVE:
            sure = self._joined(at - 2 if self.lower(at - 1) == "," else at - 1)
        elif here == "to":  # who beats another "to win" wins; whom somebody is ordered "to win" as well
            sure = self._of_clause(verb) if any(one and one.stem in _BEATS for one in self.content[:at]) else []
        else:  # who of two is "claiming" is unclear
            sure = [] if self.lower(verb).endswith("ing") else self._joined(at)
        for name in sure:
            deed.note(role, name)
        if here in ("and", "or", ",") or (self.lower(verb).endswith("ing") and not sure):
            for name in self._of_clause(verb):
                deed.note(role, name, is_sure=False)
        if here == ",":  # "Truss, who replaced Johnson, was replaced": whose the words in commas are, is not clear
            for name in filter(None, (self.name_at(one - 1) for one in range(1, at) if self.lower(one) == ",")):
                deed.note(role, name, is_sure=False)
        elif not sure and (nearest := self.name_at(at)):  # "in April, and Samsung sued", "France and Spain claiming"
            for one in self._joined(at) or [nearest]:
                deed.note(role, one, is_sure=False)

    def _joined(self, at: int) -> list[Named]:
        """The name that ends there, and others joined to it by "and"; [] behind a preposition: "the army of France"."""
        found: list[Named] = []
        while (name := self.name_at(at)) is not None:
            found.append(name)
            at = name.first - 1
            while self.lower(at) in _DETERMINERS:
                at -= 1
            if self.lower(at) not in ("and", ","):
                break
            at -= 2 if self.lower(at - 1) == "," else 1
        return [] if self.lower(at) in PREPOSITIONS - _WHEN | {"of"} else found

    def _of_clause(self, verb: int) -> list[Named]:
        """The name with which a sentence of one clause begins, for a further verb of it."""
        at = 0
        before = [self.lower(one) for one in range(verb)]
        if any(token in _RELATIVE | {";", "—"} or token in _CONJUNCTIONS - {"and", "or"} for token in before):
            return []
        while self.lower(at) in _DETERMINERS:
            at += 1
        name = self.name_at(at)
        if name is None or name.last >= verb or self.lower(name.last + 1) in (",", "and"):
            return []
        return [] if self.tokens[name.last].endswith(("'s", "’s")) else [name]

    def _behind(self, verb: int, deed: Deed, *, is_passive: bool) -> None:
        """Note the object, whom it is done "by", and what it is "from" and "to"."""
        role: str | None = OBJECT
        at = verb + 1
        while at < min(len(self.tokens), verb + 1 + NEAR_WORDS):
            here, name = self.lower(at), self.name_at(at)
            if here in ",;:()—." or here in _RELATIVE or here in _CONJUNCTIONS:
                break
            if here in PREPOSITIONS:
                role = {"by": SUBJECT, "from": FROM, "to": TO}.get(here)
            elif name is not None:
                if role is not None and not (role == OBJECT and is_passive):
                    deed.note(role, name, is_sure=not self._is_part(name))
                    for other in self._joined_behind(name):
                        deed.note(role, other, is_sure=False)
                role, at = None, name.last
            at += 1

    def _joined_behind(self, name: Named) -> Iterator[Named]:
        """The names that commas and "and" join to one: they may share its role, or begin the next clause."""
        following: Named | None = name
        while following is not None:
            at = following.last + 1
            if self.lower(at) not in (",", "and", "or"):
                break
            while self.lower(at) in {",", "and", "or"} | _DETERMINERS:
                at += 1
            if following := self.name_at(at):
                yield following

    def _is_part(self, name: Named) -> bool:
        """Whether the name only says which or whose: "the US embassy"."""
        word = self.content[name.last + 1] if name.last + 1 < len(self.tokens) else None
        return word is not None and not word.is_number and not self.is_verb(name.last + 1)


@dataclass(frozen=True, slots=True)
class _Counted:
    """A number of a quote, or several that are of one thing, with the stems that belong to it: those between it and the
    last cut `before`, and those `behind` it up to the next. `unit` is what directly follows. `subject` is what the
    sentence begins with, where no name stands before the number itself: "Turnout was 74% and fell to 61%"."""

    numbers: frozenset[str]
    form: str
    before: frozenset[str]
    behind: frozenset[str]
    unit: tuple[str, ...]
    subject: frozenset[str]

    @property
    def around(self) -> frozenset[str]:
        return self.before | self.behind


def misnumbered(claim: str, quotes: Sequence[str], question: str = "") -> frozenset[str]:
    """The stems of numbers of which every quote that has them says something else, while it says what the claim says of
    another number of the same form: "242 Rhodes Scholars" by "335 Rhodes Scholars, and 242 Marshall Scholars"."""
    found: set[str] = set()
    ours = {word.stem for word in words(claim) if word.is_number}
    for stated in _counted(claim):
        says = frozenset().union(*(one.around for one in _counted(claim) if one.numbers == stated.numbers))
        if not says and len(ours) < len(words(claim)):
            continue
        says = says or frozenset(word.stem for word in words(question) if not word.is_number)
        for number in stated.numbers:
            having = [each for each in map(_counted, quotes) if any(number in one.numbers for one in each)]
            if having and all(_is_of_another(number, stated, says, each, ours) for each in having):
                found.add(number)
    return frozenset(found)


def _is_of_another(
    number: str, stated: _Counted, says: frozenset[str], quote: Sequence[_Counted], ours: set[str]
) -> bool:
    """Whether a quote says nothing that the claim says of a number alone, and says it of another one."""
    own = [one for one in quote if number in one.numbers]
    others = [one for one in quote if number not in one.numbers and not one.numbers <= ours]
    forms = {one.form for one in own}
    if stated.form in (MONEY, SHARE) and stated.form not in forms:
        return any(one.form == stated.form for one in others)
    if stated.unit and all(one.unit and not is_akin(stated.unit[0], one.around) for one in own):
        return any(one.unit and one.unit[0] == stated.unit[0] for one in others)
    if any(not one.around for one in own):
        return False
    around = frozenset().union(*(one.around for one in own))
    its = frozenset(word for word in says if is_akin(word, around))
    for other in (one for one in others if one.form in forms):
        # In "killed 100 in Sweden, and 300 in Prussia" both were killed.
        is_joined = other.before and not any(one.before for one in own)
        theirs = says & (other.behind if is_joined else other.around)
        shared = frozenset().union(*(one.subject for one in own))
        if len(other.behind) <= UNIT_WORDS and all(one.behind <= other.behind for one in own):
            shared |= other.behind  # "Disney has 221 million subscribers, and Netflix 223 million"
        only_its, only_theirs = its - theirs - (other.before if is_joined else frozenset()), theirs - its - shared
        is_subject = only_its <= quote[0].before and own[0] is quote[0]  # what a sentence begins with is said of all
        if only_theirs and (not only_its or (is_subject and len(only_theirs) > len(only_its))):
            return True
    return False


@lru_cache(maxsize=1024)
def _counted(text: str) -> tuple[_Counted, ...]:
    """The numbers of a text with what belongs to each. Between two of them lies a cut: at the last comma, "and" or the
    like, else behind what directly follows the first."""
    content = words(text) if len(text) <= LONGEST_CHARS else ()
    groups: list[list[int]] = []
    for at, word in enumerate(content):
        if not word.is_number:
            continue
        if (
            groups
            and groups[-1][-1] == at - 1
            and _RANGE.fullmatch(text, content[at - 1].end, word.start)
            and (_form(text, word) in (_form(text, content[at - 1]), YEAR))
        ):
            groups[-1].append(at)
        else:
            groups.append([at])
    cuts = [0]
    for one, after in itertools.pairwise(groups):
        begin, end = content[one[-1]].end, content[after[0]].start
        marks = [mark.end() for mark in _PART.finditer(text, begin, end)]
        between = content[one[-1] + 1 : after[0]]
        behind_unit = between[min(UNIT_WORDS, len(between)) - 1].end if between else begin
        verbs = [word.start for word in between[:UNIT_WORDS] if is_past(text[word.start : word.end])]
        cuts.append(marks[-1] if marks else verbs[0] if verbs else behind_unit)
    cuts.append(len(text))
    end_of_subject = _end_of_subject(text) if groups else 0
    subject = frozenset(word.stem for word in content if word.end <= end_of_subject)
    found = []
    for place, group in enumerate(groups):
        first, last = content[group[0]], content[group[-1]]
        within = [word for word in content if cuts[place] <= word.start and word.end <= cuts[place + 1]]
        rest = [word for word in within if not word.is_number]
        has_name = any(text[word.start].isupper() for word in rest if word.end <= first.start)
        behind = [word for word in rest if word.start >= last.end]
        unit = behind[:1] if behind and text[last.end : behind[0].start] in (" ", "-") else []
        unit = [word for word in unit if not is_past(text[word.start : word.end])]
        found.append(
            _Counted(
                frozenset(content[at].stem for at in group),
                _form(text, last),
                frozenset(word.stem for word in rest if word.end <= first.start),
                frozenset(word.stem for word in behind),
                tuple(word.stem for word in unit),
                subject if place and not has_name else frozenset(),
            )
        )
    return tuple(found)


def _end_of_subject(text: str) -> int:
    """Where the first number, mark or verb of a text begins, as far as verbs can be recognized."""
    for token in _TOKEN.finditer(text):
        word = token[0].lower()
        if not word.isalpha() or word in _HELPING or is_past(word):
            return token.start()
    return len(text)


def _form(text: str, word: Word) -> str:
    """Whether a number is an amount of money, a share, part of a date, or none of them."""
    before, behind = text[: word.start], text[word.end :]
    if before.endswith(("$", "€", "£", "¥")):
        return MONEY
    if re.match(r"\s?(?:%|per ?cent\b)", behind):
        return SHARE
    is_of_month = before.rstrip().endswith(MONTHS) or behind.lstrip().startswith(MONTHS)
    return YEAR if is_of_month or _YEAR.fullmatch(text, word.start, word.end) else NUMBER
