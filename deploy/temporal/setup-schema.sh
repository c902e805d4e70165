#!/bin/sh
# Temporal's databases and schemas on PostgreSQL. Safe to repeat: what is there is left, newer versions are applied.
# Run it before each server minor, one minor at a time. SQL_PASSWORD is read by the tool from the environment.
set -eu

prepare() {
  database=$1
  versions=$2
  tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST -p $SQL_PORT -u $SQL_USER --db $database"
  $tool create
  # Makes the version tables; a database that is further on keeps its version.
  $tool setup-schema -v 0.0
  $tool update-schema -d "$versions"
}

prepare temporal /etc/temporal/schema/postgresql/v12/temporal/versioned
prepare temporal_visibility /etc/temporal/schema/postgresql/v12/visibility/versioned
echo "Temporal's schemas are up to date"
