import { EnvelopeError, KeyError, MnetError } from "../../src/core/errors.ts";

/** What an operator reads of an envelope or a key: one line, a whole sentence, no hole where a reason or a name should be. */
const SENTENCE = /^\S[^\r\n]*[^\s:]\.$/;

/**
 * The library error that `run` fails with, or `undefined` if it does not fail.
 * Any other error is thrown on: no test expects one. So is one about an envelope or a key whose message is no sentence.
 */
async function failureOf(run: () => unknown): Promise<MnetError | undefined> {
  try {
    await run();
    return undefined;
  } catch (error) {
    if (!MnetError.is(error)) throw error;
    for (let told: unknown = error; MnetError.is(told); told = told.cause) {
      const isOurs = told instanceof EnvelopeError || told instanceof KeyError;
      if (isOurs && !SENTENCE.test(told.message))
        throw new Error(`This is no sentence: ${told.message}`, { cause: error });
    }
    return error;
  }
}

/** The code of the library error that `run` fails with, or `"accepted"` if it does not fail. */
export async function codeOf(run: () => unknown): Promise<string> {
  return (await failureOf(run))?.code ?? "accepted";
}

/** The library error that `run` fails with. */
export async function errorOf(run: () => unknown): Promise<MnetError> {
  const error = await failureOf(run);
  if (!error) throw new Error("Nothing was thrown.");
  return error;
}
