"""The tables. `log` is the first column of every key, so that one database keeps several logs.

Written once and never changed: `term`, `entry`, `entry_subject`. Moved along by each append: `head`
and the tiles at the right edge. Disposable, made from the others: `generation` and `period`. Keys
are wrapped anew, and emptied by an erasure: `person_key`.

Instants are microseconds since 1970-01-01 UTC. No sequences, triggers or types of one database.
"""

import sqlalchemy as sa

from projections.membership import LONG_US

# Compared byte by byte on every database, so that pages come in one order everywhere.
NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

metadata = sa.MetaData()

head = sa.Table(
    "head",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", NAME, nullable=False, unique=True),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("term_count", sa.BigInteger, nullable=False),
    comment="One row a log: how many entries, the last record time, how many terms.",
)

term = sa.Table(
    "term",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("name", NAME, nullable=False),
    sa.UniqueConstraint("log", "name"),
    comment="Subjects and event types as numbers, so that the index of subjects stays small.",
)

entry = sa.Table(
    "entry",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event_id", sa.LargeBinary, nullable=False),
    sa.Column("record_us", sa.BigInteger, nullable=False),
    sa.Column("type", sa.BigInteger, nullable=False),
    sa.Column("subjects", sa.LargeBinary, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("sealed", sa.LargeBinary, nullable=True),
    sa.UniqueConstraint("log", "event_id"),
    comment="The log. `data` is the leaf; the columns before repeat it, to be found by. `sealed`: "
    "its personal fields, as SealedFields.",
)

person_key = sa.Table(
    "person_key",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("person", NAME, primary_key=True),
    sa.Column("wrapping", sa.BigInteger, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=True),
    comment="The key that each person's fields are sealed under, wrapped by a key that is kept "
    "elsewhere. Without one: it was destroyed.",
    sqlite_with_rowid=False,
)

entry_subject = sa.Table(
    "entry_subject",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subject", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    comment="The entries about each subject.",
    sqlite_with_rowid=False,
)

tile = sa.Table(
    "tile",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("level", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("tile", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hashes", sa.LargeBinary, nullable=False),
    comment="The Merkle tree, 256 hashes a row (C2SP tlog-tiles).",
)

generation = sa.Table(
    "generation",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("projection", sa.Text, nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("subject_done", sa.BigInteger, nullable=False),
    comment="The tables of a projection: those in use, being made, or no longer wanted.",
)

period = sa.Table(
    "period",
    metadata,
    sa.Column("log", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("generation", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("population", NAME, primary_key=True),
    sa.Column("valid_from", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("subject", NAME, primary_key=True),
    sa.Column("known_from", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("valid_to", sa.BigInteger, nullable=False),
    sa.Column("known_to", sa.BigInteger, nullable=False),
    sa.Column("state", sa.LargeBinary, nullable=False),
    comment="Who belonged to which population, over which valid time, as known at which sizes.",
    sqlite_with_rowid=False,
)

# In the words of the index: a partial index is not matched by a parameter.
IS_LONG = sa.text(f"valid_to > valid_from + {LONG_US}")
IS_SHORT = sa.text(f"valid_to <= valid_from + {LONG_US}")

# Of what is long, and was known for less than 2 to this power, as its index says it.
KNOWN_BITS = (4, 8, 12, 16, 20, 24, 32)
KNOWN_EVER = 64
KNOWN_CLASS = "(CASE {} ELSE {} END)".format(
    " ".join(f"WHEN known_to - known_from < {2**bits} THEN {bits}" for bits in KNOWN_BITS),
    KNOWN_EVER,
)

# A long period, or one without an end, is longer than any horizon, so the range over `valid_from`
# misses it. Nearly all of them are closed on the other axis, when it is known how they ended. By
# how long they were known, a range over `known_from` finds those known at a size, and few others.
sa.Index(
    "period_known",
    period.c.log,
    period.c.generation,
    period.c.population,
    sa.text(KNOWN_CLASS),
    period.c.known_from,
    period.c.known_to,
    period.c.valid_to,
    sqlite_where=IS_LONG,
    postgresql_where=IS_LONG,
)
# An erasure takes out all that is shown of a subject, and makes it anew.
sa.Index("period_subject", period.c.log, period.c.generation, period.c.subject)
