"""What regstack costs, as ratios of things measured in turns in one run."""
