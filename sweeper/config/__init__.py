"""The schema of a config, the strict YAML loader, and spaces: configs with distributions in them.

A file's way: ``text_file`` -> ``strict_yaml`` (data with positions) -> ``overrides`` (``--set``) -> ``read`` (checked against
``schema``, key by key) -> ``plan`` (fixed leaves and slots) -> ``vetting`` (keys that must go together) -> ``space``, which draws
configs from it.
"""
