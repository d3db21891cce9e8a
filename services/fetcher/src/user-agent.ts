import packageJson from "../package.json" with { type: "json" };

/** `Sluice/<version> (+contact)`: tells a site owner who asks, and whom to write to. */
export function defaultUserAgent(contact: string | undefined): string {
  return `Sluice/${packageJson.version} (+${contact ?? "no contact given"})`;
}
