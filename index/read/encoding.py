"""Encoding: bytes that declare none → the encoding in which they are words of a language.

In the right encoding most letters beyond ASCII are those that the language of the text has most of: half of Japanese
is kana, a third of Chinese some hundred characters. In a wrong one they are any letters, or signs within words. Short
texts show it as well: a subtitle, a row of a table. Statistics of whole code pages, which libraries for this use, want
longer texts and take Polish for Windows-1252 ("zosta³") and short Japanese for Korean.
"""

from __future__ import annotations

import re
import unicodedata

from index.language import language_of

LEAST = 4
"""Letters beyond ASCII without which nothing is decided."""
USUAL_SHARE = 0.6
"""A text has at least this part of the share that its script's most frequent letters usually have."""
LATIN_SHARE = 0.95
"""A text in Latin letters has hardly others than those of its language: names, a few damaged bytes."""
OTHER_WEIGHT = 0.97
"""What the letters of another language count than that of the function words, which short texts do not always tell."""

_KANA = "".join(map(chr, (*range(0x3041, 0x3097), *range(0x30A1, 0x30FB), 0x30FC)))
_HANGUL = (
    "이다의는에가을를고로한지도사은시기서하아인리나자어정대수원해으전부일조구스장제보유주선여상비과그있동들했위국성만내"
)
_HAN = (
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好都然没日于起"
    "还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长月市新民政部法电高工业区这來國個說們為時會過學對裡後麼沒於"
    "還發當無開經頭動兩長電業區"
)
_CYRILLIC, _GREEK = "оеаинтсрвлкмдпуяыьзбгіј", "αοιετσνηυρπκμλςίόάέήύώδγ"
_HEBREW, _ARABIC, _THAI = "יולהאתמרבשנקםדעפ", "اليمنوتربةعدسفهكقحجأى", "านรกเงอยลวมตทดสปคบหพจะแใไ่้ิีัุู็์"
_WIDE = ("utf-16-le", "utf-16-be")
"""Without a NUL byte where there is no letter of ASCII."""
_BY_SCRIPT = (
    (("cp932", "euc_jp", *_WIDE), _KANA, 0.5),
    (("euc_kr", *_WIDE), _HANGUL, 0.4),
    (("gb18030", "big5", *_WIDE), _HAN, 0.3),
    (("cp1251", "koi8-u", "cp866", "iso8859-5", "mac-cyrillic"), _CYRILLIC, 0.9),
    (("cp1253", "iso8859-7"), _GREEK, 0.9),
    (("cp1255",), _HEBREW, 0.8),
    (("cp1256", "iso8859-6"), _ARABIC, 0.85),
    (("cp874",), _THAI, 0.85),
)
"""Encodings, the surest first; the most frequent letters of the languages that are written in them; and the share that
these usually have of all letters beyond ASCII, on the articles of XQuAD and the like."""
_WESTERN = "àáâãäåæçèéêëìíîïðñòóôõöøùúûüýþßÿœšž"
_OF_LANGUAGE = {
    "English": _WESTERN, "German": "äöüßéèà", "French": "àâæçéèêëîïôœùûüÿ", "Spanish": "áéíóúüñºª",
    "Italian": "àèéìíòóùúîºª", "Portuguese": "àáâãçéêíóôõúüºª", "Dutch": "éèëêïöüáóú", "Swedish": "åäöéà",
    "Danish": "æøåéöä", "Finnish": "åäöšž", "Icelandic": "áéíóúýþæöð", "Catalan": "àçèéíïòóúü·",
    "Polish": "ąćęłńóśźżé", "Czech": "áčďéěíňóřšťúůýž", "Slovak": "áäčďéíĺľňóôŕšťúýž", "Hungarian": "áéíóöőúüű",
    "Romanian": "ăâîșțşţ", "Croatian": "čćđšž", "Turkish": "çğıiöşüâîû", "Lithuanian": "ąčęėįšųūž",
    "Latvian": "āčēģīķļņšūž", "Estonian": "äöõüšž",
}  # fmt: skip
"""Letters beyond ASCII of languages in Latin letters. In English they are those of names."""
_MULTI_BYTE = frozenset(("cp932", "euc_jp", "euc_kr", "gb18030", "big5", *_WIDE))
_WORDS = re.compile(rb"[A-Za-z]*[\x80-\xff][A-Za-z\x80-\xff]*")
"""Words with bytes beyond ASCII. In Latin letters most have others as well, elsewhere hardly any, but that some second
bytes of characters are ASCII."""
LATIN = ("cp1252", "cp1250", "iso8859-2", "cp1254", "cp1257", "mac-roman", "cp850", "mac-latin2")
_SIGNS = frozenset("§©®°€£¥™‰†‡№")
_ENDING = frozenset("¶·")
"""No word begins behind one of these."""
_WITHIN_WORDS = frozenset("'’‘-‐‑–—·/")


def encoding_of_letters(sample: bytes) -> str | None:
    """The encoding of text, as Python names it, if one clearly makes words of it."""
    words = _WORDS.findall(sample)
    is_latin = sum(any(byte < 0x80 for byte in word) for word in words) * 2 > len(words)
    found: list[tuple[float, str]] = []
    for encodings, frequent, usual in _BY_SCRIPT:
        for encoding in encodings:
            if is_latin and encoding not in _MULTI_BYTE:
                continue
            letters = _letters(sample.decode(encoding, "replace"))
            if len(letters) >= LEAST:
                found.append((sum(letter in frequent for letter in letters) / len(letters) / usual, encoding))
    share, encoding = max(found, key=lambda one: one[0], default=(0.0, ""))
    if share >= USUAL_SHARE:
        return encoding
    latin = [(latin_share(sample, encoding), encoding) for encoding in LATIN]
    share, encoding = max(latin, key=lambda one: one[0])
    return encoding if share >= LATIN_SHARE and len(_letters(sample.decode(encoding, "replace"))) >= LEAST else None


def latin_share(sample: bytes, encoding: str) -> float:
    """The share of the letters beyond ASCII of a text in an encoding that are of its language, 0 to 1; or of any other
    language, which counts a little less."""
    text = sample.decode(encoding, "replace")
    letters = _letters(text)
    if not letters:
        return 0.0
    spoken = language_of(text)
    shares = {
        language: sum(letter in own for letter in letters) / len(letters)
        for language, own in _OF_LANGUAGE.items()
        if language != "English" or language == spoken
    }
    return max(share if language == spoken else OTHER_WEIGHT * share for language, share in shares.items())


def _letters(text: str) -> list[str]:
    """What stands for a letter beyond ASCII, in lower case; what cannot be one in its place is "\\ufffd"."""
    found: list[str] = []
    for before, character, after in zip(f" {text}", text, f"{text[1:]} ", strict=False):
        if character.isascii() or character in _SIGNS:
            continue
        is_within = before.isalpha() and after.isalpha()
        is_within |= after.isascii() and after.isalpha() and character in _ENDING
        if unicodedata.category(character)[0] in "PZ" and not (is_within and character not in _WITHIN_WORDS):
            continue
        is_odd = before.islower() and character.isupper()
        found.append("\ufffd" if is_odd else character.lower()[0])
    return found
