"""How well true maps survive what carries them: number formats, autoencoders. The floor of every error after it."""
