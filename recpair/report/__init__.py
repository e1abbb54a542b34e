"""Reports of runs: run folder, plots and summary page."""
