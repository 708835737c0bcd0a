import { MnetError } from "../../src/core/errors.ts";

/**
 * The code of the library error that `run` fails with, or `"accepted"` if it does not fail.
 * Any other error is thrown on: no test expects one.
 */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return "accepted";
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return error.code;
  }
}

/** The library error that `run` fails with. */
export async function errorOf(run: () => unknown): Promise<MnetError> {
  try {
    await run();
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    return error;
  }
  throw new Error("Nothing was thrown.");
}
