#!/bin/sh
# Runs a command. DB_PASSWORD_FILE, if set, names a secret: it is put where libpq looks for passwords, in a file that only
# this user reads, so that it stands in no URL, no environment and no process line.
set -eu
if [ -n "${DB_PASSWORD_FILE:-}" ]; then
    export PGPASSFILE="${HOME}/.pgpass"
    password=$(cat "$DB_PASSWORD_FILE")
    (umask 077 && printf '*:*:*:*:%s\n' "$password" >"$PGPASSFILE")
fi
exec "$@"
