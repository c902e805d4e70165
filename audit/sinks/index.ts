import { fileSink } from './file.ts';
import type { AnchorSink, SinkConfig, SinkContext } from './sink.ts';
import { syslogSink } from './syslog.ts';
import { webhookSink } from './webhook.ts';

/** The sinks that the configuration names. */
export function openSinks({ file, syslog, webhook }: SinkConfig, context: SinkContext): AnchorSink[] {
  return [
    ...(file === undefined ? [] : [fileSink(file)]),
    ...(syslog === undefined ? [] : [syslogSink(syslog, context)]),
    ...(webhook === undefined ? [] : [webhookSink(webhook, context)]),
  ];
}
