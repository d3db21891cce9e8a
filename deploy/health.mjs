/** The image's health check: asks the service's own /readyz and nothing beyond the container. */
import { get } from "node:http";

const answerMs = 5000;
const url = `http://127.0.0.1:${process.env.SLUICE_ADMIN_PORT}/readyz`;

const request = get(url, { timeout: answerMs }, ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1));
request.once("timeout", () => process.exit(1));
request.once("error", () => process.exit(1));
