"""How often registration is wrong on pairs whose transform is known, and whether its figures say so."""
