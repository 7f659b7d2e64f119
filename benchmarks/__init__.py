"""What par costs, as ratios to two hand-written loops measured in the same run."""
