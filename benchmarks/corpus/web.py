"""Web pages: an article among furniture, a page without an article, lists and tables, Japanese in an old encoding."""

from collections.abc import Iterator

from benchmarks.corpus.made import BEES, HARBOUR, RIVER, Made

_NAV = (
    "<nav><ul><li><a href=/>Startseite</a></li><li><a href=/abo>Abonnement</a></li><li><a>Anmelden</a></li></ul></nav>"
)
_COOKIES = (
    '<div role="dialog" class="cookie-banner"><p>Diese Seite verwendet Cookies.</p><button>Zustimmen</button></div>'
)
_TEASERS = "<li><a href=/a>Zehn Gartentricks</a></li><li><a href=/b>Wetterbericht</a></li>"
_ASIDE = f"<aside><h3>Meistgelesen</h3><ul>{_TEASERS}</ul></aside>"
_FOOT = "<footer><p>Impressum Datenschutz Kontakt</p><p>© Verlag Musterhaus</p></footer>"


def made() -> Iterator[Made]:
    """Yield the pages."""
    yield _news()
    yield _bare()
    yield _recipe()
    yield _old_encoding()
    yield _course()


def _page(body: str, *, title: str = "t", head: str = "<meta charset=utf-8>") -> str:
    return f"<!doctype html><html><head>{head}<title>{title}</title></head><body>{body}</body></html>"


def _news() -> Made:
    """Return a long article with a banner, navigation, a sidebar, related links, comments' form and a foot."""
    texts = tuple(f"{text} Beobachtung {number} aus dem Garten." for number, text in enumerate(BEES * 8))
    body = "".join(f"<p>{text}</p>" for text in texts)
    article = f"<main><article><h1>Bienen an der Mauer</h1>{body}</article></main>"
    script = "<script>var hiddenword = 1;</script><style>.hiddenstyle{}</style>"
    form = "<form action=/suche><label>Suchbegriff</label><input><button>Suchen</button></form>"
    html = _page(
        f"{_COOKIES}<header>{_NAV}{form}</header>{article}{_ASIDE}{_FOOT}{script}", title="Bienen an der Mauer"
    )
    return Made("news.html", html.encode(), ("Bienen an der Mauer", *texts), ())


def _bare() -> Made:
    return Made("bare.html", _page("".join(f"<p>{text}" for text in RIVER)).encode(), RIVER)


def _recipe() -> Made:
    """Return lists in lists, definitions, a table with heads, code, and a folded part that a click opens."""
    body = (
        "<h1>Rye bread</h1><ol><li>Mix<ul><li>rye flour</li><li>warm water</li></ul></li><li>Wait overnight</li></ol>"
        "<table><tr><th>Loaf</th><th>Minutes</th></tr><tr><td>small</td><td>45</td></tr><tr><td>large</td><td>70</td>"
        "</tr></table><dl><dt>Sour</dt><dd>a living dough</dd></dl><pre>oven = 230</pre>"
        "<details><summary>Tip</summary><p>Steam keeps the crust soft.</p></details>"
        f'{_FOOT}<p style="display:none">invisible trap</p>'
    )
    truth = ("Rye bread", "Mix", "rye flour", "warm water", "Wait overnight", "Loaf", "Minutes", "small", "45", "large")
    rest = ("70", "Sour", "a living dough", "oven = 230", "Tip", "Steam keeps the crust soft.")
    return Made("recipe.html", _page(body).encode(), (*truth, *rest))


def _old_encoding() -> Made:
    ruby = "<ruby>競<rt>せ</rt></ruby>り"
    body = "".join(f"<p>{text}</p>" for text in HARBOUR[:2]) + f"<p>{ruby}が終わるころ、町の店が開き始める。</p>"
    html = _page(f"<h1>港町</h1>{body}", head='<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">')
    return Made("old.html", html.encode("cp932"), ("港町", *HARBOUR))


def _course() -> Made:
    """Return a page of many short sections with divisions instead of paragraphs, and a breadcrumb."""
    texts = tuple(f"{text} Part {number} of the course." for number, text in enumerate(RIVER * 6))
    sections = "".join(f"<section><h2>Lesson {n}</h2><div>{text}</div></section>" for n, text in enumerate(texts))
    crumbs = '<div role="navigation">Home / Courses / Rivers</div>'
    html = _page(f"{crumbs}<div id=content><h1>All about the Tamsin</h1>{sections}</div><footer>Legal notice</footer>")
    truth = [part for n, text in enumerate(texts) for part in (f"Lesson {n}", text)]
    return Made("course.html", html.encode(), ("All about the Tamsin", *truth))
