"""The second wall: what a program may reach while it runs, and that nothing of it outlives the call."""
