"""One trial over several processes, each on its share of every batch; the loop, the step and the optimizers are those of one process.

``crew`` starts the other processes and leads them, ``member`` is what runs in each, ``team`` how they exchange numbers. ``lane`` is data
parallelism: every process holds the whole model. ``shards`` is FSDP2: every process holds a part of it. Nothing here is imported by
a trial that one process trains.
"""
