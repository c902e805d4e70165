/** Path of the link that logs in. The code is in the fragment: no browser sends it, so it reaches no log of a server or proxy. */
export const loginPath = (code: string): string => `/ui/login#code=${code}`;
