#!/bin/sh
# Run once by the postgres image on an empty volume: a database with a role of its own for MLflow and for the ledger.
set -eu
export SECRETS="${SECRETS:-/run/secrets}"
for name in mlflow sweeper; do
    export name
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres <<'SQL'
\set name `printf %s "$name"`
\set password `cat "$SECRETS/${name}_db_password"`
CREATE ROLE :"name" LOGIN PASSWORD :'password';
CREATE DATABASE :"name" OWNER :"name" ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
