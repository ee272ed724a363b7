"""Checkpoint folders: what one says of itself, reading and writing, cards, conversion, verification; `bundled/`."""
