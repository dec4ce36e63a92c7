"""What resolve does, step by step: find the class, compile key_source and restriction, look at the server."""
