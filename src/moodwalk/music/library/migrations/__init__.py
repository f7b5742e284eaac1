"""How the tables of a library came to be, one step after the other; Alembic runs them."""
