"""What wrong registrations cost: a model trained on misregistered phantoms, and again after their correction."""
