import { frontierService } from "./definition.ts";

await frontierService.run();
