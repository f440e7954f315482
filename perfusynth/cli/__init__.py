"""`perfusynth ...`: one file a command."""
