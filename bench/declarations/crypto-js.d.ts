// As much of the package as is measured.
declare module "crypto-js" {
  interface WordArray {
    readonly sigBytes: number;
  }
  const library: {
    readonly lib: { readonly WordArray: { create(bytes: Uint8Array): WordArray } };
    readonly RC4: { encrypt(data: WordArray, key: WordArray): { readonly ciphertext: WordArray } };
  };
  export default library;
}
