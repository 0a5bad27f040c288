#!/bin/sh
# Runs a command beside a Ray node of its own, which a driver needs: it joins RAY_ADDRESS without any CPU to offer, and goes
# with the container.
set -eu
ray start --address="$RAY_ADDRESS" --num-cpus=0 --num-gpus=0 --disable-usage-stats >&2
exec "$@"
