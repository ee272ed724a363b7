"""Counting: confusion matrices, boundaries, calibration, bootstrap, and the figures that follow from counts."""
