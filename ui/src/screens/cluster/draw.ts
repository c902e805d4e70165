import { printableLine } from '../../../../contracts/printable.ts';
import { duration } from '../../lib/format.ts';
import type { Bar, Row } from '../../lib/timeline.ts';

export type Colours = Record<
  'done' | 'running' | 'blocked' | 'other' | 'critical' | 'text' | 'muted' | 'line' | 'selected',
  string
>;
interface Rows {
  rows: readonly Row[];
  /** Top of each row, and below the last one its end, px. */
  tops: readonly number[];
  selected?: Bar | undefined;
}

const LANE = 11;
const BAR = 8;
const AXIS = 24;

/** Width of the column of names, px. */
const namesOf = (width: number) => (width < 600 ? 96 : 160);

/** Tops of rows, and the end of the last. */
export function rowTops(rows: readonly Row[]): number[] {
  const tops = [0];
  for (const { lanes } of rows) tops.push(tops.at(-1)! + Math.max(22, lanes * LANE + 8));
  return tops;
}

/** The row at a height; -1: none. */
function rowAt(tops: readonly number[], y: number): number {
  let [low, high] = [0, tops.length - 1];
  if (y < 0 || y >= tops[high]!) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (tops[middle]! <= y) low = middle;
    else high = middle;
  }
  return low;
}

/** Times of the axis: 4 to 8 round steps, ms. */
function stepOf(extent: number): number {
  const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 43_200, 86_400];
  return (steps.find((step) => extent / (step * 1000) <= 7) ?? Math.ceil(extent / 7_000)) * 1000;
}

const colourOf = (bar: Bar, colours: Colours): string => {
  const { state } = bar.task;
  if (state === 'succeeded') return colours.done;
  if (state === 'running') return colours.running;
  return state === 'blocked' || state === 'failed' ? colours.blocked : colours.other;
};

/** The bar at a place of the picture. */
export function barAt(
  { rows, tops }: Rows,
  { x, y, width, extent }: { x: number; y: number; width: number; extent: number },
): Bar | null {
  const row = rowAt(tops, y - AXIS);
  if (row < 0) return null;
  const names = namesOf(width);
  const scale = (width - names - 8) / extent;
  const lane = Math.floor((y - AXIS - tops[row]! - 4) / LANE);
  // A bar of one pixel can be hit as well.
  const hit = ({ from, to }: Bar) => x >= names + from * scale - 2 && x <= names + (to ?? extent) * scale + 2;
  const bars = rows[row]!.bars.filter(hit);
  return bars.find((bar) => bar.lane === lane) ?? bars[0] ?? null;
}

/** Draws the rows in view. */
export function drawTimeline(
  canvas: HTMLCanvasElement,
  { rows, tops, selected }: Rows,
  { colours, extent, scrollTop }: { colours: Colours; extent: number; scrollTop: number },
): void {
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const context = canvas.getContext('2d')!;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const names = namesOf(width);
  const scale = (width - names - 8) / extent;
  context.font = '12px system-ui, sans-serif';
  context.textBaseline = 'middle';

  const step = stepOf(extent);
  for (let time = 0; time <= extent; time += step) {
    const x = Math.round(names + time * scale) + 0.5;
    context.fillStyle = colours.line;
    context.fillRect(x, AXIS, 1, height);
    context.fillStyle = colours.muted;
    if (x < width - 44) context.fillText(duration(time), x + 3, AXIS / 2);
  }
  const first = Math.max(0, rowAt(tops, scrollTop));
  for (let index = first; index < rows.length && tops[index]! - scrollTop < height - AXIS; index++) {
    const row = rows[index]!;
    const top = tops[index]! - scrollTop + AXIS;
    if (top < AXIS - 60) continue;
    context.save();
    context.beginPath();
    context.rect(0, AXIS, width, height - AXIS);
    context.clip();
    context.fillStyle = colours.line;
    context.fillRect(0, top, width, 1);
    context.fillStyle = colours.text;
    context.fillText(
      fitting(context, printableLine(row.host), names - 12),
      6,
      top + (tops[index + 1]! - tops[index]!) / 2,
    );
    for (const bar of row.bars) {
      const x = names + bar.from * scale;
      const length = Math.max(1.5, ((bar.to ?? extent) - bar.from) * scale - 0.5);
      const y = top + 5 + bar.lane * LANE;
      context.fillStyle = colourOf(bar, colours);
      context.fillRect(x, y, length, BAR);
      if (bar.critical) {
        context.fillStyle = colours.critical;
        context.fillRect(x, y - 2, length, 2);
      }
      // One notch for each attempt after the first, at the end of the bar.
      context.fillStyle = colours.text;
      for (let notch = 1; notch < Math.min(bar.task.attempt, 6); notch++) {
        if (notch * 4 < length) context.fillRect(x + length - notch * 4, y, 1.5, BAR);
      }
      if (selected && selected.task.phase === bar.task.phase && selected.task.host === bar.task.host) {
        context.strokeStyle = colours.critical;
        context.lineWidth = 1.5;
        context.strokeRect(x - 2, y - 2, length + 4, BAR + 4);
      }
    }
    context.restore();
  }
}

const FITTED = new Map<string, string>();
/** A name that fits into a width; cut in its middle, because ends of names of hosts differ. */
function fitting(context: CanvasRenderingContext2D, name: string, width: number): string {
  const key = `${width} ${name}`;
  const known = FITTED.get(key);
  if (known !== undefined) return known;
  let text = name;
  for (let cut = 1; context.measureText(text).width > width && cut < name.length; cut++) {
    const keep = (name.length - cut) / 2;
    text = `${name.slice(0, Math.ceil(keep))}…${name.slice(name.length - Math.floor(keep))}`;
  }
  if (FITTED.size > 4_000) FITTED.clear();
  FITTED.set(key, text);
  return text;
}
