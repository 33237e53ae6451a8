"""The nouns of Mayfly and its durable, content-free record."""
