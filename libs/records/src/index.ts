export { decodeRecord, type Decoded } from "./codec.ts";
export {
  countersSchema,
  emptyTally,
  failedOf,
  finishReasons,
  grantSchema,
  grantsSchema,
  jobStatusSchema,
  nothingWaiting,
  openOf,
  waitingBySchema,
  waitingReasons,
  type BudgetCounters,
  type BudgetGrant,
  type Counters,
  type FinishReason,
  type Grant,
  type JobStatus,
  type RetryOrder,
  type SharedUnit,
  type Tally,
  type TaskCounters,
  type UrlCounts,
  type WaitingBy,
  type WaitingReason,
} from "./counters.ts";
export { dueSchema, permitSchema, type Due, type Errand, type ErrandAnswer, type Permit } from "./due.ts";
export { eventSchema, eventSchemas, type CrawlEvent } from "./event.ts";
export { failureCodes, listedCode, notRead, unlistedCode } from "./failure-code.ts";
export {
  failedCategories,
  fetchCategories,
  fetchFailures,
  unreachedFailures,
  type FailedCategory,
  type FetchCategory,
  type FetchFailure,
} from "./fetch-category.ts";
export { holdReasons, hostSchema, type Host } from "./host.ts";
export { resultId } from "./identity.ts";
export {
  defaultJob,
  defaultJobId,
  defaultPriority,
  jobIdSchema,
  jobSchema,
  prioritySchema,
  scopeKinds,
  type Job,
  type JobInput,
  type ScopeKind,
} from "./job.ts";
export { linkSchema, type Link } from "./link.ts";
export { breakerStates, outcomeSchema, type BreakerState, type Outcome } from "./outcome.ts";
export { murmur2, partitionOf } from "./partition.ts";
export {
  mayConcern,
  patternsFor,
  perMinuteOf,
  policyOf,
  policyPatternSchema,
  policySchema,
  secretRefSchema,
  type HostPolicy,
  type Policy,
  type SecretRef,
} from "./policy.ts";
export { policyBudgetsSchema, type PolicyBudgets } from "./policy-budgets.ts";
export { fieldRefusal, requestFieldsSchema, secretNameSchema } from "./request-fields.ts";
export { resultSchema, type Result } from "./result.ts";
export { boundSecretSchema, fieldValueSchema } from "./secret.ts";
export { seedSchema, type Seed } from "./seed.ts";
export { waitSources, type WaitSource } from "./wait-source.ts";
export { isOfDomain, politenessKeyOf, politenessKeys, type PolitenessKey } from "./politeness-key.ts";
export { hostOf } from "./url-host.ts";
export {
  configsOf,
  defaultLayout,
  partitionsOf,
  topicList,
  topicsOf,
  isKeyed,
  topicOf,
  topics,
  type Topic,
  type TopicLayout,
} from "./topics.ts";
