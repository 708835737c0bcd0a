import { describe, expect, test } from "vitest";
import { StoreError } from "../../src/core/errors.ts";
import { isDeadlock as isMysqlDeadlock, mysqlError } from "../../src/stores/sql/mysql-error.ts";
import { isDeadlock, postgresError } from "../../src/stores/sql/postgres-error.ts";

const postgres = (code: string): Error => Object.assign(new Error("said"), { code, severity: "ERROR" });
const mysql = (errno: number): Error => Object.assign(new Error("said"), { errno, code: "ER_X", sqlState: "HY000" });
const system = (code: string): Error => Object.assign(new Error("said"), { code, errno: -1 });

describe("errors of servers", () => {
  test.each<[string, Error, string, boolean]>([
    ["PostgreSQL, disk full", postgres("53100"), "the disk is full", false],
    ["PostgreSQL, too many connections", postgres("53300"), "no room", true],
    ["PostgreSQL, a standby", postgres("25006"), "read-only", false],
    ["PostgreSQL, starting", postgres("57P03"), "starting or stopping", true],
    ["PostgreSQL, dropped", postgres("57P04"), "was dropped", false],
    ["PostgreSQL, cancelled", postgres("57014"), "too long", true],
    ["PostgreSQL, damaged", postgres("XX001"), "is damaged", false],
    ["PostgreSQL, a password", postgres("28P01"), "refuses this user", false],
    ["PostgreSQL, something else", postgres("0A000"), "does not work", false],
  ])("%s", (_what, thrown, text, retryable) => {
    const error = postgresError(thrown, "mnet on db.test");
    expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable });
    expect(error.message).toContain("The database mnet on db.test ");
    expect(error.message).toContain(text);
  });

  test.each<[string, Error, string, boolean]>([
    ["MariaDB, disk full", mysql(1021), "the disk is full", false],
    ["MariaDB, table full", mysql(1114), "the disk is full", false],
    ["MariaDB, too many connections", mysql(1040), "no room", true],
    ["MariaDB, a replica", mysql(1290), "read-only", false],
    ["MariaDB, stopping", mysql(1053), "is stopping", true],
    ["MariaDB, locked", mysql(1205), "is locked", true],
    ["MariaDB, damaged", mysql(1194), "is damaged", false],
    ["MariaDB, a password", mysql(1045), "refuses this user", false],
    ["MariaDB, too long a value", mysql(1406), "too long", false],
    ["the system, reset", system("ECONNRESET"), "lost the connection", true],
    ["the system, unknown host", system("ENOTFOUND"), "host is unknown", true],
    ["TLS", system("SELF_SIGNED_CERT_IN_CHAIN"), "TLS failed", false],
  ])("%s", (_what, thrown, text, retryable) => {
    const error = mysqlError(thrown, "mnet on db.test");
    expect(error).toMatchObject({ code: "MNET_STORE_UNAVAILABLE", retryable });
    expect(error.message).toContain(text);
  });

  test("a table or column that is missing has a code of its own", () => {
    for (const error of [postgresError(postgres("42P01"), "x"), postgresError(postgres("42703"), "x")])
      expect(error.code).toBe("MNET_STORE_INCOMPLETE");
    for (const error of [mysqlError(mysql(1146), "x"), mysqlError(mysql(1054), "x")])
      expect(error.code).toBe("MNET_STORE_INCOMPLETE");
  });

  test("only deadlocks are done again", () => {
    for (const code of ["40P01", "40001"]) expect(isDeadlock(postgresError(postgres(code), "x"))).toBe(true);
    for (const errno of [1213, 1020]) expect(isMysqlDeadlock(mysqlError(mysql(errno), "x"))).toBe(true);
    for (const error of [postgresError(postgres("55P03"), "x"), new StoreError("MNET_STORE_UNAVAILABLE", "x"), 5, null])
      expect(isDeadlock(error)).toBe(false);
    expect(isMysqlDeadlock(mysqlError(mysql(1205), "x"))).toBe(false);
  });

  test("neither the statement nor a row is shown", () => {
    const fields = {
      detail: "Failing row contains (hunter2)",
      sql: "insert into x values ('hunter2')",
      where: "hunter2",
    };
    for (const translate of [postgresError, mysqlError]) {
      const thrown = Object.assign(new Error("Duplicate entry 'hunter2' for key 'x'"), fields, postgres("23505"));
      const { cause, message } = translate(thrown, "x");
      expect(`${message} ${String(cause)} ${JSON.stringify(cause)} ${(cause as Error).stack}`).not.toContain("hunter2");
    }
  });
});
