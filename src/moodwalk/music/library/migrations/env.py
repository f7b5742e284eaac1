"""Run by Alembic: brings the database of the connection that it was given up to date."""

from alembic import context

from moodwalk.music.library.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
)
with context.begin_transaction():
    context.run_migrations()
