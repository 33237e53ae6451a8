"""Phrases of files that nobody here made, in the order in which a person reads them, by looking at the page."""

# The columns of a poem in vertical writing, from the right; the upper half of the page before the lower.
_POEM = """
わたくしとい 假定された あらゆる透明 風景やみんな せはしく いかにもたしかに ひかりはたもち
二十二箇月 過去とかんずる 紙と鑛質 すべてわたくしと みんなが同時 ここまでたもち かげとひかり
そのとほりの心象 これらについて 宇宙塵 それぞれ新鮮 それらも畢竟 たしかに記録 記録されたその
それが虚無 ある程度まで 中のみんなで おのおののなか けれどもこれら 巨大に明るい 正しくうつされ
わづかその 修羅の十億年 組立や質 しかもわたくし それを変らない 傾向としては けだし 人物をかんずる
共通に感ずる 記録や歴史 いろいろの論料 因果の時空 われわれがかんじて おそらくこれから ちがった地質
相當した證據 二千年ぐらゐ 青ぞら 新進の大學 氷窒素 すてきな化石 白堊紀 透明な人類 発見するかも
すべてこれらの 心象や時間 第四次延長 大正十三年
"""

LANDMARKS = {
    "pdf/jo.pdf": tuple(_POEM.split()),
    "mail/mail_test_1": (
        "уведом",
        "Налогоплательщик!",
        "15 августа",
        "Статья 20",
        "Пятерку",
        "Лазеры на",
        "Бедность в",
    ),
    "mail/mail_test_10": (
        "Modelli POWER7+",
        "Gentili",
        "è eleggibile",
        "Ricordo",
        "In allegato",
        "Cordiali",
        "Segrate",
    ),
}

# Whole texts, where they are a few words.
TEXTS = {
    "odf/toc.odt": "\n".join(
        f"Level {level} title {number}"
        for level, number in (
            (1, 1),
            (2, 1),
            (1, 2),
            (3, 1),
            (2, 2),
            (1, 3),
            (2, 1),
            (3, 1),
            (3, 2),
            (2, 2),
            (3, 1),
            (3, 2),
        )
    ),
    "subtitles/invalid_timeframe.srt": "\n".join(f"Caption text #{number}" for number in range(1, 6)),
}
