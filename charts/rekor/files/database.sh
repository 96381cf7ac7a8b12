#!/bin/sh
# Makes database and schema if they are not there. Safe to run again, and beside itself.
set -eu
tries=0
until psql --no-psqlrc --dbname "$([ "$DATABASE_IS_OWN" = true ] && echo postgres || echo "$PGDATABASE")" \
  --quiet --command 'SELECT 1' > /dev/null; do
  tries=$((tries + 1))
  [ $tries -lt 60 ] || exit 1
  sleep 2
done

if [ "$DATABASE_IS_OWN" = true ]; then
  psql --no-psqlrc --dbname postgres --quiet --set ON_ERROR_STOP=1 --set name="$PGDATABASE" << 'SQL'
SELECT pg_advisory_lock(hashtext('rekor-setup'));
SELECT format('CREATE DATABASE %I', :'name') WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
SQL
fi

# All of the schema or nothing.
psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --single-transaction --file - << 'SQL'
SELECT pg_advisory_xact_lock(hashtext('rekor-setup'));
SELECT to_regclass('trees') IS NULL AS missing \gset
\if :missing
\i /opt/setup/trillian.sql
\echo schema made
\endif
SQL
