/**
 * Flags of Node for the API and the worker of `npm start`. The young generation of V8 grows to three times this many MiB
 * and is not given back: with the default of 16 the two processes took 65 MiB more after a start, measured.
 */
export const NODE_FLAGS = ['--max-semi-space-size=4'];
