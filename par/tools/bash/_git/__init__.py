"""Git in a repository that nobody vouches for."""
