"""The head outside its vessels: tissue, skull, pose, what age and old disease have left."""
