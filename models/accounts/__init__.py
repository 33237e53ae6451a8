"""Who a learner is: what the record needs to let him in again, and nothing he could be recognised by."""
