import { spawnSync } from "node:child_process";
import { expect, test } from "vitest";

const source = new URL("../src/log.ts", import.meta.url).href;
/** Each value is logged by a process as hosts bring them: in a field, and as what happened. */
const program = `
  import { createLog } from ${JSON.stringify(source)};
  const log = createLog("fetcher", "1", "info");
  for (const text of JSON.parse(process.argv[1])) log.info({ url: text, title: { [text]: text } }, text);
`;

/** Text that would end a line, begin another one, or be a field of it. */
const naughty = [
  'a\r\n{"level":"fatal","event":"forged"}\r\n',
  '"}],"level":"fatal","x":[{"',
  "\u001b[31mred\u001b[0m\u0007",
  "\u0000\u0008\u000b\u001f",
  "\u2028\u2029",
  "\\",
  "__proto__",
  "constructor",
  "level",
  "%s %d %j %o",
  "\ud800 alone",
  "",
];

test("whatever a host writes into it, an entry is one line of JSON, with nothing below U+0020 in it", () => {
  const input = JSON.stringify(naughty);
  const { stderr, status } = spawnSync(
    process.execPath,
    ["--input-type=module", "--eval", program, "--", input],
    { encoding: "utf8" },
  );
  expect(status, stderr).toBe(0);
  const lines = stderr.slice(0, -1).split("\n");
  expect(lines).toHaveLength(naughty.length);
  for (const [index, line] of lines.entries()) {
    const text = naughty[index]?.toWellFormed() ?? "";
    const entry = JSON.parse(line) as Readonly<Record<string, unknown>>;
    expect(entry).toMatchObject({ level: "info", service: "fetcher", event: text });
    expect(String(entry["url"]).toWellFormed()).toBe(text);
    expect([...line].filter((char) => char < " ")).toEqual([]);
  }
});
