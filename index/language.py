"""Language: which language a text is in, as far as its script or its function words say, and what is known of it:
its function words and its stemmer. Pure.

A question is a few words long, of which most are function words; character statistics, which libraries for this use,
want longer texts, and a list of function words is short and can be read. Other scripts than Latin tell by themselves.
`python -m benchmarks collection --parts language` measures it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from functools import lru_cache

LEAST_WORDS = 2
"""Function words of a language that a text must have, so that a name or a loan word decides nothing."""
LEAST_LEAD = 1
"""By how many more it must have them than of the next language, which may share some ("in", "die", "a"). With 2, a
quarter of XQuAD's German and Spanish questions have no language instead of a twelfth; with 1, one English question of
11,993 is taken for another language."""

_FUNCTION_WORDS = {
    "English": "the of and to in is was are were be been has have had do does did a an for on with at by from "
    "that this "
    "which who what when where why how many much it he she they his her their not or as",
    "German": "der die das den dem des und in zu im ist war sind waren wird wurde wurden werden hat haben hatte "
    "ein eine "
    "einen einem einer für auf mit von bei aus dass dieser welche welcher welches wer was wann wo warum wie viele "
    "viel es "
    "er sie nicht oder als über nach gibt sich auch",
    "French": "le la les de des du et à en est était sont a ont un une pour sur avec par dans que qui quoi quand où "
    "pourquoi comment combien quel quelle quels il elle ils elles ne pas ou au aux ce cette se son sa ses",
    "Spanish": "el la los las de del y en es era son fue fueron ha han un una para sobre con por que qué quién "
    "quiénes "
    "cuándo cuál cuáles dónde cómo cuánto cuántos cuántas no o al se su sus lo como más",
    "Italian": "il lo la i gli le di del della dei e in è era sono ha hanno un una per su con da che chi cosa quando "
    "dove perché come quanto quanti quante quale quali non o al alla si suo nel nella",
    "Portuguese": "o a os as de do da dos das e em é era são foi foram tem um uma para sobre com por que quem quando "
    "onde como quanto quantos quantas qual quais não ou ao se seu sua no na mais",
    "Dutch": "de het een en van in is was zijn waren wordt werd worden heeft hebben voor op met bij door uit dat die "
    "deze welke wie wat wanneer waar waarom hoe veel niet of als te er",
    "Swedish": "och att det som en ett i är var på för med av till den de har hade vad vem när hur många varför "
    "vilken "
    "inte eller om från",
    "Polish": "i w na z do się nie że jest był była było są od za po o co kto kiedy gdzie jak ile jaki jaka jakie "
    "czy "
    "przez dla lub oraz",
    "Turkish": "ve bir bu ne kim nerede nasıl kaç hangi için ile mi mı mu mü da de olan olarak ne zaman niçin kadar",
}
_SCRIPTS = {
    "CYRILLIC": "Russian", "ARABIC": "Arabic", "HEBREW": "Hebrew", "GREEK": "Greek", "THAI": "Thai",
    "HANGUL": "Korean", "HIRAGANA": "Japanese", "KATAKANA": "Japanese", "CJK": "Chinese",
    "DEVANAGARI": "Hindi", "ARMENIAN": "Armenian", "TAMIL": "Tamil",
}  # fmt: skip
"""First word of a letter's name in Unicode → the language that is written with it most."""
_SHARED_CYRILLIC = "абвгдежзиклмнопрстуфхцчш"
_SHARED_ARABIC = "ابتثجحخدذرزسشصضطظعغفقلمنهوءآؤئ"
_ALPHABETS = {
    "CYRILLIC": {
        "Russian": _SHARED_CYRILLIC + "йщъыьэюяё",
        "Ukrainian": _SHARED_CYRILLIC + "йщьюяєіїґ",
        "Belarusian": _SHARED_CYRILLIC.replace("и", "") + "йыьэюяёіў",
        "Bulgarian": _SHARED_CYRILLIC + "йщъьюя",
        "Serbian": _SHARED_CYRILLIC + "ђјљњћџ",
        "Macedonian": _SHARED_CYRILLIC + "ѓѕјљњќџ",
        "Kazakh": _SHARED_CYRILLIC + "йщъыьэюяёәғқңөұүһі",
    },
    "ARABIC": {
        "Arabic": _SHARED_ARABIC + "أإةىيك",
        "Persian": _SHARED_ARABIC + "أپچژکگیۀ",
        "Urdu": _SHARED_ARABIC + "أپچژکگیٹڈڑںھہۂۃے",
    },
}
"""Script → its languages, the one written most first, and the letters of each. Of a text, that language has been used
whose alphabet lacks the fewest of its letters."""
HARD_SIGNS = 0.005
"""Share of ъ, in a text without ы, э and ё, from which it is Bulgarian, which writes ъ for a vowel: every 60th letter,
where in Russian it is every 2,700th."""
_OWN_LATIN = {
    "Vietnamese": "ăđơưạảấầẩẫậắằẳẵặẹẻẽếềểễệỉịọỏốồổỗộớờởỡợụủứừửữựỳỵỷỹ", "Czech": "ěřů", "Hungarian": "őű",
    "Romanian": "șțşţ", "Danish": "æø",
}  # fmt: skip
"""Latin alphabets by letters that no other language here has; Norwegian has those of Danish and is stemmed alike."""
OWN_LETTERS = 0.01
"""Share of such letters from which a text is in that language. In Vietnamese a quarter of the letters are its own, in
the others two to four of a hundred."""
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}
_LANGUAGES_OF: dict[str, list[str]] = {}
for _language, _known in _WORDS.items():
    for _word in _known:
        _LANGUAGES_OF.setdefault(_word, []).append(_language)
LEAST_SHARE = 0.15
"""Share of function words in an article of another language than English: prose has .3 and more. A list of figures or a
program has a few letters that are words elsewhere ("a", "o", "e")."""
READ_CHARS = 4000
"""How much of an article is read to tell its language."""
STEMMERS = {
    "English": "porter", "German": "german", "French": "french", "Spanish": "spanish", "Italian": "italian",
    "Portuguese": "portuguese", "Dutch": "dutch", "Swedish": "swedish", "Danish": "danish", "Norwegian": "norwegian",
    "Finnish": "finnish", "Hungarian": "hungarian", "Romanian": "romanian", "Czech": "czech", "Polish": "polish",
    "Turkish": "turkish", "Russian": "russian", "Greek": "greek", "Arabic": "arabic", "Hindi": "hindi",
    "Persian": "persian", "Serbian": "serbian", "Armenian": "armenian", "Tamil": "tamil",
    # Snowball has none for these; the endings of nouns and adjectives are those of Russian for the most part.
    "Ukrainian": "russian", "Belarusian": "russian", "Bulgarian": "russian", "Macedonian": "russian",
}  # fmt: skip
"""Language → its algorithm of Snowball. For English the first one of Porter, which Snowball keeps as it is and with
which retrieval was measured; answers are checked with his second, `lexicon._stem`."""
_TAGS = {
    "en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
    "nl": "Dutch", "sv": "Swedish", "da": "Danish", "no": "Norwegian", "nb": "Norwegian", "nn": "Norwegian",
    "fi": "Finnish", "hu": "Hungarian", "ro": "Romanian", "cs": "Czech", "pl": "Polish", "tr": "Turkish",
    "vi": "Vietnamese",
}  # fmt: skip
_FOREIGN = re.compile(r"[^\x00-\u036f\u1e00-\u20ff]")


@lru_cache(maxsize=4)
def language_of(text: str) -> str | None:
    """The English name of the language that a text is in; None when it does not tell."""
    if _FOREIGN.search(text):
        scripts = Counter(script(letter) for letter in text if letter.isalpha())
        total = sum(scripts.values())
        foreign = {script: number for script, number in scripts.items() if script in _SCRIPTS}
        if total and sum(foreign.values()) * 2 > total:
            if any(script in ("HIRAGANA", "KATAKANA") for script in foreign):
                return "Japanese"
            return _by_letters(max(foreign, key=lambda script: foreign[script]), text)
    read = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text.lower()))
    counts = Counter(language for word in read for language in _LANGUAGES_OF.get(word, ()))
    (best, most), (_, next_most) = [*counts.most_common(2), ("", 0), ("", 0)][:2]
    if most >= LEAST_WORDS and most - next_most >= LEAST_LEAD:
        return best
    return _by_own_letters(text)


def may_be_in(text: str, language: str) -> bool:
    """Whether a text that seems to be in another language may be in this one as well, for it has its letters only."""
    scripts = Counter(script(letter) for letter in text if letter.isalpha())
    of_script = max(scripts, key=lambda script: scripts[script], default="")
    alphabet = _ALPHABETS.get(of_script, {}).get(language)
    lower = unicodedata.normalize("NFC", text.lower())
    return alphabet is not None and all(one in alphabet for one in lower if one.isalpha() and script(one) == of_script)


def _by_letters(of_script: str, text: str) -> str:
    """The language of a text in a script that several languages use, by their alphabets."""
    alphabets = _ALPHABETS.get(of_script)
    if alphabets is None:
        return _SCRIPTS[of_script]
    letters = Counter(
        letter
        for letter in unicodedata.normalize("NFC", text.lower())
        if letter.isalpha() and script(letter) == of_script
    )
    lacks = {
        language: sum(number for letter, number in letters.items() if letter not in alphabet)
        for language, alphabet in alphabets.items()
        if language != "Bulgarian"
    }
    found = min(lacks, key=lambda language: lacks[language])
    is_hard = letters["ъ"] > 1 and letters["ъ"] > HARD_SIGNS * letters.total()
    return "Bulgarian" if found == "Russian" and is_hard and not any(letters[one] for one in "ыэё") else found


def _by_own_letters(text: str) -> str | None:
    """The language of a text in Latin letters some of which only that language has."""
    if text.isascii():
        return None
    letters = Counter(letter for letter in unicodedata.normalize("NFC", text.lower()) if letter.isalpha())
    own = {language: sum(letters[letter] for letter in alphabet) for language, alphabet in _OWN_LATIN.items()}
    found = max(own, key=lambda language: own[language])
    return found if own[found] > 1 and own[found] > OWN_LETTERS * letters.total() else None


@lru_cache(maxsize=4096)
def script(letter: str) -> str:
    """The script of a letter, as the first word of its name in Unicode."""
    return unicodedata.name(letter, "?").split()[0]


def language_of_article(text: str, tag: str | None = None) -> str:
    """The language of an article by its first READ_CHARS, or else by the `tag` that it bears ("de-AT"); English if
    neither tells."""
    opening = text[:READ_CHARS]
    found = language_of(opening)
    if found in _WORDS and found != "English":
        read = re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", opening.lower()))
        if sum(word in _WORDS[found] for word in read) < LEAST_SHARE * len(read):
            found = None
    return found or _TAGS.get((tag or "").lower().replace("_", "-").split("-")[0]) or "English"


def stemmer_of(language: str | None) -> str:
    """Snowball's algorithm for a language. Where there is none, words in Latin letters are mostly English names."""
    return STEMMERS.get(language or "", STEMMERS["English"])


def function_words(language: str | None) -> frozenset[str]:
    """Words of a language that say nothing of what a text is about; none where they are not known."""
    return _WORDS.get(language or "", frozenset())


_HIRAGANA = re.compile("[\u3041-\u309f]+")
_PARTICLES = re.compile(
    r"(?<=[가-힣])(?:은|는|이|가|을|를|의|에|에서|에게|으로|로|와|과|도|만|까지|부터|이다|입니까|입니다)(?![가-힣])|"
    r"(?<![가-힣])(?:누가|누구|무엇|언제|어디|어느|어떤|왜|얼마나|얼마|몇|무슨)(?:은|는|이|가|을|를|의|에|에서)?(?![가-힣])"
)
_CHINESE = re.compile(
    "为什么|為什麼|什么时候|什麼時候|什么|什麼|怎么样|怎么|怎麼|怎样|怎樣|如何|何时|何時|何地|哪里|哪裡|哪儿|哪个|哪個|哪些|哪一|哪|"
    "谁|誰|多少|几个|幾個|是否|[的了吗嗎呢吧]|是(?!非)"
)
_THAI = re.compile(
    "ที่ไหน|เมื่อไหร่|เมื่อไร|เมื่อใด|อย่างไร|เท่าไหร่|เท่าไร|เท่าใด|ทำไม|อะไร|ใคร|ไหน|ใด|กี่|ของ|และ|หรือ|ที่|เป็น|คือ|ได้|จะ|ให้|ว่า|ใน"
)


def without_function_words(text: str, language: str | None) -> str:
    """The text with spaces in place of the function words of a language that joins them to others. Of Japanese, what is
    written in Hiragana: particles and endings."""
    if language == "Japanese":
        spaced = _HIRAGANA.sub(_spaces, text)
        return spaced if re.search(r"\w", spaced) else text
    pattern = {"Korean": _PARTICLES, "Chinese": _CHINESE, "Thai": _THAI}.get(language or "")
    return pattern.sub(_spaces, text) if pattern else text


def _spaces(match: re.Match[str]) -> str:
    return " " * len(match[0])
