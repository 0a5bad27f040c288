"""The schema of a config, the strict YAML loader, and spaces: configs with distributions in them."""
