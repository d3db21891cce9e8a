/** Counts every answer by its route, and how long those took that are no streams. */
import type { FastifyInstance } from "fastify";
import type { Metrics } from "@sluice/telemetry";

export function measureRequests(app: FastifyInstance, metrics: Metrics): void {
  app.addHook("onSend", async (request, reply, payload) => {
    const labels = {
      // As declared: what strangers ask for must make no series.
      route: request.routeOptions.url ?? "none",
      method: request.method,
      status: `${Math.floor(reply.statusCode / 100)}xx`,
    };
    metrics.add("sluice_api_requests_total", 1, labels);
    if (!(payload instanceof ReadableStream))
      metrics.observe("sluice_api_request_seconds", reply.elapsedTime / 1000);
    return payload;
  });
}
