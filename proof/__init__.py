"""Searching a machine for what must not be there: what is looked for, in which forms, and where."""
