"""What every Mayfly process shares: how it is hardened at start and how it talks to the others."""
