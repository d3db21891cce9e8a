export { openApi, type Api, type ApiOptions } from "./api.ts";
export { eventFeed, type FeedOptions } from "./event-feed.ts";
export {
  parseEvent,
  parseStreamEvent,
  streamEventSchema,
  type Gap,
  type StreamEvent,
} from "./stream-events.ts";
