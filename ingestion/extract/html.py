"""Web pages: the article without navigation and advertisement, or, where no article is found, all visible text."""

import re
from collections.abc import Iterator
from html import unescape

from trafilatura import extract
from trafilatura.settings import use_config

from ingestion.encoding import decode
from ingestion.extract.markdown import blocks
from ingestion.extract.reading import Pages, Reading, Work
from models.errors import UnsupportedType

_MAX_ARTICLE_CHARACTERS = 5_000_000
_MAX_ATTRIBUTES = 1_000
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
    """Return the page's text with its headings, in one page. Raises ``UnsupportedType`` when the bytes are no text."""
    html = _decode(untrusted)
    if html is None:
        raise UnsupportedType
    pages = Pages(work.limits)
    pages.add_blocks(blocks(_article(html, work.limits.tags) or visible_text(html)))
    return Reading(pages.all())


def visible_text(html: str, *, marks: bool = True) -> str:
    """Return all text a browser would show, block by block, in linear time; headings with Markdown's marks."""
    return "\n".join(
        line for part in "".join(_shown(html, marks=marks)).split("\n") if (line := " ".join(part.split()))
    )


def _shown(html: str, *, marks: bool) -> Iterator[str]:
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
        yield _break(name, marks=marks and not (tag and tag[1]))
        at = end + (3 if comment else 1)
    yield unescape(html[at:])


def _end_of(name: str, html: str, start: int) -> int:
    closing = re.compile(rf"</{name}\b[^>]*", re.IGNORECASE).search(html, start)
    return closing.end() if closing else -1


def _break(name: str, *, marks: bool) -> str:
    if name not in _BLOCKS:
        return ""
    return "\n" if not marks or not _HEADING.match(name) else "\n" + "#" * int(name[1]) + " "


def _article(html: str, max_tags: int) -> str | None:
    """Return the main text with its headings, or ``None``; pages that are made to be slow are not tried."""
    if len(html) > _MAX_ARTICLE_CHARACTERS or _is_made_to_be_slow(html, max_tags):
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


def _is_made_to_be_slow(html: str, max_tags: int) -> bool:
    """Say whether the page has more tags, or more attributes in one tag, than the parser can take in good time."""
    for count, tag in enumerate(_WHOLE_TAG.finditer(html)):
        if count > max_tags or tag[0].count("=") > _MAX_ATTRIBUTES or len(tag[0].split()) > 3 * _MAX_ATTRIBUTES:
            return True
    return False


def _decode(untrusted: bytes) -> str | None:
    declared = _CHARSET.search(untrusted[:_CHARSET_WITHIN_BYTES])
    return decode(untrusted, declared=declared[1].decode("ascii") if declared else None)
