#!/bin/sh
# Runs a command beside a Ray node of its own, which a driver needs: it joins RAY_ADDRESS without any CPU to offer, and goes
# with the container. The object store, here and on the other nodes, is half of the container's shared memory; Ray would ask for
# a third of the machine and put it on disk.
set -eu
ray start --address="$RAY_ADDRESS" --num-cpus=0 --num-gpus=0 --object-store-memory=500000000 --disable-usage-stats >&2
exec "$@"
