"""How content comes in: quarantine, jail, extraction, chunks. No HTTP, no SQL."""
