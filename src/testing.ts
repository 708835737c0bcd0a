/**
 * For the tests of an application, and of stores of one's own. Runs under any test runner.
 *
 * @module mnet/testing
 */
export { accountsContract, type AccountsUnderTest } from "./testing/accounts-contract.ts";
export type { ContractCase } from "./testing/contract-case.ts";
export { enrolmentsContract, type EnrolmentPlugIns } from "./testing/enrolments-contract.ts";
export { fakeClock, type FakeClock } from "./testing/fake-clock.ts";
export { memoryAccounts, type MemoryAccounts, type MemoryUser } from "./testing/memory-accounts.ts";
export { memoryCourses, type MemoryCourse, type MemoryCourses } from "./testing/memory-courses.ts";
export { memorySessions, type MemorySessions } from "./testing/memory-sessions.ts";
export { replayContract } from "./testing/replay-contract.ts";
export { storeContract } from "./testing/store-contract.ts";
export type { TestBrowser, TestPage, VisitOptions } from "./testing/test-browser.ts";
export { testNetwork, type TestFailure, type TestNetwork } from "./testing/test-network.ts";
