"""How the tables came to be what they are; alembic applies what a database lacks."""
