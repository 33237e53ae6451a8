"""That a session happened: when, where, for how long, why it ended. What was in it lives and dies elsewhere."""
