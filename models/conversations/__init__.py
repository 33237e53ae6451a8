"""That a conversation took place: about what, in which language, how long, at what cost. Never a word of it."""
