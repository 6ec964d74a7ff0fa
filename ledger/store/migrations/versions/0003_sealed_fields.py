"""Personal fields are sealed beside their entries, under keys of persons."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the column and the table."""
    op.add_column("entry", sa.Column("sealed", sa.LargeBinary(), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        op.create_table_comment(
            "entry",
            "The log. `data` is the leaf; the columns before repeat it, to be found by. `sealed`: "
            "its personal fields, as SealedFields.",
        )
    op.create_table(
        "person_key",
        sa.Column("log", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("person", NAME, nullable=False),
        sa.Column("wrapping", sa.BigInteger(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("log", "person"),
        comment="The key that each person's fields are sealed under, wrapped by a key that is kept "
        "elsewhere. Without one: it was destroyed.",
        sqlite_with_rowid=False,
    )
