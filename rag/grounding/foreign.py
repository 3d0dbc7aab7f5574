"""Foreign: what is known of languages other than English: negations, numbers in words, months, and how to quote.

Closed classes of words, written down whole; languages are named as by index/language.py.
"""

from __future__ import annotations

import math
import re
import unicodedata
from datetime import date
from decimal import Decimal
from functools import cache, lru_cache
from typing import TYPE_CHECKING

from index.tokens import fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from index.tokens import Token


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
    "Arabic": _pattern(r"[وف]?(?:لا|لم|لن|ليس|ليست|ليسوا|غير|بدون|دون)"),
    "Swedish": _pattern(r"inte|ej|icke|ingen|inget|inga|aldrig|utan|varken"),
    "Polish": _pattern(r"nie|nikt|nigdy|nic|bez|ani|żad(?:en|na|ne|nego|nej)"),
    "Turkish": _pattern(r"değil(?:dir|di)?|hiç|yok(?:tur|tu)?|ne"),
    "Chinese": re.compile(r"不(?!仅|但|只|过|同|少|断)|没(?:有)?|未(?!来)|无(?!论)|從未|从未|沒(?:有)?|別|别"),
    # Japanese and Korean negate the verb before.
    "Japanese": re.compile(r"な(?:い|かった|く|ければ)|ません(?:でした)?|ず(?:に)?(?![^\W\d_])"),
    "Korean": re.compile(r"않|없|못|아니"),
}
PREPOSITIONS = {
    language: frozenset(listed.split())
    for language, listed in {
        "German": "ab an am ans auf aus außerhalb bei beim bis durch für gegen gegenüber hinter in im ins innerhalb "
        "mit nach neben nördlich ohne östlich seit südlich trotz über um unter vom von vor während wegen westlich zu "
        "zum zur zwischen",
        "French": "à au aux après avant avec chez contre dans de des depuis derrière dès devant du durant en entre "
        "envers hors jusque malgré outre parmi pendant pour près sans sauf sous sur vers",
        "Spanish": "a al ante bajo con contra de del desde durante en entre hacia hasta mediante para por según sin "
        "sobre tras",
        "Italian": "a al alla ai alle allo ad con contro da dal dalla dai di del della dei delle dello dietro dopo "
        "durante fra in nel nella nei nelle presso senza sotto su sul sulla tra verso",
        "Portuguese": "a ao à aos às após até com contra de da do das dos desde durante em na no nas nos entre para "
        "perante por pela pelo sem sob sobre",
        "Dutch": "aan achter bij binnen boven buiten door in langs met na naar naast om onder op over sinds tegen "
        "tijdens tot tussen uit van vanaf via volgens voor zonder",
        "Russian": "без в во для до за из из-за к ко между на над о об от по под после при про против с со у через",
    }.items()
}
"""Prepositions of other languages: a name behind one is a place, a time or whom something concerns, mostly not who
speaks."""
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

_FURTHER = {
    "German": "dreizehn 13 sechzehn 16 siebzehn 17 zwanzig 20 dreißig 30 vierzig 40 fünfzig 50 sechzig 60 siebzig 70 "
    "achtzig 80 neunzig 90 hundert 100 tausend 1000",
    "French": "treize 13 quatorze 14 quinze 15 seize 16 vingt 20 vingts 20 trente 30 quarante 40 cinquante 50 "
    "soixante 60 septante 70 huitante 80 nonante 90 cent 100 cents 100 mille 1000",
    "Spanish": "trece 13 catorce 14 quince 15 dieciséis 16 diecisiete 17 dieciocho 18 diecinueve 19 veinte 20 "
    "veintiuno 21 veintidós 22 veintitrés 23 veinticuatro 24 veinticinco 25 veintiséis 26 veintisiete 27 veintiocho 28 "
    "veintinueve 29 treinta 30 cuarenta 40 cincuenta 50 sesenta 60 setenta 70 ochenta 80 noventa 90 cien 100 "
    "ciento 100 doscientos 200 doscientas 200 trescientos 300 trescientas 300 cuatrocientos 400 cuatrocientas 400 "
    "quinientos 500 quinientas 500 seiscientos 600 seiscientas 600 setecientos 700 setecientas 700 "
    "ochocientos 800 ochocientas 800 novecientos 900 novecientas 900 mil 1000",
    "Italian": "tredici 13 quattordici 14 quindici 15 sedici 16 diciassette 17 diciotto 18 diciannove 19 venti 20 "
    "trenta 30 quaranta 40 cinquanta 50 sessanta 60 settanta 70 ottanta 80 novanta 90 cento 100 mille 1000 mila 1000",
    "Portuguese": "treze 13 catorze 14 quatorze 14 quinze 15 dezesseis 16 dezasseis 16 dezessete 17 dezassete 17 "
    "dezoito 18 dezenove 19 dezanove 19 vinte 20 trinta 30 quarenta 40 cinquenta 50 sessenta 60 setenta 70 oitenta 80 "
    "noventa 90 cem 100 cento 100 duzentos 200 duzentas 200 trezentos 300 trezentas 300 quatrocentos 400 "
    "quatrocentas 400 quinhentos 500 quinhentas 500 seiscentos 600 seiscentas 600 setecentos 700 setecentas 700 "
    "oitocentos 800 oitocentas 800 novecentos 900 novecentas 900 mil 1000",
    "Dutch": "dertien 13 veertien 14 vijftien 15 zestien 16 zeventien 17 achttien 18 negentien 19 twintig 20 dertig 30 "
    "veertig 40 vijftig 50 zestig 60 zeventig 70 tachtig 80 negentig 90 honderd 100 duizend 1000",
    "Russian": "тринадцать 13 четырнадцать 14 пятнадцать 15 шестнадцать 16 семнадцать 17 восемнадцать 18 "
    "девятнадцать 19 двадцать 20 тридцать 30 сорок 40 пятьдесят 50 шестьдесят 60 семьдесят 70 восемьдесят 80 "
    "девяносто 90 сто 100 двести 200 триста 300 четыреста 400 пятьсот 500 шестьсот 600 семьсот 700 восемьсот 800 "
    "девятьсот 900",
    "Arabic": "عشرون 20 عشرين 20 ثلاثون 30 ثلاثين 30 أربعون 40 أربعين 40 خمسون 50 خمسين 50 ستون 60 ستين 60 سبعون 70 "
    "سبعين 70 ثمانون 80 ثمانين 80 تسعون 90 تسعين 90 مئة 100 مائة 100 مئتان 200 مئتين 200 "
    "ألفان 2000 ألفين 2000 ألفي 2000",
    "Swedish": "tretton 13 fjorton 14 femton 15 sexton 16 sjutton 17 arton 18 nitton 19 tjugo 20 trettio 30 fyrtio 40 "
    "femtio 50 sextio 60 sjuttio 70 åttio 80 nittio 90 hundra 100 tusen 1000",
    "Polish": "trzynaście 13 czternaście 14 piętnaście 15 szesnaście 16 siedemnaście 17 osiemnaście 18 "
    "dziewiętnaście 19 dwadzieścia 20 trzydzieści 30 czterdzieści 40 pięćdziesiąt 50 sześćdziesiąt 60 "
    "siedemdziesiąt 70 osiemdziesiąt 80 dziewięćdziesiąt 90 sto 100 dwieście 200 trzysta 300 czterysta 400 pięćset 500 "
    "sześćset 600 siedemset 700 osiemset 800 dziewięćset 900",
    "Turkish": "yirmi 20 otuz 30 kırk 40 elli 50 altmış 60 yetmiş 70 seksen 80 doksan 90 yüz 100 bin 1000",
}
_VALUES = {
    language: {word: int(value) for word, value in NUMBERS[language].items()}
    | dict(zip(further.split()[::2], map(int, further.split()[1::2]), strict=True))
    for language, further in _FURTHER.items()
}
_JOINED = {"German": ("und",), "Dutch": ("en", "ën"), "Spanish": ("y",), "Portuguese": ("e",), "French": ("et",),
           "Swedish": (), "Italian": (), "Russian": (), "Polish": (), "Arabic": (), "Turkish": ()}  # fmt: skip
"""What stands between the numbers that make up another: "fünfundzwanzig", "treinta y cinco"."""
_IN_ONE_WORD = frozenset(("German", "Dutch", "Italian", "Swedish"))
_ONES = {"German": {"ein": 1}, "Dutch": {"een": 1}, "Italian": {"uno": 1}, "Swedish": {"en": 1, "ett": 1}}


def number(found: Sequence[Token], place: int, language: str | None) -> tuple[str, int] | None:
    """The number in words that begins with a token, in digits, and the place after it; None if none does. "quatre
    cents" is 400, "fünfundzwanzig" 25."""
    values = _VALUES.get(language or "")
    if values is None:
        return None
    parts: list[int] = []
    end = at = place
    while at < len(found):
        word = found[at].text
        if (value := values.get(word)) is not None:
            parts.append(value)
        elif language in _IN_ONE_WORD and (compound := _parted(word, language or "")):
            parts += compound
        elif not (parts and word in _JOINED[language or ""]):
            break
        else:
            at += 1
            continue
        at += 1
        end = at
    return (str(_composed(parts)), end) if parts else None


def _composed(parts: Sequence[int]) -> int:
    total = current = 0
    for part in parts:
        if part == 1000:
            total, current = total + max(current, 1) * 1000, 0
        elif part == 100 or (part == 20 and current % 100 == 4):  # "quatre-vingts"
            current = current - current % 100 + (current % 100 or 1) * part if part == 20 else max(current, 1) * 100
        else:
            current += part
    return total + current


@lru_cache(maxsize=4096)
def _parted(word: str, language: str) -> tuple[int, ...]:
    """The numbers that a word is made of; () for another word."""
    values = _VALUES[language] | _ONES[language]
    rest, parts = word, list[int]()
    while rest:
        longest = max((one for one in values if rest.startswith(one)), key=len, default="")
        if longest:
            parts.append(values[longest])
            rest = rest[len(longest) :]
            continue
        joint = next((one for one in _JOINED[language] if parts and rest.startswith(one)), "")
        if not joint or rest == joint:
            return ()
        rest = rest[len(joint) :]
    return tuple(parts) if len(parts) > 1 else ()


def is_day_or_month(found: Sequence[Token], place: int, language: str | None) -> bool:
    """Whether a word is a day of the week, or a month beside a day or a year, in a language that does not write these
    with a capital: there they are names as well."""
    if language in (None, "English"):
        return False
    if found[place].text in _WEEKDAYS.get(language, ""):
        return True
    if _month_key(found[place].text) not in _MONTH_OF:
        return False
    beside = (*found[max(place - 2, 0) : place], *found[place + 1 : place + 3])
    return any(token.kind == "number" for token in beside)


_WEEKDAYS = {
    language: frozenset(words.split())
    for language, words in {
        "German": "montag dienstag mittwoch donnerstag freitag samstag sonnabend sonntag",
        "French": "lundi mardi mercredi jeudi vendredi samedi dimanche",
        "Spanish": "lunes martes miércoles jueves viernes sábado sábados domingo domingos",
        "Italian": "lunedì martedì mercoledì giovedì venerdì sabato domenica",
        "Portuguese": "sábado domingo",
        "Dutch": "maandag dinsdag woensdag donderdag vrijdag zaterdag zondag",
        "Russian": "понедельник вторник среда среду четверг пятница пятницу суббота субботу воскресенье",
        "Arabic": "الاثنين الإثنين الثلاثاء الأربعاء الخميس الجمعة السبت الأحد",
        "Swedish": "måndag tisdag onsdag torsdag fredag lördag söndag",
        "Polish": "poniedziałek wtorek środa środę czwartek piątek sobota sobotę niedziela niedzielę",
        "Turkish": "pazartesi salı çarşamba perşembe cuma cumartesi pazar",
    }.items()
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


_HAN_WEEKDAY = re.compile(
    r"(?:星期|周|週|礼拜|禮拜)(?P<zh>[一二三四五六日天])|(?P<ja>[月火水木金土日])曜|(?P<ko>[월화수목금토일])요일"
)


def han_weekdays(text: str, language: str | None) -> list[tuple[int, int, str]]:
    """The days of the week that a Chinese, Japanese or Korean text names: where each stands, and one name for it."""
    if language not in ("Chinese", "Japanese", "Korean"):
        return []
    return [
        (match.start(), match.end(), f"{(match['zh'] or match['ja'] or match['ko']).replace('天', '日')} (day)")
        for match in _HAN_WEEKDAY.finditer(text)
    ]


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
_HAN_NUMBER = re.compile(
    rf"(?:(?<![\d.,])\d+(?:[.,]\d+)*(?=[{''.join(_HAN_UNITS)}{''.join(_HAN_MYRIADS)}]))?"
    rf"[{''.join(_HAN_DIGITS)}{''.join(_HAN_UNITS)}{''.join(_HAN_MYRIADS)}]+"
)


def han_numbers(text: str, language: str | None, *, is_any: bool = False) -> list[tuple[int, int, str]]:
    """The numbers that a Chinese or Japanese text writes with Chinese numerals, "90万" among them: where each stands,
    and its digits. A single numeral is often part of a word ("一座"), and only given with `is_any`."""
    if language not in ("Chinese", "Japanese"):
        return []
    return [
        (match.start(), match.end(), _in_digits(match[0]))
        for match in _HAN_NUMBER.finditer(text)
        if is_any or len(match[0]) > 1
    ]


@cache
def _in_digits(written: str) -> str:
    if all(character in _HAN_DIGITS for character in written) and len(written) > 1:
        return "".join(str(_HAN_DIGITS[character]) for character in written)  # a year: 二〇〇九
    if (arabic := re.match(r"[\d.,]+", written)) is not None:  # "1,200万", "4.3亿"
        factor = math.prod((_HAN_UNITS | _HAN_MYRIADS).get(unit, 1) for unit in written[arabic.end() :])
        number = Decimal(re.sub(r",(?=\d{3})", "", arabic[0]).replace(",", ".").strip(".")) * factor
        return str(int(number)) if number == int(number) else str(number)
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
