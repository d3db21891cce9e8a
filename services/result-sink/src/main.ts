import { resultSinkService } from "./definition.ts";

await resultSinkService.run();
