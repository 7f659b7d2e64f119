"""Running a program, and what it says."""
