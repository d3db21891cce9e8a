/** A stretch of network between clients and one broker that can be made slow, cut, or stopped. */
import { createServer, connect, type AddressInfo, type Server, type Socket } from "node:net";

/** How the network is. Limits are of each direction of each connection. */
export interface Weather {
  /** Added to the way of every byte. */
  readonly latencyMs: number;
  /** Null: no limit. */
  readonly bytesPerSecond: number | null;
  /** Chance of each piece (0 to 1) that only half of it arrives and its connection is reset. */
  readonly cutChance: number;
  /** Nothing arrives, and nothing is lost. */
  readonly stalled: boolean;
}

export const clear: Weather = { latencyMs: 0, bytesPerSecond: null, cutChance: 0, stalled: false };

/** Bytes on the way in one direction of one connection; beyond it its sender is read no further. */
const onTheWayMax = 1_048_576;

interface Piece {
  readonly bytes: Buffer;
  readonly dueAtMs: number;
}

export class Proxy {
  /** Connections that were reset on purpose. */
  cuts = 0;
  /** Bytes that arrived, both ways. */
  bytes = 0;
  #weather: Weather = clear;
  readonly #server: Server;
  readonly #random: () => number;
  readonly #flows = new Set<Flow>();

  private constructor(server: Server, random: () => number) {
    this.#server = server;
    this.#random = random;
  }

  /** `random` gives numbers in [0, 1). */
  static async start(toPort: number, random: () => number): Promise<Proxy> {
    const server = createServer();
    const proxy = new Proxy(server, random);
    server.on("connection", (client) => proxy.#join(client, toPort));
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#flows.size / 2;
  }

  get weather(): Weather {
    return this.#weather;
  }

  set weather(weather: Weather) {
    this.#weather = weather;
    for (const flow of this.#flows) flow.move();
  }

  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const flow of this.#flows) flow.end();
    await closed;
  }

  #join(client: Socket, toPort: number): void {
    const broker = connect(toPort, "127.0.0.1");
    const flows = [new Flow(this, client, broker), new Flow(this, broker, client)];
    const leave = (): void => {
      for (const flow of flows) this.#flows.delete(flow.end());
    };
    for (const flow of flows) this.#flows.add(flow);
    for (const socket of [client, broker]) {
      socket.setNoDelay(true);
      // One side that failed is a connection that is gone, for both.
      socket.on("error", leave);
      socket.on("close", leave);
    }
  }

  /** Whether this piece is the last of its connection. */
  cutsNow(): boolean {
    if (this.#random() >= this.#weather.cutChance) return false;
    this.cuts += 1;
    return true;
  }
}

/** One direction of one connection. */
class Flow {
  readonly #proxy: Proxy;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #pieces: Piece[] = [];
  #onTheWay = 0;
  /** Until then the line is taken by what was sent before. */
  #freeAtMs = 0;
  #ended = false;
  #timer: NodeJS.Timeout | null = null;

  constructor(proxy: Proxy, from: Socket, to: Socket) {
    this.#proxy = proxy;
    this.#from = from;
    this.#to = to;
    from.on("data", (bytes: Buffer) => {
      const { latencyMs } = proxy.weather;
      this.#pieces.push({ bytes, dueAtMs: performance.now() + latencyMs });
      this.#onTheWay += bytes.length;
      if (this.#onTheWay >= onTheWayMax) from.pause();
      this.move();
    });
    from.on("end", () => {
      this.#ended = true;
      this.move();
    });
    to.on("drain", () => this.move());
  }

  /** Lets arrive what is due. */
  move(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const { stalled, bytesPerSecond } = this.#proxy.weather;
    if (stalled) return;
    while (!this.#to.writableNeedDrain) {
      const piece = this.#pieces[0];
      if (piece === undefined) break;
      const dueAtMs = Math.max(piece.dueAtMs, this.#freeAtMs);
      const nowMs = performance.now();
      if (dueAtMs > nowMs) {
        this.#timer = setTimeout(() => this.move(), dueAtMs - nowMs);
        return;
      }
      this.#pieces.shift();
      this.#onTheWay -= piece.bytes.length;
      if (bytesPerSecond !== null) this.#freeAtMs = nowMs + (piece.bytes.length / bytesPerSecond) * 1000;
      if (this.#proxy.cutsNow()) return this.#cut(piece.bytes);
      this.#proxy.bytes += piece.bytes.length;
      this.#to.write(piece.bytes);
      if (this.#onTheWay < onTheWayMax && this.#from.isPaused()) this.#from.resume();
    }
    if (this.#ended && this.#pieces.length === 0) this.#to.end();
  }

  /** In the middle of a message: half of the piece arrives, then both sides are reset. */
  #cut(bytes: Buffer): void {
    this.#to.write(bytes.subarray(0, bytes.length >> 1), () => {
      this.#to.resetAndDestroy();
      this.#from.resetAndDestroy();
    });
  }

  /** Gives the connection up; what is on the way is lost. */
  end(): this {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#pieces.length = 0;
    this.#from.destroy();
    this.#to.destroy();
    return this;
  }
}
