#!/bin/sh
# Temporal's schemas in the two databases that deploy/postgres made. Safe to repeat: newer versions are applied.
# Run it before each server minor, one minor at a time. Each database has its own user.
set -eu

prepare() {
  database=$1
  password=$2
  versions=$3
  tool="temporal-sql-tool --plugin postgres12 --ep $SQL_HOST -p $SQL_PORT -u $database --db $database"
  # Makes the version tables; a database that is further on keeps its version.
  SQL_PASSWORD=$password $tool setup-schema -v 0.0
  SQL_PASSWORD=$password $tool update-schema -d "$versions"
}

schemas=${TEMPORAL_SCHEMAS:-/etc/temporal/schema}/postgresql/v12
prepare temporal "$TEMPORAL_DB_PASSWORD" "$schemas/temporal/versioned"
prepare temporal_visibility "$TEMPORAL_VISIBILITY_DB_PASSWORD" "$schemas/visibility/versioned"
echo "Temporal's schemas are up to date"

# Temporal's image has no program that can ask its gRPC health: its health check borrows this one.
if [ -d "${TOOLS:-/tools}" ]; then
  cp "$(command -v temporal)" "${TOOLS:-/tools}/temporal.new"
  mv "${TOOLS:-/tools}/temporal.new" "${TOOLS:-/tools}/temporal"
fi
