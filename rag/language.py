"""Language: which language a text is in, as far as its script or its function words say. Pure.

A question is a few words long, of which most are function words; character statistics, which libraries for this use,
want longer texts, and a list of function words is short and can be read. Other scripts than Latin tell by themselves.
`python -m benchmarks collection --parts language` measures it.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

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
    "DEVANAGARI": "Hindi",
}  # fmt: skip
"""First word of a letter's name in Unicode → the language that is written with it most."""
_WORDS = {language: frozenset(words.split()) for language, words in _FUNCTION_WORDS.items()}


def language_of(text: str) -> str | None:
    """The English name of the language that a text is in; None when it does not tell."""
    scripts = Counter(unicodedata.name(letter, "?").split()[0] for letter in text if letter.isalpha())
    total = sum(scripts.values())
    foreign = {script: number for script, number in scripts.items() if script in _SCRIPTS}
    if total and sum(foreign.values()) * 2 > total:
        if any(script in ("HIRAGANA", "KATAKANA") for script in foreign):
            return "Japanese"
        return _SCRIPTS[max(foreign, key=lambda script: foreign[script])]
    found = re.findall(r"[^\W\d_]+", text.lower())
    counts = Counter({language: sum(word in known for word in found) for language, known in _WORDS.items()})
    (best, most), (_, next_most) = counts.most_common(2)
    return best if most >= LEAST_WORDS and most - next_most >= LEAST_LEAD else None
