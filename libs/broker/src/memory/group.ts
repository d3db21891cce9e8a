/**
 * One consumer group at its coordinator: the classic protocol with eager rebalances (join, sync,
 * heartbeat, leave), and the group's offsets with those of transactions that are still open.
 */
import type { CommittedOffset, MemberClaim, TopicPartition } from "@sluice/runtime";
import type { Availability } from "./availability.ts";
import { BrokerError } from "./broker-error.ts";
import type { CancelTimer, SimClock } from "./clock.ts";
import type { Random } from "./random.ts";
import type { Trace } from "./trace.ts";

export interface JoinRequest {
  /** Null for a member that is new. */
  readonly memberId: string | null;
  readonly clientName: string;
  readonly sessionTimeoutMs: number;
  readonly rebalanceTimeoutMs: number;
  readonly claim: MemberClaim | null;
}

export interface JoinAnswer {
  readonly memberId: string;
  readonly generation: number;
  /** All members for the leader, null for the others. */
  readonly members: readonly { readonly memberId: string; readonly claim: MemberClaim | null }[] | null;
}

export type Assignment = ReadonlyMap<string, readonly number[]>;

interface Member {
  readonly memberId: string;
  request: JoinRequest;
  joining: PromiseWithResolvers<JoinAnswer> | null;
  syncing: PromiseWithResolvers<readonly number[]> | null;
  endSession: CancelTimer;
}

export interface Coordination {
  readonly clock: SimClock;
  readonly random: Random;
  readonly availability: Availability;
  readonly trace: Trace;
}

export class Group {
  readonly name: string;
  readonly #at: Coordination;
  readonly #members = new Map<string, Member>();
  readonly #offsets = new Map<string, CommittedOffset>();
  readonly #pending = new Map<object, Map<string, CommittedOffset>>();
  #state: "empty" | "joining" | "syncing" | "stable" = "empty";
  #generation = 0;
  #leader: string | null = null;
  #assignment: Assignment = new Map();
  #endJoin: CancelTimer = () => undefined;

  constructor(name: string, at: Coordination) {
    this.name = name;
    this.#at = at;
  }

  get memberIds(): readonly string[] {
    return [...this.#members.keys()];
  }

  /** Answers when all members have joined, or those who have not are out of time. */
  join(request: JoinRequest): Promise<JoinAnswer> {
    const member = request.memberId === null ? this.#admit(request) : this.#member(request.memberId);
    member.request = request;
    member.joining?.reject(new BrokerError("REBALANCE_IN_PROGRESS", "joined again"));
    member.joining = Promise.withResolvers();
    const answer = member.joining.promise;
    member.endSession();
    if (this.#state === "joining") this.#completeJoinIfAllAreIn();
    else this.rebalance();
    return answer;
  }

  /** The leader brings the assignment; the others wait for it. */
  sync(memberId: string, generation: number, assignment: Assignment | null): Promise<readonly number[]> {
    const member = this.#current(memberId, generation);
    if (this.#state === "joining") throw new BrokerError("REBALANCE_IN_PROGRESS", this.name);
    this.#keepSession(member);
    if (this.#state === "stable") return Promise.resolve(this.#assignment.get(memberId) ?? []);
    member.syncing = Promise.withResolvers();
    const answer = member.syncing.promise;
    if (memberId === this.#leader && assignment !== null) {
      this.#assignment = assignment;
      this.#state = "stable";
      for (const other of this.#members.values()) {
        other.syncing?.resolve(assignment.get(other.memberId) ?? []);
        other.syncing = null;
      }
      this.#at.trace.add("broker", "group_stable", `${this.name} ${generation}`);
    }
    return answer;
  }

  heartbeat(memberId: string, generation: number): void {
    const member = this.#current(memberId, generation);
    this.#keepSession(member);
    if (this.#state === "joining") throw new BrokerError("REBALANCE_IN_PROGRESS", this.name);
  }

  leave(memberId: string): void {
    this.#remove(this.#member(memberId), "left");
  }

  /** Makes every member join again, as any change of the membership does. */
  rebalance(): void {
    if (this.#state === "joining" || this.#members.size === 0) return;
    this.#state = "joining";
    for (const member of this.#members.values()) {
      member.syncing?.reject(new BrokerError("REBALANCE_IN_PROGRESS", this.name));
      member.syncing = null;
    }
    this.#awaitJoins();
    this.#at.trace.add("broker", "group_joining", `${this.name} ${this.#generation}`);
    this.#completeJoinIfAllAreIn();
  }

  /** A broker that comes back gives every member a full session again. */
  restart(): void {
    for (const member of this.#members.values()) {
      if (member.joining === null) this.#keepSession(member);
    }
    if (this.#state === "joining") this.#awaitJoins();
  }

  /** What OffsetFetch v4 shows: open transactions are as good as absent. */
  committed(): readonly CommittedOffset[] {
    return [...this.#offsets.values()];
  }

  committedOf({ topic, partition }: TopicPartition): CommittedOffset | null {
    return this.#offsets.get(`${topic}/${partition}`) ?? null;
  }

  /** OffsetCommit by a member: one that is a member no more, or is so anew, is refused. */
  commit(memberId: string, generation: number, offsets: readonly CommittedOffset[]): void {
    const member = this.#current(memberId, generation);
    if (this.#state === "syncing") throw new BrokerError("REBALANCE_IN_PROGRESS", this.name);
    this.#keepSession(member);
    for (const offset of offsets) this.#offsets.set(`${offset.topic}/${offset.partition}`, { ...offset });
  }

  /** Offsets that the group had committed elsewhere. */
  restore(offsets: readonly CommittedOffset[]): void {
    for (const offset of offsets) this.#offsets.set(`${offset.topic}/${offset.partition}`, { ...offset });
  }

  addPending(owner: object, offsets: readonly CommittedOffset[]): void {
    const pending = this.#pending.get(owner) ?? new Map<string, CommittedOffset>();
    for (const offset of offsets) pending.set(`${offset.topic}/${offset.partition}`, { ...offset });
    this.#pending.set(owner, pending);
  }

  pendingOf(owner: object): readonly CommittedOffset[] {
    return [...(this.#pending.get(owner)?.values() ?? [])];
  }

  endPending(owner: object, outcome: "committed" | "aborted"): void {
    const pending = this.#pending.get(owner) ?? new Map<string, CommittedOffset>();
    this.#pending.delete(owner);
    if (outcome === "committed") for (const [key, offset] of pending) this.#offsets.set(key, offset);
  }

  #admit(request: JoinRequest): Member {
    const id = this.#at.random
      .between(0, 2 ** 32 - 1)
      .toString(16)
      .padStart(8, "0");
    const memberId = `${request.clientName}-${id}`;
    const member: Member = {
      memberId,
      request,
      joining: null,
      syncing: null,
      endSession: () => undefined,
    };
    this.#members.set(memberId, member);
    return member;
  }

  #awaitJoins(): void {
    const timeouts = [...this.#members.values()].map((member) => member.request.rebalanceTimeoutMs);
    this.#endJoin();
    this.#endJoin = this.#timer(Math.max(...timeouts), () => this.#completeJoin());
  }

  #completeJoinIfAllAreIn(): void {
    for (const member of this.#members.values()) if (member.joining === null) return;
    this.#completeJoin();
  }

  #completeJoin(): void {
    this.#endJoin();
    for (const member of this.#members.values()) {
      if (member.joining !== null) continue;
      member.endSession();
      this.#members.delete(member.memberId);
    }
    const [first] = this.#members.keys();
    if (first === undefined) {
      this.#state = "empty";
      return;
    }
    this.#generation++;
    this.#state = "syncing";
    if (this.#leader === null || !this.#members.has(this.#leader)) this.#leader = first;
    const members = [...this.#members.values()].map(({ memberId, request }) => ({
      memberId,
      claim: request.claim,
    }));
    this.#at.trace.add("broker", "group_joined", `${this.name} ${this.#generation} ${members.length}`);
    for (const member of this.#members.values()) {
      const { memberId, joining } = member;
      member.joining = null;
      this.#keepSession(member);
      joining?.resolve({
        memberId,
        generation: this.#generation,
        members: memberId === this.#leader ? members : null,
      });
    }
  }

  #keepSession(member: Member): void {
    member.endSession();
    member.endSession = this.#timer(member.request.sessionTimeoutMs, () => {
      this.#remove(member, "session timed out");
    });
  }

  #remove(member: Member, reason: string): void {
    member.endSession();
    member.joining?.reject(new BrokerError("UNKNOWN_MEMBER_ID", reason));
    member.syncing?.reject(new BrokerError("UNKNOWN_MEMBER_ID", reason));
    this.#members.delete(member.memberId);
    this.#at.trace.add("broker", "member_removed", `${this.name} ${member.memberId} ${reason}`);
    if (this.#members.size === 0) {
      this.#endJoin();
      this.#state = "empty";
    } else if (this.#state === "joining") this.#completeJoinIfAllAreIn();
    else this.rebalance();
  }

  /** A coordinator that is down times nobody out; {@link restart} begins the sessions anew. */
  #timer(ms: number, fire: () => void): CancelTimer {
    const { clock, availability } = this.#at;
    return clock.setTimer(clock.nowMs() + ms, () => {
      if (availability.up) fire();
    });
  }

  #current(memberId: string, generation: number): Member {
    const member = this.#member(memberId);
    if (generation !== this.#generation) throw new BrokerError("ILLEGAL_GENERATION", this.name);
    return member;
  }

  #member(memberId: string): Member {
    const member = this.#members.get(memberId);
    if (member === undefined) throw new BrokerError("UNKNOWN_MEMBER_ID", `${memberId} in ${this.name}`);
    return member;
  }
}
