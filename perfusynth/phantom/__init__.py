"""Digital stroke patients, made by physics from one seed."""
