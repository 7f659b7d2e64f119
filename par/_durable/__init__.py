"""Durable sessions: each step of a turn is recorded, and another process goes on where one was killed."""
