import { MnetError, type AnyMnetError } from "../../core/errors.ts";
import type { BulkError } from "./remote-enrolment.ts";

/** Failures that end a run: the host closes, the store is away, the host may not call anybody, another run took over. */
const OF_ALL_ROWS = /^MNET_(?:HOST|STORE|CONFIG|HTTP)_|^MNET_ENROLMENT_RUN_/;

/** Whether a failure is the row's own, so that the others go on. */
export const isOfOneRow = (error: unknown): error is AnyMnetError =>
  MnetError.is(error) && !OF_ALL_ROWS.test(error.code);

/** What a journal can keep of it. */
export const toldOf = (error: AnyMnetError): BulkError => ({
  code: error.code,
  message: error.message,
  retryable: error.retryable,
  ...(error.code === "MNET_REMOTE_FAULT" && { faultCode: error.faultCode }),
});
