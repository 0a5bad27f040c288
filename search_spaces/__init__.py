"""The spaces that ship with the package, installed as ``sweeper.search_spaces``."""
