"""How well a learner did, as figures; what the tutor wrote beside them only sealed."""
