"""APIs of other libraries on this engine, for code that was written for them."""
