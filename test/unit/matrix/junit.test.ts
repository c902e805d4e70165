import { expect, it } from 'vitest';
import { junitOutcome } from '../../matrix/kit/junit.ts';

const report = (cases: string) =>
  `<?xml version="1.0" encoding="UTF-8"?><testsuites><testsuite name="Kubernetes e2e suite">${cases}</testsuite></testsuites>`;

it('counts the specs of a report, and names those that failed', () => {
  const cases = `
    <testcase name="[SynchronizedBeforeSuite]" classname="s" status="passed" time="1"></testcase>
    <testcase name="[It] [sig-network] DNS should provide DNS for the cluster [Conformance]" status="passed" time="8.2"/>
    <testcase name="[It] [sig-network] Services &lt;a&gt; [Conformance]" status="failed" time="3">
      <failure message="timed out: &quot;x&quot; &#xA;second line" type="failed">trace</failure>
      <system-err>text</system-err>
    </testcase>
    <testcase name="[It] [sig-storage] left out" status="skipped" time="0"><skipped message="skipped"></skipped></testcase>`;
  expect(junitOutcome(report(cases))).toEqual({
    passed: 1,
    failed: ['[sig-network] Services <a> [Conformance]: timed out: "x"'],
  });
});

it('a suite that broke before its specs is no success', () => {
  expect(() => junitOutcome(report(''))).toThrow(/no spec that ran/);
  const broken = '<testcase name="[SynchronizedBeforeSuite]" status="failed"><failure message="no nodes"/></testcase>';
  expect(junitOutcome(report(broken)).failed).toEqual(['[SynchronizedBeforeSuite]: no nodes']);
});
