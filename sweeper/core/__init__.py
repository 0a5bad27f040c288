"""The one training core: a generator over a stack of lanes."""
