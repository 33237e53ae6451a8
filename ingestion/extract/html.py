"""Web pages: the article without navigation and advertisement, or, where no article is found, all visible text."""

import re
from collections.abc import Iterator
from html import unescape

from trafilatura import extract
from trafilatura.settings import use_config

from ingestion.encoding import decode
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import UnsupportedType

_MAX_ARTICLE_CHARACTERS = 5_000_000
_MAX_ATTRIBUTES = 1_000
_MAX_ARTICLE_TAGS = 50_000
_CHARSET = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*["']?([\w:.-]{2,40})""", re.IGNORECASE
)
_CHARSET_WITHIN_BYTES = 4096
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
# The marks of headings are kept, they say what a text is about; those of emphasis would stand in every quotation.
_EMPHASIS = re.compile(r"(?<![\w*])(\*\*|\*)(?=\S)([^*\n]{1,200})(?<=\S)\1(?![\w*])")
_WHOLE_TAG = re.compile(r"<[a-zA-Z/!][^>]*")
_HEADING = re.compile(r"h[1-6]\Z")
_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object"})
_BLOCKS = frozenset({
    "address", "article", "aside", "blockquote", "br", "dd", "div", "dt", "footer", "form", "h1", "h2", "h3", "h4",
    "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul",
})  # fmt: skip


def read(untrusted: bytes, work: Work) -> Reading:
    """Return the page's text as Markdown, in one page. Raises ``UnsupportedType`` when the bytes are no text."""
    html = _decode(untrusted)
    if html is None:
        raise UnsupportedType
    pages = Pages(work.limits)
    pages.add(_article(html) or visible_text(html))
    return Reading(pages.all(), markdown=True)


def visible_text(html: str) -> str:
    """Return all text a browser would show, block by block, in time linear in its size."""
    return "\n".join(line for part in "".join(_shown(html)).split("\n") if (line := " ".join(part.split())))


def _shown(html: str) -> Iterator[str]:
    """Yield the text between the tags, and line ends for blocks. What is never closed hides all that follows it."""
    at = 0
    while (start := html.find("<", at)) >= 0:
        yield unescape(html[at:start])
        comment = html.startswith("<!--", start)
        tag = None if comment else _TAG.match(html, start)
        if tag is None and not comment and not html.startswith(("<!", "<?"), start):
            yield "<"
            at = start + 1
            continue
        end = html.find("-->" if comment else ">", start)
        name = tag[2].lower() if tag else ""
        if end >= 0 and name in _HIDDEN and tag and not tag[1]:
            end = _end_of(name, html, end)
        if end < 0:
            return
        yield _break(name, closing=bool(tag and tag[1]))
        at = end + (3 if comment else 1)
    yield unescape(html[at:])


def _end_of(name: str, html: str, start: int) -> int:
    closing = re.compile(rf"</{name}\b[^>]*", re.IGNORECASE).search(html, start)
    return closing.end() if closing else -1


def _break(name: str, *, closing: bool) -> str:
    if name not in _BLOCKS:
        return ""
    return "\n" if closing or not _HEADING.match(name) else "\n" + "#" * int(name[1]) + " "


def _article(html: str) -> str | None:
    """Return the main text with its headings, or ``None``; pages that are made to be slow are not tried."""
    if len(html) > _MAX_ARTICLE_CHARACTERS or _is_made_to_be_slow(html):
        return None
    config = use_config()
    config.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")
    article = extract(
        html,
        output_format="markdown",
        include_comments=False,
        include_images=False,
        include_links=False,
        include_tables=True,
        include_formatting=True,
        favor_recall=True,
        config=config,
    )
    return _EMPHASIS.sub(r"\2", article) if article else None


def _is_made_to_be_slow(html: str) -> bool:
    """Say whether the page has more tags, or more attributes in one tag, than the parser can take in good time."""
    for count, tag in enumerate(_WHOLE_TAG.finditer(html)):
        if (
            count > _MAX_ARTICLE_TAGS
            or tag[0].count("=") > _MAX_ATTRIBUTES
            or len(tag[0].split()) > 3 * _MAX_ATTRIBUTES
        ):
            return True
    return False


def _decode(untrusted: bytes) -> str | None:
    declared = _CHARSET.search(untrusted[:_CHARSET_WITHIN_BYTES])
    if declared and not untrusted.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        try:
            return untrusted.decode(_web_name(declared[1].decode("ascii").lower()))
        except (LookupError, UnicodeDecodeError):
            pass  # The page lies about itself: judge it by its bytes.
    return decode(untrusted)


def _web_name(label: str) -> str:
    """Return the encoding a browser takes for this label: the superset that Windows made of the standard."""
    supersets = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "cp1252", "ascii": "cp1252", "us-ascii": "cp1252"}
    supersets |= {
        "shift_jis": "cp932",
        "sjis": "cp932",
        "euc-kr": "cp949",
        "ks_c_5601-1987": "cp949",
        "x-sjis": "cp932",
    }
    return supersets.get(label, label)
