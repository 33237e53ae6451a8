"""Meaning and search: the embedder, the session's collection, retrieval. No HTTP, no SQL."""
