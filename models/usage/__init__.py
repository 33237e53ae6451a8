"""What the tutor spent on the services it calls: tokens, time, money; and the budgets that say when to stop."""
