import type { ProfileName } from "../core/profile-name.ts";

/** One way in which two sites seal what they send each other: which algorithms, and what a signature covers. */
export interface Profile<Sealing, Opening, Message> {
  /** What peers call it, when they tell each other what they have. */
  readonly name: ProfileName;
  /** Identifiers as they stand in a message, by what they are for. The profile fixes them; a message chooses none. */
  readonly algorithms: Readonly<Record<string, string>>;
  /** What opening a message may cost. */
  readonly limits: {
    /** Default of `maxBytes`. */
    readonly bytes: number;
    /** Private-key operations that opening one message can cost (SEC-006). */
    readonly unwrappings: number;
  };
  /** Whether a body is to be opened in this profile, as its root element says. Proves nothing. */
  owns(body: Uint8Array): boolean;
  /** Signs and encrypts a document for one recipient. Throws `ConfigError`. */
  seal(document: Uint8Array, options: Sealing): Promise<{ readonly body: Uint8Array; readonly messageId?: string }>;
  /** Decrypts and verifies. Throws `EnvelopeError`. Remembers nothing and has no clock: replays and times are the caller's. */
  open(body: Uint8Array, options: Opening): Promise<Message>;
}
