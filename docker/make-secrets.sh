#!/bin/sh
# Makes the secrets that compose.yaml mounts, 256 bits each; those that exist are kept.
#
# The directory is closed to everybody else (0700). The files in it are readable: compose mounts a file with the owner and
# mode that it has here, and the users in the containers are others than yours.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 0700 secrets
for name in postgres_password mlflow_db_password sweeper_db_password ray_token; do
    file=secrets/$name.txt
    if [ ! -s "$file" ]; then
        (umask 077 && head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n' >"$file.new")
        chmod 0444 "$file.new"
        mv "$file.new" "$file"
        echo "made docker/$file"
    fi
done
