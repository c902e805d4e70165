/** A reader that wants only the first line (`| head -1`) closes the pipe: no reason to fail, and no other exit code. */
export function nothingWithEpipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}
