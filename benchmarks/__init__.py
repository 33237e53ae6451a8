"""What is measured, how, and beside whom. Run with ``make bench``."""
