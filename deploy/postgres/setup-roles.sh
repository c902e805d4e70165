#!/bin/sh
# One user per database, each the owner of its own and admitted to no other. Safe to repeat; passwords become what .env says.
# Nothing but this script uses the superuser. PGHOST, PGPORT, PGPASSWORD (the superuser's) and the three passwords come
# from the environment.
set -eu
: "${PGPASSWORD:?}" "${KUBEWRIGHT_DB_PASSWORD:?}" "${TEMPORAL_DB_PASSWORD:?}" "${TEMPORAL_VISIBILITY_DB_PASSWORD:?}"

here=$(dirname "$0")
as() { psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 --username "$1" --dbname "$2" --file "$3"; }

# A database of an older installation has the superuser `kubewright`; one error would hide the other.
if ! problem=$(psql --no-password -U postgres -d template1 -c 'SELECT 1' 2>&1); then
  psql --no-password -U kubewright -d template1 -c 'SELECT 1' >/dev/null 2>&1 || { echo "$problem" >&2; exit 1; }
  as kubewright template1 "$here/rename-superuser.sql"
fi

as postgres template1 "$here/roles.sql"
for database in kubewright temporal temporal_visibility; do
  as postgres "$database" "$here/owner.sql"
done
echo "PostgreSQL's users are kubewright, temporal, temporal_visibility"
