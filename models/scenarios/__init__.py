"""The predefined scenarios that a conversation may follow: our own texts, the same for every learner."""
