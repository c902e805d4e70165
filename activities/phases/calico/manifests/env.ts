/** An environment variable of a container. */
export type Env = { name: string; value: string } | { name: string; valueFrom: object };

/** Variables in their order; those without a value are left out. */
export const env = (values: Readonly<Record<string, string | number | boolean | undefined>>): Env[] =>
  Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [{ name, value: String(value) }]));

/** The name of the pod's node. */
export const nodeName = (name: string): Env => ({
  name,
  valueFrom: { fieldRef: { fieldPath: 'spec.nodeName' } },
});
