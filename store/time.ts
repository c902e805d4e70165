/** Now, as the store writes times: ISO 8601 in UTC with milliseconds. */
export const now = (): string => new Date().toISOString();

/** True for a time as we write it: ISO 8601 in UTC with milliseconds. */
export const isTime = (text: string): boolean =>
  !Number.isNaN(Date.parse(text)) && new Date(text).toISOString() === text;
