"""What is page furniture and what is article, in text scraped from a page. Knows no files.

Three kinds of line matter. A *marker* is made of nothing but known furniture ("Listen Live", "Comment via
Facebook", a page clock). A *button* is a single word that is furniture only in the company of a marker
("Share", "Menu"). Anything else is article unless it ends the text beside a marker and looks like a list of
headlines or tags. In doubt a line stays: furniture left in costs a little, an eaten sentence costs trust.
"""

from __future__ import annotations

import re

MARKER_CHARS = 120
"""Longer lines are never markers; it also bounds the work of the patterns below."""
LEAD_LINES = 12
"""How many lines at the top may be furniture. Pages put their clock, player and share bar within these."""

_NETWORK = (
    r"(?:facebook|twitter|x|whats ?app|linked ?in|e-?mail|reddit|telegram|pinterest|messenger|instagram"
    r"|youtube|google(?: news|\+)?|flipboard|bluesky|threads|mastodon|vk(?:ontakte)?|tumblr|rss)"
)
_THIS = r"(?: (?:this|the))?(?: (?:article|story|page|post|link|video))?"

# Each pattern is a whole piece of furniture. A line is a marker when it is made of such pieces only, so
# pieces that a scraper has run together ("Community standardsDiscussion") are recognized too.
_MARKERS = (
    # Players and links to the page itself
    r"listen live",
    r"watch live",
    r"(?:get |copy )short (?:url|link)",
    r"copy link(?: to clipboard)?",
    r"skip to (?:main )?content",
    r"back to top",
    r"print this (?:article|page|story)",
    r"click to (?:share|print|enlarge|play)(?: on \w+)?",
    # Sharing and following
    rf"share{_THIS} (?:on|via|with|by|to) {_NETWORK}(?:(?:, | and | or | ){_NETWORK})*",
    r"share this (?:article|story|page|post|video)",
    rf"(?:tweet|e-?mail) this(?: (?:article|story|page|post))?|tweet on {_NETWORK}",
    rf"(?:follow|like|join|find) us on {_NETWORK}(?:(?:, | and | or | ){_NETWORK})*",
    r"(?:follow|subscribe to|join) (?:us|our (?:channel|newsletter|podcast)s?)(?: (?:today|now|here))?",
    # Accounts and newsletters
    r"(?:sign|log) ?in (?:or|/|\|) (?:register|sign ?up|subscribe|create an? (?:\w+ )?account)",
    r"(?:sign|log) in to (?:your account|comment|continue|read more|subscribe)",
    r"already (?:a subscriber|have an account|registered)\?(?: (?:sign|log) in\.?)?",
    r"sign up (?:for|to) (?:our|the|your) (?:[\w-]+ ){0,3}(?:newsletter|emails?|alerts?)s?",
    r"subscribe (?:now|today|here|for (?:free|full access)|to our newsletters?)",
    r"unsubscribe(?: (?:here|now|from (?:this list|these emails|our newsletter)))?",
    r"(?:view|read|open)(?: (?:this|the))?(?: (?:e-?mail|message|newsletter))?"
    r" (?:online|(?:in|on) (?:your |a |the )?(?:web ?)?browser)",
    r"(?:update|manage|change) (?:your )?(?:e-?mail |subscription )?preferences",
    # Comments
    r"community (?:standards|guidelines)",
    r"comment via \w+?",
    rf"comment (?:on|with) {_NETWORK}",
    r"(?:leave|post|add|write) a (?:comment|reply)",
    r"(?:view|show|load|read|see)(?: all| more)?(?: \d[\d,]*)? comments?(?: \(\d+\))?",
    r"\d[\d,]* comments?",
    r"comments? (?:\(\d+\)|are closed|policy)",
    r"join the (?:discussion|conversation)",
    # What belongs to the site rather than to the article
    r"tags ?:.*",
    r"advertise?ments?",
    r"(?:story |article )continues below(?: advertisement)?",
    r"sponsored (?:content|links?|stories)",
    r"all rights reserved",
    r"(?:copyright|©|\(c\))(?: (?:copyright|©|\(c\)))? ?(?:19|20)\d\d\b.*",
    r"terms (?:of (?:use|service)|and conditions|& conditions)",
    r"(?:privacy|cookies?) (?:policy|notice|settings)",
    r"(?:accept|manage|reject)(?: all)? cookies?",
)
# Words that may follow or precede a marker within a line, and are nothing by themselves.
_FILLERS = (r"discussion", r"share", r"tweet", r"print", r"e-?mail", r"contact us", r"about us", r"comments?")

# A heading under which other articles are listed: what follows it, to the end, is furniture.
_HEADINGS = (
    r"(?:related|recommended|similar|further|latest|trending|popular)"
    r" (?:articles?|stories|story|news|content|topics?|links?|posts?|videos?|coverage)",
    r"more (?:on this (?:story|topic|subject)|from (?:this|our) (?:author|section|site)|stories|like this)",
    r"you (?:may|might) (?:also )?(?:like|be interested in)",
    r"recommended for you|read (?:more|also|next)|see also",
    r"most (?:read|popular|viewed|shared)(?: stories| articles)?",
    r"(?:trending|popular) (?:now|today)",
)

_BUTTONS = (
    r"share|tweet|print|e-?mail|save|like|follow|subscribe|menu|search|home|comments?|discussion|login|log in"
    r"|sign in|sign up|register|close|play|pause|mute|live|advertise|newsletters?|facebook|twitter|whatsapp"
)

_CONSENT = re.compile(
    r"(?:we|(?:this|our) (?:web)?site) uses? cookies\b"
    r".*\b(?:consent|accept|agree|polic(?:y|ies)|privacy|experience|browsing|settings)\b.*",
    re.IGNORECASE,
)
CONSENT_CHARS = 400
"""Longer lines are no cookie notice; it also bounds the work of the pattern above."""

_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sept?|oct|nov|dec)[a-z]{0,6}\.?"
_DATE = (
    rf"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?\.?,? ?)?"
    rf"(?:\d{{1,2}}(?:st|nd|rd|th)? ?{_MONTH},? ?\d{{4}}|{_MONTH} ?\d{{1,2}}(?:st|nd|rd|th)?,? ?\d{{4}}"
    r"|\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{2,4})"
)
_TIME = r"\d{1,2}[:.]\d\d(?::\d\d)? ?(?:[ap]\.?m\.?)?"
_ZONE = (
    r"\(?(?:gmt|utc|bst|cet|cest|msk|e[sd]?t|c[sd]t|m[sd]t|p[sd]?t|ist|jst|kst|aest|hkt)"
    r"(?:[+-]\d{1,2}(?::\d\d)?)?\)?"
)
# A time alone is a line of a timetable, a date alone may be the article's own: a clock needs a time zone.
_CLOCK = re.compile(
    rf"(?:(?:last )?(?:updated|modified)(?: (?:on|at))?:? ?)?"
    rf"(?:{_TIME} ?{_ZONE},?(?: ?(?:on )?{_DATE})?|{_DATE},?(?: at)? ?{_TIME} ?{_ZONE})",
    re.IGNORECASE,
)
_DATELINE = re.compile(rf"(?:{_TIME} ?(?:{_ZONE})?,? ?)?{_DATE}(?:,? ?{_TIME})?(?: ?{_ZONE})?", re.IGNORECASE)

_PIECES = rf"(?:(?:{'|'.join(_MARKERS + _FILLERS)})[\s|·•,./:»›!-]*)+"
_LINE_OF_PIECES = re.compile(_PIECES, re.IGNORECASE)
_HAS_MARKER = re.compile("|".join(_MARKERS), re.IGNORECASE)
_HEADING = re.compile(rf"(?:{'|'.join(_HEADINGS)})\s*[:»›]?", re.IGNORECASE)
_BUTTON = re.compile(_BUTTONS, re.IGNORECASE)

_BREAKS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f\u00ad\ufeff\ud800-\udfff]+")
_NO_BREAK = str.maketrans("\u00a0\u2007\u202f", "   ")
_TERMINAL = re.compile(r"[.!?…。！？।؟][\"'”’»」』)\]]*$")
_LIST_ITEM = re.compile(r"(?:[-*+•‣◦▪–—]|\(?\w{1,3}[.)])\s")
_SENTENCE_END = re.compile(r"[.!?…。！？।؟][\"'”’»」』)\]]*(?:\s|(?<=[。！？]))")
_UNDERLINE = re.compile(r"[=*~_-]{3,}")
_BYLINE = re.compile(r"(?:by|von|par|por|di|door|av|af)\s", re.IGNORECASE)
HEAD_PARAGRAPHS = 4
"""How many paragraphs below a title the article may begin: after a byline, a date and a deck."""


def tidy(text: str, *, indented: bool = False) -> str:
    """`text` with `\\n` line ends, no control characters, no trailing space, at most one blank line in a row.

    Leading space goes too unless `indented` says that it means something (code, nested lists). No-break spaces,
    which are the page's typography, become plain ones, so that a quote can be searched for as one would type it.
    Nothing else changes: quotes, dashes and composed or decomposed letters stay as they came.
    """
    text = _CONTROLS.sub("", _BREAKS.sub("\n", text)).translate(_NO_BREAK)
    lines = [line.rstrip() if indented else line.strip() for line in text.split("\n")]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n")


def strip_furniture(text: str) -> str:
    """The article in tidied scraped `text`: leading and trailing page furniture removed, nothing else.

    Empty if there is only furniture. A list, a poem, a note, a headline or an unfinished last line stays.
    """
    lines = _without_lead(text.split("\n"))
    return tidy("\n".join(lines[: _end_of_article(lines)]), indented=True)


def is_marker(line: str) -> bool:
    """Whether the line is furniture wherever it stands: a clock, a share or comment link, a cookie notice."""
    line = _spaced(line)
    if _is_consent(line):
        return True
    if not line or len(line) > MARKER_CHARS:
        return False
    if _CLOCK.fullmatch(line):
        return True
    return bool(_HAS_MARKER.search(line)) and bool(_LINE_OF_PIECES.fullmatch(line))


def headline(text: str) -> str | None:
    """The title at the top of an article's text if there clearly is one, else None.

    Clearly: one short line without a full stop that is no list item, salutation or date, above the article: after a
    blank line or a line that underlines it, or above a line of at least 80 characters that ends a sentence. Between
    them may stand a byline, a date, and lines that are no sentences, such as a deck.
    """
    first, _, rest = text.lstrip().partition("\n")
    if _DATELINE.fullmatch(_spaced(first)) and rest.startswith("\n"):
        first, _, rest = rest.lstrip().partition("\n")
    first = first.strip()
    if not _may_be_headline(first):
        return None
    underline, _, below = rest.partition("\n")
    if _UNDERLINE.fullmatch(underline.strip()):
        rest = "\n" + below
    if not rest.startswith("\n"):
        following = rest.split("\n", 1)[0].strip()
        is_above = _ends_sentence(following) and len(following) >= max(80, len(first) * 3 // 2)
        is_above = is_above and len(first.split()) > 1 and first[-1] not in "!?！？"
        return first if is_above and not following[0].islower() and not is_marker(following) else None
    for paragraph in rest.strip("\n").split("\n\n", HEAD_PARAGRAPHS)[:HEAD_PARAGRAPHS]:
        body = " ".join(paragraph.split())
        if body[:1].islower() or (is_marker(body) and len(body) <= MARKER_CHARS):
            return None
        # Wrapped lines end anywhere, so that it is the paragraph that must hold a sentence, and more than a title does.
        if _SENTENCE_END.search(body + " ") and len(body) >= len(first) and not _BYLINE.match(body):
            return first
    return None


def _may_be_headline(line: str) -> bool:
    words = line.split()
    if not line or len(words) > 20 or len(line) > 140 or line[-1] in ".…:;,。":
        return False
    if len(words) == 1 and not (line[0].isupper() or line[0].lower() == line[0].upper()):
        return False
    if line[0].islower() or _LIST_ITEM.match(line) or words[0].casefold() in {"by", "dear", "from", "to"}:
        return False
    if not any(map(str.isalpha, line)):
        return False
    return not (is_marker(line) or _BUTTON.fullmatch(line) or _DATELINE.fullmatch(_spaced(line)))


def _is_consent(line: str) -> bool:
    return len(line) <= CONSENT_CHARS and bool(_CONSENT.fullmatch(line))


def _without_lead(lines: list[str]) -> list[str]:
    zone = _lead_zone(lines)
    markers = [i for i in zone if is_marker(lines[i])]
    buttons = [i for i in zone if _BUTTON.fullmatch(lines[i].strip())]
    soft = buttons + [i for i in zone if _DATELINE.fullmatch(_spaced(lines[i])) and _has_time(lines[i])]
    gone = set(markers)
    if markers or len(buttons) >= 2:
        gone.update(soft)
    return [line for i, line in enumerate(lines) if i not in gone]


def _lead_zone(lines: list[str]) -> list[int]:
    """Indexes of the filled lines before the first sentence of some length."""
    zone: list[int] = []
    for i, line in enumerate(lines):
        if not line.strip():
            continue
        is_body = len(line) > MARKER_CHARS or (_ends_sentence(line) and len(line.split()) >= 6)
        if len(zone) == LEAD_LINES or (is_body and not is_marker(line)):
            break
        zone.append(i)
    return zone


def _end_of_article(lines: list[str]) -> int:
    """How many lines from the top are article.

    Walks up from the last line. A marker goes, and so does a heading over other articles with all below it; a
    block of headlines or tags goes with a marker right below it. A line of any other kind waits for a heading
    above it, and the first real sentence ends the walk. In a text without prose only the markers at the very
    end go: there nothing else can be distinguished from a list or a poem.
    """
    has_prose = any(_is_prose(line) for line in lines)
    end, is_waiting, listings = len(lines), False, len(lines)
    for i in range(len(lines) - 1, -1, -1):
        line = lines[i].strip()
        if not line:
            continue
        if has_prose and _HEADING.fullmatch(_spaced(line)):
            end, is_waiting = i, False
        elif is_marker(line):
            if not is_waiting:
                end = i
        elif _is_listing(line):
            may_go = not is_waiting and has_prose and end < len(lines)
            if may_go and i < listings:
                listings = _listings_above(lines, i, end)
            if may_go and listings <= i:
                end = i
            else:
                is_waiting = True
        elif _ends_sentence(line):
            break
        elif _BUTTON.fullmatch(line) and end < len(lines) and not is_waiting:
            end = i
        else:
            is_waiting = True
        if i < len(lines) - MAX_TRAILING_LINES:
            break
    return end


MAX_TRAILING_LINES = 200
"""How far up the walk from the last line goes."""


def _listings_above(lines: list[str], index: int, end: int) -> int:
    """The first line of the block that a line is in, if the block touches what was already cut, is under a blank line,
    and is all listings; else the number of all lines."""
    if any(not line.strip() for line in lines[index:end]):
        return len(lines)
    while index > 0 and lines[index - 1].strip():
        index -= 1
        if not (_is_listing(lines[index].strip()) or is_marker(lines[index])):
            return len(lines)
    return index or len(lines)


def _is_listing(line: str) -> bool:
    """Whether the line looks like a headline in title case, or like a list of tags."""
    if len(line) > 200 or line[-1] in ".:;,…" or _LIST_ITEM.match(line) or line[0].isdigit():
        return False
    if line.count(", ") >= 3 and all(len(tag.split()) <= 7 for tag in line.split(", ")):
        return True
    words = [word for word in re.findall(r"[^\W\d_][\w'’-]*", line) if len(word) > 3]
    capitals = sum(word[0].isupper() for word in words)
    return len(line.split()) >= 4 and len(words) >= 3 and capitals >= 0.7 * len(words)


def _is_prose(line: str) -> bool:
    return _ends_sentence(line) and len(line.split()) >= 5 and not is_marker(line)


def _ends_sentence(line: str) -> bool:
    return bool(_TERMINAL.search(line[-12:].rstrip()))


def _has_time(line: str) -> bool:
    return bool(re.search(_TIME, line[:MARKER_CHARS], re.IGNORECASE))


def _spaced(line: str) -> str:
    """The line with every run of white space as one space, without leading and trailing space."""
    return " ".join(line[: CONSENT_CHARS + 1].split())
