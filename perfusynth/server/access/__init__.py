"""Who may call what: tokens, roles, and the table of routes."""
