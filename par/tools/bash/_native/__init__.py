"""The commands that look and write by descriptor, the filters and the pipeline."""
