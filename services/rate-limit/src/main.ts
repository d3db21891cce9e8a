import { rateLimitService } from "./definition.ts";

await rateLimitService.run();
