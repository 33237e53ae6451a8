"""Alembic's revisions of the record's schema. ``models.database.Database.migrate`` runs them."""
