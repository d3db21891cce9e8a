/**
 * Preloaded into the commands: a signal that comes twice within half a second counts once. A Ctrl-C, `timeout` or
 * `kill` to a process group reaches a command directly and once more through npm or bootstrap.mjs, and the second
 * signal means "stop at once".
 */
const sameSignalMs = 500;
const merged = new Set(["SIGINT", "SIGTERM", "SIGHUP"]);
const lastMs = new Map();
const emit = process.emit;

process.emit = function emitOnce(name, ...args) {
  if (merged.has(name)) {
    const nowMs = performance.now();
    if (nowMs - (lastMs.get(name) ?? -Infinity) < sameSignalMs) return true;
    lastMs.set(name, nowMs);
  }
  return emit.call(this, name, ...args);
};
