"""Kind: what a question asks for. Knows no index and no model, and loads nothing.

A question is read as a frame: a request ("give me", "can you list", a bare noun phrase) or an asking word, the noun
that is asked for, and what that noun does ("articles mention", "outlets differ"). The patterns hold closed classes of
words, for articles, outlets, requests and so on, and never a subject. A question that fits no pattern asks for a fact.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from index.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rag.answer import Turn

KINDS = ("fact", "list", "count", "timeline", "comparison", "summary", "library")
"""Every kind of question: a fact, the articles on something, their number, dated events in order, sides of a matter,
what the articles say on the whole, and questions about the collection itself."""

LONGEST = 60
"""Words of a question that are read, which bounds the time that the patterns take. What a question asks for stands at
its beginning; the longest of the measured ones has 40."""
LEAST_TYPED = 6
"""Letters of a word that is taken for a misspelt one."""
LONGEST_FOLLOW_UP = 8
"""Words of the longest question that can be a mere change to the one before: "and only those by outlet, since May"."""

# Classes of words. Each is one alternation; the patterns below name them.
_ARTICLES = (
    r"(?:(?:news )?(?:articles?|stor(?:y|ies)|reports?|pieces?|texts?|documents?|items?|posts?)|news|coverage|"
    r"accounts?|reporting|mentions)"
)
_OUTLETS = r"(?:(?:news )?(?:outlets?|sources|newspapers|papers|publications|media|websites))"
_ACCOUNTS = (
    r"(?:articles|stories|reports|pieces|coverage|accounts|reporting|versions|outlets?|sources|newspapers|papers|media)"
)
_HERE = r"(?:here|(?:the|this|your|my) (?:collection|library|index|archive|database))"
_WHICH = r"(?:which|what|in which|in what|which of|what kind of|what other|which other)"
_SPEAKS = (
    r"(?:(?:do|does|did|that|which|to|have|has|also|all|even|is|are|was|were|been) )*(?:mention|discuss|talk|cover|"
    r"deal|name|quote|appear|contain|refer|write|wrote|written|speak|address|describe|treat)(?:s|ed|ing|es)?\b"
)
_ABOUT = r"(?:about|on|regarding|concerning|covering|dealing with|related to|relating to|from|by|since)"
_PLEASE = (
    r"(?:(?:please|ok|okay|now|then|and|so|but|just|also|instead|rather|hey|hi|hello|"
    r"kindly|possibly|maybe|perhaps|well|good (?:morning|afternoon|evening|day)|"
    r"(?:can|could|would|will) you(?: please)?|i(?:'d| would)? (?:like|want|need|love)(?: you)?(?: to(?: see| have|"
    r" know)?)?|(?:can|may|could) i (?:have|get|see)|"
    r"let's|let us|help me|i'm looking for|i am looking for|try to)[ ,]+)*"
)
_GIVE = (
    r"(?:give|show|tell|find|get|list|search(?: for)?|pull|bring|fetch|make|create|draw(?: up)?|write|prepare|produce|"
    r"provide|put|display|look for|send|build|compile|collect|generate|offer|present|name|count|see)"
)
_DETERMINER = (
    r"(?:a|an|the|all|any|some|every|each|another|one|two|my|your|its|their|this|that|these|those|me|us|up|with|of)"
)
_NOT_ASKING = (
    r"(?!(?:who|whom|whose|what|when|where|why|which|how|is|are|was|were|do|does|did|has|have|had|can|could)\b)"
)
_REQUEST = rf"^{_PLEASE}(?:{_GIVE} )?(?:{_DETERMINER} )*(?:{_NOT_ASKING}[\w'-]+ ){{0,3}}?"
"""A request up to the noun that is asked for, or a bare noun phrase up to its noun."""
_ENDS = (
    r"(?= (?:of|for|on|about|from|in|at|with|by|to|that|which|between|since|please|regarding|during|covering)\b|,| *$)"
)
"""The noun is the head of its phrase: a preposition, a clause or nothing follows."""
_SOME = r"(?:two|three|four|five|six|seven|eight|nine|ten|\d{1,3}|few)"
_PERIOD = r"(?:day|week|month|year)"
_CHRONOLOGY = (
    r"(?:time ?lines?|chronolog(?:y|ies)|chronological \w+|(?:sequence|order) of events|dated (?:list|entries|events)|"
    r"(?:key|main|major|important|crucial) (?:dates|events|milestones)|milestones)"
)
_DIGEST = (
    r"(?:summar(?:y|ies)|overview|recap|gist|digest|highlights|takeaways|synopsis|run-?down|briefing|outline|round-?up|"
    r"main points|key points|bottom line|main ideas?|tl;?dr)"
)
_DIFFER = r"(?:differ|disagree|contradict|agree|vary|diverge|conflict|compare)(?:s|ed)?\b"
_EACH = r"(?:different|each|various|several|both|the (?:two|three|different|various)|other|individual|these different)"


def _one_of(*patterns: str) -> str:
    return "|".join(f"(?:{pattern})" for pattern in patterns)


_ALONE = (
    rf"(?:,? (?:do|does|did|you|have|has|got|is|are|was|were|there|in|all|total|altogether|now|indexed|included|known|"
    rf"available|searched|been|added|we|i|can|search|read|know|use|cover|here|the|this|your|my|collection|library|"
    rf"index|"
    rf"archive|database|at the moment|currently|{_ARTICLES}|{_OUTLETS})\b)*+[ ,]*$"
)
"""What follows when articles are asked for without a subject. Possessive, as "news articles" can be read as one noun or
two: with many of them, trying all readings would take for ever."""

_FRAMES: tuple[tuple[str, str], ...] = (
    (
        "library",
        _one_of(
            # Small talk and help: nothing else is in the question.
            r"^(?:(?:hi|hello|hey|hiya|greetings|good (?:morning|afternoon|evening|day)|welcome|bye|goodbye|see "
            r"you|thanks|"
            r"thank you|thx|cheers|great|perfect|cool|nice|ok|okay|very much|a lot|so much|there|again|you|for|"
            r"that|this|was|"
            r"is|the|your|very|really|all|useful|helpful|help|please|citewire|everyone|answer|it)[ ,]*)+$",
            r"^(?:help|\?)(?: me)?$",
            r"^(?:hi|hello|hey)?,? ?what(?:'s| is) (?:in )?here$",
            rf"^{_PLEASE}(?:what (?:else )?(?:can|could|should) (?:you do|you answer|i ask|we ask|i "
            r"do)(?: here| for me| you)?|"
            r"tell me what you can do|(?:who|what) are you|who (?:made|built|wrote|created) (?:you|citewire)|"
            r"how (?:do|can|should) i (?:use|start|begin|ask|search)(?: this| it| here| you| "
            r"citewire)?|"
            r"what (?:do you know|can you tell (?:me|us))(?: about)?|"
            r"(?:do|can|could) (?:you|i) (?:also )?(?:speak|understand|read|write|ask(?: you)?(?: in)?) [\w-]+|"
            r"how does (?:this|citewire) work)$",
            # The collection itself: articles, outlets or their dates, without a subject.
            rf"^{_PLEASE}{_WHICH} (?:of )?(?:the )?(?:{_ARTICLES}|{_OUTLETS}){_ALONE}",
            rf"^{_PLEASE}(?:how many|how much|(?:what is )?the number of) (?:{_ARTICLES}|{_OUTLETS}){_ALONE}",
            rf"^{_PLEASE}(?:{_GIVE} )(?:me )?(?:all |every |the |your |a list of )*(?:{_ARTICLES}|{_OUTLETS}){_ALONE}",
            rf"\b(?:newest|latest|oldest|earliest|most recent|last|first|last added) (?:{_SOME} )?(?:{_ARTICLES})"
            rf"(?: (?:{_HERE}|"
            rf"added|that "
            r"was added|you have|in here|there is))?[ ?]*$",
            r"^(?:and )?(?:what|which)(?: \w+)? (?:was|were|has been|have been) (?:added|indexed) (?:last|most "
            r"recently)",
            r"^what (?:topics|subjects|themes|dates|period|time span|time period|time(?=.* (?:cover|span)s?\b)) "
            rf"(?:do|does|are|is) (?:the |these |your )?(?:{_ARTICLES}|{_HERE}|you)\b",
            rf"^(?:what|which) (?:topics|subjects|themes) (?:do|does|are|is) .*(?:{_HERE}|{_ARTICLES}|you)$",
            rf"^{_PLEASE}(?:what|which|in what|in which) languages? (?:is|are|do|does|have|can) (?:the |these |your )?"
            rf"(?:{_ARTICLES}|{_HERE}|you)\b",
            rf"^{_PLEASE}how many (?:of the )?(?:{_ARTICLES}) (?:have no|are without an?|lack an?|have an?) date$",
            rf"^{_PLEASE}(?:which|what) (?:{_OUTLETS}|newspaper|paper|source) (?:has|have|gave|published) the "
            rf"(?:most|fewest) (?:{_ARTICLES})(?: {_HERE})?$",
            rf"^{_PLEASE}{_WHICH} {_OUTLETS} (?:are|is) (?:there|here),? and how many\b",
            r"^(?:and )?(?:what|which)(?: \w+)? (?:did|have) you (?:add|index|read)(?:ed)? (?:last|most recently)$",
            rf"^how far back (?:do|does) (?:{_HERE}|(?:the |these |your )?{_ARTICLES}|you|it|this)\b",
            rf"\bfrom when (?:to|until) when\b.*\b(?:{_ARTICLES}|{_HERE}|you)\b",
            rf"\bdates of the (?:oldest|newest|first|last)\b.*\b{_ARTICLES}",
            rf"^how (?:big|large) is {_HERE}|^(?:hey|hi|hello|so)?,? ?what(?:'s| is) in {_HERE}$",
        ),
    ),
    (
        "comparison",
        _one_of(
            rf"^{_PLEASE}(?:compare|contrast)\b|^(?:and |so |but )?compared (?:with|to|against) (?:[\w'-]+ ?){{1,4}}$",
            rf"{_REQUEST}comparisons?{_ENDS}",
            rf"^{_NOT_ASKING}.*\b(?:versus|vs\.?|v\.) ",
            r"\bside by side\b",
            rf"^{_PLEASE}(?:how|where|in what (?:ways?|respects?)|do|does|did|which|is|are)\b.*\b{_ACCOUNTS}(?: "
            rf".*)? {_DIFFER}",
            rf"^{_PLEASE}(?:how|where|in what (?:ways?|respects?)) (?:do|does|did) .* and .* (?:differ|disagree|"
            rf"agree|compare)\b",
            rf"^{_PLEASE}(?:what|how) (?:do|does|did) {_EACH} (?:{_OUTLETS}|newspaper|paper|source|article)\b",
            rf"^{_PLEASE}what (?:do|does|did) (?:the|these|those) {_OUTLETS} (?:say|report|write|think|claim)\b",
            rf"^{_PLEASE}what (?:do|does|did) (?:the )?(?:{_ARTICLES}|{_OUTLETS}) (?:say|report|write) differently",
            rf"^{_PLEASE}what (?:do|did|have) (?:(?!and )[\w'-]+ ){{1,4}}and (?:[\w'-]+ ){{1,4}}"
            r"(?:say|said|write|written|report|reported) (?:about|on)\b",
            rf"^{_PLEASE}what(?:'s| is| are| was| were) (?:the )?(?:main |key )?differences? between "
            r".*\b(?:articles|stories|reports|coverage|accounts|reporting|versions)\b",
            rf"\b(?:disagreements?|contradictions?|discrepanc\w+|conflicts?|differences) (?:among|between|in|across) "
            rf"(?:the |these |both |different )*(?:{_ARTICLES}|{_OUTLETS})",
            rf"^{_PLEASE}(?:what are (?:the )?)?(?:main |key |biggest |important )*(?:similarities|differences) "
            r"(?:and (?:differences|similarities) )?between\b",
            rf"^how (?:do|does|did|was|is|were|are|has)\b.*\b(?:{_ACCOUNTS}|report|reported|cover|covered)\b.*"
            r"(?: as opposed to | compared? (?:to|with) | change[sd]? between )",
        ),
    ),
    (
        "timeline",
        _one_of(
            rf"{_REQUEST}{_CHRONOLOGY}{_ENDS}",
            rf"^{_PLEASE}(?:as|into|in the form of) an? (?:\w+ )?{_CHRONOLOGY}",
            rf"^{_PLEASE}(?:walk|take|guide|lead) (?:me|us) through\b",
            r"^when did what happen\b|\bhappened first\b.*\b(?:next|then|after|later|last)\b",
            rf"^what (?:are|were) (?:the )?{_CHRONOLOGY}{_ENDS}",
            r"^what (?:is|was) the (?:chronology|(?:sequence|order|course) of events)\b",
            r"\bin (?:chronological|date|time) order\b|\bchronologically\b|\bwhat happened when(?= (?:in|during|at|"
            r"to|with|after|before)\b|$)",
            r"\b(?:events?|happened|list|them|dates)\b.* in order$|^(?:and )?in order$",
            rf"\b({_PERIOD}) by \b(?:{_PERIOD})\b|\bstep by step\b(?=.*\b(?:history|events|story|happened)\b)",
            r"\b(?:history|events|story|happened)\b.*(?:\bstep by step\b|\bbeginning to end\b|\bstart to finish\b)",
            rf"^what (?:happened|took place|occurred) (?:on|in) each {_PERIOD}\b",
            r"^how (?:did|has|have|does) .+ (?:unfold|unfolded)(?: over time)?$",
            r"^how (?:did|has|have) .+ (?:develop|evolve|progress|change)(?:d|ed)? over (?:time|the (?:weeks|"
            r"months|years|days))$",
            r"\b(?:events|milestones|happened|dates)\b.* by date$",
        ),
    ),
    (
        "summary",
        _one_of(
            rf"^{_PLEASE}(?:summari[sz]e|sum\b.*\bup\b|recap|condense|outline|brief (?:me|us)|fill (?:me|us) in|"
            r"(?:catch|bring) (?:me|us) up|wrap up|boil)",
            rf"{_REQUEST}{_DIGEST}{_ENDS}|^tl;?dr\b",
            rf"^{_PLEASE}(?:explain|describe|tell me)\b.*\bbriefly$",
            rf"^what(?: are|'s| is| were) (?:the )?(?:(?:main|key|biggest|most important) )?{_DIGEST}{_ENDS}",
            r"\bin (?:a nutshell|brief|short|(?:a few|a couple of|one|two|three|four|five|\d+) (?:sentences?|words|"
            r"paragraphs?|"
            r"lines|bullet points))\b",
            rf"^what(?:'s| is| was| has been| were| are)? (?:the )?(?:new|added|published|reported|written|"
            rf"happening)(?: (?:since|"
            rf"this|today|yesterday|last|in the last|{_HERE}|in the news)\b.*)?$",
            rf"^what (?:do|does|did) (?:the |these |those )?(?:{_ARTICLES}|{_OUTLETS}) (?:say|report|write) .*"
            r"(?:on the whole|in general|generally|overall|altogether)",
            rf"^what (?:is|are) (?:the |this |these |those )(?:{_ARTICLES}|{_OUTLETS}) about$",
        ),
    ),
    (
        "count",
        _one_of(
            rf"\b(?:how many|number of|count of|count|how much) (?:of (?:the|these|those|your) |the |different |"
            rf"distinct )*"
            rf"(?:{_ARTICLES}|{_OUTLETS}) (?:on|about|there|{_SPEAKS}|(?:that )?(?:are|is|was|were|report|"
            rf"reported) (?:there )?"
            rf"(?:about|on|from|by)|do you have|did (?:the|\w+) .* get|reported on|from|regarding|by outlet)",
            rf"^{_PLEASE}how many {_OUTLETS} (?:have )?(?:report|carrie|publishe|wrote|written|covere)(?:d|ed)?\b",
            rf"^{_PLEASE}how many (?:{_ARTICLES}) (?:did|has|have|do|does) .+ "
            r"(?:publish|published|write|written|carry|carried|print|printed|run|post|posted)\b",
            rf"^{_PLEASE}(?:in )?how many (?:of (?:the|these|your) )?(?:{_ARTICLES}|{_OUTLETS}) "
            r"(?:does|do|did|is|are|was|were) .* (?:appear|come up|mentioned|named|quoted|discussed|covered|occur)\b",
            rf"^how (?:often|frequently|many times) (?:is|are|was|were) .* (?:mentioned|named|quoted|discussed)"
            rf"(?: (?:in|by) (?:the |these )?(?:{_ARTICLES}|{_OUTLETS}|{_HERE}))?$",
            rf"^how (?:often|frequently|many times) (?:do|does|did) (?:the |these )?(?:{_ARTICLES}|{_OUTLETS}) "
            rf"{_SPEAKS}",
            r"^how much coverage\b|^how much (?:has|have|was|is|were) (?:been )?(?:written|reported|published)\b",
            r"^(?:per|by) (?:outlet|source|newspaper|month|year|week|day), how many\b",
            r"^(?:and |so |but )?how many (?:of (?:them|those|these)|are (?:there|about|from))\b",
            rf"{_REQUEST}(?:number|count|tally) of (?:the )?(?:{_ARTICLES}|{_OUTLETS})\b",
        ),
    ),
    (
        "list",
        _one_of(
            rf"^{_PLEASE}{_WHICH} (?:of )?(?:the |these |your )?(?:{_NOT_ASKING}[\w'.-]+ ){{0,4}}?"
            rf"(?:{_ARTICLES}|{_OUTLETS}) (?:{_SPEAKS}|"
            rf"(?:do you have|have you(?: got)?|are there|is there|there are) {_ABOUT}|(?:is|are|was|were|that are|"
            rf"report|reported) (?:about|on)\b|{_ABOUT})",
            rf"^{_PLEASE}(?:in )?{_WHICH} (?:of )?(?:the )?(?:{_ARTICLES}|{_OUTLETS}) (?:does|do|did|is|are|was|"
            rf"were) .* "
            r"(?:appear|come up|feature|mentioned|named|quoted|discussed|covered|occur)\b",
            rf"{_REQUEST}(?:{_ARTICLES}) (?:{_ABOUT}|{_SPEAKS}|(?:that|which) (?:are|is) (?:about|on)\b)",
            rf"^{_PLEASE}{_GIVE} (?:me )?(?:up )?(?:everything|anything|all|whatever)\b(?: there is| you have| that)? ?"
            rf"(?:{_ABOUT}|{_SPEAKS})",
            rf"^{_PLEASE}(?:everything|anything|all)(?: there is| you have| that)? (?:{_ABOUT}|{_SPEAKS})",
            rf"^{_PLEASE}(?:is there|are there|do you have|have you got|have you|got) (?:(?:any|some|more|other) "
            rf"{_ARTICLES}|(?:articles|stories)(?= (?:about|on|from|by) )|"
            rf"anything|something|more)(?: in {_HERE})? (?:{_ABOUT}|{_SPEAKS})",
            rf"^{_PLEASE}(?:which|what) (?:of the )?(?:articles?|stories|news) (?:is|are|was|were) "
            r"(?:published|dated|printed|from|added) ",
            rf"^{_PLEASE}(?:which|what) (?:articles?|stories) (?:published|dated|printed) "
            r"(?:in|on|between|since|before|after) ",
            rf"^{_PLEASE}(?:(?:which|what)(?: is|'s| are)? |{_GIVE} (?:me )?)?(?:the )?(?:newest|latest|oldest|"
            rf"earliest|most recent|last|first) (?:{_SOME} )?(?:articles?|stor(?:y|ies)) (?:about|on|from) ",
            r"^what (?:has|have) been (?:written|reported|published) (?:about|on) ",
            rf"^{_PLEASE}search (?:for )?",
            rf"^{_PLEASE}(?:do|does|did|is|are) (?:any|some|all)(?: of)?(?: the| these| those| your)? "
            rf"(?:{_ARTICLES}|{_OUTLETS}) {_SPEAKS}",
            rf"^{_PLEASE}where (?:can|could|do) (?:i|we) (?:read|find|see|learn) (?:more |something |anything )*"
            r"(?:about|on)\b",
            rf"{_REQUEST}(?:{_ARTICLES}) (?:in which|where|that have|with|containing)\b",
            r"^where (?:is|are|was|were) .* (?:mentioned|named|quoted|discussed)$",
            rf"^what (?:have|did|do) (?:the )?{_OUTLETS} (?:written|write) about\b",
            rf"^{_PLEASE}{_GIVE} (?:me )?(?:all )?(?:of )?(?:them|(?:the|those|these) {_ARTICLES}|those|the list)$",
            rf"^(?:and |so |but )?which (?:ones?|of them|others?) {_SPEAKS}",
        ),
    ),
)
"""Kinds with their patterns. The first kind that has one that fits is asked for."""

_compiled = cache(re.compile)
"""At first use: compiling all of them takes a tenth of the time of a `citewire search`, which asks for no kind."""

_CHANGE = re.compile(
    r"^(?:(?:and|now|but|ok|okay|so|only|just|or|also|please|then)[ ,]+)*"
    r"(?:(?:what|how) about\b|only|just|since|by|per|in|on|from|before|after|until|till|during|for|about|without|"
    r"not|with|"
    r"as|break (?:it|that|this|them) down|shorter|longer|more|fewer|less|older|newer|sorted?|"
    r"the (?:rest|others?|next|first|last)|next|others?|in order|"
    r"(?!(?:who|whom|whose|what|when|where|why|which|how|is|are|was|were|do|does|did|has|have|had|can|could|will|"
    r"would)\b)"
    r"(?:\w+ ?){1,3}$)"
)
"""A question that changes the one before instead of asking another: "only since May", "and Sunak?"."""


def kind_of(question: str, *, history: Sequence[Turn] = ()) -> str:
    """The kind that a question asks for, one of KINDS. `history` are the earlier exchanges, oldest first.

        >>> kind_of("Which articles mention Jeremy Hunt?")
        'list'

    It is "fact" unless the question clearly asks for another kind. One that only changes the question before it, as
    "and by outlet?" does, keeps the kind of that question.
    """
    read = re.findall(r"[\w;'-]+|[,:]", question.lower().replace("’", "'"))[:LONGEST]
    text = " ".join(map(_spelled, read)).replace(" :", ",").replace(" ,", ",").strip(" ,")
    for kind, frame in _FRAMES:
        if _compiled(frame).search(text):
            return "list" if kind == "library" and history and _THOSE.search(text) else kind
    if history and len(text.split()) <= LONGEST_FOLLOW_UP and _CHANGE.search(text):
        before = history[-1]
        kind = before.kind if before.kind != KINDS[0] else kind_of(before.question, history=history[:-1])
        return "count" if kind == "list" and _BREAKDOWN.search(text) else kind
    return KINDS[0]


_THOSE = re.compile(rf"^{_PLEASE}{_GIVE} (?:me )?(?:all )?(?:of )?(?:the|those|these) {_ARTICLES}$")
"""In a conversation, asks for the articles that were spoken of."""
_SHORT = {
    "u": "you", "ur": "your", "r": "are", "pls": "please", "plz": "please", "thx": "thanks", "wich": "which",
    "whats": "what's", "whos": "who's", "mny": "many", "abt": "about", "evry": "every", "giv": "give",
}  # fmt: skip
"""Words as they are typed in haste."""
_TYPED = frozenset(
    "articles article mentions mention mentioned timeline chronology summary summaries summarise summarize compare "
    "comparison overview everything anything newspapers collection outlets happened".split()
)
"""Words by which a kind is read and which few others resemble: one that differs in one letter, or in the order of two,
is taken for them. Not "stories" or "reports": "stores" and "resorts" are words, too."""


@lru_cache(maxsize=4096)
def _spelled(word: str) -> str:
    """A word without a slip of the finger."""
    if word in _SHORT or word in _TYPED or len(word) < LEAST_TYPED:
        return _SHORT.get(word, word)
    return next((known for known in sorted(_TYPED) if word[0] == known[0] and _is_slip(word, known)), word)


def mended(question: str) -> str:
    """A question with the words by which its kind is read as they are spelled; all others stay as they are."""

    def spelled(word: re.Match[str]) -> str:
        typed, right = word[0], _spelled(word[0].lower())
        if right == typed.lower() or (typed[0].isupper() and (word.start() or len(typed) < len("wich"))):  # "R. Kelly"
            return typed
        return right.capitalize() if typed[0].isupper() else right

    return re.sub(r"(?<![\w'’-])[A-Za-z]+(?![\w'’-])", spelled, question)


def _is_slip(word: str, known: str) -> bool:
    """Whether the two are the same but for a letter that is missing, too many or another, or two that changed
    places."""
    if abs(len(word) - len(known)) > 1 or word.startswith(known) or known.startswith(word):  # another form of it
        return False
    start = next((at for at, pair in enumerate(zip(word, known, strict=False)) if pair[0] != pair[1]), len(known))
    one, other = word[start:], known[start:]
    return (
        one[1:] == other[1:]
        or one[1:] == other
        or one == other[1:]
        or (one[:2] == other[1::-1] and one[2:] == other[2:])
    )


_BREAKDOWN = re.compile(r"\b(?:by|per) (?:outlet|source|newspaper|paper|day|week|month|year)$")
"""Asks for numbers of a list: "and by outlet?"."""


def checked(kind: str) -> str:
    """`kind`. Raises InputError if there is no such kind."""
    if kind not in KINDS:
        raise InputError(f"there is no kind of question {kind!r}; choose one of {', '.join(KINDS)}")
    return kind
