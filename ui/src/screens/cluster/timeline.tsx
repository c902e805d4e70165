import { type KeyboardEvent, type MouseEvent, useEffect, useMemo, useRef, useState } from 'react';
import type { TaskStatus } from '../../../../contracts/status.ts';
import { duration } from '../../lib/format.ts';
import { useTexts } from '../../lib/texts.ts';
import type { Bar, Timeline as Picture } from '../../lib/timeline.ts';
import { HostText } from '../../parts/host-text.tsx';
import parts from '../../parts/parts.module.css';
import { StateBadge } from '../../parts/state-badge.tsx';
import texts from '../../texts/cluster.ts';
import styles from './cluster.module.css';
import { barAt, type Colours, drawTimeline, rowTops } from './draw.ts';

/** Names of colours of the picture, and the custom properties that they have. */
const COLOURS = {
  ...{ done: '--bar-done', running: '--bar-running', blocked: '--bar-blocked', other: '--bar-other' },
  ...{ critical: '--bar-critical', text: '--text', muted: '--text-muted', line: '--line', selected: '--quiet-ground' },
};
/** Colours are read again after this time: the scheme may have changed, ms. */
const COLOURS_MS = 500;

/** Colours as the browser resolves them: a canvas knows no custom properties. */
function readColours(probe: HTMLElement): Colours {
  const resolved = Object.entries(COLOURS).map(([name, property]) => {
    probe.style.color = `var(${property})`;
    return [name, getComputedStyle(probe).color];
  });
  return Object.fromEntries(resolved) as Colours;
}

/**
 * The picture of an operation on a canvas that shows only the rows in view, so 1,000 hosts cost what 20 do. It is drawn once a
 * frame while something runs, else when something changed.
 */
export function Timeline({
  picture,
  endedAt,
  onPick,
}: {
  picture: Picture;
  endedAt: string | undefined;
  onPick: (task: TaskStatus) => void;
}) {
  const t = useTexts(texts);
  const scroller = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const probe = useRef<HTMLSpanElement>(null);
  const [selected, setSelected] = useState<{ row: number; bar: number } | null>(null);
  const [hovered, setHovered] = useState<Bar | null>(null);
  const tops = useMemo(() => rowTops(picture.rows), [picture.rows]);
  const height = tops.at(-1) ?? 0;
  const selectedBar = selected ? picture.rows[selected.row]?.bars[selected.bar] : undefined;
  const shown = hovered ?? selectedBar;
  const extent = useRef(1);

  const redraw = useRef(() => undefined as void);
  const frame = useRef({ picture, tops, endedAt, selectedBar });
  useEffect(() => {
    frame.current = { picture, tops, endedAt, selectedBar };
    redraw.current();
  });
  useEffect(() => {
    const [box, target, span] = [scroller.current!, canvas.current!, probe.current!];
    let colours = readColours(span);
    let readAt = performance.now();
    let next = 0;
    const draw = () => {
      next = 0;
      const { picture: now, ...rest } = frame.current;
      if (performance.now() - readAt > COLOURS_MS) {
        colours = readColours(span);
        readAt = performance.now();
      }
      const end = rest.endedAt === undefined ? Date.now() : Date.parse(rest.endedAt);
      extent.current = Math.max(1_000, now.begin === null ? 0 : end - now.begin);
      drawTimeline(
        target,
        { rows: now.rows, tops: rest.tops, selected: rest.selectedBar },
        { ...{ colours, extent: extent.current }, scrollTop: box.scrollTop },
      );
      if (rest.endedAt === undefined) request();
    };
    const request = () => {
      next ||= requestAnimationFrame(draw);
    };
    redraw.current = request;
    const resized = new ResizeObserver(request);
    resized.observe(box);
    box.addEventListener('scroll', request, { passive: true });
    request();
    return () => {
      cancelAnimationFrame(next);
      resized.disconnect();
      box.removeEventListener('scroll', request);
    };
  }, []);

  const at = (event: MouseEvent) => {
    const { left, top, width } = canvas.current!.getBoundingClientRect();
    return barAt(
      { rows: picture.rows, tops },
      {
        ...{ x: event.clientX - left, y: event.clientY - top + scroller.current!.scrollTop },
        width,
        extent: extent.current,
      },
    );
  };
  const move = (event: KeyboardEvent) => {
    const { row, bar } = selected ?? { row: 0, bar: -1 };
    const rows = picture.rows.length;
    const step = { ArrowDown: [1, 0], ArrowUp: [-1, 0], ArrowRight: [0, 1], ArrowLeft: [0, -1] }[event.key];
    if (event.key === 'Enter' && selectedBar) onPick(selectedBar.task);
    if (!step || rows === 0) return;
    event.preventDefault();
    const toRow = Math.min(rows - 1, Math.max(0, row + step[0]!));
    const bars = picture.rows[toRow]!.bars.length;
    setSelected({ row: toRow, bar: Math.min(bars - 1, Math.max(0, bar + step[1]!)) });
    const box = scroller.current!;
    const [top, bottom] = [tops[toRow]!, tops[toRow + 1]!];
    if (top < box.scrollTop) box.scrollTop = top;
    if (bottom > box.scrollTop + box.clientHeight - 24) box.scrollTop = bottom - box.clientHeight + 24;
  };
  return (
    <div>
      <div ref={scroller} className={styles['scroller']} style={{ height: Math.min(height + 26, 560) }}>
        <canvas
          ref={canvas}
          className={styles['canvas']}
          // oxlint-disable-next-line jsx-a11y/no-interactive-element-to-noninteractive-role -- the arrow keys are its own
          role="application"
          aria-label={t.timelineHelp}
          tabIndex={0}
          onKeyDown={move}
          onMouseMove={(event) => setHovered(at(event))}
          onMouseLeave={() => setHovered(null)}
          onClick={(event) => {
            const bar = at(event);
            if (bar) onPick(bar.task);
          }}
        />
        <div style={{ height: Math.max(0, height + 24 - Math.min(height + 26, 560)) }} />
        <span ref={probe} hidden />
      </div>
      <p className={styles['shown']} aria-live="polite">
        {shown ? (
          <>
            <strong>
              <HostText>{`${shown.task.host} · ${shown.task.phase}`}</HostText>
            </strong>{' '}
            <StateBadge state={shown.task.state} /> {shown.to !== null && duration(shown.to - shown.from)}{' '}
            {shown.task.attempt > 1 && t.attempts(shown.task.attempt)} {shown.critical && t.critical}
          </>
        ) : (
          <span className={parts['muted']}>{t.legend}</span>
        )}
      </p>
    </div>
  );
}
