import pytest

from ingestion.encoding import decode

TEXTS = {
    "ja": "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。何でも薄暗いじめじめした所で泣いていた。",
    "zh": "道可道，非常道。名可名，非常名。无名天地之始；有名万物之母。故常无欲，以观其妙；常有欲，以观其徼。",
    "tw": "臺灣的國語教學與文化發展，學習語言需要時間與耐心。這是一個測試。",
    "ko": "나는 오늘 학교에 갔다. 그리고 친구들과 함께 점심을 먹었다. 날씨가 매우 좋았다.",
    "ru": "Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.",
    "de": "Über allen Gipfeln ist Ruh, in allen Wipfeln spürest du kaum einen Hauch; die Vögelein schweigen.",
    "fr": "Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes yeux se fermaient.",
    "pl": "Litwo! Ojczyzno moja! ty jesteś jak zdrowie; ile cię trzeba cenić, ten tylko się dowie, kto cię stracił.",
    "th": "ภาษาไทยเป็นภาษาที่สวยงามและมีประวัติศาสตร์ยาวนาน",
    "ar": "في البدء كانت الكلمة واللغة العربية جميلة جدا وهذا نص للاختبار فقط",
}


@pytest.mark.parametrize(
    ("language", "encoding"),
    [(language, encoding) for language in TEXTS for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32")]
    + [(language, encoding) for language in TEXTS if language != "th" for encoding in ("utf-16-le", "utf-16-be")]
    + [
        ("ja", "cp932"),
        ("ja", "euc_jp"),
        ("ja", "iso2022_jp"),
        ("zh", "gb18030"),
        ("zh", "gbk"),
        ("tw", "big5"),
        ("ko", "cp949"),
        ("ru", "koi8_r"),
        ("ru", "cp1251"),
        ("de", "latin-1"),
        ("fr", "cp1252"),
        ("pl", "cp1250"),
        ("th", "tis_620"),
        ("ar", "cp1256"),
    ],
)
def test_a_text_is_read_in_whatever_encoding_it_comes(language: str, encoding: str) -> None:
    text = "\n".join([TEXTS[language]] * 3)

    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "España: el niño pequeño comió mañana. Años. Señor Muñoz, 1º B."),
        ("cp1252", "Nombre;Año;Niño\nMuñoz;2010;sí\nPeña;2011;no\n"),
        ("cp1252", "Não há coração que não bata. Lições de português são difíceis às vezes."),
        ("cp1252", "L'élève a reçu une leçon. Où êtes-vous allé à Noël ? Ça coûte 5 €. Cœur."),
        ("cp1252", "Città, perché, più, così. L'università è là. È vero."),
        ("cp1252", "Smörgåsbord på svenska. Räksmörgås är gott. Åsa äter ägg."),
        ("cp1252", "Blåbærsyltetøy er godt. Jeg går på skolen. Ære være."),
        ("cp1252", "Það er gott veður í dag. Ég þarf að læra íslensku. Bókin er á borðinu og hún er ný."),
        ("cp1250", "Zażółć gęślą jaźń. Uczeń czyta książkę w szkole. Dzień dobry."),
        ("cp1250", "Příliš žluťoučký kůň úpěl ďábelské ódy. Žák čte knihu."),
        ("cp1250", "Árvíztűrő tükörfúrógép. A diák könyvet olvas az iskolában. Jó reggelt."),
        ("cp1250", "Elevul citeşte o carte la şcoală. Bună dimineaţa. Învăţătoare."),
        ("cp1250", "Učenik čita knjigu u školi. Dobro jutro. Đak, šuma, žaba, ćevapi."),
        ("cp1254", "Öğrenci kitabı okuyor. Şeker çok tatlı. İstanbul güzel bir şehir. Işık."),
        ("cp1254", "Kağıt burada. Işık ve ağaç yeşil."),
    ],
)
def test_latin_letters_are_those_of_one_language(encoding: str, text: str) -> None:
    assert decode(text.encode(encoding)) == text


@pytest.mark.parametrize("damage", [b"\xff", b"\xc3"], ids=["alien", "half"])
@pytest.mark.parametrize("language", ["ja", "ru", "th"])
def test_a_damaged_byte_is_lost_alone(language: str, damage: bytes) -> None:
    text = TEXTS[language]

    assert decode(text.encode() + damage + text.encode()) == f"{text}\ufffd{text}"


def test_a_text_that_was_cut_inside_a_character_keeps_the_others() -> None:
    assert decode(TEXTS["ru"].encode()[:-2]) == TEXTS["ru"][:-2] + "\ufffd"


@pytest.mark.parametrize("content", [bytes(64), bytes(range(256)), b"\x00\x01" * 40, b"\xff\xfe" + b"\x01\x00" * 50])
def test_bytes_that_are_no_text_are_not_made_into_one(content: bytes) -> None:
    assert decode(content) is None


def test_the_start_of_a_text_may_end_inside_a_character() -> None:
    content = "é".encode() * 10

    assert decode(content[:-1], cut=True) == "é" * 9


def test_nothing_is_an_empty_text() -> None:
    assert decode(b"") == ""


@pytest.mark.parametrize(
    ("language", "encoding"), [("ja", "cp932"), ("ja", "euc_jp"), ("zh", "gb18030"), ("ru", "koi8_r")]
)
def test_a_few_foreign_lines_in_an_english_text_are_read_in_their_encoding(language: str, encoding: str) -> None:
    english = ["It rained in the hills.", "The gauges at Holm rose by a metre overnight.", "Nobody was told."] * 3
    text = "\n".join([*english, TEXTS[language][:24], *english])

    assert decode(text.encode(encoding)) == text


def test_a_short_line_of_kana_is_read_in_the_old_encoding_of_unix() -> None:
    assert decode("港の朝は早い。".encode("euc_jp")) == "港の朝は早い。"
