/**
 * PATH of every command of ours, and of units of ours that look for programs: fixed, so that nothing depends on the login
 * shell of a host. The folder of our own binaries (`BIN_DIR`) comes first: /usr/local/sbin, where by hand runc is mostly put, is
 * before it in the PATH of systemd and of Debian.
 */
export const HOST_PATH = '/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin';
