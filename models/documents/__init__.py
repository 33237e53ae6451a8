"""That a document was there: its type, sizes, counts and how it went. Never a word of it; its name only sealed."""
