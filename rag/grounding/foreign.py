"""Foreign: what is known of languages other than English: negations, numbers in words, months, and how to quote.

Closed classes of words, written down whole; languages are named as by index/language.py.
"""

from __future__ import annotations

import re
import unicodedata
from datetime import date
from functools import cache, lru_cache

from index.tokens import fold


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


NEGATIONS = {
    "German": _pattern(r"nicht(?! nur)|kein(?:e[mnrs]?)?|nie(?:mals)?|niemand(?:em|en)?|nichts|ohne|weder|noch nie"),
    "French": _pattern(r"ne|n['’](?=\w)|pas(?! seulement)|jamais|aucune?|sans|ni|rien|non(?! seulement)"),
    "Spanish": _pattern(r"no(?! s[oó]lo)|nunca|jam[aá]s|nadie|nada|ning[uú]n(?:[oa]s?)?|sin|ni|tampoco"),
    "Italian": _pattern(r"non(?! solo)|mai|nessun[oa]?|niente|nulla|senza|né|neppure|neanche"),
    "Portuguese": _pattern(r"não(?! só)|nunca|jamais|ninguém|nada|nenhum(?:as?)?|nenhuns|sem|nem|tampouco"),
    "Dutch": _pattern(r"niet(?! alleen)|geen|nooit|niemand|niets|zonder|noch"),
    "Russian": _pattern(r"не(?! только)|нет|ни|никогда|никто|никого|никому|ничего|ничто|без|нельзя"),
    "Arabic": _pattern(r"لا|لم|لن|ليس|ليست|ليسوا|غير|بدون|دون"),
    "Swedish": _pattern(r"inte|ej|icke|ingen|inget|inga|aldrig|utan|varken"),
    "Polish": _pattern(r"nie|nikt|nigdy|nic|bez|ani|żad(?:en|na|ne|nego|nej)"),
    "Turkish": _pattern(r"değil(?:dir|di)?|hiç|yok(?:tur|tu)?|ne"),
    "Chinese": re.compile(r"不(?!仅|但|只|过|同|少|断)|没(?:有)?|未(?!来)|无(?!论)|從未|从未|沒(?:有)?|別|别"),
    # Japanese and Korean negate the verb before.
    "Japanese": re.compile(r"な(?:い|かった|く|ければ)|ません(?:でした)?|ず(?:に)?(?![^\W\d_])"),
    "Korean": re.compile(r"않|없|못|아니"),
}
NEGATED_BEFORE = frozenset(("Japanese", "Korean", "Turkish"))
"""Languages that write the negation after what it negates."""

_QUOTING = {
    "English": ("The article says: ", "The articles say: "),
    "German": ("Im Artikel steht: ", "In den Artikeln steht: "),
    "French": ("L'article dit : ", "Les articles disent : "),
    "Spanish": ("El artículo dice: ", "Los artículos dicen: "),
    "Italian": ("L'articolo dice: ", "Gli articoli dicono: "),
    "Portuguese": ("O artigo diz: ", "Os artigos dizem: "),
    "Dutch": ("In het artikel staat: ", "In de artikelen staat: "),
    "Russian": ("В статье сказано: ", "В статьях сказано: "),
    "Arabic": ("جاء في المقال: ", "جاء في المقالات: "),
    "Swedish": ("I artikeln står: ", "I artiklarna står: "),
    "Polish": ("W artykule czytamy: ", "W artykułach czytamy: "),
    "Turkish": ("Makalede şöyle yazıyor: ", "Makalelerde şöyle yazıyor: "),
    "Chinese": ("文章中写道：", "各篇文章中写道："),
    "Japanese": ("記事にはこうある：", "各記事にはこうある："),
    "Korean": ("기사에 따르면: ", "기사들에 따르면: "),
}


def quoting(language: str | None, *, is_one: bool) -> str:
    """What stands before quotes of one article or of several, in the language of an answer; "" in another one."""
    one, several = _QUOTING.get(language or "English", ("", ""))
    return one if is_one else several


_FROM_TWO = {
    "German": "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
    "French": "deux trois quatre cinq six sept huit neuf dix onze douze",
    "Spanish": "dos tres cuatro cinco seis siete ocho nueve diez once doce",
    "Italian": "due tre quattro cinque sei sette otto nove dieci undici dodici",
    "Portuguese": "dois três quatro cinco seis sete oito nove dez onze doze",
    "Dutch": "twee drie vier vijf zes zeven acht negen tien elf twaalf",
    "Russian": "два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать",
    "Arabic": "اثنان ثلاثة أربعة خمسة ستة سبعة ثمانية تسعة عشرة",
    "Swedish": "två tre fyra fem sex sju åtta nio tio elva tolv",
    "Polish": "dwa trzy cztery pięć sześć siedem osiem dziewięć dziesięć jedenaście dwanaście",
    "Turkish": "iki üç dört beş altı yedi sekiz dokuz on",
}
NUMBERS = {
    language: {word: str(value) for value, word in enumerate(words.split(), start=2)}
    for language, words in _FROM_TWO.items()
}
"""Language → number in words → its digits. One is mostly an article."""
NUMBERS["Portuguese"] |= {"duas": "2"}
NUMBERS["Russian"] |= {"две": "2", "двух": "2", "трёх": "3", "трех": "3", "четырёх": "4", "четырех": "4"}
NUMBERS["Arabic"] |= {
    "ثلاث": "3",
    "أربع": "4",
    "خمس": "5",
    "ست": "6",
    "سبع": "7",
    "ثماني": "8",
    "تسع": "9",
    "عشر": "10",
}

_MONTHS = {
    "English": "january february march april may june july august september october november december",
    "German": "januar februar märz april mai juni juli august september oktober november dezember",
    "French": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "Spanish": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "Italian": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "Portuguese": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "Dutch": "januari februari maart april mei juni juli augustus september oktober november december",
    "Russian": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "Arabic": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "Arabic of the Levant": "كانون_الثاني شباط آذار نيسان أيار حزيران تموز آب أيلول "
    "تشرين_الأول تشرين_الثاني كانون_الأول",
    "Swedish": "januari februari mars april maj juni juli augusti september oktober november december",
    "Polish": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "Turkish": "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
}
_NUMBER_OF = {
    name.replace("_", " "): number for names in _MONTHS.values() for number, name in enumerate(names.split(), start=1)
} | {
    name: number for number, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), start=1)
} | {"sept": 9, "setiembre": 9, "jänner": 1}  # fmt: skip
_NAMES = "|".join(sorted(_NUMBER_OF, key=len, reverse=True))
_DATE = re.compile(
    r"(?<![\d.,/-])(?:"
    r"(?P<y1>\d{4})[-./](?P<m1>\d\d?)[-./](?P<d1>\d\d?)|"
    r"(?P<y2>\d{4})\s?[年년]\s?(?P<m2>\d\d?)\s?[月월]\s?(?P<d2>\d\d?)\s?[日일号號]|"
    r"(?P<d3>\d\d?)(?P<sep>[./-])(?P<m3>\d\d?)(?P=sep)(?P<y3>\d{4})|"
    rf"(?P<d4>\d\d?)(?:st|nd|rd|th|er|º|\.)?\s(?:of\s|de\s|di\s)?(?P<m4>{_NAMES})\.?,?\s(?:de\s|del\s)?(?P<y4>\d{{4}})|"
    rf"(?<!\w)(?P<m5>{_NAMES})\.?\s(?P<d5>\d\d?)(?:st|nd|rd|th)?,?\s(?P<y5>\d{{4}})"
    r")(?![\d/-]|[.,]\d)",
    re.IGNORECASE,
)


_YEAR = re.compile(r"\d{4}")


def _month_key(name: str) -> str:
    """A month in any case. Turkish capitals ("KASIM", "NİSAN") and the long s have a lower case of their own."""
    return fold(unicodedata.normalize("NFKC", name).lower())


_MONTH_OF = {_month_key(name): number for name, number in _NUMBER_OF.items()}


@lru_cache(maxsize=4)  # a text is read for its words, and again for other spellings of these
def full_dates(text: str) -> tuple[tuple[int, int, date], ...]:
    """The days that a text names with day, month and year, in digits or words, where there is no doubt which one is
    meant: where each stands, and the day. 03/04/2021 may be a day of March or of April; 03.04.2021 is of April."""
    found: list[tuple[int, int, date]] = []
    if not _YEAR.search(text):  # most sentences: _DATE would be tried at each of their words
        return ()
    for match in _DATE.finditer(text):
        day = _day(match)
        if day is not None:
            found.append((match.start(), match.end(), day))
    return tuple(found)


def _day(match: re.Match[str]) -> date | None:
    number = next(n for n in "12345" if match[f"y{n}"])
    year, month, day = match[f"y{number}"], match[f"m{number}"], match[f"d{number}"]
    months = {int(month) if month.isdecimal() else _MONTH_OF.get(_month_key(month), 0)}
    days = {int(day)}
    if number == "3" and match["sep"] != ".":
        both = {int(day), int(month)}
        readings = [(m, d) for m in both for d in both if (m != d or len(both) == 1) and m <= 12]
        if len(readings) != 1:
            return None
        months, days = {readings[0][0]}, {readings[0][1]}
    try:
        return date(int(year), months.pop(), days.pop())
    except ValueError:
        return None


_HAN_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "兩": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_HAN_UNITS = {"十": 10, "百": 100, "千": 1000}
_HAN_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_HAN_NUMBER = re.compile(f"[{''.join(_HAN_DIGITS)}{''.join(_HAN_UNITS)}{''.join(_HAN_MYRIADS)}]+")


def han_numbers(text: str) -> list[str]:
    """The numbers that a text writes with Chinese numerals, in digits."""
    return [_in_digits(match[0]) for match in _HAN_NUMBER.finditer(text)]


@cache
def _in_digits(written: str) -> str:
    if all(character in _HAN_DIGITS for character in written) and len(written) > 1:
        return "".join(str(_HAN_DIGITS[character]) for character in written)  # a year: 二〇〇九
    total = section = digit = 0
    for character in written:
        if character in _HAN_DIGITS:
            digit = _HAN_DIGITS[character]
        elif character in _HAN_UNITS:
            section += (digit or 1) * _HAN_UNITS[character]
            digit = 0
        else:
            total += max(section + digit, 1) * _HAN_MYRIADS[character]
            section = digit = 0
    return str(total + section + digit)
