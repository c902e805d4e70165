-- What the superuser made in this database belongs to the user of the same name: installations from before there was one.
SELECT format('ALTER %s %I.%I OWNER TO %I',
              CASE relation.relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
              schema.nspname, relation.relname, current_database())
FROM pg_class AS relation
JOIN pg_namespace AS schema ON schema.oid = relation.relnamespace
WHERE relation.relkind IN ('r', 'p', 'v', 'm', 'S')
  AND schema.nspname !~ '^pg_' AND schema.nspname <> 'information_schema'
  AND pg_get_userbyid(relation.relowner) = current_user
  -- Parts of an extension stay; sequences of a column follow their table.
  AND NOT EXISTS (SELECT FROM pg_depend
                  WHERE classid = 'pg_class'::regclass AND objid = relation.oid AND deptype IN ('e', 'a', 'i'))
\gexec

SELECT format('ALTER ROUTINE %s OWNER TO %I', routine.oid::regprocedure, current_database())
FROM pg_proc AS routine
JOIN pg_namespace AS schema ON schema.oid = routine.pronamespace
WHERE schema.nspname !~ '^pg_' AND schema.nspname <> 'information_schema'
  AND pg_get_userbyid(routine.proowner) = current_user
  AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = routine.oid AND deptype = 'e')
\gexec
