-- Users and databases. Run as superuser in template1.
\getenv kubewright_password KUBEWRIGHT_DB_PASSWORD
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv visibility_password TEMPORAL_VISIBILITY_DB_PASSWORD

SELECT format('CREATE ROLE %I', name)
FROM (VALUES ('kubewright'), ('temporal'), ('temporal_visibility')) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name)
\gexec

ALTER ROLE kubewright WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'kubewright_password';
ALTER ROLE temporal WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'temporal_password';
ALTER ROLE temporal_visibility WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD :'visibility_password';

SELECT format('CREATE DATABASE %1$I OWNER %1$I', name)
FROM (VALUES ('kubewright'), ('temporal'), ('temporal_visibility')) AS wanted(name)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name)
\gexec

ALTER DATABASE kubewright OWNER TO kubewright;
ALTER DATABASE temporal OWNER TO temporal;
ALTER DATABASE temporal_visibility OWNER TO temporal_visibility;

-- By default every user may connect to every database.
REVOKE ALL ON DATABASE kubewright, temporal, temporal_visibility, postgres, template1 FROM PUBLIC;
