"""Text out of documents: one module per family of formats, one registry. Runs inside a jail only."""

import os

# Read by numpy's linear algebra when it is loaded. The jailer must not have a second thread when it forks.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
