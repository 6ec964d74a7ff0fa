"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "entry",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event_id", sa.LargeBinary(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.BigInteger(), nullable=False),
        sa.Column("subjects", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "position"),
        sa.UniqueConstraint("log", "event_id"),
        comment="The log. `data` is the leaf; the other columns repeat it, to be found by.",
    )
    op.create_table(
        "entry_subject",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("log", "subject", "position"),
        comment="The entries about each subject.",
        sqlite_with_rowid=False,
    )
    op.create_table(
        "generation",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("projection", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("subject_done", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log", "generation"),
        comment="The tables of a projection: those in use, being made, or no longer wanted.",
    )
    op.create_table(
        "head",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("record_us", sa.BigInteger(), nullable=False),
        sa.Column("term_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("log"),
        sa.UniqueConstraint("name"),
        comment="One row a log: how many entries, the last record time, how many terms.",
    )
    op.create_table(
        "period",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "population",
            sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
            nullable=False,
        ),
        sa.Column("valid_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "subject", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.Column("known_from", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("valid_to", sa.BigInteger(), nullable=False),
        sa.Column("known_to", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint(
            "log", "generation", "population", "valid_from", "subject", "known_from"
        ),
        comment="Who belonged to which population, over which valid time, as known at which sizes.",
        sqlite_with_rowid=False,
    )
    op.create_index(
        "period_believed",
        "period",
        ["log", "generation", "subject"],
        unique=False,
        sqlite_where=sa.text("known_to = 9223372036854775807"),
        postgresql_where=sa.text("known_to = 9223372036854775807"),
    )
    op.create_index(
        "period_open",
        "period",
        ["log", "generation", "population", "known_to"],
        unique=False,
        sqlite_where=sa.text("valid_to = 9223372036854775807"),
        postgresql_where=sa.text("valid_to = 9223372036854775807"),
    )
    op.create_table(
        "term",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False
        ),
        sa.PrimaryKeyConstraint("log", "id"),
        sa.UniqueConstraint("log", "name"),
        comment="Subjects and event types as numbers, so that the index of subjects stays small.",
    )
    op.create_table(
        "tile",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("level", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("tile", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("log", "level", "tile"),
        comment="The Merkle tree, 256 hashes a row (C2SP tlog-tiles).",
    )
