import { StoreError } from "../../core/errors.ts";

/** Loads a package that is installed only where it is wanted. Throws `MNET_STORE_DRIVER_MISSING`. */
export async function loadDriver<T>(name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new StoreError(
      "MNET_STORE_DRIVER_MISSING",
      `The package "${name}" cannot be loaded: it is not installed, or not for this platform. Run: npm install ${name}`,
      { cause: error },
    );
  }
}
