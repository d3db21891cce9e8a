/** Node's inspector of another process: https://chromedevtools.github.io/devtools-protocol/v8/HeapProfiler/ */

/**
 * Has the process whose inspector listens at this port of 127.0.0.1 collect all its garbage, so that what stays is
 * held by something. A second time, since what the first one ends lets go of more.
 */
export async function collectGarbage(port: number): Promise<void> {
  const answer = await fetch(`http://127.0.0.1:${port}/json/list`);
  const [target] = (await answer.json()) as readonly { readonly webSocketDebuggerUrl: string }[];
  if (target === undefined) throw new Error(`the inspector at port ${port} has no target`);
  const socket = new WebSocket(target.webSocketDebuggerUrl);
  try {
    await event(socket, "open");
    for (const id of [1, 2]) {
      const answered = event(socket, "message");
      socket.send(JSON.stringify({ id, method: "HeapProfiler.collectGarbage" }));
      await answered;
    }
  } finally {
    socket.close();
  }
}

function event(socket: WebSocket, name: "open" | "message"): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.addEventListener(name, () => resolve(), { once: true });
    socket.addEventListener("error", () => reject(new Error(`the inspector gave up before: ${name}`)), {
      once: true,
    });
  });
}
