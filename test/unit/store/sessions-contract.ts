import { afterEach, describe, expect, it, vi } from 'vitest';
import type { Store } from '../../../store/index.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What every engine must do with sessions of browsers. */
export function sessionsContract(opened: () => Store): void {
  describe('sessions', () => {
    afterEach(() => {
      vi.useRealTimers();
    });
    const later = (ms: number) => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
    const token = async () => (await opened().tokens.create('person', 'operator', { clusters: ['a'] })).info.id;

    it('begin with a code that is valid once, for five minutes', async () => {
      const { sessions } = opened();
      const id = await token();
      const { code } = await sessions.createCode(id);
      const taken = await Promise.all([sessions.redeemCode(code), sessions.redeemCode(code)]);
      expect(taken.filter((each) => each !== null)).toEqual([id]);
      const { code: late } = await sessions.createCode(id);
      later(5 * MINUTE + 1);
      expect(await sessions.redeemCode(late)).toBeNull();
      expect(await sessions.redeemCode('short')).toBeNull();
    });

    it('have at most ten codes and twenty sessions of one token', async () => {
      const { sessions } = opened();
      const id = await token();
      const codes: string[] = [];
      for (let n = 0; n < 11; n += 1) {
        codes.push((await sessions.createCode(id)).code);
        later(1);
      }
      expect(await sessions.redeemCode(codes[0]!)).toBeNull();
      expect(await sessions.redeemCode(codes[1]!)).toBe(id);
      const secrets: string[] = [];
      for (let n = 0; n < 21; n += 1) {
        secrets.push((await sessions.create(id))!.secret);
        later(1);
      }
      expect(await sessions.verify(secrets[0]!)).toBeNull();
      expect(await sessions.verify(secrets[1]!)).not.toBeNull();
      expect(await sessions.verify(secrets[20]!)).not.toBeNull();
    });

    it('have the rights of their token, and end without use, and at the latest after a week', async () => {
      const { sessions } = opened();
      const made = (await sessions.create(await token()))!;
      expect(made.info).toMatchObject({ actor: { name: 'person', role: 'operator' }, clusters: ['a'] });
      const verify = () => sessions.verify(made.secret);
      for (let hours = 0; hours < 7 * 24 - 7; hours += 7) {
        later(7 * HOUR);
        expect((await verify())?.info.id).toBe(made.info.id);
      }
      expect([...(await sessions.living([made.info.id, 'other']))]).toEqual([made.info.id]);
      later(7 * HOUR);
      expect(await verify()).toBeNull();
      vi.useRealTimers();
      const idle = (await sessions.create(await token()))!;
      later(8 * HOUR + MINUTE);
      expect(await sessions.verify(idle.secret)).toBeNull();
      expect((await sessions.living([idle.info.id])).size).toBe(0);
    });

    it('end with their token, and tell who listens when they are ended', async () => {
      const { sessions, tokens } = opened();
      const id = await token();
      const made = (await sessions.create(id))!;
      const ended: string[] = [];
      const off = sessions.onEnd((each) => ended.push(each));
      const other = (await sessions.create(id))!;
      expect(await sessions.end(other.info.id)).toBe(true);
      expect(await sessions.end(other.info.id)).toBe(false);
      expect(ended).toEqual([other.info.id]);
      off();
      await tokens.revoke(id);
      expect(await sessions.verify(made.secret)).toBeNull();
      expect((await sessions.living([made.info.id])).size).toBe(0);
      expect(await sessions.create(id)).toBeNull();
      const { items } = await sessions.page({ limit: 100 });
      expect(items.map((each) => each.id)).not.toContain(made.info.id);
    });
  });
}
