"""Other readers of documents, run in an environment of their own."""
