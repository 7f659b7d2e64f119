"""The parts of ``par.codec``."""
