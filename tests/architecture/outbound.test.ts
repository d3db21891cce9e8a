import { describe, expect, test } from "vitest";
import { outboundSites, sitesOf } from "./outbound-sites.ts";
import { packages } from "./workspace.ts";

const product = packages.flatMap((each) => each.sources).filter(({ forTests }) => !forTests);

describe("places that can open a connection", () => {
  test("are those on the list, each with whom it can reach: a new one is looked at first", () => {
    const found = product.flatMap(({ path, text }) => sitesOf(path, text));
    expect(found.toSorted()).toEqual(outboundSites.map(({ site }) => site).toSorted());
    expect(product.length).toBeGreaterThan(200);
  });

  test("for the crawled web they lie in the guard and the dispatcher that takes its sockets", () => {
    const web = outboundSites.filter(({ reach }) => reach === "web").map(({ site }) => site.split(" ")[0]);
    expect([...new Set(web)]).toEqual([
      "libs/http/src/guarded-connect.ts",
      "libs/http/src/guarded-dispatcher.ts",
    ]);
  });

  test.each([
    ['import http from "node:http";\nhttp.get("x");', "a.ts node:http http"],
    ['import { request, isIP } from "undici";', "a.ts undici isIP,request"],
    ['const net = await import("node:net");', "a.ts node:net *"],
    ['const net = require("node:net");', "a.ts node:net *"],
    ['export { connect } from "node:tls";', "a.ts node:tls connect"],
    ['await fetch("http://x");', "a.ts fetch"],
    ["const get = fetch;", "a.ts fetch"],
    ['void globalThis.fetch("x");', "a.ts fetch"],
    ['const ask = ok ? fetch("x") : null;', "a.ts fetch"],
    ['new WebSocket("ws://x");', "a.ts WebSocket"],
    ['navigator.sendBeacon("x");', "a.ts sendBeacon"],
    ['process.getBuiltinModule("net");', "a.ts getBuiltinModule"],
  ])("%s is found", (source, site) => {
    expect(sitesOf("a.ts", source)).toEqual([site]);
  });

  test.each([
    'import type { Socket } from "node:net";',
    'import { isIP } from "node:net";',
    "class A { fetch(url: string): Promise<void> { return this.client.fetch(url); } }",
    "interface A { fetch(url: string): Promise<void>; }",
    '// fetch("x")\nconst text = "fetch(1)";',
  ])("%s opens nothing", (source) => {
    expect(sitesOf("a.ts", source)).toEqual([]);
  });
});
