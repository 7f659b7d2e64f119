"""Tools: a typed function, its schema, and how it is called."""
