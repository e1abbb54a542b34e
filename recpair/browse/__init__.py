"""Local web page of finished runs: users, items, audit and training, read-only."""
