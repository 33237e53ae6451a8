"""Text, Markdown, JSON and subtitles, in the encodings they come in."""

import json
from collections.abc import Iterator

from benchmarks.corpus.made import BEES, HARBOUR, LIGHTHOUSE, NIGHT, ORCHARD, RIVER, TEA, Made

_TEXTS = {
    "utf-8": (*RIVER, *TEA, *ORCHARD),
    "cp1252": BEES,
    "utf-16": (*NIGHT, *RIVER),
    "shift_jis": HARBOUR,
    "gb18030": TEA,
    "koi8-r": LIGHTHOUSE,
    "cp1251": LIGHTHOUSE,
    "cp1253": NIGHT,
    "cp1256": ORCHARD,
}
_MARKDOWN = (
    f"# River stories\n\n{RIVER[0]}\n\n## Eels\n\n- {RIVER[3]}\n  - at **night**\n\n| Month | Peak |\n|---|---|\n"
    f"| March | 212 |\n\n```\nx = 1  # code\n```\n\n> {BEES[0]}\n"
)


def made() -> Iterator[Made]:
    """Yield the texts."""
    for encoding, texts in _TEXTS.items():
        yield Made(f"{encoding}.txt", "\n\n".join(texts).encode(encoding), texts)
    yield Made("notes.md", _MARKDOWN.encode(), (_MARKDOWN,))
    yield _json()
    yield from _subtitles()


def _json() -> Made:
    """Return records; what a person sees in them are keys and values."""
    records = [{"bird": f"heron {n}", "grams": n * 7, "seen": {"place": f"sluice {n}"}} for n in range(20)]
    truth = tuple(f"bird heron {n} grams {n * 7} seen place sluice {n}" for n in range(20))
    return Made("records.json", json.dumps(records).encode(), truth)


def _subtitles() -> Iterator[Made]:
    """Yield cues with marks for looks and speakers, which are not said."""
    cues = (*RIVER[:3], *HARBOUR)
    srt = "\n".join(
        f"{number}\n00:00:{number:02},000 --> 00:00:{number + 1:02},500\n<i>{text}</i>\n"
        for number, text in enumerate(cues, 1)
    )
    yield Made("film.srt", srt.encode("utf-8-sig"), cues)
    yield Made("old.srt", "\r\n".join(srt.split("\n")).replace("<i>", "{\\an8}").encode("cp932"), cues)
    vtt = "WEBVTT\n\nNOTE made by hand\n\n" + "\n".join(
        f"00:{number:02}.000 --> 00:{number + 1:02}.000 align:start\n<v Ada>{text}</v>\n"
        for number, text in enumerate(cues)
    )
    yield Made("film.vtt", vtt.encode(), cues)
