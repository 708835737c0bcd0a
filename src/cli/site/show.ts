import type { CliIo } from "../cli-io.ts";
import { formatTable } from "../format-table.ts";
import { printable, printableJson } from "../printable.ts";

/** A table for people, or the values for programs. */
export function show(
  io: CliIo,
  json: boolean | undefined,
  values: unknown,
  table: { readonly head: readonly string[]; readonly rows: readonly (readonly unknown[])[] },
): void {
  if (json) {
    io.stdout.write(`${printableJson(values)}\n`);
    return;
  }
  const rows = table.rows.map((row) => row.map(cell));
  const lines = rows.length === 0 ? ["nothing"] : formatTable([table.head.map((name) => name.toUpperCase()), ...rows]);
  io.stdout.write(`${lines.join("\n")}\n`);
}

/** Two columns: what, and its value. */
export function showFields(io: CliIo, json: boolean | undefined, fields: Readonly<Record<string, unknown>>): void {
  if (json) {
    io.stdout.write(`${printableJson(fields)}\n`);
    return;
  }
  const rows = Object.entries(fields).map(([name, value]) => [name, cell(value)]);
  io.stdout.write(`${formatTable(rows).join("\n")}\n`);
}

function cell(value: unknown): string {
  if (value === undefined || value === null) return "-";
  if (value instanceof Date) return value.toISOString();
  return printable(typeof value === "string" ? value : JSON.stringify(value));
}
