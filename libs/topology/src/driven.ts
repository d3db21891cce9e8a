/** What a step that is driven by a test has done, and what it still waits for. */

/** A record that a step sent, as it would lie in its topic: the value went through JSON. */
export interface SentRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: unknown;
  /** Given by the step; otherwise the key decides. */
  readonly partition: number | null;
  readonly headers: Readonly<Record<string, string>>;
}

/** A call that was asked for and has not settled. */
export interface OpenCall<Call> {
  readonly callId: string;
  readonly lane: string;
  readonly request: Call;
  started: boolean;
  aborted: boolean;
}

export interface RejectedRecord {
  readonly id: string;
  readonly reason: string;
}
