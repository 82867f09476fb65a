"""Other libraries' calls on this engine, for code that was written for them."""
