"""Long periods are found by how long they were known, and since when; a subject's, by subject."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

IS_LONG = sa.text("valid_to > valid_from + 33177600000000")
KNOWN_CLASS = sa.text(
    "(CASE WHEN known_to - known_from < 16 THEN 4 WHEN known_to - known_from < 256 THEN 8 "
    "WHEN known_to - known_from < 4096 THEN 12 WHEN known_to - known_from < 65536 THEN 16 "
    "WHEN known_to - known_from < 1048576 THEN 20 WHEN known_to - known_from < 16777216 THEN 24 "
    "WHEN known_to - known_from < 4294967296 THEN 32 ELSE 64 END)"
)


def upgrade() -> None:
    """Index them."""
    op.drop_index("period_believed", "period")
    op.create_index("period_subject", "period", ["log", "generation", "subject"])
    op.drop_index("period_long", "period")
    op.create_index(
        "period_known",
        "period",
        ["log", "generation", "population", KNOWN_CLASS, "known_from", "known_to", "valid_to"],
        sqlite_where=IS_LONG,
        postgresql_where=IS_LONG,
    )
