const KB = 1024;

/** Of bytes, such as `100 KB`. */
export const sizeName = (bytes: number): string =>
  bytes < KB * KB ? `${Math.round(bytes / KB)} KB` : `${Math.round(bytes / KB / KB)} MB`;
