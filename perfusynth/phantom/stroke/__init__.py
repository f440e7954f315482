"""What an occlusion does: who is ill, where, how long, and the perfusion fields that follow."""
