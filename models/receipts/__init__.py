"""Signed statements of what was deleted, that anyone can check offline."""
