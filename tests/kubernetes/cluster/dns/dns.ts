/** The names of services, as a cluster's DNS answers them: enough of RFC 1035 for A records over UDP. */
import { createSocket } from "node:dgram";
import { readFileSync } from "node:fs";

const account = "/var/run/secrets/kubernetes.io/serviceaccount";
const domain = ".svc.cluster.local";
const ttlSeconds = 1;
const typeA = 1;
const nameError = 3;

interface Listed<Item> {
  readonly items: readonly Item[];
}
interface Metadata {
  readonly name: string;
  readonly namespace: string;
  readonly labels?: Readonly<Record<string, string>>;
}
interface Service {
  readonly metadata: Metadata;
  readonly spec: { readonly clusterIP?: string; readonly publishNotReadyAddresses?: boolean };
}
interface Slice {
  readonly metadata: Metadata;
  readonly endpoints:
    | readonly { readonly addresses: readonly string[]; readonly conditions?: { readonly ready?: boolean } }[]
    | null;
}

async function list<Item>(path: string): Promise<readonly Item[]> {
  const token = readFileSync(`${account}/token`, "utf8");
  const answer = await fetch(`https://kubernetes.default.svc${path}`, {
    headers: { authorization: `Bearer ${token}` },
  });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return ((await answer.json()) as Listed<Item>).items;
}

/** Addresses by `<service>.<namespace>`: the service's own, or those of its pods where it has none. */
async function addresses(): Promise<ReadonlyMap<string, readonly string[]>> {
  const [services, slices] = await Promise.all([
    list<Service>("/api/v1/services"),
    list<Slice>("/apis/discovery.k8s.io/v1/endpointslices"),
  ]);
  return new Map(
    services.map(({ metadata: { name, namespace }, spec }) => {
      const pods = slices
        .filter(
          ({ metadata }) =>
            metadata.namespace === namespace && metadata.labels?.["kubernetes.io/service-name"] === name,
        )
        .flatMap(({ endpoints }) => endpoints ?? [])
        .filter(({ conditions }) => spec.publishNotReadyAddresses === true || conditions?.ready !== false);
      const own = spec.clusterIP ?? "None";
      return [`${name}.${namespace}`, own === "None" ? pods.flatMap((each) => each.addresses) : [own]];
    }),
  );
}

let known: ReadonlyMap<string, readonly string[]> = new Map();
const refresh = async (): Promise<void> => {
  try {
    known = await addresses();
  } catch (error) {
    process.stderr.write(`${String(error)}\n`);
  }
  setTimeout(() => void refresh(), 500);
};
void refresh();

const socket = createSocket("udp4", (query, from) => {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at] ?? 0; length > 0; length = query[at] ?? 0) {
    labels.push(query.toString("latin1", at + 1, at + 1 + length));
    at += 1 + length;
  }
  const question = query.subarray(12, at + 5);
  const name = labels.join(".").toLowerCase();
  const found = name.endsWith(domain) ? known.get(name.slice(0, -domain.length)) : undefined;
  const answers = query.readUInt16BE(at + 1) === typeA ? (found ?? []) : [];
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8580 | (found === undefined ? nameError : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(answers.length, 6);
  const records = answers.map((address) => {
    const record = Buffer.alloc(16);
    // The name is that of the question, at octet 12.
    record.writeUInt16BE(0xc00c, 0);
    record.writeUInt16BE(typeA, 2);
    record.writeUInt16BE(1, 4);
    record.writeUInt32BE(ttlSeconds, 6);
    record.writeUInt16BE(4, 10);
    for (const [index, part] of address.split(".").entries()) record[12 + index] = Number(part);
    return record;
  });
  socket.send(Buffer.concat([header, question, ...records]), from.port, from.address);
});
socket.bind(5353, () => process.stdout.write("listening\n"));
process.once("SIGTERM", () => process.exit(0));
