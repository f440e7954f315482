"""How a model comes in and goes live: installation, comparison, promotion, rollback, and the history of it all."""
