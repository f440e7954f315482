"""What wrong registrations cost: a small model trained on misregistered phantoms, and again after their correction."""
