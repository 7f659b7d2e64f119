"""Types as shapes: one reading of a type gives its JSON Schema and its strict structuring function."""
