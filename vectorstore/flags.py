"""Marks on a passage that its reader should see before trusting it. Nothing is removed or executed here."""

import re

# Tesseract's own mean confidence of a page's letters, 0 to 100. Below this so many words are wrong that a reader should
# know (measured over clean and damaged pages in Latin, Cyrillic, Arabic, Indic and Chinese script). All passages of a
# page share its confidence: one for each would have to follow every word through normalising and cutting.
LOW_OCR_CONFIDENCE = 70.0

# Sentences that speak to a language model rather than to a learner, in the languages learners bring. A flag is a hint
# to the tutor, not a filter: a false alarm costs little, and no list of phrases is complete.
_INSTRUCTIONS = re.compile(
    r"""
      \b(ignore|disregard|forget|override)\b.{0,40}\b(previous|prior|above|earlier|all|any|your)\b.{0,40}
        \b(instructions?|prompts?|rules?|messages?|context)\b
    | \b(system|developer)\s+(prompt|message)\b
    | \byou\s+are\s+now\b
    | \b(reveal|print|repeat|show)\b.{0,40}\b(your|the)\b.{0,20}\b(prompt|instructions)\b
    | \bdo\s+not\s+tell\s+the\s+(user|learner|student)\b
    | \b(ignore[zs]?|oublie[zs]?)\b.{0,40}\binstructions?\b
    | \bignorier(e|en|t)\b.{0,60}\b(anweisungen|vorgaben|regeln)\b
    | \b(ignora|olvida|ignore)\b.{0,40}\b(instrucciones|instruções|istruzioni)\b
    | \bигнорируй(те)?\b.{0,60}\b(инструкци|указани)
    | (忽略|无视|無視|忘记|忘記).{0,20}(指令|指示|提示|说明|說明)
    | (指示|命令|プロンプト).{0,12}(無視|忘れ)
    | (지시|명령|프롬프트).{0,12}(무시|잊)
    | تجاهل.{0,40}(التعليمات|الأوامر)
    | <\|?(im_start|im_end|system|assistant)\|?>
    | \[/?INST\]
    """,
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)


def flags_of(text: str, ocr_confidence: float | None) -> tuple[str, ...]:
    """Return the marks of a passage: ``instruction_like``, ``low_ocr_confidence``, both or none."""
    flags: list[str] = []
    if _INSTRUCTIONS.search(text):
        flags.append("instruction_like")
    if ocr_confidence is not None and ocr_confidence < LOW_OCR_CONFIDENCE:
        flags.append("low_ocr_confidence")
    return tuple(flags)
