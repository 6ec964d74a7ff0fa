"""A second opinion: what happened to each person, computed from files by SQL and not by the fold.

The log is written to Parquet files that anybody can read (`write`), and a few short SQL texts say
from them who held whom, who was where, and who was separated (`sql`). They were written from the
documentation of the words, so that a mistake of the fold is not repeated; `compare` holds one
against the other. docs/recompute.md is for whoever runs them without this program.
"""
