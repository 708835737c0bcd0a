declare module "xml-encryption" {
  interface EncryptOptions {
    readonly rsa_pub: string;
    readonly pem: string;
    readonly encryptionAlgorithm: string;
    readonly keyEncryptionAlgorithm: string;
    readonly keyEncryptionDigest: string;
    readonly keyEncryptionMgf: string;
  }
  type Done = (error: Error | null, result: string) => void;
  const xmlenc: {
    encrypt(content: string, options: EncryptOptions, done: Done): void;
    decrypt(xml: string, options: { readonly key: string }, done: Done): void;
  };
  export default xmlenc;
}
