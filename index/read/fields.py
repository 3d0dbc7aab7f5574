"""Fields: an object of exported data (a JSON object, a row of a table, front matter) → what its keys say of an article.

Names are compared without case and punctuation: articleBody, article_body and "Article body" are one. They are those of
news APIs, schema.org, WordPress and other publishing programs, LangChain, and common crawlers and data sets, and the
plainest words for title, text, author and date in other languages. Where no name is known, the longest running text is
the article's. What a field holds may be a text, a number, a list or another object; a field that is not understood is
left out, and never costs the article.
"""

from __future__ import annotations

import html as entities
import json
import re
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read.dates import written_date
from index.read.draft import Draft, byline, language_tag, one_line, web_address
from index.tokens import UNSPACED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEXTS = tuple(
    "text articlebody content body article maintext fulltext articletext bodytext pagecontent contenttext plaintext "
    "cleanedtext cleantext rawcontent rawtext maincontent contenthtml bodyhtml html rawhtml markdown md document story "
    "paragraphs sections transcript fullcontent encodedcontent contentencoded selftext message post blocks children "
    "textcontent contents passage extract cooked inhalt texte contenu texto contenido conteúdo testo contenuto tekst "
    "текст 正文 内容 本文 본문 내용 نص النص".split()
)
"""Names of the whole text, the surest first."""
SUMMARIES = tuple(
    "description summary abstract snippet excerpt lead leadparagraph teaser intro standfirst contentsnippet".split()
)
"""Names of a shorter one, which is the article where there is no other."""
_TITLES = (
    "title headline webtitle articletitle heading subject posttitle pagetitle name titel titre título titulo titolo "
    "tytuł заголовок название 标题 標題 タイトル 제목 عنوان".split()
)
_SOURCES = (
    "outlet publisher publishername source sourcename sitename site publication newspaper provider domain sourcedomain "
    "hostname sourcehostname ispartof feedtitle".split()
)
_ADDRESSES = (
    "url link permalink weburl canonicalurl canonical articleurl pageurl sourceurl externalurl originalurl "
    "respondedurl requestedurl href loc source mainentityofpage uri guid id".split()
)
_AUTHORS = (
    "author authors authorname byline creator creators dccreator writer writers journalist journalists reporter "
    "reporters primaryauthor postauthor user account autor autorin auteur autore автор 作者 著者 저자 الكاتب".split()
)
_PUBLISHED = (
    "published publishedat publisheddate publishedtime publishedon datepublished datepublish publishdate publishtime "
    "publicationdate publicationtime pubdate pubtime webpublicationdate articlepublishedtime firstpublished date "
    "postdate dategmt datetime datetimepub displaydate issued releasedate posted postedat postedon seendate created "
    "createdat createdutc createdate datecreated timestamp time day datum fecha data дата 日期 日付 날짜 تاريخ".split()
)
_UPDATED = (
    "updated updatedat updateddate dateupdated modified modifiedat modifieddate datemodified datemodify modifiedgmt "
    "lastmodified lastmod lastupdated articlemodifiedtime".split()
)
_LANGUAGES = "language lang inlanguage locale languagecode".split()
_IDS = "id uuid guid articleid docid documentid url link permalink".split()
_KNOWN = frozenset((*TEXTS, *_TITLES, *_SOURCES, *_ADDRESSES, *_AUTHORS, *_PUBLISHED, *_UPDATED, *_LANGUAGES, *_IDS))
_OF_ONE = frozenset(("sections", "paragraphs", "contents", "blocks", "children"))
"""Names of a list whose items are pieces of one text, though each has a title."""
_HOLDERS = (
    "source fields attributes metadata meta frontmatter article node document post item entry data thread properties "
    "content object kwargs extra".split()
)
"""Names of an object within the object, under which exports put some of the values."""

PROSE_WORDS = 15
"""Words of a text from which on it is the article's though its name is not known: a title has fewer, and an address or
encoded data is one word."""
PROSE_CHARS = 40
"""The same in characters of scripts without spaces."""

MAX_DEPTH = 12
"""How deep a text may be nested: blocks of editors are some six deep."""
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|li|ul|ol|h[1-6]|table|tr|td|blockquote|section|article|figure|html|body|pre)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"<(?:/?(?:a|abbr|b|i|u|s|em|strong|span|small|sub|sup|img|font|code|mark|script|style|cite|q|iframe|video)\b[^<>]*"
    r"|!--(?:(?!<!--).)*?--)>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_ESCAPED_TAG = re.compile(r"&lt;/?(?:p|div|br|li|h[1-6]|span|a|b|i|em|strong)\b", re.IGNORECASE)
_KNOWN_OR_HELD = _KNOWN | frozenset((*SUMMARIES, *_HOLDERS))
_UNSPACED = re.compile(f"[{UNSPACED}]")
_LIST_OF_NAMES = re.compile(r"\[\s*(?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*\s*\]")
_INLINE_TYPES = frozenset(
    "text span link a mention hashtag hardBreak emphasis strong bold italic underline plain text_link code email phone"
    " strikethrough spoiler linebreak autolink hyperlink inlineCode inline_code equation entry-hyperlink "
    "asset-hyperlink".split()
)
"""What editors and chat exports call a piece of a line."""
_KINDS = ("type", "nodeType", "_type", "object")
"""Under which names they say what a piece is."""
_HELD = (
    "rendered raw text html value plain plaintext content body paragraphs blocks children data cdata t items root "
    "nodes richtext".split()
)
"""Names under which an object has the text that it stands for."""
_TAG_OF_LANGUAGE = re.compile(r"[a-z]{2}(?:[-_][A-Za-z]{2,4})?")


def plain(name: object) -> str:
    """A key's name without case and punctuation: "dc:Creator" → "dccreator"."""
    return re.sub(r"[\W_]+", "", str(name)).lower()


def is_known(name: str) -> bool:
    """Whether something is read under a name."""
    return plain(name) in _KNOWN


def metadata(known: Mapping[str, Any], *, nodes: Mapping[str, Any] | None = None) -> Draft:
    """A draft without text: what an object says of the article that it is. The id is empty where it gives none.

    `nodes` are objects elsewhere in the data, by their "@id". A date that is none, an address of a local file and the
    like are unknown.
    """
    views = list(_views(known))
    names = [_name(value, nodes or {}) for value in _values(views, _AUTHORS)]
    addresses = [_address(value) for value in _values(views, _ADDRESSES)]
    languages = (language_tag(_line(value) or "") for value in _values(views, _LANGUAGES))
    return Draft(
        next((key[:500] for value in _values(views[:1], _IDS) if (key := _key(value))), ""),
        "",
        title=next((title for value in _values(views, _TITLES) if (title := one_line(_line(value)))), None),
        source=next((name for value in _values(views, _SOURCES) if (name := _outlet(value, nodes or {}))), None),
        url=next(filter(None, addresses), None),
        published=next(filter(None, map(written_date, _values(views, _PUBLISHED))), None),
        author=next((by for name in names if (by := byline(name))), None),
        updated=next(filter(None, map(written_date, _values(views, _UPDATED))), None),
        language=next(filter(None, languages), None),
    )


def text_of(known: Mapping[str, Any], names: Iterable[str] = TEXTS) -> tuple[str, str]:
    """The plain name under which an object has its text, and the text as it is there; both empty if it has none."""
    return _raw(list(_views(known)), names)


def has_text(known: Mapping[str, Any], *, texts: Iterable[str] = TEXTS, least: int = 1) -> bool:
    """Whether an object has a text of so many characters under one of these names."""
    return len(text_of(known, texts)[1]) >= least


def text_keys(known: Mapping[str, Any]) -> frozenset[str]:
    """The keys of an object, as they are written, that hold a text."""
    return frozenset(key for key, value in known.items() if plain(key) in TEXTS and _raw([{"": value}], [""])[1])


def prose(known: Mapping[str, Any]) -> tuple[str, str]:
    """The plain name and the text of the longest running text of an object, under a name that is not known; both empty
    if it has none."""
    named = [
        (name, words(value)) for view in _views(known) for name, value in view.items() if name not in _KNOWN_OR_HELD
    ]
    return max((one for one in named if _is_running(one[1])), key=lambda one: len(one[1]), default=("", ""))


def _is_running(text: str) -> bool:
    return len(text.split()) >= PROSE_WORDS or len(_UNSPACED.findall(text)) >= PROSE_CHARS


def words(value: object, depth: int = 0) -> str:
    """The text of a value: a text, a list of paragraphs, sections or blocks, or an object that holds one of these."""
    if depth > MAX_DEPTH:
        return ""
    match value:
        case str():
            return (_within_json(value, depth) if value[:1] in ("{", "[") else "") or value
        case list():
            pieces = [words(item, depth + 1) for item in value]
            pieces = [f"{_heading(item, text)}{text}" for item, text in zip(value, pieces, strict=True)]
            is_inline = any(_is_inline(item) for item in value) and all(
                _is_inline(item) or isinstance(item, str) for item in value
            )
            return ("" if is_inline else "\n\n").join(piece for piece in pieces if piece.strip() or is_inline)
        case dict():
            fields = {plain(name): item for name, item in value.items()}
            kind = _kind(value)
            for name in (*_HELD, *([plain(kind)] if kind else ())):  # {"type": "quote", "quote": …}
                if name in fields and (text := words(fields[name], depth + 1)):
                    return text
            if len(value) == 1 or all(_TAG_OF_LANGUAGE.fullmatch(name) for name in value):
                return next(filter(None, (words(item, depth + 1) for item in value.values())), "")
            if all(name[-1:].isdecimal() for name in value):  # {"p1": …, "p2": …}
                return words(list(value.values()), depth + 1)
    return ""


def _within_json(written: str, depth: int) -> str:
    """The text of a value that is JSON within JSON, as editors save theirs; "" for another text."""
    try:
        return words(json.loads(written), depth + 1)
    except (ValueError, RecursionError):
        return ""


def _heading(item: object, text: str) -> str:
    """The heading of a section of several lines, as a paragraph; "" for other pieces of a text."""
    if not isinstance(item, dict) or _is_inline(item) or not text.strip():
        return ""
    heading = next((value for name, value in item.items() if plain(name) in ("heading", "title")), None)
    is_apart = isinstance(heading, str) and any(map(str.isalnum, heading)) and heading not in text
    return f"{heading}\n\n" if is_apart else ""


def without_markup(text: str) -> str:
    """A text as a reader sees it, if it is HTML; else as it is. Blank lines between paragraphs stay."""
    if not _BLOCK_TAG.search(text) and not _TAG.search(text):
        if _ESCAPED_TAG.search(text):
            text = entities.unescape(text)
        elif not _ENTITY.search(text):
            return text
    if _BLOCK_TAG.search(text):
        return _of_markup(text)
    return "\n".join(_of_markup(line) if "<" in line or "&" in line else line for line in text.split("\n"))


def _of_markup(text: str) -> str:
    from index.read import html, markup

    tree = markup.parse_tree(text)
    if tree is None:
        return ""
    html.drop_hidden(tree)
    return markup.text_of(tree)


def _views(known: Mapping[str, Any], depth: int = 0) -> Iterator[dict[str, Any]]:
    """The object's values by plain name, then those of objects within it that hold more of them."""
    fields: dict[str, Any] = {}
    for name, value in known.items():
        fields.setdefault(plain(name), value)
    yield fields
    for name in _HOLDERS:
        inner = fields.get(name)
        # The source of an article in a search engine is the article; in a news API it is an outlet.
        if depth < 2 and isinstance(inner, dict) and (name != "source" or has_text(inner) or prose(inner)[1]):
            yield from _views(inner, depth + 1)


def _values(views: Iterable[Mapping[str, Any]], names: Iterable[str]) -> Iterator[Any]:
    """What is under these names, in their order; of the object itself before that of objects within."""
    for view in views:
        for name in names:
            if view.get(name) not in (None, "", [], {}):
                yield view[name]


def _raw(views: Iterable[Mapping[str, Any]], names: Iterable[str]) -> tuple[str, str]:
    for view in views:
        for name in names:
            is_other = name not in _OF_ONE and _is_list_of_records(view.get(name))
            text = "" if is_other else words(view.get(name))
            if any(map(str.isalnum, text)):
                return name, text
    return "", ""


def _line(value: object) -> str | None:
    """A value as one line of text; None for what is no text."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_line, value[:5])), None)
    if isinstance(value, dict):
        fields = {plain(name): item for name, item in value.items()}
        named = [fields.get(name) for name in ("rendered", "main", "name", "title", "text", "value", "plaintext")]
        is_by_language = all(_TAG_OF_LANGUAGE.fullmatch(name) for name in value)
        return _line(named if not is_by_language else list(value.values()))
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        return None
    return " ".join(without_markup(value[:4000]).split())


def _name(value: object, nodes: Mapping[str, Any], depth: int = 0) -> str | None:
    """Names of people: "Ann, Ben" for a list, objects with a name, or the text of a list; a number is no name."""
    if isinstance(value, list | tuple):
        found = [_name(item, nodes, depth + 1) for item in value[:50]] if depth < 3 else []
        return ", ".join(dict.fromkeys(filter(None, found))) or None
    if isinstance(value, dict):
        fields = {plain(name): item for name, item in value.items()}
        first_last = " ".join(
            str(fields[name]) for name in ("firstname", "givenname", "lastname", "familyname") if fields.get(name)
        )
        names = ("name", "displayname", "fullname", "original", "title", "text", "username")
        found_name = next((name for key in names if (name := _name(fields.get(key), nodes, depth + 1))), None)
        if found_name or first_last:
            return found_name or first_last
        linked = nodes.get(str(value.get("@id"))) if depth < 3 else None
        return _name(linked, {}, depth + 1) if isinstance(linked, dict) else None
    if not isinstance(value, str) or "://" in value:
        return None
    if _LIST_OF_NAMES.fullmatch(value[:2000]):
        return _name([one or other for one, other in re.findall(r"'([^']*)'|\"([^\"]*)\"", value)], nodes, depth + 1)
    return byline(_line(value))


def _outlet(value: object, nodes: Mapping[str, Any]) -> str | None:
    """The name of an outlet; an address or a path is none."""
    if isinstance(value, dict) and has_text(value):
        return None
    name = one_line(_name(value, nodes))
    return None if name is None or "/" in name or "\\" in name else name


def _address(value: object) -> str | None:
    if isinstance(value, list | tuple):
        return next(filter(None, map(_address, value[:5])), None)
    if isinstance(value, dict):
        return _address([value[name] for name in ("url", "@id", "href", "link", "rendered") if name in value])
    try:
        return web_address(value) if isinstance(value, str) and value.strip() else None
    except ReadError:
        return None


def _key(value: object) -> str | None:
    if isinstance(value, dict):
        return next((str(item) for name, item in value.items() if name in ("$oid", "@value", "value")), None)
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _is_list_of_records(value: object) -> bool:
    """Whether a list holds articles, each with a title or an address, rather than paragraphs or blocks of one."""
    return isinstance(value, list) and any(
        isinstance(item, dict)
        and "type" not in item
        and {"title", "headline", "url", "link", "permalink"} & set(map(plain, item))
        and has_text(item, texts=(*TEXTS, *SUMMARIES))
        for item in value[:20]
    )


def _is_inline(value: object) -> bool:
    """Whether a value is a piece of a line: it says so, or has nothing but a text and how it is set (Slate)."""
    if not isinstance(value, dict):
        return False
    kind = _kind(value)
    if kind:
        return kind in _INLINE_TYPES
    is_bare = all(name == "text" or isinstance(item, bool) for name, item in value.items())
    return is_bare and isinstance(value.get("text"), str)


def _kind(value: Mapping[str, Any]) -> str:
    return next((kind for name in _KINDS if isinstance(kind := value.get(name), str)), "")
