"""How often registration is wrong by more than 2 mm on pairs whose transform is known, and whether it knows so itself."""
