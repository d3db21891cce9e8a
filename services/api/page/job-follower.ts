/** Follows one job: keeps its stream up and reduces what comes over it. */
import { parseEvent } from "../src/event-parser.ts";
import { EventConnection, type ConnectionPorts, type ConnectionState } from "./event-connection.ts";
import type { JobRow } from "./job-list.ts";
import { emptyState, withMessage, withMisread, withStatus, type JobState } from "./job-state.ts";
import { messageCharsMax, type SseItem } from "./sse-parser.ts";

export class JobFollower {
  readonly job: string;
  readonly #connection: EventConnection;
  readonly #onChange: () => void;
  #state: JobState;
  #stream: ConnectionState = { kind: "connecting" };

  constructor(job: string, ports: ConnectionPorts, onChange: () => void) {
    this.job = job;
    this.#state = emptyState(job);
    this.#onChange = onChange;
    this.#connection = new EventConnection(ports, {
      onItems: (items) => this.#take(items),
      onState: (stream) => {
        this.#stream = stream;
        this.#onChange();
      },
      onAnew: () => {
        this.#state = emptyState(job);
      },
      isOver: () => this.#state.end !== null,
    });
  }

  get state(): JobState {
    return this.#state;
  }

  get stream(): ConnectionState {
    return this.#stream;
  }

  open(): void {
    this.#connection.open();
  }

  close(): void {
    this.#connection.close();
  }

  retryNow(): void {
    this.#connection.retryNow();
  }

  /** What the list says of the job. A new run of a job whose stream has ended has a stream of its own. */
  see(row: JobRow): void {
    if (this.#stream.kind === "ended" && row.run > this.#state.run) this.#connection.restart();
    this.#state = withStatus(this.#state, row.status);
    this.#onChange();
  }

  #take(items: readonly SseItem[]): void {
    for (const item of items) {
      switch (item.kind) {
        case "message":
          this.#state = withMessage(this.#state, item.id, parseEvent(item.event, item.data));
          break;
        case "overlong":
          this.#state = withMisread(this.#state, `a message has more than ${messageCharsMax} characters`);
          break;
        case "retry":
          break;
        default:
          item satisfies never;
      }
    }
    if (this.#state.superseded) this.#connection.restart();
    this.#onChange();
  }
}
