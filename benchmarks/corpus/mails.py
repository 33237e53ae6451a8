"""Mails: the same said twice, web code only, and old encodings."""

from collections.abc import Iterator
from email.message import EmailMessage

from benchmarks.corpus.made import BEES, HARBOUR, LIGHTHOUSE, Made


def made() -> Iterator[Made]:
    """Yield the mails."""
    yield _twice()
    yield _web_code()
    yield _old()


def _mail(subject: str) -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "Ada <ada@example.org>", "class@example.org", subject
    return mail


_NEUTRAL = ("From Ada ada example org To class example org Subject text plain charset utf 8",)


def _twice() -> Made:
    """Return a mail in plain text and in web code, with something attached."""
    mail = _mail("Bienen im März")
    mail.set_content("\n\n".join(BEES))
    mail.add_alternative("".join(f"<p>{text}</p>" for text in BEES), subtype="html")
    mail.add_attachment(b"\0\1", maintype="application", subtype="octet-stream", filename="secretfile.bin")
    return Made("twice.eml", mail.as_bytes(), ("Bienen im März", *BEES), _NEUTRAL)


def _web_code() -> Made:
    mail = _mail("港の朝")
    body = "".join(f"<p>{text}</p>" for text in HARBOUR)
    mail.set_content(f"<html><head><style>.hiddenstyle{{}}</style></head><body>{body}</body></html>", subtype="html")
    return Made("web-code.eml", mail.as_bytes(), ("港の朝", *HARBOUR), _NEUTRAL)


def _old() -> Made:
    mail = _mail("Маяк")
    mail.set_content("\n".join(LIGHTHOUSE), charset="koi8-r", cte="base64")
    return Made("old.eml", mail.as_bytes(), ("Маяк", *LIGHTHOUSE), _NEUTRAL)
