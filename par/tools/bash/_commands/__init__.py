"""The closed set: what each command holds, how it is checked, and the table of all."""
