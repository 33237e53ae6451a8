"""HTTP in, HTTP out; the command line; the launcher. The only package that knows FastAPI."""
