/** A version of the secure profile. Each fixes every algorithm, so that nothing within a message chooses one. */
export type SecureProfileName = "secure/1" | "secure/2";

/** Which signature and encryption an envelope uses: MNet's own, or one of the versions of the secure profile. */
export type ProfileName = "mnet" | SecureProfileName;
