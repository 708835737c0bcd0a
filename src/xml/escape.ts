const SPECIAL = /[<>&"']/g;

const ESCAPED: Readonly<Record<string, string>> = {
  "<": "&lt;",
  ">": "&gt;",
  "&": "&amp;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Escapes text for use between tags and in attribute values (MNET-094, SEC-023). */
export function escapeXml(text: string): string {
  return text.replace(SPECIAL, (character) => ESCAPED[character] ?? "");
}
