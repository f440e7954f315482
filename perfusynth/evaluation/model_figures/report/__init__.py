"""The report of an evaluation: one page, its charts, its pictures of patients, and the same figures as JSON."""
