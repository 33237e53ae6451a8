import time

import pytest

from ingestion.normalise import normalise


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("exam\ufffe\r\nple", "example"),
        ("one\r\ntwo\rthree\u2028four\x0cfive", "one\ntwo\nthree\nfour\nfive"),
        ("ﬁne ﬂour ２０２６", "fine flour 2026"),
        ("soft\u00adhyphen zero\u200bwidth bidi\u202emark", "softhyphen zerowidth bidimark"),
        ("tag\U000e0041\U000e0042ged variation\ufe0f", "tagged variation"),
        ("nul\x00 bell\x07", "nul bell"),
        ("many   blanks\tand\u00a0\u00a0more  \nnext", "many blanks\tand more\nnext"),
        ("a\n\n\n\n\nb", "a\n\nb"),
        ("x" + "\u0301" * 50, "x" + "\u0301" * 0 + "x\u0301"[1:] + "\u0301" * 19),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("hid\u200cden", "hidden"),
        ("می\u200c\u200c\u200cخواهم", "میخواهم"),
        ("e\u0301", "é"),
        ("10³ ≠ 103, 2⁵, x², 1½ ㎏ ﬁne", "10³ ≠ 103, 2⁵, x², 1½ kg fine"),
        ("H₂O\u00a0ⁿ ²\u0301", "H₂O ⁿ ²\u0301"),
    ],
)
def test_the_normal_form_has_what_a_reader_sees_and_nothing_else(raw: str, normal: str) -> None:
    assert normalise(raw) == normal


def test_a_long_run_of_blanks_inside_a_line_takes_no_time_worth_naming() -> None:
    started = time.process_time()

    assert normalise("x" + " " * 100_000 + "y" + " " * 100_000 + "\nz ") == "x y\nz"

    assert time.process_time() - started < 2
