"""The report of a run: its folder, its pictures, its one-page summary."""
