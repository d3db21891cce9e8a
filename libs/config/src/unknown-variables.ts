/** Finds variables that look like ours and mean nothing: a setting that is misspelt does nothing, silently. */
import { launcherVariables } from "./launcher-variables.ts";
import { settingsByService } from "./settings-by-service.ts";
import type { Setting } from "./settings.ts";

export interface UnknownVariable {
  readonly name: string;
  /** The known name that is most like it; null where none is near. */
  readonly nearest: string | null;
}

/** Other names that begin with KAFKA_ may belong to whatever else runs in the same environment. */
const ours = /^(SLUICE_|KAFKA_(SASL|SSL|SECURITY|BROKER|BOOTSTRAP))/;
/** What policies of hosts name: the operator chooses what follows. */
const namedSecret = /^SLUICE_SECRET_[A-Z0-9_]+$/;
/** Set by Kubernetes for each Service of the namespace. */
const serviceLink = /_SERVICE_(HOST|PORT)(_|$)|_PORT_\d+_(TCP|UDP|SCTP)(_|$)/;
const serviceAddress = /^(tcp|udp|sctp):\/\//;

export function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
): readonly UnknownVariable[] {
  const known = knownVariables();
  return Object.entries(env)
    .filter(([name, value]) => value !== "" && ours.test(name) && !known.has(name))
    .filter(([name]) => !namedSecret.test(name))
    .filter(([name, value]) => !isServiceLink(name, value))
    .map(([name]) => ({ name, nearest: nearestOf(name, known) }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

function knownVariables(): ReadonlySet<string> {
  const settings = Object.values(settingsByService).flatMap((each) => Object.values<Setting>(each));
  const names = settings.flatMap(({ env, aliases = [], secret = false }) =>
    [env, ...aliases].flatMap((name) => (secret ? [name, `${name}_FILE`] : [name])),
  );
  return new Set([...names, ...Object.keys(launcherVariables)]);
}

const isServiceLink = (name: string, value = ""): boolean =>
  serviceLink.test(name) || (name.endsWith("_PORT") && serviceAddress.test(value));

/** What all have in front would make any two names alike. */
const family = /^(SLUICE|KAFKA)_/;

/** Of those that are like it, by letters or by words, the one with the fewest letters to change. */
function nearestOf(name: string, known: ReadonlySet<string>): string | null {
  const [prefix = ""] = family.exec(name) ?? [];
  const own = name.slice(prefix.length);
  let nearest: string | null = null;
  let least = Number.POSITIVE_INFINITY;
  for (const each of known) {
    if (!each.startsWith(prefix)) continue;
    const other = each.slice(prefix.length);
    const edits = editsBetween(own, other);
    if (edits < least && (edits <= own.length / 2 || sharesWords(own, other)))
      [nearest, least] = [each, edits];
  }
  return nearest;
}

/** Whether more than half of its words are among those of the other. */
function sharesWords(own: string, other: string): boolean {
  const words = own.split("_");
  const others = new Set(other.split("_"));
  return words.filter((word) => others.has(word)).length > words.length / 2;
}

/** Levenshtein distance: insertions, deletions and replacements of single letters. */
function editsBetween(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, letter] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, other] of [...b].entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row[b.length] ?? 0;
}
