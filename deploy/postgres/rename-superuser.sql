-- Until 0.1 the superuser itself was called kubewright. It becomes `postgres` and keeps its password: PostgreSQL lets the
-- first superuser lose neither its rights nor the system's own objects. No session may rename its own user.
\getenv password PGPASSWORD
CREATE ROLE kubewright_rename LOGIN SUPERUSER PASSWORD :'password';
\connect - kubewright_rename
ALTER ROLE kubewright RENAME TO postgres;
ALTER ROLE postgres PASSWORD :'password';
\connect - postgres
DROP ROLE kubewright_rename;
