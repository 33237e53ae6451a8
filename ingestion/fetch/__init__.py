"""Fetching what a link points to: a process of its own that has the network and nothing else."""
