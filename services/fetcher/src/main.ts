import { fetcherService } from "./definition.ts";

await fetcherService.run();
