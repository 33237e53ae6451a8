"""Web pages: the article without navigation and advertisement, or, where no article is found, all visible text."""

import re
from collections.abc import Iterator
from html import unescape

from trafilatura import extract
from trafilatura.settings import use_config

from ingestion import xml
from ingestion.encoding import decode
from ingestion.extract import epub, markdown
from ingestion.extract.reading import Block, Pages, Reading, Work
from ingestion.limits import JailLimits
from ingestion.xml import Element
from models.errors import ParserFailed, TooComplex, UnsupportedType

_MAX_PARSED_CHARACTERS = 5_000_000
# Of so little text, or if so little of it is taken for the article, all is read: a guess would lose more than spare.
_MIN_CHOSEN_CHARACTERS = 2_000
_MIN_CHOSEN_SHARE = 0.4
_MAX_ASIDE_CHARACTERS = 10_000
_DEEPEST = 6
_CHARSET = re.compile(
    rb"""<(?:meta[^>]{0,200}?charset|\?xml[^>]{0,100}?encoding)\s*=\s*["']?([\w:.-]{2,40})""", re.IGNORECASE
)
_CHARSET_WITHIN_BYTES = 4096
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_HEADING = re.compile(r"h[1-6]\Z")
_HIDDEN = frozenset({"script", "style", "template", "noscript", "head", "svg", "iframe", "object"})
_ARTICLES = frozenset({"article", "main"})
_CONTROLS = frozenset({"button", "select", "textarea", "datalist", "dialog"})
_FURNITURE = frozenset({"nav", "aside", "form"})
_FURNITURE_OF_PAGES = frozenset({"header", "footer"})
_FURNITURE_ROLES = frozenset({"navigation", "complementary", "search", "banner", "contentinfo", "dialog", "menu"})
# Of a script that is written without spaces, a character.
_WORD = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_]+")
# How a word is said, above it. The text between its tags would make other words of those in the article.
_READING_AID = re.compile(r"<r[tp]\b[^<>]*>[^<]*", re.IGNORECASE)
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
    pages.add_blocks(_blocks(html, work.limits))
    return Reading(pages.all())


def visible_text(html: str, *, marks: bool = True) -> str:
    """Return all text a browser would show, block by block, in linear time; headings with Markdown's marks."""
    return "\n".join(
        line
        for part in "".join(_shown(_READING_AID.sub("", html), marks=marks)).split("\n")
        if (line := " ".join(part.split()))
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


def _blocks(html: str, limits: JailLimits) -> list[Block]:
    """Return the article's blocks, or those of all the page but its furniture; of pages too complex, the plain text."""
    if len(html) > _MAX_PARSED_CHARACTERS:
        return list(markdown.blocks(visible_text(html)))
    try:
        root = epub.parse_html(html, limits)
    except (TooComplex, ParserFailed):
        return list(markdown.blocks(visible_text(html)))
    found = epub.blocks(root, _furniture(root)) or epub.blocks(root)
    visible = sum(len(block.text) for block in found)
    if visible < _MIN_CHOSEN_CHARACTERS:
        return found
    chosen = _chosen(found, _article(html), _asides(root))
    return chosen if sum(len(block.text) for block in chosen) >= _MIN_CHOSEN_SHARE * visible else found


def _furniture(root: Element) -> set[Element]:
    """Return what stands around a page's text: elements that are not to be read, with all in them."""
    half = _length(root) / 2
    left_out, waiting = set[Element](), [(root, False)]
    while waiting:
        element, in_article = waiting.pop()
        name = xml.local_name(element).lower()
        in_article = in_article or name in _ARTICLES
        if name in _CONTROLS or element.get("aria-hidden") == "true":
            left_out.add(element)
        elif _is_furniture(element, name, in_article=in_article) and (name == "nav" or _length(element) <= half):
            left_out.update(_around_title(element) if name == "header" else [element])
        else:
            waiting.extend((each, in_article) for each in element)
    return left_out


def _is_furniture(element: Element, name: str, *, in_article: bool) -> bool:
    if name in _FURNITURE_OF_PAGES:
        return not in_article
    return name in _FURNITURE or element.get("role") in _FURNITURE_ROLES


def _around_title(header: Element) -> list[Element]:
    """Return a header, or, if it holds the page's title, all in it that does not."""
    titles = {each for title in header.iter("{*}h1") for each in (title, *title.iterancestors())}
    if not titles:
        return [header]
    inside = {each for title in header.iter("{*}h1") for each in title.iter()}
    return [each for each in header.iter() if each not in titles and each not in inside]


def _length(element: Element) -> int:
    """Return how many characters stand in an element, but for scripts and styles."""
    return sum(
        len(each.text or "") + len(each.tail or "")
        for each in element.iter()
        if xml.local_name(each).lower() not in _HIDDEN
    )


def _asides(root: Element) -> set[str]:
    """Return what the search for the article may pass over inside it: captions, formulas, code and rows of tables."""
    texts = ("".join(each.itertext()) for each in root.iter("figcaption", "math", "pre", "tr"))
    return {_key(text) for text in texts if len(text) <= _MAX_ASIDE_CHARACTERS}


def _chosen(found: list[Block], article: str, asides: set[str]) -> list[Block]:
    """Return the blocks that say what the article says, asides next to them, and the headings that they stand under."""
    lines = {_key(line) for line in article.split("\n")}
    said = {three for line in article.split("\n") for three in _threes(line)}
    kept = [_is_said(block, lines, said) for block in found]
    for at, block in enumerate(found):
        beside = (at > 0 and kept[at - 1]) or (at + 1 < len(found) and kept[at + 1])
        kept[at] = kept[at] or (beside and _key(block.text) in asides)
    stands_above = 0  # Up to this level a heading before this place stands above a block that is kept.
    for at in range(len(found) - 1, -1, -1):
        level = found[at].level
        if level and (kept[at] or level <= stands_above):
            kept[at], stands_above = True, level - 1
        elif kept[at]:
            stands_above = _DEEPEST
    return [block for block, keep in zip(found, kept, strict=True) if keep]


def _is_said(block: Block, lines: set[str], said: set[tuple[str, ...]]) -> bool:
    threes = _threes(block.text)
    return _key(block.text) in lines or 2 * sum(three in said for three in threes) > len(threes)


def _threes(text: str) -> list[tuple[str, ...]]:
    """Return each three words that follow one another."""
    words = _WORD.findall(text.lower())
    return list(zip(words, words[1:], words[2:], strict=False))


def _key(text: str) -> str:
    return "".join(_WORD.findall(text.lower()))


def _article(html: str) -> str:
    """Return what is probably the page's article, a line for each block, to choose by and not to be shown."""
    config = use_config()
    config.set("DEFAULT", "EXTRACTION_TIMEOUT", "0")
    article = extract(
        _READING_AID.sub("", html),
        output_format="txt",
        include_comments=False,
        include_images=False,
        include_links=False,
        include_tables=True,
        favor_recall=True,
        config=config,
    )
    return article or ""


def _decode(untrusted: bytes) -> str | None:
    declared = _CHARSET.search(untrusted[:_CHARSET_WITHIN_BYTES])
    return decode(untrusted, declared=declared[1].decode("ascii") if declared else None)
