"""That a learner practised: on which days, what kind of lesson, in which language. Streaks come from the days."""
