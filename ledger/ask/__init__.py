"""Answering questions: who, where, with whom, since when; as of one moment, known at another.

One person, family or hand-over: the fold of the entries, never stale. Populations: the tables of
periods, at the size asked for. Who belongs together does not begin on the day that somebody wrote
it down, so links are shown whatever moment is asked about; where each of them is, as of that
moment.
"""
