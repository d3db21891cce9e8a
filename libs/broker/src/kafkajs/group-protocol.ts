/** The partition assigner: co-partitioned inputs by task, tables to all, claims in the user data. */
import { SluiceError } from "@sluice/errors";
import type { GroupOptions, MemberClaim } from "@sluice/runtime";
import kafkajs from "kafkajs";
import type { GroupMember, GroupMemberAssignment } from "kafkajs";
import type { InternalCluster } from "./internals.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;

/** All members of a group must offer it; another meaning of user data or tasks gets another name. */
export const protocolName = "sluice-tasks-1";
const claimVersion = 1;

export type AssignmentOptions = Pick<
  GroupOptions,
  "inputs" | "changelog" | "tables" | "tasks" | "claim" | "assign"
>;

/** Topics whose partition p goes to the owner of task p. */
export function taskTopics(options: Pick<GroupOptions, "inputs" | "changelog">): readonly string[] {
  return options.changelog === null ? options.inputs : [...options.inputs, options.changelog];
}

export function encodeClaim(topics: readonly string[], claim: MemberClaim): Buffer {
  const userData = Buffer.from(JSON.stringify({ version: claimVersion, claim }));
  return MemberMetadata.encode({ version: claimVersion, topics: [...topics], userData });
}

/** Null where the claim is missing, broken or of another version: the member is then one without history. */
export function decodeClaim(metadata: Buffer): MemberClaim | null {
  try {
    const userData = MemberMetadata.decode(metadata)?.userData;
    if (userData === undefined || userData.length === 0) return null;
    const found = JSON.parse(userData.toString("utf8")) as { version?: unknown; claim?: MemberClaim };
    const claim = found.version === claimVersion ? found.claim : undefined;
    if (claim === undefined || typeof claim.instance !== "string") return null;
    return Array.isArray(claim.owned) && Array.isArray(claim.onDisk) && Number.isFinite(claim.heardAtMs)
      ? claim
      : null;
  } catch {
    return null;
  }
}

/** Throws where `assign` leaves a task out or gives it twice: nothing would ever notice that later. */
export function assignMembers(
  members: readonly Pick<GroupMember, "memberId" | "memberMetadata">[],
  options: AssignmentOptions,
  partitionsOf: (topic: string) => readonly number[],
): GroupMemberAssignment[] {
  const claims = members
    .map(({ memberId, memberMetadata }) => ({ memberId, claim: decodeClaim(memberMetadata) }))
    .sort((a, b) => (a.memberId < b.memberId ? -1 : 1));
  const assigned = options.assign(claims, options.tasks);
  const given = [...assigned.values()].flat().sort((a, b) => a - b);
  if (given.length !== options.tasks || given.some((task, index) => task !== index)) {
    throw new SluiceError("SLUICE_CONSUMER_DEAD", `not every task was assigned once: ${given.join(",")}`);
  }
  const tables = options.tables.map((topic): [string, number[]] => [topic, [...partitionsOf(topic)]]);
  return claims.map(({ memberId }) => {
    const tasks = [...(assigned.get(memberId) ?? [])].sort((a, b) => a - b);
    const inputs = taskTopics(options).map((topic): [string, number[]] => [topic, tasks]);
    const assignment = Object.fromEntries(
      [...(tasks.length > 0 ? inputs : []), ...tables].filter(([, partitions]) => partitions.length > 0),
    );
    return {
      memberId,
      memberAssignment: MemberAssignment.encode({
        version: claimVersion,
        assignment,
        userData: Buffer.alloc(0),
      }),
    };
  });
}

export function partitionsOf(cluster: InternalCluster, topic: string): readonly number[] {
  return cluster
    .findTopicPartitionMetadata(topic)
    .map(({ partitionId }) => partitionId)
    .sort((a, b) => a - b);
}
