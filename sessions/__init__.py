"""A session is a process: who opens it, what it answers, how it ends."""
