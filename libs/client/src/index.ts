export { Client, openClient, type ClientOptions } from "./client.ts";
export { type Crawl, type CrawlOptions } from "./crawl.ts";
export { filter, foldByKey, map } from "./flow.ts";
export { Results, type BatchOptions, type HandleOptions, type ResultsOptions } from "./results.ts";
