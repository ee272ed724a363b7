"""Measuring: running a checkpoint over a split, its cost and provenance, and the documents that hold results."""
