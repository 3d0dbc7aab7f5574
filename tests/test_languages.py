"""Words of every spelling and language: what the word index finds, and what an answer is checked by."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from index import Article, Index, store
from index.language import language_of, language_of_article, may_be_in
from index.store import migrate
from index.store import words as words_of_index
from index.tokens import fold, tokens
from rag.grounding import support
from rag.grounding.lexicon import known, words
from rag.question import understand
from rag.relevance import covered, is_relevant
from tests.fakes import BagOfWordsEmbedder

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray


class Unread(BagOfWordsEmbedder):
    """An embedder that can read nothing."""

    def _embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.zeros((len(texts), self.dimension), dtype=np.float32)


TEXTS = {
    "zh": "由于风暴，港口关闭到星期五。渡轮停运。市长说没有人受伤。",
    "zh2": "小学因为花园获得了九千欧元的奖金。学生们种了三百棵树。",
    "ja": "横浜港は金曜日まで閉鎖される。嵐のためフェリーは運航しない。",
    "ja2": "京都の図書館は来月から日曜日も開館する。利用者は無料で入れる。",
    "ko": "부산시는 월요일에 새 도서관을 열었다. 학생들은 책을 무료로 빌릴 수 있다.",
    "ko2": "제주의 공항은 눈 때문에 이틀 동안 문을 닫았다.",
    "th": "สะพานใหม่เปิดในวันจันทร์ นายกเทศมนตรีกล่าวขอบคุณ",
    "ru": "Мэр открыл новую библиотеку в понедельник, и школьники получили книги.",
    "ar": "افتتح رئيس البلدية المدرسة الجديدة يوم الاثنين في وسط المدينة.",
    "hi": "महापौर ने सोमवार को नए विद्यालय का उद्घाटन किया।",
    "de": "Frau Özdemir aus Köln wurde zur Pra\u0308sidentin des Vereins gewählt und dankte den Wählern.",
    "muller": "Günther Müller of Straße voted against the bridge.",
    "hyphen": "The council's long-term programme helps co-operatives and start-ups with 870,000 euros.",
    "full": "Ｔｈｅ ｔｉｃｋｅｔ ｃｏｓｔｓ ４５ ｅｕｒｏｓ; the oﬃce sells it.",
    "code": "When the printer shows error E-1074, restart the router.",
    "code2": "When the printer shows error E-4107, replace the ink.",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    with Index.open(Path(tmp_path_factory.mktemp("languages")), embedder=Unread()) as opened:
        opened.add(Article(name, text) for name, text in TEXTS.items())
        yield opened


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("市长", "zh"), ("渡轮", "zh"), ("港口为什么关闭？", "zh"), ("学生们种了多少棵树？", "zh2"),
        ("横浜港はいつまで閉鎖されますか", "ja"), ("嵐", "ja"), ("図書館", "ja2"),
        ("京都の図書館は日曜日に開いていますか", "ja2"),
        ("부산의 새 도서관은 언제 열었습니까?", "ko"), ("제주 공항", "ko2"), ("สะพานใหม่เปิดเมื่อไร", "th"),
        ("Кто открыл библиотеки?", "ru"), ("المدرسه", "ar"), ("विद्यालय", "hi"),
        ("Wer ist Präsidentin in Köln?", "de"), ("prasidentin koln", "de"), ("Praesidentin Koeln", "de"),
        ("Muller", "muller"), ("Mueller", "muller"), ("Strasse", "muller"),
        ("startups", "hyphen"), ("start-ups", "hyphen"), ("longterm", "hyphen"), ("cooperatives", "hyphen"),
        ("870000", "hyphen"), ("870 000", "hyphen"), ("870’000", "hyphen"), ("45 euros", "full"), ("office", "full"),
        ("What does error E-1074 mean?", "code"), ("e1074", "code"), ("E-4107", "code2"),
    ],
)  # fmt: skip
def test_words_are_found_however_they_are_written(index: Index, query: str, name: str) -> None:
    hits = index.search(query, 16)
    assert (hits[0].article.id, hits[0].bm25 > 0) == (name, True)
    assert is_relevant(understand(query), hits)


def test_what_the_embedder_cannot_read_is_relevant_by_its_words_alone(index: Index) -> None:
    assert not is_relevant(understand("大统领的猫在哪里"), index.search("大统领的猫在哪里", 16))


def test_the_sentence_with_the_words_stands_for_a_passage_that_cannot_be_read(index: Index) -> None:
    hit = index.search("渡轮")[0]
    assert hit.nearest.of(hit.article.text) == "渡轮停运。"


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Хто відкрив нову бібліотеку в понеділок?", "Ukrainian"),
        ("Кто открыл новую библиотеку?", "Russian"),
        ("Кто такой Володимир Зеленський, и где он был вчера?", "Russian"),
        ("Кметът откри новата библиотека в понеделник. Учениците получиха първите книги.", "Bulgarian"),
        ("Ко је отворио нову библиотеку?", "Serbian"),
        ("شهردار کتابخانه جدید را روز دوشنبه افتتاح کرد.", "Persian"),
        ("افتتح رئيس البلدية المدرسة الجديدة.", "Arabic"),
        ("میئر نے پیر کو نئی لائبریری کھولی۔", "Urdu"),
        ("Thị trưởng đã mở thư viện mới vào thứ Hai.", "Vietnamese"),
        ("Starosta otevřel v pondělí novou knihovnu.", "Czech"),
        ("Nguyễn Văn An won the race in Hanoi and is in the team.", "English"),
    ],
)
def test_languages_of_one_script_are_told_by_their_letters(text: str, language: str) -> None:
    assert language_of(text) == language


def test_a_question_without_letters_of_its_own_may_be_in_the_language_of_the_articles() -> None:
    question = "Кога отвори библиотеката?"
    assert language_of(question) == "Russian"
    assert may_be_in(question, "Bulgarian")
    assert not may_be_in("Кто открыл библиотеку?", "Ukrainian")


def test_a_home_whose_words_were_made_by_other_rules_is_made_anew_from_its_texts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("index.ranking.ALIKE_WEIGHT", 0.0)
    for module in (store, words_of_index, migrate):
        monkeypatch.setattr(module, "maker", lambda: "1 other stemmers")
    monkeypatch.setattr(words_of_index, "terms", lambda text, language: text.lower().split())
    with Index.open(home, embedder=Unread()) as opened:
        opened.add([Article("uk", "Мер відкрив бібліотеку."), Article("gone", "Мер поїхав.")])
        assert not opened.search("бібліотеки")[0].bm25
    monkeypatch.undo()
    monkeypatch.setenv("CITEWIRE_HOME", str(home))
    with Index.open(home, embedder=Unread()) as opened:
        assert [(hit.article.id, hit.bm25 > 0) for hit in opened.search("бібліотеки")] == [("uk", True)]
        opened.remove(["gone"])
        assert opened.check() == []


def test_words_of_other_languages_are_found_in_compounds_and_other_forms(home: Path) -> None:
    with Index.open(home, embedder=Unread()) as opened:
        opened.add([
            Article("forecast", "Die Wettervorhersage war nicht genau, und der Regen kam zu spät in die Stadt."),
            Article("map", "Eine genaue Karte der Stadt war in dem Haus nicht zu finden."),
        ])  # fmt: skip
        hits = opened.search("Wann war die Vorhersage für das Wetter nicht genau?")
        assert [hit.article.id for hit in hits] == ["forecast", "map"]
        assert hits[0].bm25 > 1.0 > hits[1].bm25


def test_a_query_may_have_more_words_than_a_row_of_sqlite_has_columns(home: Path) -> None:
    with Index.open(home, embedder=Unread()) as opened:
        opened.add([Article("forecast", "Die Wettervorhersage war nicht genau, und der Regen kam zu spät.")])
        many = " ".join(f"wort{number}" for number in range(2001))
        (hit,) = opened.search(f"Die Wettervorhersage war nicht genau. {many}")
        assert hit.article.id == "forecast"


def test_the_words_of_a_text_stand_where_they_are_in_it() -> None:
    text = "Pra\u0308sident O\u2019Brien\u2019s 1 234,5 km² in ｆｕｌｌ"
    found = tokens(text, "German")
    assert [text[token.start : token.end] for token in found] == [
        "Pra\u0308sident", "O", "Brien", "1 234,5", "km", "in", "ｆｕｌｌ",
    ]  # fmt: skip
    assert [token.text for token in found][3:] == ["1234.5", "km", "in", "full"]
    assert fold("präsident") == "prasident"


@pytest.mark.parametrize(
    ("text", "tag", "language"),
    [
        ("Der Hund ist in der Stadt und nicht hier.", None, "German"),
        ("Zug Bern", "de-CH", "German"),
        ("x", None, "English"),
    ],
)
def test_an_article_has_the_language_of_its_text_or_else_of_its_tag(text: str, tag: str | None, language: str) -> None:
    assert language_of_article(text, tag) == language


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("Muller voted against it.", "Günther Müller voted against it."),
        ("Müller voted against it.", "Günther Mueller voted against it."),
        ("It cost 870000 euros.", "It cost 870 000 euros."),
        ("It opened on 25 April 2021.", "It opened on 25 April 2021 at noon."),
        ("It opened on 25/04/2021.", "It opened on 25 April 2021."),
        ("Many start-ups came.", "Many startups came."),
        ("Die Brücke wurde nicht gebaut.", "Die Brücke wurde in der Stadt nicht gebaut."),
        ("市长说没有人受伤。", "市长说没有人受伤。"),
        ("奖金是9000欧元。", "小学获得了九千欧元的奖金。"),
        ("賞金は90万円です。", "小学校は九十万円の賞金を得た。"),
        ("Environ 400 personnes ont manifesté.", "Environ quatre cents personnes ont manifesté dans le port."),
        ("Im Verein sind 25 Frauen.", "In dem Verein sind fünfundzwanzig Frauen."),
        ("В школе занимаются 60 учениц.", "В ней занимаются шестьдесят учениц."),
        ("طالبوا بزيادة الرواتب 50 في المئة.", "وطالبوا بزيادة الرواتب خمسين في المئة."),
        ("لا يدفع القراء أي رسوم.", "ولا يدفع القراء أي رسوم."),
        ("El incendio destruyó 1200 hectáreas.", "El incendio destruyó 1.200 hectáreas y no hubo víctimas."),
    ],
)
def test_another_spelling_is_no_flaw(claim: str, quote: str) -> None:
    assert support.flaws(support.Pair(claim, (quote,))) == ()


@pytest.mark.parametrize(
    ("claim", "quote"),
    [
        ("Error A-12 means that the tray is empty.", "Error B-12 means that the tray is empty."),
        ("Invoice INV-2023-0042 was never paid.", "Invoice INV-2023-0043 was never paid."),
        ("It opened on 25/04/2021.", "It opened on 24 April 2021."),
        ("Die Brücke wurde in der Stadt gebaut.", "Die Brücke wurde in der Stadt nicht gebaut."),
        ("Le maire a signé la lettre.", "Le maire n’a jamais signé la lettre."),
        ("El puente fue construido en la ciudad.", "El puente no fue construido en la ciudad."),
        ("Мост был построен в городе.", "Мост не был построен в городе."),
        ("市长关闭了港口。", "市长没有关闭港口。"),
        ("Los bomberos encontraron víctimas.", "Los bomberos no encontraron víctimas en la sierra."),
        ("Im Harz leben keine Luchse.", "Im Harz leben nach einer Zählung von 2022 wieder 55 Luchse."),
        ("يدفع القراء رسوما.", "ولا يدفع القراء أي رسوم."),
        ("小学获得了八千欧元的奖金。", "小学因为花园获得了九千欧元的奖金。"),
        ("港口关闭到星期六。", "由于风暴，港口从星期三关闭到星期五。"),
        ("横浜港は土曜日まで閉鎖されます。", "横浜港は金曜日まで閉鎖される。"),
        ("Elle a été inaugurée le 5 octobre 2020.", "La ville a inauguré le 5 septembre 2020 une médiathèque."),
        ("Музей открылся 12 мая 2019 года.", "Музей открылся 12 апреля 2019 года."),
    ],
)
def test_another_code_a_day_and_a_negation_are_flaws_in_any_language(claim: str, quote: str) -> None:
    assert support.flaws(support.Pair(claim, (quote,)))


@pytest.mark.parametrize(
    "claim",
    [
        "Error E-1074 indicates that the ink cartridge is empty and needs to be replaced.",
        "Invoices INV-2023-0042 and INV-2023-0043 were not paid.",
    ],
)
def test_a_code_and_what_is_said_of_it_must_stand_in_one_quote(claim: str) -> None:
    quotes = (
        "When the printer shows error E-1074, restart the router and enter the network password again.",
        "When the printer shows error E-4107, the ink cartridge is empty and has to be replaced.",
        "Invoice INV-2023-0042 of Arnes Ltd was paid late; the reminder cost twelve euros.",
        "Invoice INV-2023-0043 of Bree Ltd was never paid and went to court.",
    )
    chosen = quotes[:2] if "1074" in claim else quotes[2:]
    for order in (chosen, chosen[::-1]):
        assert support.probability(support.Pair(claim, order, nearby=" ".join(chosen))) <= support.FAILED


def test_what_is_said_of_another_code_answers_no_question_about_one() -> None:
    quote = "When the printer shows error E-1047, open the rear tray and remove the paper that is stuck there."
    claim = "Open the rear tray and remove the paper."
    for code, is_supported in (("E-1047", True), ("E-1074", False)):
        pair = support.Pair(claim, (quote,), nearby=quote, question=f"The printer shows error {code}. What can I do?")
        assert (support.probability(pair) >= support.SUPPORTED) is is_supported


def test_a_number_with_a_decimal_comma_and_its_unit_are_one_clause() -> None:
    quote = "Sie kostete 4,3 Millionen Euro und ist 120 Meter lang."
    nearby = f"Die neue Brücke ist in Verden. {quote}"
    assert support.flaws(support.Pair("Die neue Brücke hat 4,3 Millionen Euro gekostet.", (quote,), nearby)) == ()


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("start-ups", "The startups grew."),
        ("health care", "Healthcare grew."),
        ("e-mail", "An email came."),
        ("Covid 19", "COVID19 spread."),
        ("COVID-19", "Covid 19 spread."),
        ("March 4, 2021", "It opened on 4.3.2021."),
        ("4. März 2021", "Eröffnet am 04.03.2021."),
        ("Straße", "Die Strasse ist lang."),
    ],
)
def test_a_question_is_covered_by_a_text_that_writes_it_in_another_way(question: str, text: str) -> None:
    assert covered(question, text) == 1.0
    assert covered(question, "The harbour closes soon.") == 0.0


def test_what_a_text_may_be_spelt_as_is_known_of_it() -> None:
    assert {"e1074", "2021-04-25", "870000"} <= known(
        "E 1074, 25 April 2021: 870.000 Menschen und die Stadt ist in der Not."
    )
    assert [word.stem for word in words("She didn't see MH370 in the 1990s.")] == ["see", "mh370", "1990"]


@pytest.mark.parametrize("text", ["① Open box ②word", "m①", "5\u0301\u0301", "ʻʻ", "E-① 5", "10 KASIM 19"])
def test_signs_that_are_no_digits_of_a_number_are_read(text: str) -> None:
    assert not any(word.is_number and not word.stem.isdecimal() for word in words(text))
    assert support.flaws(support.Pair(text, (text,))) == ()


@pytest.mark.parametrize("text", ["10 KASIM 1938", "10 Kasım 1938", "November 10, 1938", "10 NOVEMBRE 1938"])
def test_a_date_is_the_same_in_capitals_of_any_language(text: str) -> None:
    assert "1938-11-10" in known(text)
    assert "1776-08-05" in known("Auguſt 5, 1776")


def test_a_word_that_ends_like_a_month_is_no_date() -> None:
    assert "2020-05-05" not in known("To their dismay 5, 2020 and 7 came.")


def test_one_character_that_stands_for_several_is_whole() -> None:
    assert [(token.text, token.start, token.end) for token in tokens("5㎏ ㋀")][-2:] == [("1", 3, 4), ("月", 3, 4)]
