import { afterEach, describe, expect, it } from 'vitest';
import { DATABASE_PASSWORDS, type Postgres, setupRoles, startPostgres } from '../support/postgres.ts';

const USERS = {
  kubewright: DATABASE_PASSWORDS.KUBEWRIGHT_DB_PASSWORD,
  temporal: DATABASE_PASSWORDS.TEMPORAL_DB_PASSWORD,
  temporal_visibility: DATABASE_PASSWORDS.TEMPORAL_VISIBILITY_DB_PASSWORD,
};

/** deploy/postgres against a real PostgreSQL, seen over TCP with passwords. */
describe('the users of the databases', () => {
  let server: Postgres;
  afterEach(() => server.stop());

  it('own one database each, reach no other, and may do nothing beyond it', async () => {
    server = await startPostgres();
    await setupRoles(server);
    for (const [user, password] of Object.entries(USERS)) {
      await server.query(
        user,
        password,
        user,
        'CREATE TABLE mine (x int); INSERT INTO mine VALUES (1); DROP TABLE mine',
      );
      for (const other of [...Object.keys(USERS), 'postgres', 'template1'].filter((name) => name !== user)) {
        await expect(server.query(user, password, other, 'SELECT 1'), `${user} in ${other}`).rejects.toThrow();
      }
      for (const statement of ['CREATE ROLE another', 'CREATE DATABASE another', 'ALTER ROLE postgres LOGIN']) {
        await expect(server.query(user, password, user, statement), `${user}: ${statement}`).rejects.toThrow();
      }
      await expect(server.query(user, password, user, "COPY (SELECT 1) TO '/tmp/x'")).rejects.toThrow();
    }
  });

  it('are made once: a second run keeps data, takes new passwords, and takes no rights that were added', async () => {
    server = await startPostgres();
    await setupRoles(server);
    await server.query('kubewright', USERS.kubewright, 'kubewright', 'CREATE TABLE kept AS SELECT 7 AS x');
    const { name, password } = server.superuser;
    await server.query(name, password, 'postgres', 'ALTER ROLE temporal SUPERUSER');
    await setupRoles(server, { ...DATABASE_PASSWORDS, KUBEWRIGHT_DB_PASSWORD: "new 'password' \\" });
    expect(await server.query('kubewright', "new 'password' \\", 'kubewright', 'SELECT x FROM kept')).toBe('7');
    await expect(server.query('kubewright', USERS.kubewright, 'kubewright', 'SELECT 1')).rejects.toThrow();
    expect(await server.query(name, password, 'postgres', 'SELECT count(*) FROM pg_roles WHERE rolsuper')).toBe('1');
  });

  it('are created in an installation whose superuser was kubewright, and become owners of its tables', async () => {
    server = await startPostgres({ superuser: 'kubewright' });
    const { password } = server.superuser;
    for (const database of ['kubewright', 'temporal', 'temporal_visibility']) {
      await server.query('kubewright', password, 'postgres', `CREATE DATABASE ${database}`);
      const objects = `CREATE TABLE old (id bigserial PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, x text);
        INSERT INTO old (x) VALUES ('kept'); CREATE VIEW seen AS SELECT x FROM old; CREATE SEQUENCE alone;
        CREATE EXTENSION btree_gin; CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`;
      await server.query('kubewright', password, database, objects);
    }
    await setupRoles(server);
    await setupRoles(server);
    for (const [user, own] of Object.entries(USERS)) {
      const sql =
        "INSERT INTO old (x) VALUES ('new'); ALTER TABLE old ADD y int; DROP FUNCTION f(); DROP SEQUENCE alone; SELECT count(*) FROM seen";
      expect((await server.query(user, own, user, sql)).split('\n').at(-1)).toBe('2');
    }
    expect(await server.query('postgres', password, 'postgres', 'SELECT rolname FROM pg_roles WHERE rolsuper')).toBe(
      'postgres',
    );
    await expect(server.query('kubewright', password, 'kubewright', 'SELECT 1')).rejects.toThrow();
  });
});
