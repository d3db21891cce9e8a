/** The settings of the process, all problems named at once. */
import { hostname } from "node:os";
import {
  apiSettings,
  commonSettings,
  readConfig,
  shown,
  type CommonConfig,
  type Values,
} from "@sluice/config";
import type { TopicLayout } from "@sluice/records";
import { checkBinding } from "./binding.ts";
import { directServices } from "./direct-services.ts";

const allSettings = { ...commonSettings, ...apiSettings };

export interface ApiConfig {
  readonly config: CommonConfig & Values<typeof apiSettings>;
  readonly layout: TopicLayout;
  readonly instance: string;
  /** As they may be logged. */
  readonly shown: Readonly<Record<string, unknown>>;
}

/** @throws SluiceError SLUICE_CONFIG_INVALID */
export function readSettings(env: Readonly<Record<string, string | undefined>>): ApiConfig {
  const config = readConfig(allSettings, env);
  checkBinding(config.host, config.token);
  // Now, and not when the first job comes that needs them.
  if (config.direct) for (const each of directServices(env)) each.checkSettings(env);
  const { prefix, partitions, politenessKey, retentionMs = null, replicationFactor = null } = config;
  return {
    config,
    layout: { prefix, partitions, politenessKey, retentionMs, replicationFactor },
    instance: config.instance ?? hostname(),
    shown: shown(allSettings, config),
  };
}
