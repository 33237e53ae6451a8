"""One document through our readers alone: ``python -m benchmarks.own_reader FILE`` writes a line of JSON.

A fresh process, like that of each other reader: telling what the file is, reading it, and bringing its pages into
normal form; no walls, chunks or language. Time is that of the reading alone, after imports.
"""

import json
import sys
import time
from pathlib import Path

from benchmarks.peers.read import peak_bytes
from ingestion.extract.reading import Work
from ingestion.extract.registry import EXTRACTORS
from ingestion.identify import identify
from ingestion.limits import JailLimits
from ingestion.outline import compose
from models.errors import MayflyError


def main() -> None:
    untrusted, name = Path(sys.argv[1]).read_bytes(), Path(sys.argv[1]).name
    failure, texts = "", list[str]()
    started = time.process_time()
    try:
        reading = EXTRACTORS[identify(untrusted, name, None).family](untrusted, Work(JailLimits()))
        pages = (compose(number, raw, markdown=reading.markdown) for number, raw in enumerate(reading.pages, 1))
        texts = [page.text for page, _ in pages]
    except MayflyError as error:
        failure = error.slug
    took = time.process_time() - started
    said = {"text": "\n".join(texts), "pages": len(texts), "failure": failure}
    sys.stdout.write(json.dumps(said | {"cpu_seconds": took, "peak_bytes": peak_bytes()}))


if __name__ == "__main__":
    main()
