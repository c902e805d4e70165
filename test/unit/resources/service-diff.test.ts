import { describe, expect, it } from 'vitest';
import { sha256 } from '../../../activities/resources/digest.ts';
import { diff } from '../../../activities/resources/engine/diff.ts';
import { readAnswer } from '../../../activities/resources/engine/probe.ts';
import { type Resource, resourceKey } from '../../../activities/resources/resource.ts';
import { service } from '../../../activities/resources/service.ts';
import { FACTS } from './support/local-host.ts';

describe('service', () => {
  const of = (resource: Resource, output: string) =>
    diff(
      [resource],
      { byResource: new Map([[resourceKey(resource), readAnswer(output, 'm', resource)]]), verified: '' },
      FACTS,
    ).changes.map(({ action, detail }) => `${action} ${detail}`);

  it('restarts only what a change asks for', () => {
    expect(
      of(service('a', { running: false, enabled: false }), 'ActiveState=inactive\nUnitFileState=disabled\n'),
    ).toEqual([]);
    expect(of(service('a', { running: false, enabled: false }), 'ActiveState=active\nUnitFileState=enabled\n')).toEqual(
      ['update disable', 'update stop'],
    );
    expect(of(service('a'), 'ActiveState=failed\nUnitFileState=static\n')).toEqual(['start was failed']);
    expect(of(service('a'), 'ActiveState=active\nUnitFileState=static\nNeedDaemonReload=yes\nstamp=x\n')).toHaveLength(
      1,
    );
    expect(
      of(
        service('a', { reload: true, dropIns: { x: '' } }),
        `ActiveState=active\nUnitFileState=enabled\nstamp=old\nfile=${sha256('')}\n`,
      ),
    ).toEqual(['restart reload: something that it uses changed']);
  });
});
