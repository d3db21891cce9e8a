/** Which member runs which task. */

import type { AssignTasks, MemberClaim } from "./broker.ts";

interface Member {
  readonly memberId: string;
  readonly claim: MemberClaim | null;
  readonly owned: number[];
  readonly onDisk: ReadonlySet<number>;
  readonly given: number[];
}

/**
 * Every task to one member, loads within 1 of each other. A task stays with its owner unless balance
 * demands that it moves; one that has to move goes to a member with its state on disk where that has room,
 * else to the least loaded. Ties go by instance name, then member id, so the order of `members` is of no
 * importance, and every leader comes to the same result.
 *
 * Of several members that claim one task, the one that heard last from the group has it: the others are
 * out of date. Claims of tasks that do not exist are ignored.
 */
export const assignTasks: AssignTasks = (candidates, tasks) => {
  const members: Member[] = candidates
    .map(({ memberId, claim }) => ({
      memberId,
      claim,
      owned: [],
      onDisk: new Set(claim?.onDisk),
      given: [],
    }))
    .sort(byName);
  if (members.length > 0) distribute(members, tasks);
  return new Map(members.map(({ memberId, given }) => [memberId, given.sort((a, b) => a - b)]));
};

function distribute(members: readonly Member[], tasks: number): void {
  findOwners(members, tasks);
  const share = Math.floor(tasks / members.length);
  /** Members that may still get one task above the share. */
  let extras = tasks % members.length;
  const holders = Array.from({ length: tasks }, (_, task) =>
    members.filter((member) => member.onDisk.has(task)),
  );
  const hasRoom = ({ given }: Member) => given.length < share || (given.length === share && extras > 0);
  const give = (member: Member, task: number) => {
    if (member.given.length === share) extras--;
    member.given.push(task);
  };

  const open = new Set(Array.from({ length: tasks }, (_, task) => task));
  const receivers = new Set(members.filter(({ owned }) => owned.length <= share));
  for (const member of members) {
    const cost = (task: number) => costOfMove(member, holders[task] ?? [], receivers);
    member.owned.sort((a, b) => cost(b) - cost(a) || a - b);
    for (const task of member.owned) {
      if (!hasRoom(member)) break;
      give(member, task);
      open.delete(task);
    }
  }

  // Tasks with the fewest holders choose first, since those with many find room elsewhere.
  const held = [...open]
    .filter((task) => (holders[task] ?? []).length > 0)
    .sort((a, b) => (holders[a] ?? []).length - (holders[b] ?? []).length || a - b);
  for (const task of held) {
    const member = leastLoaded((holders[task] ?? []).filter(hasRoom));
    if (member === undefined) continue;
    give(member, task);
    open.delete(task);
  }
  for (const task of open) {
    const member = leastLoaded(members.filter(hasRoom));
    if (member === undefined) throw new Error(`no member has room for task ${task}`);
    give(member, task);
  }
}

/** Fills `owned`: each task at the member that claims it and heard last from the group. */
function findOwners(members: readonly Member[], tasks: number): void {
  const owners = new Map<number, Member>();
  for (const member of members) {
    for (const task of member.claim?.owned ?? []) {
      if (!Number.isInteger(task) || task < 0 || task >= tasks) continue;
      const rival = owners.get(task);
      if (rival === undefined || heardAt(member) > heardAt(rival)) owners.set(task, member);
    }
  }
  for (const [task, member] of owners) member.owned.push(task);
}

/**
 * What is lost if the owner gives the task up: little where a member with room has its state too, more
 * where nobody has it, most where only the owner has it.
 */
function costOfMove(owner: Member, holders: readonly Member[], receivers: ReadonlySet<Member>): number {
  if (holders.some((member) => member !== owner && receivers.has(member))) return 0;
  return holders.includes(owner) ? 2 : 1;
}

/** The first of those with the fewest tasks. */
function leastLoaded(members: readonly Member[]): Member | undefined {
  let least: Member | undefined;
  for (const member of members) {
    if (least === undefined || member.given.length < least.given.length) least = member;
  }
  return least;
}

function heardAt({ claim }: Member): number {
  return claim?.heardAtMs ?? -Infinity;
}

function byName(a: Member, b: Member): number {
  return compare(a.claim?.instance ?? "", b.claim?.instance ?? "") || compare(a.memberId, b.memberId);
}

/** By code units: the same on every machine, whatever its locale. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
