/** One sample of the text format. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (NaN|[+-]?Inf|[-+0-9.eE]+)(?: \d+)?$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\["\\n])*)",?/y;

/**
 * Reads the text format strictly, as Prometheus does: throws on a line that is none, on a sample without its TYPE, and when
 * a metric is described twice or a series is there twice.
 */
export function parseMetrics(text: string): Sample[] {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const types = new Map<string, string>();
  const seen = new Set<string>();
  const samples: Sample[] = [];
  for (const line of text.split('\n').slice(0, -1)) {
    const [, name = '', type = ''] = /^# TYPE (\S+) (\S+)$/.exec(line) ?? [];
    if (name !== '') {
      if (types.has(name)) throw new Error(`${name} is described twice`);
      types.set(name, type);
    }
    if (line === '' || line.startsWith('#')) continue;
    const found = LINE.exec(line);
    if (!found) throw new Error(`not a sample: ${line}`);
    const labels = labelsOf(found[2] ?? '');
    const base = found[1]!.replace(/_(bucket|sum|count)$/, '');
    if (!types.has(found[1]!) && !types.has(base)) throw new Error(`no TYPE for ${line}`);
    const series = `${found[1]}${JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
    if (seen.has(series)) throw new Error(`twice: ${line}`);
    seen.add(series);
    samples.push({ name: found[1]!, labels, value: Number(found[3]!.replace('Inf', 'Infinity')) });
  }
  return samples;
}

function labelsOf(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  let read = 0;
  for (let found = LABEL.exec(text); found; found = LABEL.exec(text)) {
    if (found[1]! in labels) throw new Error(`a label twice: ${text}`);
    labels[found[1]!] = found[2]!;
    read = LABEL.lastIndex;
  }
  if (read !== text.length) throw new Error(`not labels: ${text}`);
  return labels;
}

/** The sum of a metric's samples that have these labels. */
export const valueOf = (samples: readonly Sample[], name: string, labels: Record<string, string> = {}): number =>
  samples
    .filter((each) => each.name === name && Object.entries(labels).every(([key, value]) => each.labels[key] === value))
    .reduce((sum, { value }) => sum + value, 0);
