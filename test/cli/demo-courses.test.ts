import { describe, expect, test } from "vitest";
import { SiteCourses } from "../../src/cli/demo/web/courses.ts";
import { failureWords } from "../../src/cli/demo/web/failure-words.ts";
import { collegeContent } from "../../src/cli/demo/web/site-content.ts";
import { Users } from "../../src/cli/demo/web/users.ts";
import { EnrolmentError, RemoteFault } from "../../src/core/errors.ts";
import { enrolmentsContract } from "../../src/testing/enrolments-contract.ts";

describe("the demo's courses", () => {
  const make = async () => {
    const accounts = new Users(collegeContent.users);
    const courses = new SiteCourses(collegeContent.courses, accounts);
    return { accounts, courses, enrolments: courses, offeredCourse: 7 };
  };
  test.each(enrolmentsContract(make))("$name", ({ run }) => run());

  test("its own users are in them from the beginning", async () => {
    const { accounts, courses } = await make();
    const names = courses.participants(courses.find(7)!).map(({ account, method }) => [account.username, method]);
    expect(names).toEqual([
      ["olena", "manual"],
      ["jose", "manual"],
    ]);
    expect(courses.has(courses.find(5)!, accounts.own("olena")!.account)).toBe(false);
  });
});

describe("why something failed, in words", () => {
  const fault = (faultCode: number) =>
    new RemoteFault("said", { method: "m", faultCode, faultString: "enrol_mnet/x", authenticated: true });

  test.each([
    [5019, "Beta refuses (fault 5019): the enrolment could not be made"],
    [5012, "Beta refuses (fault 5012): there is no such course any more."],
    [704, "Beta refuses (fault 704): networking is switched off at the responder."],
    [9999, "Beta refuses (fault 9999): it does not say why."],
  ])("fault %d", (faultCode, text) => {
    expect(failureWords(fault(faultCode), "Beta")).toContain(text);
  });

  test("another error has its message and its code; what is none of ours is thrown on", () => {
    const error = new EnrolmentError("MNET_ENROLMENT_PERSON_UNSUITABLE", "She may not.");
    expect(failureWords(error, "Beta")).toBe("She may not. (MNET_ENROLMENT_PERSON_UNSUITABLE)");
    expect(() => failureWords(new TypeError("x"), "Beta")).toThrow(TypeError);
  });
});
