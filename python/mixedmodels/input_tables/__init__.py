"""The caller's table: its columns as numbers or factors, whichever library it is of."""
