"""Throws damaged files at every place where bytes from outside are parsed. See README.md beside this file."""
