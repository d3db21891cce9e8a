export { openApi, type Api, type ApiOptions } from "./api.ts";
export { eventFeed, type FeedOptions } from "./event-feed.ts";
export { parseEvent, streamEventTypes, type ParsedEvent } from "./event-parser.ts";
export { addPageRoutes } from "./page-routes.ts";
export { streamEventSchema, type Gap, type StreamEvent } from "./stream-events.ts";
