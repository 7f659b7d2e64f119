"""The calculator: numbers, tokens, functions and the parser; and temperatures."""
