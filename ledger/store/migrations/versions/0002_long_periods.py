"""Long periods stay whole, and are found as those without an end are."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

IS_LONG = sa.text("valid_to > valid_from + 33177600000000")


def upgrade() -> None:
    """Index them."""
    op.drop_index("period_open", "period")
    op.create_index(
        "period_long",
        "period",
        ["log", "generation", "population", "known_to"],
        sqlite_where=IS_LONG,
        postgresql_where=IS_LONG,
    )
