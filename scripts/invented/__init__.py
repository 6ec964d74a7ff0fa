"""Invented histories with the shape of the real lists; see `history.invent`."""
