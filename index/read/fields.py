"""Fields: an object of exported data (a JSON object, a row of a table, front matter) → what its keys say of an article.

Names are compared without case and punctuation: articleBody, article_body and "Article body" are one. They are those of
news APIs, schema.org, WordPress and other publishing programs, LangChain, and common crawlers and data sets. What a
field holds may be a text, a number, a list or another object; a field that is not understood is left out, and never
costs the article.
"""

from __future__ import annotations

import html as entities
import re
from typing import TYPE_CHECKING, Any

from index.errors import ReadError
from index.read.dates import written_date
from index.read.draft import Draft, byline, language_tag, one_line, web_address

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

TEXTS = tuple(
    "text articlebody content body article maintext fulltext articletext bodytext pagecontent contenttext plaintext "
    "cleanedtext cleantext rawcontent rawtext maincontent contenthtml bodyhtml html rawhtml markdown md document story "
    "paragraphs transcript fullcontent encodedcontent contentencoded selftext message post".split()
)
"""Names of the whole text, the surest first."""
SUMMARIES = tuple(
    "description summary abstract snippet excerpt lead leadparagraph teaser intro standfirst contentsnippet".split()
)
"""Names of a shorter one, which is the article where there is no other."""
_TITLES = "title headline webtitle articletitle heading subject posttitle pagetitle name".split()
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
    "reporters primaryauthor postauthor user account".split()
)
_PUBLISHED = (
    "published publishedat publisheddate publishedtime publishedon datepublished datepublish publishdate publishtime "
    "publicationdate publicationtime pubdate pubtime webpublicationdate articlepublishedtime firstpublished date "
    "postdate dategmt datetime datetimepub displaydate issued releasedate posted postedat postedon seendate created "
    "createdat createdutc createdate datecreated timestamp time day".split()
)
_UPDATED = (
    "updated updatedat updateddate dateupdated modified modifiedat modifieddate datemodified datemodify modifiedgmt "
    "lastmodified lastmod lastupdated articlemodifiedtime".split()
)
_LANGUAGES = "language lang inlanguage locale languagecode".split()
_IDS = "id uuid guid articleid docid documentid url link permalink".split()
_KNOWN = frozenset((*TEXTS, *_TITLES, *_SOURCES, *_ADDRESSES, *_AUTHORS, *_PUBLISHED, *_UPDATED, *_LANGUAGES, *_IDS))
_HOLDERS = (
    "source fields attributes metadata meta frontmatter article node document post item entry data thread properties "
    "content".split()
)
"""Names of an object within the object, under which exports put some of the values."""

MAX_DEPTH = 12
"""How deep a text may be nested: blocks of editors are some six deep."""
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|br|li|ul|ol|h[1-6]|table|tr|td|blockquote|section|article|figure|html|body|pre)\b[^<>]*>",
    re.IGNORECASE,
)
_TAG = re.compile(
    r"<(?:/?(?:a|abbr|b|i|u|s|em|strong|span|small|sub|sup|img|font|code|mark|script|style|cite|q|iframe|video)\b[^<>]*"
    r"|!--.*?--)>",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_ESCAPED_TAG = re.compile(r"&lt;/?(?:p|div|br|li|h[1-6]|span|a|b|i|em|strong)\b", re.IGNORECASE)
_LIST_OF_NAMES = re.compile(r"\[\s*(?:'[^']*'|\"[^\"]*\")(?:\s*,\s*(?:'[^']*'|\"[^\"]*\"))*\s*\]")
_INLINE_TYPES = frozenset(
    "text span link a mention hashtag hardBreak emphasis strong bold italic underline plain text_link code email phone"
    " strikethrough spoiler".split()
)
"""What editors and chat exports call a piece of a line."""


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


def words(value: object, depth: int = 0) -> str:
    """The text of a value: a text, a list of paragraphs or blocks, or an object that holds one of these."""
    if depth > MAX_DEPTH:
        return ""
    match value:
        case str():
            return value
        case list():
            pieces = [words(item, depth + 1) for item in value]
            is_inline = any(_is_inline(item) for item in value) and all(
                _is_inline(item) or isinstance(item, str) for item in value
            )
            return ("" if is_inline else "\n\n").join(piece for piece in pieces if piece.strip() or is_inline)
        case dict():
            fields = {plain(name): item for name, item in value.items()}
            for name in ("rendered", "raw", "text", "html", "value", "plain", "content", "body", "paragraphs", "blocks",
                         "children", "data", "cdata", "t", "items"):  # fmt: skip
                if name in fields and (text := words(fields[name], depth + 1)):
                    return text
    return ""


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
        if depth < 2 and isinstance(inner, dict) and (name != "source" or has_text(inner)):
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
            text = "" if _is_list_of_records(view.get(name)) else words(view.get(name))
            if any(map(str.isalnum, text)):
                return name, text
    return "", ""


def _line(value: object) -> str | None:
    """A value as one line of text; None for what is no text."""
    if isinstance(value, list | tuple):
        return next(filter(None, map(_line, value[:5])), None)
    if isinstance(value, dict):
        fields = {plain(name): item for name, item in value.items()}
        return _line([fields.get(name) for name in ("rendered", "main", "name", "title", "text", "value")])
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
    return isinstance(value, dict) and value.get("type") in _INLINE_TYPES
